"""Whether a group is told of: the table of reasons, repeats with back-off, and what names a group."""

from datetime import UTC, datetime, timedelta

import pytest

from services.alerts.hold.grouping import (
    FlushReason,
    GroupRecord,
    decide_flush,
    group_key,
    group_labels,
    next_flush,
    repeat_pause,
)
from services.alerts.policy.tree import DEFAULT_OPTIONS, RouteOptions

NOW = datetime(2026, 11, 22, tzinfo=UTC)
HOUR = timedelta(hours=1)


def told(firing: str = "", resolved: str = "", ago: timedelta = timedelta(minutes=1)) -> GroupRecord:
    return GroupRecord(firing=frozenset(firing), resolved=frozenset(resolved), at=NOW - ago)


@pytest.mark.parametrize(
    ("record", "firing", "resolved", "reason"),
    [
        (None, "a", "", FlushReason.FIRST),
        (None, "a", "b", FlushReason.FIRST),
        (None, "", "a", FlushReason.NOTHING_NEW),
        (told("a"), "ab", "", FlushReason.NEW_ISSUES),
        (told("", "a"), "b", "", FlushReason.FIRST),
        (told("ab"), "", "ab", FlushReason.ALL_RESOLVED),
        (told("", "ab"), "", "ab", FlushReason.NOTHING_NEW),
        (told("ab"), "a", "b", FlushReason.SOME_RESOLVED),
        (told("ab", "b"), "a", "b", FlushReason.NOTHING_NEW),
        (told("ab"), "a", "", FlushReason.NOTHING_NEW),
        (told("a", ago=HOUR), "a", "", FlushReason.REPEATED),
        (told("a", ago=HOUR - timedelta(seconds=1)), "a", "", FlushReason.NOTHING_NEW),
    ],
)
def test_a_group_is_told_of_when_there_is_something_to_tell(
    record: GroupRecord | None, firing: str, resolved: str, reason: FlushReason
) -> None:
    assert decide_flush(record, set(firing), set(resolved), HOUR, NOW) is reason


def test_nothing_is_repeated_unless_the_route_says_so() -> None:
    assert decide_flush(told("a", ago=timedelta(days=9)), {"a"}, (), None, NOW) is FlushReason.NOTHING_NEW


def test_repeats_back_off_and_the_last_pause_stays() -> None:
    pauses = (HOUR, 4 * HOUR, 24 * HOUR)

    assert [repeat_pause(pauses, number) for number in range(5)] == [HOUR, 4 * HOUR, 24 * HOUR, 24 * HOUR, 24 * HOUR]
    assert repeat_pause((), 3) is None


def test_a_group_waits_since_its_first_issue_opened() -> None:
    options = RouteOptions(group_wait=timedelta(seconds=30)).inherit(DEFAULT_OPTIONS)

    assert next_flush(options, opened_at=NOW, now=NOW) == NOW + timedelta(seconds=30)
    assert next_flush(options, opened_at=NOW - HOUR, now=NOW) == NOW
    assert next_flush(options, opened_at=None, now=NOW) == NOW + timedelta(minutes=5)


def test_a_group_is_named_by_the_labels_that_the_issue_has() -> None:
    labels = {"reason": ("billing",), "rule": ("a", "b")}

    named = group_labels(labels, ["rule", "reason", "channel"])

    assert named == {"reason": "billing", "rule": "a,b"}
    assert group_key(named) != group_key({"reason": "billing"})
