"""Filters a batch: tells new touchpoints from duplicates, and from records that can never be applied."""

from dataclasses import dataclass, field

from services.journey.apply import seen_touchpoints
from services.journey.apply.batch import BatchRecord
from services.journey.apply.seen_touchpoints import SeenTouchpoint
from services.journey.consume.dead_letters import DeadLetter, RecordFault
from services.journey.consume.decoding import PoisonCode, PoisonRecord, ReadableRecord
from services.journey.domain.touchpoint import TouchpointKey
from services.journey.equivalence import is_repeat
from services.journey.store import touchpoints
from services.runtime.log.batch import Batch
from services.runtime.postgres.pools import Connection

Place = tuple[int, int]
"""Partition and offset of a record."""

_MESSAGES = {
    PoisonCode.ID_CONFLICT: RecordFault(
        path="id", message="This id was used before with other content: send a new id."
    ),
    PoisonCode.NO_USABLE_IDENTIFIER: RecordFault(path="customer", message="No identifier in it points to one person."),
    PoisonCode.NOT_STORABLE: RecordFault(path="", message="The database refuses a value in it."),
}


@dataclass(slots=True, kw_only=True)
class FilteredBatch:
    """A batch after filtering: new touchpoints in the order of the log, and dead letters for the other records."""

    fresh: dict[TouchpointKey, tuple[BatchRecord, ReadableRecord]] = field(default_factory=dict)
    duplicates: int = 0
    letters: dict[Place, DeadLetter] = field(default_factory=dict)

    def refuse(self, item: BatchRecord, code: PoisonCode) -> None:
        """Turn a readable touchpoint into a dead letter."""
        content = item.content
        touchpoint = content.touchpoint if isinstance(content, ReadableRecord) else None
        self.letters[item.place] = DeadLetter(
            partition=item.partition,
            record=item.record,
            code=code,
            faults=(_MESSAGES[code],),
            appended_at=item.appended_at,
            source=touchpoint.source if touchpoint else None,
            touchpoint_id=touchpoint.id if touchpoint else None,
        )


async def filter_duplicates(connection: Connection, batch: Batch[BatchRecord]) -> FilteredBatch:
    """Remember new touchpoints; tell duplicates (same content) from conflicts (same id, other content)."""
    filtered = FilteredBatch()
    again: list[tuple[BatchRecord, ReadableRecord]] = []
    for item in batch.items:
        content = item.content
        if isinstance(content, PoisonRecord):
            filtered.letters[item.place] = _letter(item, content)
        elif (key := content.touchpoint.key) in filtered.fresh:
            again.append((item, content))
        else:
            filtered.fresh[key] = item, content
    if filtered.fresh:
        known = await seen_touchpoints.remember(
            connection, [_sighting(content) for _, content in filtered.fresh.values()]
        )
        again += [filtered.fresh.pop(key) for key in sorted(known)]
    if again:
        await _tell_apart(connection, filtered, again)
    return filtered


async def _tell_apart(
    connection: Connection, filtered: FilteredBatch, again: list[tuple[BatchRecord, ReadableRecord]]
) -> None:
    known = await seen_touchpoints.fingerprints(connection, list({content.touchpoint.key for _, content in again}))
    others = [(item, content) for item, content in again if known[content.touchpoint.key] != content.fingerprint]
    filtered.duplicates += len(again) - len(others)
    if not others:
        return
    stored = await touchpoints.stored(connection, list({content.touchpoint.key for _, content in others}))
    stored |= {key: content.touchpoint for key, (_, content) in filtered.fresh.items()}
    for item, content in others:
        touchpoint = content.touchpoint
        if is_repeat(touchpoint, known[touchpoint.key], stored.get(touchpoint.key)):
            filtered.duplicates += 1
        else:
            filtered.refuse(item, PoisonCode.ID_CONFLICT)


def bury_batch(batch: Batch[BatchRecord]) -> FilteredBatch:
    """Turn every record into a dead letter, because the database has refused to store it."""
    filtered = FilteredBatch()
    for item in batch.items:
        if isinstance(item.content, PoisonRecord):
            filtered.letters[item.place] = _letter(item, item.content)
        else:
            filtered.refuse(item, PoisonCode.NOT_STORABLE)
    return filtered


def _letter(item: BatchRecord, poison: PoisonRecord) -> DeadLetter:
    return DeadLetter(
        partition=item.partition,
        record=item.record,
        code=poison.code,
        faults=poison.faults,
        appended_at=item.appended_at,
        source=poison.source,
        touchpoint_id=poison.touchpoint_id,
    )


def _sighting(content: ReadableRecord) -> SeenTouchpoint:
    touchpoint = content.touchpoint
    return SeenTouchpoint(
        source=touchpoint.source,
        id=touchpoint.id,
        fingerprint=content.fingerprint,
        occurred_at=touchpoint.occurred_at,
    )
