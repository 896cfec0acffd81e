"""The alerts process: wires, starts and stops consumer, dispatcher, relay, upkeep, live stream and API.

On SIGTERM the process stops being ready and ends its streams. It reads no new frictions and leases no new deliveries,
and it waits for the requests and webhooks in flight. What it cuts off is in the database: an uncommitted batch is read
again, and a lease runs out.
"""

import os
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from random import SystemRandom

from prometheus_client import CollectorRegistry

from services.alerts.admin import key_store
from services.alerts.admin.administration import Administration
from services.alerts.admin.policy_administration import PolicyAdministration
from services.alerts.api.access import ApiParts
from services.alerts.api.application import build
from services.alerts.consume.consumer import ConsumerSettings, TopicConsumer, current_line
from services.alerts.consume.intake import FrictionIntake
from services.alerts.consume.journey_intake import JourneyIntake
from services.alerts.deliver import delivery_store
from services.alerts.deliver.action_link import ActionLinks
from services.alerts.deliver.carrier import MessageCarrier
from services.alerts.deliver.dispatcher import Dispatcher, DispatcherSettings
from services.alerts.deliver.endpoint_health import HealthRecorder
from services.alerts.deliver.http.sender import EndpointSender
from services.alerts.deliver.http.target_guard import TargetGuard, TargetPolicy
from services.alerts.deliver.smtp.mail_sender import MailSender
from services.alerts.deliver.webhook.signing import WebhookSigner
from services.alerts.digest.digest_sender import DigestSender
from services.alerts.failpoints import AlertsFailpoints
from services.alerts.hold import wait_store
from services.alerts.inbox.action_executor import ActionExecutor
from services.alerts.live import feed_store
from services.alerts.live.live_stream import LiveStream
from services.alerts.live.relay import IssueRelay
from services.alerts.loop.loop_follower import LoopFollower
from services.alerts.loop.watch_changes import WatchPolicy
from services.alerts.metrics import AlertsMetrics
from services.alerts.notify.change_writer import ChangeWriter
from services.alerts.outbreaks.outbreak_gate import OutbreakGate
from services.alerts.outbreaks.outbreak_watch import OutbreakWatch
from services.alerts.replies.reply_executor import ReplyExecutor
from services.alerts.settings import AlertsProcessSettings, AlertsSettings
from services.alerts.upkeep.group_flush import GroupFlusher
from services.alerts.upkeep.upkeep_loop import UpkeepLoop
from services.alerts.upkeep.wait_loop import WaitLoop
from services.alerts.wakeups import Wakeups
from services.runtime.addresses import value_forms
from services.runtime.clock import Clock, SystemClock, new_id
from services.runtime.credentials.api_keys import KeyRing, StoredKey
from services.runtime.credentials.sealing import SecretSealer
from services.runtime.failpoints import NO_FAILPOINTS
from services.runtime.http.server import OnReady, serving, until_stopped
from services.runtime.kafka.producer import KafkaProducer
from services.runtime.log.dead_letters import DeadLetterGuard, DeadLetterLimit
from services.runtime.postgres import pools
from services.runtime.postgres.pools import Pool
from services.runtime.process.garbage_collection import collect_less_often
from services.runtime.process.startup import check_listening, open_postgres, probe_kafka
from services.runtime.process.tasks import TaskOwner
from services.runtime.settings import CommonSettings
from services.runtime.telemetry import logs
from services.runtime.telemetry.health import CheckResult, HealthChecks
from services.runtime.telemetry.span_export import traced
from services.runtime.telemetry.tracing import NO_TRACING, SpanRecorder

_log = logs.get_logger(__name__)

POOL_SIZE = 16
SESSIONS = 2
"""Sessions of their own behind a connection pooler: one to listen, one for the relay."""


async def run(
    settings: AlertsProcessSettings,
    *,
    on_ready: OnReady | None = None,
    failpoints: AlertsFailpoints = NO_FAILPOINTS,
    clock: Clock | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; call `on_ready` with the port once requests are answered.

    Raises:
        SettingsError: a setting is wrong.
        DependencyUnavailableError: PostgreSQL cannot be reached within half a minute.
    """
    logs.configure("alerts", settings.common.log_level, settings.common.log_format)
    collect_less_often()
    async with running(settings, failpoints, clock) as port:
        if on_ready is not None:
            await on_ready(port)
        await until_stopped()
    _log.info("alerts stopped")


@asynccontextmanager
async def running(
    settings: AlertsProcessSettings, failpoints: AlertsFailpoints = NO_FAILPOINTS, clock: Clock | None = None
) -> AsyncIterator[int]:
    """Run the process for the length of the block and yield its port; drain on leaving. `clock`: the machine's own."""
    common, alerts = settings.common, settings.alerts
    if not alerts.master_keys:
        _log.warning("no master key is set: signing secrets stand in the database as they are, vendors' are refused")
    check_listening(AlertsSettings, alerts.host, alerts.port)
    async with AsyncExitStack() as stack:
        tracing = stack.enter_context(traced("alerts", common.traces_endpoint, common.traces_sampled))
        pool = await open_postgres(lambda: _open_pool(common))
        stack.push_async_callback(pools.close_pool, pool)
        await probe_kafka(common.brokers)
        producer = KafkaProducer(common.brokers, client_id="waymark-alerts", idempotent=common.kafka_idempotence)
        stack.push_async_callback(producer.stop)
        lasting = pools.direct_place_of(common)
        sessions = await open_postgres(lambda: _open_sessions(common, pool), variable=lasting.variable)
        stack.push_async_callback(pools.close_pool, sessions)
        service = AlertsProcess(settings, pool, producer, clock or SystemClock(), failpoints, sessions)
        service.trace_to(tracing)
        await stack.enter_async_context(service.sender)
        webhooks = await stack.enter_async_context(TaskOwner(stop_within_s=2.0))
        owner = await stack.enter_async_context(TaskOwner(stop_within_s=5.0))
        dispatcher = service.dispatcher(webhooks)
        service.start(owner, dispatcher)
        health = service.health()
        app = build(service.parts, health)
        async with serving(app, alerts.host, alerts.port, drain_s=alerts.drain_s, prefix=alerts.path_prefix) as port:
            _log.info("alerts serves", host=alerts.host, port=port)
            yield port
            health.draining = True
            _log.info("alerts drains")
            service.live.close()
            await dispatcher.drain(alerts.drain_s)


class AlertsProcess:
    """The parts of the alerts process, wired together; `start` starts their loops."""

    def __init__(
        self,
        settings: AlertsProcessSettings,
        pool: Pool,
        producer: KafkaProducer,
        clock: Clock,
        failpoints: AlertsFailpoints = NO_FAILPOINTS,
        sessions: Pool | None = None,
    ) -> None:
        alerts = settings.alerts
        self._sessions = sessions or pool
        self._failpoints = failpoints
        self._tracing = NO_TRACING
        self._settings = settings
        self._pool = pool
        self._producer = producer
        self._clock = clock
        self._owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self.registry = CollectorRegistry()
        self.metrics = AlertsMetrics.register(self.registry)
        self._guard = TargetGuard(_target_policy(alerts))
        self._writer = ChangeWriter(
            notify_on=alerts.reasons, public_url=alerts.public_url, new_id=new_id, metrics=self.metrics
        )
        channels = (delivery_store.WAKE, feed_store.WAKE, wait_store.WAKE)
        self.wakeups = Wakeups(self._sessions, channels, owner=self._owner)
        self.loop = LoopFollower(policy=WatchPolicy(time=timedelta(days=alerts.watch_days)), new_id=new_id)
        self.executor = ActionExecutor(
            pool=pool, clock=clock, writer=self._writer, loop=self.loop, metrics=self.metrics.state
        )
        self.outbreaks = OutbreakWatch(
            pool=pool, clock=clock, writer=self._writer, executor=self.executor, hand_out=alerts.hand_out
        )
        self.intake = self._make_intake()
        self.journey_intake = self._make_journey_intake()
        self._consumer = self._make_consumer()
        self._journey_consumer = self._make_journey_consumer() if alerts.follow_journeys else None
        self.sender = EndpointSender(self._guard, clock)
        self.carrier = self._make_carrier()
        self.live = LiveStream(
            pool=pool,
            wakeups=self.wakeups,
            metrics=self.metrics.state,
            heartbeat_s=alerts.heartbeat_s,
            most_clients=alerts.stream_clients,
            queue_length=alerts.stream_queue,
        )
        self.parts = self._make_parts()

    def trace_to(self, tracing: SpanRecorder) -> None:
        """Send spans there; before `start`."""
        self._tracing = self.intake.tracing = tracing

    def start(self, owner: TaskOwner, dispatcher: Dispatcher) -> None:
        """Start every loop as a task of `owner`."""
        alerts = self._settings.alerts
        relay = IssueRelay(
            pool=self._sessions,
            clock=self._clock,
            publisher=self._producer,
            failpoints=self._failpoints,
            line=partial(current_line, self._settings.common.brokers, self._settings.common.kafka_line),
            topic=alerts.issues_topic,
        )
        owner.start("wakeups", self.wakeups.run)
        owner.start("dispatcher", dispatcher.run, may_end=True)
        owner.start("live", self.live.run)
        owner.start("relay", relay.run)
        owner.start("upkeep", self.upkeep().run)
        owner.start("waits", self.wait_loop().run)
        owner.start("consumer", self._consumer.run)
        if self._journey_consumer is not None:
            owner.start("journeys", self._journey_consumer.run)

    def upkeep(self) -> UpkeepLoop:
        """Return the loop of the periodic work."""
        alerts = self._settings.alerts
        return UpkeepLoop(
            pool=self._pool,
            clock=self._clock,
            executor=self.executor,
            outbreaks=self.outbreaks,
            loop=self.loop,
            metrics=self.metrics.state,
            reachability=self.metrics.reachability,
            holding=self.metrics.holding,
            watches=self.metrics.loop,
            digests=DigestSender(pool=self._pool, clock=self._clock, new_id=new_id, public_url=alerts.public_url),
            owner=self._owner,
            feed_kept=timedelta(days=alerts.feed_days),
            history_kept=timedelta(days=alerts.history_days),
        )

    def wait_loop(self) -> WaitLoop:
        """Return the loop that looks at what is due."""
        return WaitLoop(
            pool=self._pool,
            clock=self._clock,
            executor=self.executor,
            flusher=GroupFlusher(pool=self._pool, clock=self._clock, new_id=new_id, metrics=self.metrics.delivery),
            wakeups=self.wakeups,
            new_id=new_id,
            poll_s=self._settings.alerts.poll_s,
        )

    def dispatcher(self, webhooks: TaskOwner) -> Dispatcher:
        """Return the dispatcher; `webhooks` owns the tasks of its webhooks."""
        alerts = self._settings.alerts
        return Dispatcher(
            settings=DispatcherSettings(
                owner=self._owner,
                lease=timedelta(seconds=alerts.lease_s),
                in_flight=alerts.in_flight,
                poll_s=alerts.poll_s,
            ),
            pool=self._pool,
            clock=self._clock,
            carrier=self.carrier,
            health=HealthRecorder(new_id=new_id, metrics=self.metrics.delivery),
            wakeups=self.wakeups,
            metrics=self.metrics.delivery,
            failpoints=self._failpoints,
            jitter=SystemRandom().random,
            tasks=webhooks,
            tracing=self._tracing,
        )

    def health(self) -> HealthChecks:
        """Return the health of the process."""

        async def database() -> CheckResult:
            return await pools.ping(self._pool)

        return HealthChecks(registry=self.registry, ready=(database, self._consumer.check))

    def _make_carrier(self) -> MessageCarrier:
        keys = self._settings.alerts.master_keys
        return MessageCarrier(
            sender=self.sender,
            mail=MailSender(self._guard, self._clock),
            signer=WebhookSigner(keys),
            seal=SecretSealer(keys),
            links=ActionLinks(keys, self._settings.alerts.actions_url),
            clock=self._clock,
        )

    def _make_intake(self) -> FrictionIntake:
        alerts = self._settings.alerts
        return FrictionIntake(
            pool=self._pool,
            clock=self._clock,
            writer=self._writer,
            loop=self.loop,
            metrics=self.metrics,
            new_id=new_id,
            failpoints=self._failpoints,
            reopen_window=timedelta(seconds=alerts.reopen_window_s),
            limit=DeadLetterGuard(DeadLetterLimit(ratio=1.0, run=alerts.poison_limit)),
            gate=OutbreakGate(limits=alerts.outbreak_limits, new_id=new_id),
        )

    def _make_journey_intake(self) -> JourneyIntake:
        return JourneyIntake(
            pool=self._pool,
            clock=self._clock,
            writer=self._writer,
            loop=self.loop,
            metrics=self.metrics,
            failpoints=self._failpoints,
            limit=DeadLetterGuard(DeadLetterLimit(ratio=1.0, run=self._settings.alerts.poison_limit)),
        )

    def _make_consumer(self) -> TopicConsumer:
        settings = self._consumer_settings()
        metrics, intake = self.metrics.following_frictions, self.intake
        return TopicConsumer(settings, intake, pool=self._pool, clock=self._clock, metrics=metrics, express=intake)

    def _make_journey_consumer(self) -> TopicConsumer:
        """Return the reader of journeys: a group of its own, so that one topic never waits for the other."""
        alerts = self._settings.alerts
        settings = replace(
            self._consumer_settings(), group=f"{alerts.group}-journeys", topic=alerts.journeys_topic, check="journeys"
        )
        metrics = self.metrics.following_journeys
        return TopicConsumer(settings, self.journey_intake, pool=self._pool, clock=self._clock, metrics=metrics)

    def _consumer_settings(self) -> ConsumerSettings:
        alerts, common = self._settings.alerts, self._settings.common
        return ConsumerSettings(
            brokers=common.brokers,
            line=common.kafka_line,
            group=alerts.group,
            owner=self._owner,
            session_timeout_s=alerts.session_timeout_s,
            batch=alerts.batch,
            topic=alerts.frictions_topic,
        )

    def _make_parts(self) -> ApiParts:
        async def load(key_id: str) -> StoredKey | None:
            async with pools.acquire(self._pool) as connection:
                return await key_store.find(connection, key_id)

        return ApiParts(
            console_url=self._settings.alerts.public_url,
            pool=self._pool,
            clock=self._clock,
            keys=KeyRing(load, self._clock, outages=pools.TRANSIENT, fresh_s=self._settings.alerts.keys_refresh_s),
            keys_for_people=frozenset(value_forms.words(self._settings.alerts.keys_for_people)),
            executor=self.executor,
            administration=Administration(
                pool=self._pool,
                clock=self._clock,
                signer=self.carrier.signer,
                carrier=self.carrier,
                seal=self.carrier.seal,
                new_id=new_id,
                random_bytes=secrets.token_bytes,
            ),
            policy=PolicyAdministration(pool=self._pool, clock=self._clock, new_id=new_id),
            live=self.live,
            guard=self._guard,
            replies=ReplyExecutor(
                pool=self._pool,
                clock=self._clock,
                executor=self.executor,
                links=self.carrier.links,
                seal=self.carrier.seal,
                sender=self.sender,
            ),
        )


def _target_policy(alerts: AlertsSettings) -> TargetPolicy:
    return TargetPolicy(
        loopback=alerts.allow_private_targets, http=alerts.allow_http, networks=alerts.networks, ports=alerts.ports
    )


async def _open_pool(common: CommonSettings) -> Pool:
    return await pools.create_pool(
        pools.place_of(common), application_name="waymark-alerts", size=POOL_SIZE, writes=True
    )


async def _open_sessions(common: CommonSettings, usual: Pool) -> Pool:
    """Return a pool of lasting sessions: `usual`, unless a connection pooler is in front of the database."""
    place = pools.direct_place_of(common)
    if place == pools.place_of(common):
        return usual
    return await pools.create_pool(place, application_name="waymark-alerts-sessions", size=SESSIONS, writes=True)
