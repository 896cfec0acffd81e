"""One attempt to apply a batch: every statement of its transaction, in the order of the locks.

Everything commits together with the progress, or not at all. When to try again is left to `services.runtime.log`.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from uuid import UUID

from services.journey.apply.batch_metrics import AppliedBatch, count_batch
from services.journey.apply.duplicate_filter import FilteredBatch, bury_batch, filter_duplicates
from services.journey.apply.resolution import IdentityResolution, IdentityResolver
from services.journey.consume import dead_letters
from services.journey.consume.decoding import BatchRecord, DecodedRecord, PoisonCode
from services.journey.consume.progress import PROGRESS
from services.journey.domain.identity.facts import IdentifierKey
from services.journey.domain.names import CustomerId
from services.journey.failpoints import Failpoints, WorkerFailpoint
from services.journey.metrics import WorkerMetrics
from services.journey.renew.customer_update import CustomerUpdate
from services.journey.renew.renewal import CustomerRenewer, ProgressCallback, ignore_progress
from services.journey.renew.writer import WriteCounts
from services.runtime.clock import Clock
from services.runtime.log.batch import Batch, Run, judge
from services.runtime.log.dead_letters import DeadLetterGuard
from services.runtime.log.identity import fingerprint
from services.runtime.log.progress import Advance, TopicLine
from services.runtime.postgres.pools import Connection, Pool, transaction
from services.runtime.process.garbage_collection import without_collection
from services.runtime.telemetry.tracing import NO_TRACING, OpenBatch, SpanRecorder, SpanRole, TraceFollower


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchTransaction:
    """Applies batches of one line. `limit` may refuse their dead letters before the commit.

    `step` is called after every part, `after_commit` after each commit, because there may be something to publish.
    """

    pool: Pool
    line: TopicLine
    new_id: Callable[[], UUID]
    renewer: CustomerRenewer
    limit: DeadLetterGuard
    metrics: WorkerMetrics
    clock: Clock
    failpoints: Failpoints
    after_commit: Callable[[], None]
    step: ProgressCallback = ignore_progress
    tracing: SpanRecorder = NO_TRACING

    async def apply(self, batch: Batch[BatchRecord], *, bury: bool, widened: Collection[IdentifierKey] = ()) -> None:
        """Apply those records of `batch` that are not applied yet; with `bury`, only make them dead letters.

        Raises:
            WidenedPartError: its identifiers must be among `widened`, which are locked besides; nothing is committed.
            FencedError, HoleInProgressError, ConcurrentChangeError, DeadLetterLimitError: nothing is committed.
        """
        await self.failpoints.reached(WorkerFailpoint.BEFORE_TRANSACTION)
        started = self.clock.monotonic()
        with self._tracing_all() as spans, without_collection():
            async with transaction(self.pool) as connection:
                held = await PROGRESS.lock(connection, self.line, [run.claim.partition for run in batch.runs])
                batch = judge(batch, held)
                in_force = await self.renewer.policies.hold(connection)  # before anything that others may wait for
                filtered = bury_batch(batch) if bury else await filter_duplicates(connection, batch)
                resolver = IdentityResolver(book=in_force.identity, new_id=self.new_id)
                resolution = await resolver.resolve(connection, resolver.evidence(filtered.fresh.values()), widened)
                filtered.refuse_fresh(resolution.nobody, PoisonCode.NO_USABLE_IDENTIFIER)
                self.step()
                await self.failpoints.reached(WorkerFailpoint.MID_TRANSACTION)
                updates = customer_updates(filtered.fresh.values(), resolution, spans.follow)
                written = await self.renewer.renew(connection, updates, self.step, in_force)
                applied = account_for(batch, filtered, resolution, written)
                await self._advance(connection, applied, filtered)
        await self._note_committed(applied, started)

    def _tracing_all(self) -> AbstractContextManager[OpenBatch]:
        return self.tracing.batch("apply touchpoints", "apply touchpoint", SpanRole.CONSUMER)

    async def _advance(self, connection: Connection, applied: AppliedBatch, filtered: FilteredBatch) -> None:
        """Bury what is to be buried, and advance the progress over the batch: the transaction's last statements."""
        self.limit.admit(applied.dead)
        await dead_letters.add(connection, self.line, filtered.letters)
        await PROGRESS.advance(connection, self.line, [advance_over(run) for run in applied.runs])
        await self.failpoints.reached(WorkerFailpoint.BEFORE_COMMIT)

    async def _note_committed(self, applied: AppliedBatch, started: float) -> None:
        self.renewer.kept.put(applied.written.kept)
        self.limit.committed(applied.dead)
        count_batch(self.metrics, applied, self.clock.monotonic() - started, self.clock.now())
        await self.failpoints.reached(WorkerFailpoint.AFTER_COMMIT)
        self.after_commit()


def customer_updates(
    fresh: Iterable[DecodedRecord], resolution: IdentityResolution, follow: TraceFollower
) -> dict[CustomerId, CustomerUpdate]:
    """Return what is new about each customer, its records in the order of the log; `follow` begins their spans."""
    theirs: dict[CustomerId, list[DecodedRecord]] = {
        customer: [] for customer in (*resolution.absorbed, *resolution.disturbed)
    }
    traces: dict[CustomerId, str | None] = {}
    for one in fresh:
        owner = resolution.owners[one.touchpoint.key]
        theirs.setdefault(owner, []).append(one)
        traces[owner] = follow(one.trace)
    return {
        customer: CustomerUpdate(
            fresh=records,
            absorbed=resolution.absorbed.get(customer, ()),
            gained_from=resolution.disturbed.get(customer, ()),
            relocation=resolution.relocation,
            new_identifiers=resolution.new_identifiers.get(customer, 0),
            trace=traces.get(customer),
        )
        for customer, records in theirs.items()
    }


def account_for(
    batch: Batch[BatchRecord], filtered: FilteredBatch, resolution: IdentityResolution, written: WriteCounts
) -> AppliedBatch:
    """Return what the transaction did; an id that was used before does not count towards the dead-letter limit."""
    broken = {(letter.partition, letter.offset) for letter in filtered.letters if letter.code != PoisonCode.ID_CONFLICT}
    return AppliedBatch(
        runs=batch.runs,
        touchpoints=len(filtered.fresh),
        late=sum(one.late for one in filtered.fresh.values()),
        duplicates=filtered.duplicates,
        merges=sum(len(absorbed) for absorbed in resolution.absorbed.values()),
        refused=Counter(PoisonCode(letter.code) for letter in filtered.letters),
        quarantined=Counter(resolution.refused),
        dead=[(item.partition, item.offset) in broken for item in batch.items],
        written=written,
    )


def advance_over(run: Run[BatchRecord]) -> Advance:
    """Return the progress behind a run, with the time of its latest replayed touchpoint."""
    replayed = [item.appended_at for item in run.items if isinstance(item, DecodedRecord) and item.touchpoint.replay]
    last = run.items[-1]
    return Advance(
        partition=run.claim.partition,
        epoch=run.claim.epoch,
        was=run.first,
        next_offset=run.end,
        last_hash=fingerprint(last.record),
        appended_at=last.appended_at,
        replayed_at=max(replayed, default=None),
    )
