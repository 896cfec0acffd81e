"""Whether the records that a log delivers next continue what was delivered before.

Deciding only: seeking back, and how often before a hole is believed, is left to the consumer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from services.runtime.log.identity import LoggedRecord

R = TypeVar("R", bound=LoggedRecord)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """Records between `cursor` and `first` never arrived."""

    cursor: int
    first: int


def continue_at(cursor: int, records: Sequence[R]) -> Sequence[R] | Hole:
    """Return the records from `cursor` on (none where all are repeats), or the hole before them."""
    if not records or records[-1].offset < cursor:
        return ()
    first = records[0].offset
    if first > cursor:
        return Hole(cursor=cursor, first=first)
    return records if first == cursor else [record for record in records if record.offset >= cursor]
