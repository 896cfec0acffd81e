"""The Faust transport that delivers whole fetched chunks: claim, seek, fetch, hand over, in one task.

Faust keeps what it is good at (group membership, assignment, rebalance, commit timer, agents, life cycle); this module
replaces its per-message machinery, which costs ten times the work it carries, and its idea of where to read on: offsets
come from and go to PostgreSQL, Kafka's committed offset is only a lag indicator. It overrides private names of exactly
faust-streaming 0.15.3; `tests/unit/journey/test_faust_internals.py` fails when any of them changes.

Claims, gaps and the identity of the log are left to `services.runtime.log`, applying to `services.journey.apply`.
"""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, cast

import faust
from aiokafka.errors import IllegalStateError, KafkaError
from faust.exceptions import ConsumerNotStarted
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.transports import ConsumerT, TransportT
from mode import Service
from yarl import URL

from services.journey.consume.intake import Chunk, ConsumedRecord, Intake
from services.runtime.log.claims import Claim, ExaminedClaim, Ledger, LogBounds, claim_and_examine
from services.runtime.log.gaps import Hole, continue_at
from services.runtime.log.identity import LogRefusedError, LogVerdict
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

KAFKA_FAILURES: tuple[type[Exception], ...] = (KafkaError, OSError, TimeoutError)
"""Errors that a request to an unreachable broker may raise."""

FETCH_WAIT_S = 1.0
"""How long one fetch may take before the loop looks whether it should stop; Faust's own number."""

PROBE_WITHIN_S = 10.0
"""How long the broker has to return the last applied records when a log is compared with what was applied."""

STARVED_AFTER = 2
"""Fetches in a row that may bring nothing of a partition whose log goes on; one may be a matter of timing."""

REWINDS_ALLOWED = 3
"""How often the same hole is fetched again before it is taken for real."""


class HoleFoundError(Exception):
    """Records that the log should hold did not arrive, several times over: going on would lose them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportWiring:
    """What the transport works with. `fatal` is called with the failure after which the worker has to stop."""

    topic: str
    intake: Intake
    ledger: Ledger
    log: LogBounds
    fatal: "FatalCallback"


class FatalCallback(Protocol):
    """Stops the worker and gives the reason."""

    def __call__(self, error: BaseException, /) -> None: ...


@dataclass(frozen=True, slots=True)
class FetchTerms:
    """When a broker answers a fetch: once it has enough bytes, or has waited long enough."""

    min_bytes: int
    max_wait_ms: int


AT_REST = FetchTerms(min_bytes=1, max_wait_ms=250)
"""The first record comes at once; Faust's hard-coded patience is 1.5 s."""

UNDER_WAY = FetchTerms(min_bytes=64 * 1024, max_wait_ms=20)
"""One fetch for all that comes within 20 ms, which is less than a batch takes: answered at the first byte, fetches cost
the worker a sixth of its processor time at 500 records a second (measured), and the broker as much."""


class ChunkThread(driver.AIOKafkaConsumerThread):
    """Runs the Kafka client in its thread, with our own limits for fetches."""

    mundane_level = "debug"

    def _create_worker_consumer(self, transport: driver.Transport) -> Any:
        consumer = super()._create_worker_consumer(transport)
        self._agree(consumer, AT_REST)  # before start(), which builds the fetcher with it
        return consumer

    def fetch_on(self, terms: FetchTerms) -> None:
        """Use these limits from the next fetch on."""
        fetcher = self._consumer._fetcher if self._consumer is not None else None
        if fetcher is not None:
            self._agree(fetcher, terms)

    @staticmethod
    def _agree(asking: Any, terms: FetchTerms) -> None:
        asking._fetch_min_bytes, asking._fetch_max_wait_ms = terms.min_bytes, terms.max_wait_ms


class ChunkConsumer(driver.Consumer):
    """Faust's consumer with a drain loop of our own. All methods run in the main thread's loop."""

    mundane_level = "debug"
    _generation: int | None = None
    """The group generation under which the present claims were made; None asks the drain loop to claim afresh."""

    @property
    def wiring(self) -> TransportWiring:
        """The dependencies that the app was given."""
        return cast("JourneyApp", self.app).wiring

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return ChunkThread(self, loop=self.loop, beacon=self.beacon)

    def topic_partitions(self, topic: str) -> int | None:
        """Return how many partitions a topic has; None until the client knows. Faust's own knows only in the leader."""
        client = cast(ChunkThread, self._thread)._consumer
        known = client.partitions_for_topic(topic) if client is not None else None
        return len(known) if known else None

    # Group membership: claims live no longer than the assignment they were made under.

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Drop every claim; a running transaction either commits before the successor's claim or is fenced by it."""
        self._forget_claims()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Drop every claim: the drain loop makes new ones before it fetches."""
        self._forget_claims()
        await super().on_partitions_assigned(assigned, generation_id)

    async def perform_seek(self) -> None:
        """Ask the drain loop for a claim. Seeking here would race with a fetch that is still under way."""
        self._generation = None

    def _forget_claims(self) -> None:
        self._generation = None
        self.wiring.intake.revoke_all()

    # The drain loop.

    async def _drain_messages(self, fetcher: Any) -> None:
        self._forget_claims()  # a drain loop that was cancelled may have swallowed records (trap 3)
        fetcher_stopped = cast(Service, fetcher)._stopped
        try:
            while not (self._stopped.is_set() or fetcher_stopped.is_set()):
                if await self._hold_claims():
                    await self._fetch_chunks()
        except self.consumer_stopped_errors:
            if not self.transport.app.should_stop:
                raise
        except asyncio.CancelledError:
            if not self.transport.app.should_stop:
                raise
        except Exception as error:  # noqa: BLE001  the outermost loop: a drain loop that dies silently would stall
            self.wiring.fatal(error)

    async def _hold_claims(self) -> bool:
        """Claim what is assigned and not held; return whether it is safe to fetch."""
        if not self.flow_active:
            await self.wait(self.can_resume_flow)  # type: ignore[arg-type]  # mode waits on asyncio's Event too
        generation = self.app.consumer_generation_id
        if self._stopped.is_set() or not self.flow_active:
            return False
        if generation != self._generation:
            self.wiring.intake.revoke_all()
        wanted = self.wiring.intake.unclaimed(self._assigned(), self.loop.time())
        if wanted and not await self._claim(wanted):
            self._generation = None
            return False
        self._generation = generation
        return bool(generation == self.app.consumer_generation_id)

    def _assigned(self) -> list[int]:
        return [tp.partition for tp in self.assignment() if tp.topic == self.wiring.topic]

    async def _claim(self, partitions: Sequence[int]) -> bool:
        """Claim, compare the logs, seek; False where the assignment or the broker moved meanwhile: try again."""
        generation = self.app.consumer_generation_id
        wiring = self.wiring
        try:
            examined = await claim_and_examine(
                wiring.topic, partitions, bounds=wiring.log, ledger=wiring.ledger, read=self._read_at
            )
            if not _same_logs(examined):
                return False
            if generation != self.app.consumer_generation_id or not self.flow_active:
                return False
            await self.seek_wait({self._tp(one.claim.partition): one.claim.cursor for one in examined})
        except (*KAFKA_FAILURES, IllegalStateError) as error:
            _log.warning("claim failed, will try again", reason=type(error).__name__, partitions=list(partitions))
            await self.sleep(0.5)
            return False
        claims = [one.claim for one in examined]
        wiring.intake.grant(claims)
        for claim in claims:
            _log.info("partition claimed", partition=claim.partition, epoch=claim.epoch, next_offset=claim.cursor)
        return True

    async def _read_at(self, offsets: Mapping[int, int]) -> dict[int, ConsumedRecord]:
        await self.seek_wait({self._tp(partition): offset for partition, offset in offsets.items()})
        return await self._first_records(set(offsets))

    async def _first_records(self, partitions: set[int]) -> dict[int, ConsumedRecord]:
        found: dict[int, ConsumedRecord] = {}
        deadline = self.loop.time() + PROBE_WITHIN_S
        while partitions - found.keys() and self.loop.time() < deadline and not self._stopped.is_set():
            missing = {self._tp(partition) for partition in partitions - found.keys()}
            for tp, records in (await self._getmany(active_partitions=missing, timeout=FETCH_WAIT_S)).items():
                if records:
                    found.setdefault(tp.partition, cast(ConsumedRecord, records[0]))
        return found

    async def _fetch_chunks(self) -> None:
        generation = self._generation
        fetched, _ = await self._wait_next_records(FETCH_WAIT_S)
        cast(ChunkThread, self._thread).fetch_on(UNDER_WAY if fetched else AT_REST)
        if not self.flow_active or generation != self.app.consumer_generation_id:
            self._generation = None  # whatever this fetch swallowed is read again after the next claim
            return
        claims = self.wiring.intake.claims
        for tp, records in (fetched or {}).items():
            claim = claims.get(tp.partition)
            if claim is not None and tp.topic == self.wiring.topic:
                await self._deliver(claim, cast("Sequence[ConsumedRecord]", records))
        arrived = {tp.partition for tp in fetched or {}}
        for claim in [claim for partition, claim in claims.items() if partition not in arrived]:
            await self._feed(claim)

    async def _deliver(self, claim: Claim, records: Sequence[ConsumedRecord]) -> None:
        fresh = continue_at(claim.cursor, records)
        if isinstance(fresh, Hole):
            await self._rewind(claim, fresh)
        elif fresh:
            claim.deliver(fresh[-1].offset)
            await self.wiring.intake.put(Chunk(claim=claim, records=fresh))

    async def _feed(self, claim: Claim) -> None:
        """Fetch again from the cursor if the log goes on although nothing came: its end was swallowed."""
        end = self.highwater(self._tp(claim.partition)) or 0
        claim.starved = claim.starved + 1 if end > claim.cursor else 0
        if claim.starved >= STARVED_AFTER:
            claim.starved = 0
            await self._rewind(claim, Hole(cursor=claim.cursor, first=end))

    async def _rewind(self, claim: Claim, hole: Hole) -> None:
        """Fetch again from the cursor.

        Raises:
            HoleFoundError: it has been tried often enough.
        """
        claim.rewinds += 1
        if claim.rewinds > REWINDS_ALLOWED:
            message = f"partition {claim.partition}: offsets {hole.cursor} to {hole.first - 1} are missing from the log"
            raise HoleFoundError(message)
        _log.warning("hole in the delivery, reading again", partition=claim.partition, at=hole.cursor, got=hole.first)
        try:
            await self.seek_wait({self._tp(claim.partition): hole.cursor})
        except (KafkaError, IllegalStateError, TimeoutError) as error:  # the partition has just gone
            _log.info("cannot seek, will claim again", partition=claim.partition, reason=type(error).__name__)
            self._generation = None

    def _tp(self, partition: int) -> TP:
        return TP(self.wiring.topic, partition)

    # Kafka's commits: a lag indicator, derived from what the database committed.

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:  # noqa: ARG002  Faust's signature
        return (self._tp(partition) for partition in sorted(self.wiring.intake.claims))

    def _new_offset(self, tp: TP) -> int | None:
        claim = self.wiring.intake.claims.get(tp.partition)
        return claim.applied if claim is not None and tp.topic == self.wiring.topic else None

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit offsets to Kafka; a failure is only logged: Faust's own commit would crash the worker (trap 9)."""
        consumer = self._thread._ensure_consumer()
        wanted = {driver.ensure_aiokafka_TP(tp): offset for tp, offset in offsets.items() if tp in self.assignment()}
        try:
            await self._thread.call_thread(consumer.commit, wanted)
        except (KafkaError, IllegalStateError) as error:
            _log.info("lag hint not committed", reason=type(error).__name__)
            return False
        return True

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Do nothing: Faust would miss the per-message sensors that we do not feed; `watchdog` watches instead."""


class ChunkTransport(driver.Transport):
    """Faust's aiokafka transport with our consumer."""

    Consumer: ClassVar[type[ConsumerT]] = ChunkConsumer


class JourneyApp(faust.App):
    """A Faust app that reads through `ChunkTransport` and leaves no files behind."""

    mundane_level = "debug"
    wiring: TransportWiring

    def _new_transport(self) -> TransportT:
        return ChunkTransport(self.conf.broker_consumer, self)

    async def on_first_start(self) -> None:
        """Create no data directory: there are no tables."""

    def partitions(self) -> Collection[int]:
        """Return the partitions of the topic; none before the broker has answered."""
        consumer = self._consumer
        return range((consumer.topic_partitions(self.wiring.topic) or 0) if consumer is not None else 0)

    def assigned(self) -> Collection[int]:
        """Return the partitions of the topic that the group assigned to us; none before the first assignment."""
        consumer = self._consumer
        if consumer is None:
            return ()
        try:
            return [tp.partition for tp in consumer.assignment() if tp.topic == self.wiring.topic]
        except ConsumerNotStarted:
            return ()


def broker_urls(bootstrap: str) -> list[URL]:
    """Return `host:port,host:port` as the URLs that Faust asks for."""
    return [URL(f"kafka://{server.strip()}") for server in bootstrap.split(",") if server.strip()]


def _same_logs(examined: Sequence[ExaminedClaim]) -> bool:
    """Whether every log is the one that was read before; False while the broker leaves one unproven.

    Raises:
        LogRefusedError: one is another log.
    """
    for one in examined:
        if one.verdict.refused:
            raise LogRefusedError(one.verdict, one.position)
    unproven = sorted(one.claim.partition for one in examined if one.verdict is LogVerdict.UNPROVEN)
    if unproven:
        _log.warning("last applied record not returned, will ask again", partitions=unproven)
    return not unproven
