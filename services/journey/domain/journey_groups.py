"""Which touchpoints of a customer make up one journey (docs/semantics.md, Journeys).

Touchpoints that share a reference are one journey; the others, the loose ones, are put together by reason and time.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from services.journey.domain.contacts.contact import CountedUnit
from services.journey.domain.touchpoint import Touchpoint

ReferenceKey = tuple[str, ...]


class JourneyGroups:
    """The positions of each journey, ascending; the `journeys` come in the order of their first ones."""

    __slots__ = ("_groups", "_last_loose", "_number_of", "_walk", "journeys")

    def __init__(
        self,
        units: Sequence[CountedUnit],
        ignored: Sequence[frozenset[str]],
        reason_gap: timedelta,
        unknown_gap: timedelta,
    ) -> None:
        """Put `units` together; `ignored` are, for each position, the types of references that join nothing."""
        groups = self._groups = ReferenceGroups(units, ignored)
        walk = self._walk = _LooseWalk(reason_gap, unknown_gap)
        self._last_loose = -1
        for root, members in groups.members.items():
            if root in groups.referenced:
                continue
            self._last_loose = root
            if len(members) == 1:  # most of them: clicks
                walk.take_one(root, units[root].at)
            else:
                walk.take(members, [units[position].at for position in members])
        for loose in walk.journeys:
            loose.members.sort()
        self.journeys = sorted(
            [groups.members[root] for root in groups.referenced] + [one.members for one in walk.journeys]
        )
        self._number_of = {members[0]: number for number, members in enumerate(self.journeys)}

    def take(self, touchpoint: Touchpoint, ignored: frozenset[str]) -> int | None:
        """Put one more touchpoint, after all others, into its journey, and return the number of that.

        None if it joins journeys, or may move others to another one: then all of them have to be put together anew.
        """
        root = self._groups.take(touchpoint, ignored)
        if root is None:
            return None
        members = self._members_with(root, touchpoint)
        if members is None:
            return None
        number = self._number_of.setdefault(members[0], len(self.journeys))
        self.journeys[number : number + 1] = [members]
        return number

    def _members_with(self, root: int, touchpoint: Touchpoint) -> list[int] | None:
        """Return the journey of the group `root` with its latest member, the touchpoint; None if others may move."""
        group = self._groups.members[root]
        if root in self._groups.referenced:
            return group
        position = group[-1]
        if position == root:
            self._last_loose = root
            return self._walk.take_one(position, touchpoint).members
        if root != self._last_loose:  # what came after the begin of the group was placed by when it had ended
            return None
        journey = self._walk.prolong(position, touchpoint)
        return None if journey is None else journey.members


class ReferenceGroups:
    """Groups that share a reference or an interaction. A group is named by the position of its first touchpoint.

    `members` has the positions of each group in order, `referenced` the groups that have a reference.
    """

    __slots__ = ("_first_with", "_parent", "members", "referenced")

    def __init__(self, units: Sequence[CountedUnit], ignored: Sequence[frozenset[str]]) -> None:
        """Group `units`; `ignored` are, for each position, the types of references that join nothing."""
        parent = self._parent = list(range(len(units)))
        first_with = self._first_with = dict[ReferenceKey, int]()
        with_reference = []
        for position, unit in enumerate(units):
            touchpoint = unit.at
            if not touchpoint.refs and touchpoint.interaction_id is None:  # most of them: clicks
                continue
            keys, refers = _keys(touchpoint, ignored[position])
            if refers:
                with_reference.append(position)
            for key in keys:
                self._join(first_with.setdefault(key, position), position)
        groups = self.members = dict[int, list[int]]()
        for position, above in enumerate(parent):
            if above == position:  # as every first one, before any other of its group
                groups[position] = [position]
            else:
                groups[self._root(position)].append(position)
        self.referenced = {self._root(position) for position in with_reference}

    def take(self, touchpoint: Touchpoint, ignored: frozenset[str]) -> int | None:
        """Add a touchpoint after all others and return its group; None if it joins groups or gives one a reference.

        Then all of them have to be grouped anew.
        """
        keys, refers = _keys(touchpoint, ignored)
        position = len(self._parent)
        groups = {self._root(self._first_with[key]) for key in keys if key in self._first_with} or {position}
        group = min(groups)
        if len(groups) > 1 or (refers and group != position and group not in self.referenced):
            return None
        self._parent.append(group)
        for key in keys:
            self._first_with.setdefault(key, position)
        self.members.setdefault(group, []).append(position)
        if refers:
            self.referenced.add(group)
        return group

    def _root(self, position: int) -> int:
        parent = self._parent
        while parent[position] != position:
            parent[position] = parent[parent[position]]
            position = parent[position]
        return position

    def _join(self, one: int, other: int) -> None:
        """Join two groups; the earlier first position names the result."""
        one, other = self._root(one), self._root(other)
        self._parent[max(one, other)] = min(one, other)


def _keys(touchpoint: Touchpoint, ignored: frozenset[str]) -> tuple[list[ReferenceKey], bool]:
    """Return what joins a touchpoint to others, and whether any of it is a reference."""
    keys: list[ReferenceKey] = [ref for ref in touchpoint.refs.items() if ref[0] not in ignored]
    refers = bool(keys)
    if touchpoint.interaction_id is not None:
        keys.append(("interaction", touchpoint.source, touchpoint.interaction_id))
    return keys, refers


class _Loose:
    """A journey without a reference, while it is being put together."""

    __slots__ = ("last", "members")

    def __init__(self, last: datetime) -> None:
        self.members: list[int] = []
        self.last = last


class _LooseWalk:
    """Puts groups without a reference, in order, into journeys (docs/semantics.md, Journeys, 4)."""

    def __init__(self, reason_gap: timedelta, unknown_gap: timedelta) -> None:
        self.journeys: list[_Loose] = []
        self._reason_gap = reason_gap
        self._unknown_gap = unknown_gap
        self._by_reason: dict[str, _Loose] = {}
        self._without_reason: _Loose | None = None
        self._latest: _Loose | None = None
        self._last: tuple[_Loose, str | None] | None = None

    def take(self, members: list[int], touchpoints: Sequence[Touchpoint]) -> None:
        """Put the next group into its journey."""
        first = touchpoints[0].occurred_at
        reason = next((one.reason for one in touchpoints if one.reason is not None), None)
        journey = self._for_unknown(first) if reason is None else self._for_reason(reason, first)
        journey.members += members
        self._last = journey, reason
        self._goes_on_until(journey, touchpoints[-1].occurred_at)

    def prolong(self, position: int, touchpoint: Touchpoint) -> _Loose | None:
        """Add a touchpoint to the group that was put last, and return its journey; None if it gives it a reason."""
        if self._last is None:
            return None
        journey, reason = self._last
        if reason is None and touchpoint.reason is not None:
            return None
        journey.members.append(position)
        self._goes_on_until(journey, touchpoint.occurred_at)
        return journey

    def _goes_on_until(self, journey: _Loose, last: datetime) -> None:
        journey.last = max(journey.last, last)
        if self._latest is None or journey.last >= self._latest.last:
            self._latest = journey

    def take_one(self, position: int, touchpoint: Touchpoint) -> _Loose:
        """Put the next group, one of a single touchpoint, into its journey, and return that."""
        at, latest = touchpoint.occurred_at, self._latest
        journey = self._for_unknown(at) if touchpoint.reason is None else self._for_reason(touchpoint.reason, at)
        journey.members.append(position)
        journey.last = max(journey.last, at)
        if journey is not latest and (latest is None or journey.last >= latest.last):
            self._latest = journey
        self._last = journey, touchpoint.reason
        return journey

    def _for_unknown(self, first: datetime) -> _Loose:
        if self._latest is not None and first - self._latest.last <= self._unknown_gap:
            return self._latest
        self._without_reason = self._new(first)
        return self._without_reason

    def _for_reason(self, reason: str, first: datetime) -> _Loose:
        known = self._by_reason.get(reason)
        if known is not None and first - known.last <= self._reason_gap:
            return known
        nameless = self._without_reason
        if nameless is not None and first - nameless.last <= self._unknown_gap:
            self._without_reason = None
            self._by_reason[reason] = nameless
            return nameless
        self._by_reason[reason] = journey = self._new(first)
        return journey

    def _new(self, first: datetime) -> _Loose:
        journey = _Loose(first)
        self.journeys.append(journey)
        return journey
