"""Filters a batch: tells new touchpoints from duplicates, and from records that can never be applied."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from services.journey.apply import seen_touchpoints
from services.journey.consume.dead_letters import DeadLetter
from services.journey.consume.decoding import BatchRecord, DecodedRecord, PoisonCode, refuse
from services.journey.domain.touchpoint import Touchpoint, TouchpointKey
from services.journey.equivalence import is_repeat
from services.journey.store import touchpoints
from services.runtime.log.batch import Batch
from services.runtime.postgres.pools import Connection


@dataclass(slots=True, kw_only=True)
class FilteredBatch:
    """A batch after filtering: new touchpoints in the order of the log, and dead letters for the other records."""

    fresh: dict[TouchpointKey, DecodedRecord] = field(default_factory=dict)
    duplicates: int = 0
    letters: list[DeadLetter] = field(default_factory=list)

    @property
    def touchpoints(self) -> list[Touchpoint]:
        """The new touchpoints, in the order of the log."""
        return [one.touchpoint for one in self.fresh.values()]

    def refuse_fresh(self, keys: Iterable[TouchpointKey], code: PoisonCode) -> None:
        """Turn new touchpoints into dead letters."""
        self.letters += [refuse(self.fresh.pop(key), code) for key in keys]


async def filter_duplicates(connection: Connection, batch: Batch[BatchRecord]) -> FilteredBatch:
    """Remember new touchpoints; tell duplicates (same content) from conflicts (same id, other content)."""
    filtered, again = first_of_each(batch)
    known = await seen_touchpoints.remember(connection, filtered.fresh)
    again += [filtered.fresh.pop(key) for key in sorted(known)]
    if again:
        await _tell_apart(connection, filtered, again)
    return filtered


async def _tell_apart(connection: Connection, filtered: FilteredBatch, again: Sequence[DecodedRecord]) -> None:
    known = await seen_touchpoints.fingerprints(connection, list({one.touchpoint.key for one in again}))
    others = count_equal(filtered, again, known)
    if others:
        stored = await touchpoints.stored(connection, list({one.touchpoint.key for one in others}))
        judge_others(filtered, others, known, stored)


def first_of_each(batch: Batch[BatchRecord]) -> tuple[FilteredBatch, list[DecodedRecord]]:
    """Return the batch with the first record of each touchpoint as fresh, and the records that repeat one of these."""
    filtered = FilteredBatch()
    again: list[DecodedRecord] = []
    for item in batch.items:
        if isinstance(item, DeadLetter):
            filtered.letters.append(item)
        elif filtered.fresh.setdefault(item.touchpoint.key, item) is not item:
            again.append(item)
    return filtered, again


def count_equal(
    filtered: FilteredBatch, again: Sequence[DecodedRecord], known: Mapping[TouchpointKey, bytes]
) -> list[DecodedRecord]:
    """Count as duplicates the records with a `known` fingerprint, and return those with another one."""
    others = [one for one in again if known[one.touchpoint.key] != one.fingerprint]
    filtered.duplicates += len(again) - len(others)
    return others


def judge_others(
    filtered: FilteredBatch,
    others: Sequence[DecodedRecord],
    known: Mapping[TouchpointKey, bytes],
    stored: Mapping[TouchpointKey, Touchpoint],
) -> None:
    """Compare records of another fingerprint with what is `stored` or fresh: each is a duplicate, or a conflict."""
    before = {**stored, **{key: one.touchpoint for key, one in filtered.fresh.items()}}
    for one in others:
        key = one.touchpoint.key
        if is_repeat(one.touchpoint, known[key], before.get(key)):
            filtered.duplicates += 1
        else:
            filtered.letters.append(refuse(one, PoisonCode.ID_CONFLICT))


def bury_batch(batch: Batch[BatchRecord]) -> FilteredBatch:
    """Turn every record into a dead letter, because the database has refused to store it."""
    return FilteredBatch(
        letters=[
            item if isinstance(item, DeadLetter) else refuse(item, PoisonCode.NOT_STORABLE) for item in batch.items
        ]
    )
