"""The process of the journey worker: puts its parts together, starts and stops them in one order.

On SIGTERM the worker reports that it is not ready, takes no new records, ends or rolls back the running transaction,
and stops the rest. It does not wait for what stops too late: nothing is acknowledged outside the database, so nothing
can be lost.
"""

import asyncio
import os
import threading
from collections.abc import Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from prometheus_client import CollectorRegistry

from schemas.documents import touchpoint as touchpoint_v1
from services.journey.accounts.account_loop import AccountLoop
from services.journey.accounts.account_renewal import AccountRenewal
from services.journey.apply.applier import Applier
from services.journey.apply.transaction import BatchTransaction
from services.journey.consume.batch_size import BatchSize
from services.journey.consume.decoding import PoisonCode
from services.journey.consume.intake import Intake
from services.journey.consume.lag_monitor import LagMonitor
from services.journey.consume.progress import PROGRESS, SCHEMA
from services.journey.consume.stream import add_agent, build_app
from services.journey.consume.transport import KAFKA_FAILURES, HoleFoundError, JourneyApp, TransportWiring
from services.journey.consume.watchdog import ExitCode, LoopWatch, end_process
from services.journey.costs.cost_keeper import CostKeeper
from services.journey.domain.projection import ProjectionPolicy
from services.journey.failpoints import Failpoints
from services.journey.metrics import WorkerMetrics
from services.journey.outbox.relay import OutboxRelay
from services.journey.renew.renewal import CustomerRenewer
from services.journey.renewer import build_renewer, read_policy
from services.journey.rulebook import rules_file
from services.journey.settings import WorkerProcessSettings, WorkerSettings
from services.journey.store import touchpoints
from services.journey.timers.folding import RollupFolder
from services.journey.timers.timer_loop import TimerDelays, TimerLoop
from services.journey.versions.policy_watch import PolicyWatch
from services.runtime.clock import SystemClock, new_id
from services.runtime.failpoints import NO_FAILPOINTS
from services.runtime.http.application import ops_app
from services.runtime.http.server import OnReady, serving, until_stopped
from services.runtime.kafka.log_ends import LogEnds, cluster_line
from services.runtime.kafka.producer import KafkaProducer
from services.runtime.log.batch import HoleInProgressError
from services.runtime.log.dead_letters import DeadLetterGuard, DeadLetterLimit, trailing
from services.runtime.log.progress import DatabaseLedger, TopicLine
from services.runtime.postgres import pools
from services.runtime.postgres.pools import Pool, acquire
from services.runtime.postgres.sessions import UnmarkedSession
from services.runtime.process.garbage_collection import collect_less_often
from services.runtime.process.startup import await_kafka, check_listening, open_postgres
from services.runtime.process.tasks import TaskOwner
from services.runtime.settings import CommonSettings
from services.runtime.telemetry import logs
from services.runtime.telemetry.health import CheckResult, HealthChecks
from services.runtime.telemetry.span_export import traced
from services.runtime.telemetry.tracing import SpanRecorder

_log = logs.get_logger(__name__)

START_WITHIN_S = 60.0
"""How long PostgreSQL and Kafka have to answer at the start; then the process ends and its supervisor tries again."""

MONTHS_BEHIND, MONTHS_AHEAD = 3, 6
MONTHS_EVERY_S = 6 * 3600.0


async def run(
    settings: WorkerProcessSettings,
    *,
    on_ready: OnReady | None = None,
    failpoints: Failpoints = NO_FAILPOINTS,
    topic: str = touchpoint_v1.TOPIC,
) -> None:
    """Work until SIGTERM or SIGINT; `on_ready` is called with the port of health and metrics once that is open.

    Raises:
        LogRefusedError: the log is not the one whose offsets are kept; an operator must decide.
        DeadLetterLimitError: too many records cannot be read.
        SettingsError: a setting is wrong, or the rules file that it names.
        DependencyUnavailableError: PostgreSQL or Kafka cannot be reached.
    """
    common, own = settings.common, settings.worker
    logs.configure("journey", common.log_level, common.log_format)
    collect_less_often()
    rules = rules_file.from_settings(own)
    check_listening(WorkerSettings, own.host, own.port)
    async with AsyncExitStack() as stack:
        tracing = stack.enter_context(traced("journey", common.traces_endpoint, common.traces_sampled))
        pool = await open_postgres(lambda: _open_pool(common, own), within_s=START_WITHIN_S)
        stack.push_async_callback(pools.close_pool, pool)
        policy = await read_policy(pool)
        await await_kafka(common.brokers, within_s=START_WITHIN_S)
        line = TopicLine(name=await _line(common), topic=topic)
        ends = LogEnds(common.brokers, client_id="waymark-journey-ends")
        await ends.start()
        stack.push_async_callback(ends.stop)
        producer = KafkaProducer(
            common.brokers, client_id="waymark-journey-outbox", idempotent=common.kafka_idempotence
        )
        stack.push_async_callback(producer.stop)
        connections = WorkerConnections(pool=pool, ends=ends, producer=producer, line=line, tracing=tracing)
        worker = Worker(settings, connections, failpoints, policy)
        await worker.policies.begin(rules, file=own.rules)
        await worker.work(on_ready)
    _log.info("worker stopped")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerConnections:
    """The connections of the worker, the line that it reads, and where its spans go."""

    pool: Pool
    ends: LogEnds
    producer: KafkaProducer
    line: TopicLine
    tracing: SpanRecorder


class Worker:
    """The worker over open connections: built in one place, started and stopped in one order."""

    def __init__(
        self,
        settings: WorkerProcessSettings,
        connections: WorkerConnections,
        failpoints: Failpoints,
        policy: ProjectionPolicy,
    ) -> None:
        own = settings.worker
        self._own = own
        self._connections = connections
        self._clock = SystemClock()
        self._registry = CollectorRegistry()
        self._metrics = WorkerMetrics.register(self._registry)
        self._failure: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self._stopping = False
        self.intake = Intake(capacity=own.queue_records, capacity_bytes=own.queue_bytes)
        self.policies = PolicyWatch(pool=connections.pool, metrics=self._metrics.policy)
        renewer = build_renewer(own, policy, self.policies.cache)
        self.relay = self._relay(failpoints)
        self._applier = self._build_applier(renewer, failpoints)
        self._wiring = TransportWiring(
            topic=connections.line.topic,
            intake=self.intake,
            ledger=DatabaseLedger(
                pool=connections.pool,
                table=PROGRESS,
                line=connections.line,
                owner=f"{os.uname().nodename}:{os.getpid()}",
                patient=True,
            ),
            log=connections.ends,
            fatal=self.fail,
        )
        self.app: JourneyApp = build_app(settings, self._wiring)
        batch_size = BatchSize(most=own.batch_records, target_s=own.batch_target_s, every_s=own.batch_every_s)
        add_agent(self.app, self._applier.apply, batch_size=batch_size)
        self._renewer = renewer
        self.timers = self._timer_loop(renewer, failpoints)
        self._loop_watch = LoopWatch(self._clock, blocked_after_s=own.stuck_after_s)

    async def work(self, on_ready: OnReady | None) -> None:
        """Serve health, start everything, and go on until asked to stop or until something fails for good."""
        ready = (self._database, self._connections.producer.check, self._stream, self.policies.check)
        health = HealthChecks(registry=self._registry, ready=ready)
        async with AsyncExitStack() as stack:
            port = await stack.enter_async_context(
                serving(ops_app(health), self._own.host, self._own.port, drain_s=1.0)
            )
            await self._ensure_months()
            await self._remember_dead_letters()
            owner = await stack.enter_async_context(TaskOwner())
            self._start(owner)
            _log.info("worker works", line=self._connections.line.name, topic=self._connections.line.topic, port=port)
            if on_ready is not None:
                await on_ready(port)
            try:
                await self._until_over()
            finally:
                health.draining = True
                self._bound_the_stop()
                await self.app.stop()
        if self._failure.done():
            raise self._failure.result()

    def fail(self, error: BaseException) -> None:
        """End the worker because of `error`; a hole ends the process on the spot, before anything can go over it."""
        _log.critical(
            "worker cannot go on", reason=type(error).__name__, detail=logs.describe_error(error), exc_info=error
        )
        if isinstance(error, HoleFoundError | HoleInProgressError):
            end_process(ExitCode.HOLE)
        if not self._failure.done():
            self._failure.set_result(error)

    def _start(self, owner: TaskOwner) -> None:
        self._loop_watch.start()
        owner.start("lag-monitor", self._lag_monitor().run)
        owner.start("relay", self.relay.run)
        owner.start("timers", self.timers.run)
        owner.start("accounts", self._account_loop().run)
        owner.start("months", self._keep_months)
        owner.start("policies", self.policies.run)
        owner.start("folding", RollupFolder(self._connections.pool).run)
        owner.start("costs", self._cost_keeper().run)
        owner.start("stream", self._run_stream)

    async def _run_stream(self) -> None:
        """Run the Faust app; when it crashes, so does the worker."""
        await self.app.start()
        await self.app.wait_until_stopped()
        if not self._stopping and not self._failure.done():
            reason = self.app.crash_reason
            self.fail(reason if reason is not None else RuntimeError("the stream stopped by itself"))
        await asyncio.Event().wait()

    async def _until_over(self) -> None:
        stop: asyncio.Future[None] = asyncio.create_task(until_stopped(), name="signals")
        try:
            over: list[asyncio.Future[Any]] = [stop, self._failure]
            await asyncio.wait(over, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()

    def _bound_the_stop(self) -> None:
        """End the process when an orderly stop takes too long; what was not committed is read again."""
        self._stopping = True
        code = 1 if self._failure.done() else 0
        deadline = threading.Timer(self._own.stop_within_s, os._exit, args=[code])
        deadline.daemon = True
        deadline.start()
        self._loop_watch.stop()

    async def _keep_months(self) -> None:
        while True:
            await asyncio.sleep(MONTHS_EVERY_S)
            await pools.retrying(self._ensure_months)

    async def _ensure_months(self) -> None:
        async with acquire(self._connections.pool) as connection:
            await touchpoints.ensure_months(connection, MONTHS_BEHIND, MONTHS_AHEAD)

    async def _remember_dead_letters(self) -> None:
        most = self._own.dead_letter_run
        async with acquire(self._connections.pool) as connection:
            running = await trailing(
                connection, SCHEMA, self._connections.line, besides={PoisonCode.ID_CONFLICT}, most=most
            )
        self._applier.attempt.limit.remember(running)

    # Checks.

    async def _database(self) -> CheckResult:
        return await pools.ping(self._connections.pool)

    async def _stream(self) -> CheckResult:
        """Ready with partitions claimed, and also without any where others have them all."""
        assigned, claimed = len(self.app.assigned()), len(self.intake.claims)
        detail = f"{claimed} of {assigned} assigned partitions claimed"
        joined = bool(self.intake.claims) or self.app.consumer_generation_id > 0  # the embedded broker counts from 0
        return CheckResult(name="stream", ok=joined and claimed == assigned, detail=detail)

    async def _partitions(self) -> Collection[int]:
        return self.app.partitions()

    # Parts.

    def _relay(self, failpoints: Failpoints) -> OutboxRelay:
        own, connections = self._own, self._connections
        return OutboxRelay(
            pool=connections.pool,
            publisher=connections.producer,
            line=connections.line.name,
            metrics=self._metrics.friction,
            failpoints=failpoints,
            every_s=own.relay_every_s,
            lease_s=own.lease_s,
            keep_days=own.keep_published_days,
            tracing=connections.tracing,
        )

    def _build_applier(self, renewer: CustomerRenewer, failpoints: Failpoints) -> Applier:
        own, connections = self._own, self._connections
        limit = DeadLetterGuard(DeadLetterLimit(ratio=own.dead_letter_ratio, run=own.dead_letter_run))
        attempt = BatchTransaction(
            pool=connections.pool,
            line=connections.line,
            new_id=new_id,
            renewer=renewer,
            limit=limit,
            metrics=self._metrics,
            clock=self._clock,
            failpoints=failpoints,
            after_commit=self.relay.kick,
            step=self.intake.step,
            tracing=connections.tracing,
        )
        return Applier(attempt=attempt, intake=self.intake, late_after=timedelta(seconds=own.late_after_s))

    def _timer_loop(self, renewer: CustomerRenewer, failpoints: Failpoints) -> TimerLoop:
        own = self._own
        return TimerLoop(
            pool=self._connections.pool,
            line=self._connections.line,
            renewer=renewer,
            metrics=self._metrics.friction,
            clock=self._clock,
            failpoints=failpoints,
            patience=TimerDelays(
                late_grace=timedelta(seconds=own.late_grace_s),
                replay_quiet=timedelta(seconds=own.replay_quiet_s),
                idle_after=renewer.policy.journeys.idle_after,
                every_s=own.timers_every_s,
            ),
            partitions=self._partitions,
            after_commit=self.relay.kick,
        )

    def _account_loop(self) -> AccountLoop:
        renewal = AccountRenewal(
            policies=self._renewer.policies,
            policy=self._renewer.policy,
            new_id=new_id,
            history=self._own.history_touchpoints,
            publish=self._own.publish_journeys,
        )
        return AccountLoop(
            pool=self._connections.pool,
            renewal=renewal,
            reach=self.timers.reach,
            after_commit=self.relay.kick,
            every_s=self._own.timers_every_s,
        )

    def _cost_keeper(self) -> CostKeeper:
        return CostKeeper(
            pool=self._connections.pool,
            sample=self._renewer.sample,
            metrics=self._metrics.costs,
            asked=self.policies.cache.rules_on,
        )

    def _lag_monitor(self) -> LagMonitor:
        return LagMonitor(
            pool=self._connections.pool,
            line=self._connections.line,
            intake=self.intake,
            log=self._connections.ends,
            metrics=self._metrics.stream,
            clock=self._clock,
            stuck_after_s=self._own.stuck_after_s,
            topic_partitions=self.app.partitions,
            assigned=self.app.assigned,
            stuck=lambda partitions: end_process(ExitCode.STUCK, partitions=partitions),
            beat=self._loop_watch.beat,
        )


async def _open_pool(common: CommonSettings, own: WorkerSettings) -> Pool:
    return await pools.create_pool(
        pools.place_of(common),
        application_name="waymark-journey",
        size=own.database_connections,
        kind=UnmarkedSession,
        writes=True,
    )


async def _line(common: CommonSettings) -> str:
    """Ask the cluster for its name, giving it time to start."""
    deadline = asyncio.get_running_loop().time() + START_WITHIN_S
    while True:
        try:
            return await cluster_line(common.brokers, common.kafka_line)
        except KAFKA_FAILURES as error:
            if asyncio.get_running_loop().time() > deadline:
                raise
            _log.warning("Kafka does not answer yet", reason=type(error).__name__)
            await asyncio.sleep(1.0)
