"""The ingest process: the one place that wires its parts together, starts them and stops them in order.

On SIGTERM it reports that it is not ready, accepts no new connections, finishes open requests, flushes the producer,
and then closes the rest.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from schemas import validation
from schemas.documents import dead_letter
from services.ingest.company_files import CompanyFiles
from services.ingest.forms.cloudevents.cloudevents_form import CloudEventsForm
from services.ingest.forms.native.native_openapi import OPERATION, SECURITY_SCHEMES
from services.ingest.forms.native.post_touchpoints import PostTouchpoints
from services.ingest.forms.segment import segment_openapi
from services.ingest.forms.segment.post_calls import PATHS, PostCalls
from services.ingest.forms.webhooks.binding_store import PostgresBindingStore
from services.ingest.forms.webhooks.bindings import BindingStore, EmptyBindingStore, WebhookBindings, binding_context
from services.ingest.forms.webhooks.post_webhook import PostWebhook, WebhookLimits
from services.ingest.forms.webhooks.webhook_openapi import ROUTES as WEBHOOK_ROUTES
from services.ingest.forms.webhooks.webhook_openapi import TAG as WEBHOOK_TAG
from services.ingest.http.authentication import SourceAuthenticator
from services.ingest.http.body import BodyLimits
from services.ingest.http.exchange import HttpExchange, RouteHandler
from services.ingest.http.raw_routes import Operation, RawRoute, RawRouteApp, mount
from services.ingest.inspector.follow_up import FollowUp
from services.ingest.inspector.inspector_openapi import TAG as INSPECTOR_TAG
from services.ingest.inspector.journey_api import JourneyApi
from services.ingest.inspector.logbook import Logbook, LogbookLimits
from services.ingest.inspector.other_replicas import LETTERS_BACK, OtherReplicas
from services.ingest.inspector.replica_inspector import Inspector
from services.ingest.inspector.routes import routes as inspector_routes
from services.ingest.metrics import IngestMetrics
from services.ingest.privacy.policy import PrivacyPolicy
from services.ingest.privacy.policy_applier import PolicyApplier
from services.ingest.privacy.screen import PrivacyScreen
from services.ingest.privacy.suppression_store import PostgresSuppressionStore
from services.ingest.privacy.suppressions import Suppressions
from services.ingest.privacy.value_sealing import ValueSealer
from services.ingest.protection.admission import AdmissionControl
from services.ingest.protection.rate_limits import RateLimiter, RateLimits
from services.ingest.protection.wrong_keys import WrongKeyLimiter
from services.ingest.publish.dead_letters import DeadLetterWriter
from services.ingest.publish.duplicates import DuplicateMemory
from services.ingest.publish.intake import TouchpointIntake
from services.ingest.sentiment.estimator import SentimentEstimator
from services.ingest.sentiment.model import model_choice
from services.ingest.sentiment.sentiment_filler import SentimentFiller
from services.ingest.settings import IngestProcessSettings, IngestSettings
from services.ingest.sources.source_keys import SourceKeys, SourceKeyStore
from services.ingest.sources.source_store import SourceStore
from services.ingest.timing.clock_skew import ClockSkewRules
from services.ingest.timing.device_clocks import DeviceClocks, TimingRules
from services.ingest.touchpoint.acceptance import AcceptanceRules
from services.ingest.touchpoint.document import ItemLimits
from services.runtime.addresses.brokers import Brokers
from services.runtime.clock import Clock, SystemClock, new_id
from services.runtime.credentials.api_keys import KeyRing
from services.runtime.http.application import build_api
from services.runtime.http.server import OnReady, serving, until_stopped
from services.runtime.kafka.producer import KafkaProducer, RecordPublisher
from services.runtime.kafka.topic_tail import TAIL_OUTAGES, TopicTail, topic_tail
from services.runtime.postgres import pools
from services.runtime.process.garbage_collection import collect_less_often
from services.runtime.process.startup import check_listening, open_postgres, probe_kafka
from services.runtime.process.tasks import TaskOwner
from services.runtime.settings import CommonSettings
from services.runtime.telemetry import logs
from services.runtime.telemetry.health import CheckResult, HealthChecks
from services.runtime.telemetry.span_export import traced

_log = logs.get_logger(__name__)

_ADDRESSES = 20_000
"""Of clients with wrong keys that are remembered, the latest."""

DESCRIPTION = "Takes touchpoints from every channel, checks and normalises them, and writes them to Kafka."


async def run(settings: IngestProcessSettings, *, on_ready: OnReady | None = None) -> None:
    """Serve until SIGTERM or SIGINT; `on_ready` is called with the port once requests are answered.

    Raises:
        SettingsError: a setting is wrong, or a file that it names.
        DependencyUnavailableError: PostgreSQL cannot be reached within half a minute.
    """
    common, ingest = settings.common, settings.ingest
    collect_less_often()
    logs.configure("ingest", common.log_level, common.log_format)
    if not ingest.key_secret.get_secret_value():
        _log.warning("no key secret is set: Kafka keys can be guessed from identifiers")
    clock = SystemClock()
    CompanyFiles.read(ingest)  # what is wrong there is said before anything is started
    check_listening(IngestSettings, ingest.host, ingest.port)
    async with AsyncExitStack() as stack:
        tracing = stack.enter_context(traced("ingest", common.traces_endpoint, common.traces_sampled))
        pool = await open_postgres(lambda: _open_pool(common))
        stack.push_async_callback(pools.close_pool, pool)
        await probe_kafka(common.brokers)
        producer = KafkaProducer(
            common.brokers,
            client_id="waymark-ingest",
            idempotent=common.kafka_idempotence,
            request_timeout_s=ingest.publish_timeout_s,
        )
        stack.push_async_callback(producer.stop)
        owner = await stack.enter_async_context(TaskOwner())
        service = IngestProcess(ingest, SourceStore(pool), producer, clock, new_id, PostgresBindingStore(pool))
        stack.push_async_callback(service.intake.sentiment.aclose)
        service.intake.tracing = tracing
        await service.suppressions.watch(
            PostgresSuppressionStore(pool)
        )  # before the first touchpoint, not soon after it
        health = service.health(producer.check, lambda: _database(pool))
        owner.start("source keys", service.sources.run)
        ask = _journey_api(ingest)
        if ask is not None:
            stack.push_async_callback(ask.aclose)
            service.inspector.follow_up.ask_from(ask)
        service.inspector.other_replicas.read_from(partial(_rejected_tail, common.brokers), TAIL_OUTAGES)
        owner.start("other replicas' rejections", service.inspector.other_replicas.run)
        owner.start("suppressions", service.suppressions.run)
        owner.start("webhooks", service.bindings.run)
        async with serving(
            service.app(health), ingest.host, ingest.port, drain_s=ingest.drain_s, prefix=ingest.path_prefix
        ) as port:
            _log.info("ingest serves", host=ingest.host, port=port)
            if on_ready is not None:
                await on_ready(port)
            await until_stopped()
            health.draining = True
            _log.info("ingest drains")
    _log.info("ingest stopped")


class IngestProcess:
    """The parts of an ingest process, from an HTTP request to the publisher, without the start and the stop."""

    def __init__(
        self,
        settings: IngestSettings,
        store: SourceKeyStore,
        publisher: RecordPublisher,
        clock: Clock,
        fresh_id: Callable[[], UUID],
        webhooks: BindingStore | None = None,
    ) -> None:
        files = CompanyFiles.read(settings)
        self.registry = CollectorRegistry()
        self.metrics = IngestMetrics.register(self.registry)
        self.sources = SourceKeys(store, clock, refresh_s=settings.keys_refresh_s, retry_after_s=settings.retry_after_s)
        rates = RateLimiter(_rate_rules(settings), clock)
        wrong_keys = WrongKeyLimiter(clock, per_minute=settings.wrong_keys_per_minute, capacity=_ADDRESSES)
        operators = KeyRing(store.one_operator, clock, outages=store.outages)
        self._authenticator = SourceAuthenticator(self.sources, operators, rates, wrong_keys, settings.trusted_networks)
        self.inspector = _inspector(settings, clock, fresh_id, FollowUp())
        self._measure(wrong_keys)
        secret = settings.privacy_secret.get_secret_value().encode()
        self.suppressions = Suppressions(self.metrics, secret, refresh_s=settings.keys_refresh_s)
        limits = _item_limits(settings)
        self.intake = self._intake(settings, publisher, rates, files, clock, fresh_id)
        self._admission = _admission(settings, self.metrics)
        self._body = _body_limits(settings)
        where = binding_context(settings, files.systems)
        self.bindings = WebhookBindings(webhooks or EmptyBindingStore(), where, refresh_s=settings.keys_refresh_s)
        heard = WebhookLimits(
            most=settings.max_items, within_s=settings.webhook_timeout_s, retry_after_s=settings.retry_after_s
        )
        self._webhook = PostWebhook(self.bindings, self.intake, self.metrics, clock, heard)
        self._segment = PostCalls(self.sources, self.intake, self.metrics, limits, settings.retry_after_s)
        self._touchpoints = PostTouchpoints(
            self.intake, limits, settings.retry_after_s, forms=(CloudEventsForm(limits),)
        )

    def _intake(
        self,
        settings: IngestSettings,
        publisher: RecordPublisher,
        rates: RateLimiter,
        files: CompanyFiles,
        clock: Clock,
        fresh_id: Callable[[], UUID],
    ) -> TouchpointIntake:
        screen = _screen(settings, files.policy, self.suppressions)
        return TouchpointIntake(
            publisher=publisher,
            dead_letters=DeadLetterWriter(
                publisher=publisher,
                screen=screen,
                metrics=self.metrics,
                clock=clock,
                new_id=fresh_id,
                replica=self.inspector.replica,
                timeout_s=settings.dead_letter_timeout_s,
            ),
            limits=_item_limits(settings),
            rules=_acceptance_rules(settings),
            key_secret=settings.key_secret.get_secret_value().encode(),
            rates=rates,
            clocks=DeviceClocks(_timing_rules(settings)),
            sentiment=SentimentFiller(
                None if files.lexicon is None else SentimentEstimator(files.lexicon),
                model_choice.chosen(settings, self.metrics, clock),
            ),
            screen=screen,
            duplicates=DuplicateMemory(settings.remembered_ids),
            logbook=self.inspector.logbook,
            metrics=self.metrics,
            clock=clock,
        )

    def health(self, *ready: Any) -> HealthChecks:
        """Return the health of the process, with the checks of its surroundings."""
        return HealthChecks(
            registry=self.registry, ready=(self.sources.check, self.bindings.check, self.suppressions.check, *ready)
        )

    def app(self, health: HealthChecks) -> RawRouteApp:
        """Return the application to serve."""
        self.inspector.closing = lambda: health.draining
        api = build_api(
            title="Waymark ingest",
            description=DESCRIPTION,
            version="1",
            health=health,
            lifespan=_lifespan,
            tags=[
                {"name": "touchpoints", "description": "Touchpoints in, one result each out."},
                segment_openapi.TAG,
                INSPECTOR_TAG,
                WEBHOOK_TAG,
            ],
        )
        api.openapi = _with_security(api)  # type: ignore[method-assign]  # the way FastAPI documents for extending it
        return mount(api, self._routes())

    def _measure(self, wrong_keys: WrongKeyLimiter) -> None:
        self.metrics.inspector_bytes.set_function(lambda: self.inspector.logbook.weight)
        self.metrics.inspector_streams.set_function(lambda: self.inspector.streams)
        self.metrics.throttled_addresses.set_function(lambda: len(wrong_keys))

    def _routes(self) -> list[RawRoute]:
        calls = segment_openapi.operations()
        return [
            self._route("/v1/touchpoints", self._touchpoints, OPERATION),
            *(self._route(path, self._segment, calls.get(path)) for path in PATHS),
            *(self._looking(*route) for route in inspector_routes(self.inspector)),
            *(self._route(path, self._webhook, said) for path, said in WEBHOOK_ROUTES),
        ]

    def _route(self, path: str, handler: RouteHandler, operation: Operation | None = None) -> RawRoute:
        exchange = HttpExchange(
            handler,
            self._authenticator,
            self._admission,
            self.metrics,
            self._body,
            on_refusal=self.inspector.record_refusal,
        )
        return RawRoute(path, exchange, operation)

    def _looking(self, path: str, handler: RouteHandler, operation: Operation | None) -> RawRoute:
        exchange = HttpExchange(handler, self._authenticator, self._admission, self.metrics, self._body)
        return RawRoute(path, exchange, operation, method="GET")


def _journey_api(settings: IngestSettings) -> JourneyApi | None:
    secret = settings.outcomes_secret.get_secret_value()
    return JourneyApi(settings.journey_api, secret) if settings.journey_api and secret else None


def _item_limits(settings: IngestSettings) -> ItemLimits:
    """Return the limits of one touchpoint; nothing deeper than the contract's check can look is let that far."""
    depth = min(settings.max_depth, validation.MAX_DEPTH)
    return ItemLimits(items=settings.max_items, item_bytes=settings.max_item_bytes, depth=depth)


def _inspector(settings: IngestSettings, clock: Clock, fresh_id: Callable[[], UUID], follow_up: FollowUp) -> Inspector:
    logbook = Logbook(
        LogbookLimits(
            entries=settings.inspector_entries,
            ring_bytes=settings.inspector_bytes,
            all_bytes=settings.inspector_all_bytes,
        )
    )
    replica = fresh_id().hex[-8:]
    return Inspector(
        replica=replica,
        logbook=logbook,
        other_replicas=OtherReplicas(logbook, replica),
        follow_up=follow_up,
        most_streams=settings.inspector_streams,
        now=clock.now,
    )


def _admission(settings: IngestSettings, metrics: IngestMetrics) -> AdmissionControl:
    return AdmissionControl(
        metrics,
        most_requests=settings.max_in_flight_requests,
        most_bytes=settings.max_in_flight_bytes,
        retry_after_s=settings.retry_after_s,
    )


def _body_limits(settings: IngestSettings) -> BodyLimits:
    return BodyLimits(
        wire_bytes=settings.max_body_bytes,
        inflated_bytes=settings.max_inflated_bytes,
        timeout_s=settings.body_timeout_s,
    )


def _rate_rules(settings: IngestSettings) -> RateLimits:
    return RateLimits(
        requests_per_s=settings.requests_per_s,
        touchpoints_per_s=settings.touchpoints_per_s,
        burst_s=settings.burst_s,
    )


def _timing_rules(settings: IngestSettings) -> TimingRules:
    return TimingRules(
        ahead=timedelta(seconds=settings.future_tolerance_s),
        remembered=settings.remembered_clocks,
        skew=ClockSkewRules(
            window=timedelta(seconds=settings.skew_window_s),
            quantum=timedelta(seconds=settings.skew_quantum_s),
            least=timedelta(seconds=settings.skew_least_s),
        ),
    )


def _screen(settings: IngestSettings, policy: PrivacyPolicy, suppressions: Suppressions) -> PrivacyScreen:
    """Return what stands before publishing."""
    secret, keys = settings.privacy_secret.get_secret_value().encode(), settings.sealing_keys
    return PrivacyScreen(
        policy, suppressions, PolicyApplier(secret, ValueSealer(keys)), phone_region=settings.phone_region
    )


def _acceptance_rules(settings: IngestSettings) -> AcceptanceRules:
    return AcceptanceRules(
        future_tolerance=timedelta(seconds=settings.future_tolerance_s), phone_region=settings.phone_region
    )


@asynccontextmanager
async def _lifespan(_app: FastAPI) -> AsyncIterator[None]:
    yield


def _with_security(app: FastAPI) -> Callable[[], dict[str, Any]]:
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        document = plain()
        document.setdefault("components", {})["securitySchemes"] = SECURITY_SCHEMES
        return document

    return openapi


def _rejected_tail(brokers: Brokers) -> AbstractAsyncContextManager[TopicTail]:
    return topic_tail(brokers, dead_letter.TOPIC, client_id="waymark-ingest-inspector", back=LETTERS_BACK)


async def _open_pool(common: CommonSettings) -> pools.Pool:
    return await pools.create_pool(
        pools.place_of(common), application_name="waymark-ingest", size=4, statement_timeout_s=5.0
    )


async def _database(pool: pools.Pool) -> CheckResult:
    """Show whether PostgreSQL answers; without it the keys that are held still serve, so it is not essential."""
    async with asyncio.timeout(3.0):
        found = await pools.ping(pool)
    return CheckResult(name=found.name, ok=found.ok, detail=found.detail, essential=False)
