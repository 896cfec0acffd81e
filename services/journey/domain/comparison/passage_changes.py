"""Compares the defined journeys of a customer before and after: rows to write, and what funnels gain and lose.

What was before is known from the stored rows, so a journey that is as it was costs one comparison of values.
"""

from collections.abc import Sequence

import msgspec

from services.journey.domain.funnels import FunnelCounts, FunnelPassage, PassageKey
from services.journey.domain.projection import Projection


class PassageChanges(msgspec.Struct, frozen=True, kw_only=True):
    """Defined journeys to write and to remove, and the difference that it makes to their funnels."""

    written: Sequence[FunnelPassage] = ()
    gone: Sequence[PassageKey] = ()
    counts: FunnelCounts = msgspec.field(default_factory=FunnelCounts)

    def __bool__(self) -> bool:
        """Return whether there is anything to write."""
        return bool(self.written or self.gone)


_NOTHING = PassageChanges()


def passage_changes(projection: Projection, stored: Sequence[FunnelPassage], *, truncated: bool) -> PassageChanges:
    """Return what turns the `stored` defined journeys into those of `projection`.

    Where the history was cut, journeys that were entered before what was looked at stay as they are stored.
    """
    if not projection.passages and not stored:
        return _NOTHING
    before = {one.key: one for one in stored}
    written: list[FunnelPassage] = []
    counts = FunnelCounts()
    for passage in passages_of(projection):
        known = before.pop(passage.key, None)
        if known == passage:
            continue
        written.append(passage)
        counts.add(passage)
        if known is not None:
            counts.add(known, sign=-1)
    if truncated:
        since = projection.history[0].touchpoint.occurred_at if projection.history else None
        before = {key: one for key, one in before.items() if since is not None and one.progress.entered_at >= since}
    for known in before.values():
        counts.add(known, sign=-1)
    return PassageChanges(written=written, gone=list(before), counts=counts)


def passages_of(projection: Projection) -> list[FunnelPassage]:
    """Return the defined journeys of a projection as funnels count them."""
    found = []
    for number, passage in projection.passages:
        journey = projection.journeys[number]
        entry = projection.history[passage.members[0]].touchpoint
        found.append(
            FunnelPassage(
                entry=entry.key,
                channel=entry.channel,
                reason=journey.reason,
                service_level=journey.service_level,
                progress=passage.progress,
            )
        )
    return found
