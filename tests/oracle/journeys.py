"""Journeys by the oracle: how one customer's touchpoints fall into stories.

Part of the oracle: it imports nothing of Waymark, on purpose.
"""

from dataclasses import dataclass, field
from typing import Final

from tests.oracle.facts import DAY, HOUR, Fact, Key, first_known

IGNORED_REFS: Final = frozenset({"campaign_id", "session_id", "store_id", "thread_id", "message_id", "account_id"})
REASON_GAP: Final = 14 * DAY
UNKNOWN_GAP: Final = 24 * HOUR


def journeys(history: list[Fact]) -> dict[Key, int]:
    """For each touchpoint of an ordered history, the number of its journey."""
    placed: dict[Key, int] = {}
    loose: list[list[Fact]] = []
    count = 0
    for group in _groups(history):
        if any(_refs(one) for one in group):
            placed.update({one.key: count for one in group})
            count += 1
        else:
            loose.append(group)
    for story in _stories(loose):
        placed.update({one.key: count for one in story})
        count += 1
    return placed


def _refs(one: Fact) -> list[tuple[str, str]]:
    return [(name, value) for name, value in (one.get("refs") or {}).items() if name not in IGNORED_REFS]


def _groups(history: list[Fact]) -> list[list[Fact]]:
    """Touchpoints that share a reference or an interaction, each group in order, groups by their first touchpoint."""
    group_of = list(range(len(history)))

    def root(place: int) -> int:
        while group_of[place] != place:
            place = group_of[place]
        return place

    holder: dict[object, int] = {}
    for place, one in enumerate(history):
        for key in (*_refs(one), *([("", one.interaction)] if one.interaction else [])):
            known = root(holder.setdefault(key, place))
            group_of[max(known, root(place))] = min(known, root(place))
    groups: dict[int, list[Fact]] = {}
    for place, one in enumerate(history):
        groups.setdefault(root(place), []).append(one)
    return list(groups.values())


@dataclass(slots=True, eq=False)
class _Story:
    reason: str | None
    last: int
    reason_since: int
    touched: int
    members: list[Fact] = field(default_factory=list)


def _stories(groups: list[list[Fact]]) -> list[list[Fact]]:
    """Loose groups told together where reason and time allow; `groups` by their first touchpoint."""
    stories: list[_Story] = []
    for turn, group in enumerate(groups):
        reason = first_known(one.get("reason") for one in group)
        first, last = group[0].at, group[-1].at
        story = _continued(stories, reason, first)
        if story is None:
            story = _Story(reason=reason, last=last, reason_since=turn, touched=turn)
            stories.append(story)
        elif story.reason is None and reason is not None:
            story.reason, story.reason_since = reason, turn
        story.members.extend(group)
        story.last = max(story.last, last)
        story.touched = turn
    return [story.members for story in stories]


def _continued(stories: list[_Story], reason: str | None, first: int) -> _Story | None:
    if reason is None:
        latest = max(stories, key=lambda story: (story.last, story.touched), default=None)
        return latest if latest is not None and first - latest.last <= UNKNOWN_GAP else None
    same = max((s for s in stories if s.reason == reason), key=lambda story: story.reason_since, default=None)
    if same is not None and first - same.last <= REASON_GAP:
        return same
    nameless = [story for story in stories if story.reason is None]
    if nameless and first - nameless[-1].last <= UNKNOWN_GAP:
        return nameless[-1]
    return None
