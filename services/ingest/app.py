"""The ingest process: the one place that names what it is made of, and the order in which it starts and stops.

On SIGTERM: not ready any more, no new connections, open requests to their end, the producer's buffer, the rest.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from services.ingest.acceptance import Policy
from services.ingest.body import BodyLimits
from services.ingest.cloudevents.form import CloudEvents
from services.ingest.document import ItemLimits
from services.ingest.duplicates import Duplicates
from services.ingest.intake import Intake, IntakeRules, Surroundings
from services.ingest.metrics import Metrics
from services.ingest.openapi import OPERATION, SECURITY_SCHEMES
from services.ingest.privacy.policy import Policy as PrivacyPolicy
from services.ingest.privacy.policy import PolicyError
from services.ingest.privacy.screen import Screen
from services.ingest.privacy.sealing import Sealer
from services.ingest.privacy.suppression_store import SuppressionStore
from services.ingest.privacy.suppressions import Suppressions
from services.ingest.privacy.treatment import Treating
from services.ingest.protection.admission import Admission
from services.ingest.protection.rates import RateRules, Rates
from services.ingest.protection.wrong_keys import WrongKeys
from services.ingest.routes import PostTouchpoints
from services.ingest.settings import IngestSettings, ProcessSettings
from services.ingest.source_store import SourceStore
from services.ingest.sources import KeyStore, Sources
from services.ingest.timing.clocks import Clocks, TimingRules
from services.ingest.timing.skew import SkewRules
from services.ingest.wire.door import Door
from services.ingest.wire.exchange import Exchange, Handler
from services.ingest.wire.mounting import Operation, RawRoute, mount
from services.runtime import logs, postgres
from services.runtime.clock import Clock, SystemClock, new_id
from services.runtime.health import CheckResult, Health
from services.runtime.http import OnReady, build_api, serving, until_stopped
from services.runtime.kafka import Producer, Publisher
from services.runtime.settings import CommonSettings, SettingsError
from services.runtime.tasks import TaskOwner

_log = logs.get_logger(__name__)

_ADDRESSES = 20_000
"""Of clients with wrong keys that are remembered, the latest."""

DESCRIPTION = "Takes touchpoints from every channel, checks and normalises them, and writes them to Kafka."


async def run(settings: ProcessSettings, *, on_ready: OnReady | None = None) -> None:
    """Serve until SIGTERM or SIGINT; `on_ready` is called with the port once requests are answered.

    Raises:
        OSError: the address is taken, or PostgreSQL cannot be reached within half a minute.
    """
    common, ingest = settings.common, settings.ingest
    logs.configure("ingest", common.log_level, common.log_format)
    if not ingest.key_secret.get_secret_value():
        _log.warning("no key secret is set: Kafka keys can be guessed from identifiers")
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        pool = await postgres.retrying(lambda: _open_pool(common), within_s=30.0)
        stack.push_async_callback(postgres.close_pool, pool)
        producer = Producer(
            common.kafka,
            client_id="waymark-ingest",
            idempotent=common.kafka_idempotence,
            request_timeout_s=ingest.publish_timeout_s,
        )
        stack.push_async_callback(producer.stop)
        owner = await stack.enter_async_context(TaskOwner())
        service = Service(ingest, SourceStore(pool), producer, clock, new_id)
        await service.suppressions.watch(SuppressionStore(pool))  # before the first touchpoint, not soon after it
        health = service.health(producer.check, lambda: _database(pool))
        owner.start("source keys", service.sources.run)
        owner.start("suppressions", service.suppressions.run)
        async with serving(service.app(health), ingest.host, ingest.port, drain_s=ingest.drain_s) as port:
            _log.info("ingest serves", host=ingest.host, port=port)
            if on_ready is not None:
                await on_ready(port)
            await until_stopped()
            health.draining = True
            _log.info("ingest drains")
    _log.info("ingest stopped")


class Service:
    """Ingest without its process: everything between an HTTP request and a publisher."""

    def __init__(
        self,
        settings: IngestSettings,
        store: KeyStore,
        publisher: Publisher,
        clock: Clock,
        fresh_id: Callable[[], UUID],
    ) -> None:
        self.registry = CollectorRegistry()
        self.metrics = Metrics.register(self.registry)
        self.sources = Sources(store, clock, refresh_s=settings.keys_refresh_s, retry_after_s=settings.retry_after_s)
        rates = Rates(_rate_rules(settings), clock)
        wrong_keys = WrongKeys(clock, per_minute=settings.wrong_keys_per_minute, capacity=_ADDRESSES)
        self._door = Door(self.sources, rates, wrong_keys, settings.trusted_networks)
        secret = settings.privacy_secret.get_secret_value().encode()
        self.suppressions = Suppressions(self.metrics, secret, refresh_s=settings.keys_refresh_s)
        limits = ItemLimits(items=settings.max_items, item_bytes=settings.max_item_bytes, depth=settings.max_depth)
        self.intake = Intake(
            publisher,
            _intake_rules(settings, limits),
            Duplicates(settings.remembered_ids),
            Surroundings(
                metrics=self.metrics,
                clock=clock,
                new_id=fresh_id,
                rates=rates,
                clocks=Clocks(_timing_rules(settings)),
                screen=_screen(settings, self.suppressions),
            ),
        )
        self._admission = Admission(
            self.metrics,
            most_requests=settings.max_in_flight_requests,
            most_bytes=settings.max_in_flight_bytes,
            retry_after_s=settings.retry_after_s,
        )
        self._body = BodyLimits(
            wire_bytes=settings.max_body_bytes,
            inflated_bytes=settings.max_inflated_bytes,
            timeout_s=settings.body_timeout_s,
        )
        self._touchpoints = PostTouchpoints(self.intake, limits, settings.retry_after_s, forms=(CloudEvents(limits),))

    def health(self, *ready: Any) -> Health:
        """Return the health of the process, with the checks of its surroundings."""
        return Health(registry=self.registry, ready=(self.sources.check, self.suppressions.check, *ready))

    def app(self, health: Health) -> FastAPI:
        """Return the application to serve."""
        app = build_api(
            title="Waymark ingest",
            description=DESCRIPTION,
            version="1",
            health=health,
            lifespan=_lifespan,
            tags=[{"name": "touchpoints", "description": "Touchpoints in, one result each out."}],
        )
        mount(app, self._routes())
        app.openapi = _with_security(app)  # type: ignore[method-assign]  # the way FastAPI documents for extending it
        return app

    def _routes(self) -> list[RawRoute]:
        return [self._route("/v1/touchpoints", self._touchpoints, OPERATION)]

    def _route(self, path: str, handler: Handler, operation: Operation | None = None) -> RawRoute:
        return RawRoute(path, Exchange(handler, self._door, self._admission, self.metrics, self._body), operation)


def _rate_rules(settings: IngestSettings) -> RateRules:
    return RateRules(
        requests_per_s=settings.requests_per_s,
        touchpoints_per_s=settings.touchpoints_per_s,
        burst_s=settings.burst_s,
    )


def _timing_rules(settings: IngestSettings) -> TimingRules:
    return TimingRules(
        ahead=timedelta(seconds=settings.future_tolerance_s),
        remembered=settings.remembered_clocks,
        skew=SkewRules(
            window=timedelta(seconds=settings.skew_window_s),
            quantum=timedelta(seconds=settings.skew_quantum_s),
            least=timedelta(seconds=settings.skew_least_s),
        ),
    )


def _screen(settings: IngestSettings, suppressions: Suppressions) -> Screen:
    """Return what stands before publishing; raises `SettingsError` when the policy is wrong or lacks its secrets."""
    secret, keys = settings.privacy_secret.get_secret_value().encode(), settings.sealing_keys
    try:
        policy = PrivacyPolicy.read(settings.privacy)
    except PolicyError as error:
        raise SettingsError(error.problems) from None
    missing = policy.lacks(secret=bool(secret), keys=bool(keys))
    if missing:
        raise SettingsError(missing)
    return Screen(policy, suppressions, Treating(secret, Sealer(keys)), phone_region=settings.phone_region)


def _intake_rules(settings: IngestSettings, limits: ItemLimits) -> IntakeRules:
    return IntakeRules(
        limits=limits,
        policy=Policy(
            future_tolerance=timedelta(seconds=settings.future_tolerance_s), phone_region=settings.phone_region
        ),
        key_secret=settings.key_secret.get_secret_value().encode(),
        dead_letter_timeout_s=settings.dead_letter_timeout_s,
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


async def _open_pool(common: CommonSettings) -> postgres.Pool:
    return await postgres.create_pool(
        common.postgres.get_secret_value(), application_name="waymark-ingest", size=4, statement_timeout_s=5.0
    )


async def _database(pool: postgres.Pool) -> CheckResult:
    """Show whether PostgreSQL answers; without it the keys that are held still serve, so it is not essential."""
    async with asyncio.timeout(3.0):
        found = await postgres.ping(pool)
    return CheckResult(name=found.name, ok=found.ok, detail=found.detail, essential=False)
