"""What came to stand on the topic, read back record by record: the oracle's input when ingest wrote it.

The oracle is asked about what stands, because ingest decides when a touchpoint was received; whether what stands is
what was sent, `tests.faults.invariants` compares with the producer's ledger.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from tests.faults.log_reading import Stood
from tests.oracle.facts import Json, Key

TRANSPORT = frozenset({"received_at", "replay"})
"""What the way to the log adds: no part of what a touchpoint says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The topic, sorted into what counts, what only repeats it, and what contradicts it."""

    touchpoints: dict[Key, Json]
    """The first of each `(source, id)`."""

    conflicts: set[tuple[int, int]]
    """`(partition, offset)` of those that say something else under a known id: to be dead-lettered."""

    repeats: int


def sort(records: Sequence[Stood]) -> Written:
    """Sort records, each partition in its order."""
    touchpoints: dict[Key, Json] = {}
    conflicts: set[tuple[int, int]] = set()
    repeats = 0
    for one in records:
        document = orjson.loads(one.value or b"{}")
        key = (document["source"], document["id"])
        first = touchpoints.setdefault(key, document)
        if first is document:
            continue
        if _said(first) == _said(document):
            repeats += 1
        else:
            conflicts.add((one.partition, one.offset))
    return Written(touchpoints=touchpoints, conflicts=conflicts, repeats=repeats)


def _said(document: Json) -> Json:
    return {name: held for name, held in document.items() if name not in TRANSPORT}
