"""One attempt to apply a batch: every statement of its transaction, in the order of the locks.

Everything commits together with the progress, or not at all. When to try again is left to `applier`.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from services.journey.apply.batch import BatchRecord
from services.journey.apply.duplicate_filter import FilteredBatch, bury_batch, filter_duplicates
from services.journey.apply.resolution import IdentityResolution, IdentityResolver
from services.journey.consume import dead_letters
from services.journey.consume.decoding import PoisonCode, ReadableRecord
from services.journey.consume.intake import ConsumedRecord
from services.journey.consume.progress import PROGRESS, database_time
from services.journey.domain.names import CustomerId
from services.journey.domain.touchpoint import is_late
from services.journey.failpoints import Failpoints, WorkerFailpoint
from services.journey.renew.customer_update import CustomerUpdate, NewTouchpoint
from services.journey.renew.renewal import CustomerRenewer, ProgressCallback, ignore_progress
from services.journey.renew.writer import WriteCounts
from services.runtime.log.batch import Batch, Run, judge
from services.runtime.log.identity import fingerprint
from services.runtime.log.progress import Advance, TopicLine
from services.runtime.postgres.pools import Connection


@dataclass(slots=True, kw_only=True)
class AppliedBatch:
    """What a transaction did, for metrics and for the claims, once it is committed.

    `dead` has one flag for each record, in order: whether it is a dead letter that counts towards the limit.
    """

    runs: Sequence[Run[BatchRecord]]
    touchpoints: int = 0
    late: int = 0
    duplicates: int = 0
    merges: int = 0
    refused: Counter[PoisonCode] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    dead: Sequence[bool] = ()
    written: WriteCounts = field(default_factory=WriteCounts)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchTransaction:
    """Applies batches of one line. `admit` is called with the dead letters before the commit and may raise.

    `step` is called after every part.
    """

    line: TopicLine
    resolver: IdentityResolver
    renewer: CustomerRenewer
    late_after: timedelta
    failpoints: Failpoints
    admit: Callable[[Sequence[bool]], object]
    step: ProgressCallback = ignore_progress

    async def apply(self, connection: Connection, batch: Batch[BatchRecord], *, bury: bool = False) -> AppliedBatch:
        """Apply those records of `batch` that are not applied yet; with `bury`, only make them dead letters.

        Raises:
            FencedError, HoleInProgressError, ConcurrentChangeError, DeadLetterLimitError: roll back.
        """
        held = await PROGRESS.lock(connection, self.line, [run.claim.partition for run in batch.runs])
        batch = judge(batch, held)
        if not batch.runs:
            return AppliedBatch(runs=())
        now = await database_time(connection)
        filtered = bury_batch(batch) if bury else await filter_duplicates(connection, batch)
        resolution = await self._resolve(connection, filtered)
        self.step()
        await self.failpoints.reached(WorkerFailpoint.MID_TRANSACTION)
        news = self._news(filtered, resolution)
        written = await self.renewer.renew(connection, news, now, self.step) if news else WriteCounts()
        applied = _account(batch, filtered, resolution, news, written)
        self.admit(applied.dead)
        if filtered.letters:
            await dead_letters.add(connection, self.line, list(filtered.letters.values()))
        await PROGRESS.advance(connection, self.line, [_advance(run) for run in batch.runs])
        await self.failpoints.reached(WorkerFailpoint.BEFORE_COMMIT)
        return applied

    async def _resolve(self, connection: Connection, filtered: FilteredBatch) -> IdentityResolution:
        points = [content.touchpoint for _, content in filtered.fresh.values()]
        resolution = await self.resolver.resolve(connection, points)
        for key in resolution.nobody:
            item, _ = filtered.fresh.pop(key)
            filtered.refuse(item, PoisonCode.NO_USABLE_IDENTIFIER)
        return resolution

    def _news(self, filtered: FilteredBatch, resolution: IdentityResolution) -> dict[CustomerId, CustomerUpdate]:
        fresh: dict[CustomerId, list[NewTouchpoint]] = {customer: [] for customer in resolution.absorbed}
        latest: dict[CustomerId, BatchRecord] = {}
        for key, (item, content) in filtered.fresh.items():
            customer = resolution.owners[key]
            fresh.setdefault(customer, []).append(self._fresh(item, content))
            latest[customer] = item
        return {
            customer: CustomerUpdate(
                fresh=points,
                absorbed=resolution.absorbed.get(customer, ()),
                new_identifiers=resolution.new_identifiers.get(customer, 0),
                trace=_trace(latest[customer].record) if customer in latest else None,
            )
            for customer, points in fresh.items()
        }

    def _fresh(self, item: BatchRecord, content: ReadableRecord) -> NewTouchpoint:
        late = is_late(content.touchpoint, self.late_after)
        return NewTouchpoint(content=content, appended_at=item.appended_at, late=late)


def _account(
    batch: Batch[BatchRecord],
    filtered: FilteredBatch,
    resolution: IdentityResolution,
    news: dict[CustomerId, CustomerUpdate],
    written: WriteCounts,
) -> AppliedBatch:
    broken = {place for place, letter in filtered.letters.items() if letter.code != PoisonCode.ID_CONFLICT}
    return AppliedBatch(
        runs=batch.runs,
        touchpoints=len(filtered.fresh),
        late=sum(one.late for customer in news.values() for one in customer.fresh),
        duplicates=filtered.duplicates,
        merges=sum(len(absorbed) for absorbed in resolution.absorbed.values()),
        refused=Counter(PoisonCode(letter.code) for letter in filtered.letters.values()),
        quarantined=Counter(str(one.reason) for one in resolution.quarantined),
        dead=[item.place in broken for item in batch.items],
        written=written,
    )


def _advance(run: Run[BatchRecord]) -> Advance:
    replayed = [
        item.appended_at
        for item in run.items
        if isinstance(item.content, ReadableRecord) and item.content.touchpoint.replay
    ]
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


def _trace(record: ConsumedRecord) -> str | None:
    for name, value in record.headers:
        if name == "traceparent":
            return value.decode("ascii", "replace")
    return None
