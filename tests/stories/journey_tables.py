"""The journey worker with its tables in memory: what a story needs instead of Kafka and PostgreSQL.

Every decision is the worker's own code. Locks, SQL, the outbox, and what two customers contest are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from uuid import UUID

from services.journey import policies
from services.journey.consume.dead_letters import DeadLetter
from services.journey.consume.decoding import BatchRecord, DecodedRecord, PoisonCode, decode_record
from services.journey.consume.progress import PartitionMark
from services.journey.domain.comparison.changes import diff
from services.journey.domain.identity.facts import IdentifierKey
from services.journey.domain.identity.planning import (
    IdentityPlan,
    KnownCustomer,
    KnownIdentity,
    identity_evidence,
    plan,
)
from services.journey.domain.names import CustomerId
from services.journey.domain.projection import Projection, project
from services.journey.domain.touchpoint import ALLOWED_LATENESS, RecordedTouchpoint, TouchpointKey
from services.journey.renew import publication
from services.journey.timers.horizon import stream_horizon
from services.runtime.clock import Clock
from services.runtime.kafka.record import ProducerRecord
from services.runtime.log.batch import Batch, gather, judge
from services.runtime.log.claims import Claim
from services.runtime.log.progress import HeldPartition
from tests.unit.journey.domain.making import POLICY, SHIPPED, Shelf

LATE_GRACE = timedelta(minutes=5)
"""How far the stream must be past a due time: the worker's default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """A record at its place in the log. Satisfies `services.journey.consume.intake.ConsumedRecord`."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


@dataclass(slots=True, kw_only=True)
class Kept:
    """A customer: its touchpoints, what is stored about it, and what its touchpoints say now."""

    id: CustomerId
    sequence: int
    shelf: Shelf
    history: list[RecordedTouchpoint] = field(default_factory=list)
    merges: int = 0
    projection: Projection | None = None


class JourneyTables:
    """One partition of the log, and everything that the worker keeps. `apply` is one of its transactions."""

    def __init__(self, clock: Clock) -> None:
        self.log: list[Appended] = []
        self.next_offset = 0
        self.seen: dict[TouchpointKey, DecodedRecord] = {}
        self.duplicates = 0
        self.dead_letters: list[PoisonCode] = []
        self.owners: dict[IdentifierKey, CustomerId] = {}
        self.customers: dict[CustomerId, Kept] = {}
        self._clock = clock
        self._numbers = count(1)

    def append(self, record: ProducerRecord) -> None:
        """Put a record at the end of the log, as the broker does."""
        self.log.append(
            Appended(
                offset=len(self.log),
                timestamp=int(self._clock.now().timestamp() * 1000),
                key=record.key,
                value=record.value,
                headers=record.headers,
            )
        )

    def read_on(self, *, rewind: int = 0) -> list[ProducerRecord]:
        """Deliver what waits in the log, and `rewind` records before it once more."""
        return self.apply(self.log[max(self.next_offset - rewind, 0) :])

    def apply(self, records: Sequence[Appended]) -> list[ProducerRecord]:
        """Apply records in the steps of `BatchTransaction.apply`; return the frictions to publish."""
        claim = Claim(partition=0, epoch=1, applied=self.next_offset, cursor=self.next_offset)
        held = HeldPartition(partition=0, epoch=1, next_offset=self.next_offset, last_hash=None)
        decoded = [decode_record(0, record, ALLOWED_LATENESS) for record in records]
        batch = judge(gather(decoded, {0: claim}), {0: held})
        fresh = self._filter_duplicates(batch)
        touched = self._resolve(fresh)
        published = self._renew(touched)
        self._advance(batch)
        return published

    def stream_passes(self, moment: datetime) -> list[ProducerRecord]:
        """Read the log up to `moment` with nothing left in it: timers that are due fire."""
        mark = PartitionMark(
            partition=0,
            next_offset=self.next_offset,
            applied_append_time=None,
            caught_up_at=moment,
            replay_append_time=None,
        )
        reach = stream_horizon([mark], [0], timedelta(0)).reach(LATE_GRACE)
        assert reach is not None
        for kept in self.customers.values():
            kept.shelf.fire(reach.passed)
        return self._renew(dict.fromkeys(self.customers))

    def of(self, type_: str, value: str) -> Kept:
        """Return the customer behind an identifier."""
        return self.customers[self.owners[type_, value]]

    def _filter_duplicates(self, batch: Batch[BatchRecord]) -> list[DecodedRecord]:
        """Keep what was never seen; the same content again is a duplicate, other content a conflict."""
        fresh = []
        for item in batch.items:
            if isinstance(item, DeadLetter):
                self.dead_letters.append(PoisonCode(item.code))
                continue
            known = self.seen.setdefault(item.touchpoint.key, item)
            if known is item:
                fresh.append(item)
            elif known.fingerprint == item.fingerprint:
                self.duplicates += 1
            else:
                self.dead_letters.append(PoisonCode.ID_CONFLICT)
        return fresh

    def _resolve(self, fresh: Sequence[DecodedRecord]) -> dict[CustomerId, str | None]:
        """Find whose each touchpoint is, merging customers; return the touched ones with their trace."""
        ordered = sorted((one.touchpoint for one in fresh), key=lambda one: one.order)
        planned = plan(
            [identity_evidence(one, policies.identity()) for one in ordered],
            self._known(),
            policies.identity(),
            lambda: UUID(int=next(self._numbers)),
        )
        self._write_identity(planned)
        traces: dict[CustomerId, str | None] = {}
        for one in fresh:
            customer = planned.customers[one.touchpoint.key]
            self.customers[customer].history.append(one.recorded)
            traces[customer] = one.trace
        return traces

    def _known(self) -> KnownIdentity:
        identifiers = list(self.owners.values())
        customers = {
            kept.id: KnownCustomer(
                id=kept.id, sequence=kept.sequence, identifiers=identifiers.count(kept.id), merges=kept.merges
            )
            for kept in self.customers.values()
        }
        return KnownIdentity(owners=dict(self.owners), customers=customers)

    def _write_identity(self, planned: IdentityPlan) -> None:
        for created in planned.created:
            shelf = Shelf(created.int)
            self.customers[created] = Kept(id=created, sequence=created.int, shelf=shelf)
        self.owners.update(planned.attached)
        for merge in planned.merges:
            survivor, absorbed = self.customers[merge.survivor], self.customers.pop(merge.absorbed)
            survivor.shelf.absorb(absorbed.shelf)
            survivor.history += absorbed.history
            survivor.merges += absorbed.merges + 1
            owned = [key for key, owner in self.owners.items() if owner == merge.absorbed]
            self.owners.update(dict.fromkeys(owned, merge.survivor))

    def _renew(self, touched: dict[CustomerId, str | None]) -> list[ProducerRecord]:
        """Project each customer anew and write the difference."""
        published: list[ProducerRecord] = []
        for customer, trace in touched.items():
            kept = self.customers[customer]
            history = kept.shelf.placed_history(kept.history)
            projection = project(history, fired=kept.shelf.fired(), rulebook=SHIPPED, policy=POLICY)
            assert not projection.failures, projection.failures
            now = self._clock.now()
            changes = diff(projection, kept.shelf.stored(), SHIPPED, kept.shelf.moment(now))
            kept.shelf.write(changes, now)
            kept.projection = projection
            published += [publication.friction(change.friction, trace).record for change in changes.frictions]
        return published

    def _advance(self, batch: Batch[BatchRecord]) -> None:
        for run in batch.runs:
            self.next_offset = run.end


def rules_of(kept: Kept) -> list[str]:
    """Return the rules that find something in a customer's touchpoints now, in the order of their anchors."""
    findings = kept.projection.findings if kept.projection is not None else []
    return [found.rule for found in sorted(findings, key=lambda found: (found.at.order, found.rule))]


def effort_of(kept: Kept) -> float:
    """Return the effort of the customer's only journey, 0 to 100."""
    assert kept.projection is not None
    (journey,) = kept.projection.journeys
    return journey.effort.score
