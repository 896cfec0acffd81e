"""What holds a notification and until when, repeats, and the flush of a group under holds."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.alerts.hold.grouping import FlushReason, GroupRecord
from services.alerts.hold.groups import AlertGroup, GroupSetting, join_group, plan_flush, view_of
from services.alerts.hold.waits import (
    LOOK_AGAIN,
    NEVER_OPEN,
    IssueInView,
    WaitKind,
    find_blocker,
    held,
    next_repeat,
)
from services.alerts.issues.model import AlertSeverity, Issue, IssueState
from services.alerts.policy.alert_policy import AlertPolicy
from services.alerts.policy.hours import HourSpan, NamedHours
from services.alerts.policy.inhibition import Inhibitor, InhibitRule
from services.alerts.policy.matchers import parse_matchers
from services.alerts.policy.silences import Silence
from services.alerts.policy.tree import DEFAULT_OPTIONS, RouteOptions
from tests.unit.alerts.builders import an_issue

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
EVENING = NamedHours(name="evening", spans=(HourSpan(times=((18 * 60, 22 * 60),)),))
POLICY = AlertPolicy(hours=(EVENING, NamedHours(name="never", spans=(HourSpan(years=((2020, 2020),)),))))
RULE = InhibitRule(id=UUID(int=5), name="outage", source_matchers=(), target_matchers=())
INHIBITOR = Inhibitor(rule=RULE, source=UUID(int=6), key="the outage")
BILLING = {"reason": ("billing",)}


def a_silence(**members: Any) -> Silence:
    given: dict[str, Any] = {
        "id": UUID(int=9),
        "matchers": parse_matchers("reason=billing"),
        "starts_at": NOW - HOUR,
        "ends_at": NOW + HOUR,
        "comment": "",
        "created_by": "kim",
        "updated_at": NOW,
    }
    return Silence(**given | members)


def blocker(
    options: RouteOptions, *silences: Silence, critical: bool = False, inhibitor: Inhibitor | None = None
) -> Any:
    view = IssueInView(labels=BILLING, critical=critical, inhibitor=inhibitor)
    found = find_blocker(view, options, POLICY, silences, NOW)
    return found and (found.kind, found.until - NOW, found.blocker)


EVENINGS = RouteOptions(active_time_intervals=("evening",))


def test_inhibition_comes_before_hours_and_hours_before_silences() -> None:
    assert blocker(EVENINGS, a_silence(), inhibitor=INHIBITOR) == (WaitKind.INHIBITION, LOOK_AGAIN, "the outage")
    assert blocker(EVENINGS, a_silence()) == (WaitKind.HOURS, 6 * HOUR, None)
    assert blocker(RouteOptions(), a_silence()) == (WaitKind.SILENCE, HOUR, str(UUID(int=9)))
    assert blocker(RouteOptions()) is None


def test_a_critical_issue_passes_hours_but_no_silence_and_no_inhibition() -> None:
    assert blocker(EVENINGS, critical=True) is None
    assert blocker(replace(EVENINGS, critical_waits=True), critical=True) == (WaitKind.HOURS, 6 * HOUR, None)
    assert blocker(EVENINGS, a_silence(), critical=True)[0] is WaitKind.SILENCE
    assert blocker(EVENINGS, critical=True, inhibitor=INHIBITOR)[0] is WaitKind.INHIBITION


def test_hours_that_never_open_are_asked_again() -> None:
    assert blocker(RouteOptions(active_time_intervals=("never",))) == (WaitKind.HOURS, NEVER_OPEN, None)


def test_what_waits_longer_keeps_its_reason_and_since_when() -> None:
    view = IssueInView(labels=BILLING, critical=False)
    by_hours = find_blocker(view, EVENINGS, POLICY, [], NOW)
    assert by_hours is not None
    first = held(UUID(int=1), UUID(int=2), by_hours, "first", None, NOW)
    later = held(UUID(int=1), UUID(int=2), replace(by_hours, kind=WaitKind.SILENCE), "raised", first, NOW + HOUR)

    assert (later.reason, later.since, later.kind) == ("first", NOW, WaitKind.SILENCE)


def test_repeats_count_on_and_none_is_made_without_pauses() -> None:
    options = RouteOptions(repeat_interval=(HOUR, 4 * HOUR))
    waits = [next_repeat(UUID(int=1), UUID(int=2), options, "repeated", count, NOW) for count in range(3)]

    assert [(wait.due_at - NOW, wait.repeats) for wait in waits if wait] == [(HOUR, 1), (4 * HOUR, 2), (4 * HOUR, 3)]
    assert next_repeat(UUID(int=1), UUID(int=2), DEFAULT_OPTIONS, "repeated", 0, NOW) is None


GROUPED = RouteOptions(group_by=("reason",), group_wait=timedelta(seconds=30)).inherit(DEFAULT_OPTIONS)
GROUP = AlertGroup(
    id=UUID(int=3), route_id=UUID(int=2), key="k", labels={"reason": "billing"}, told=None, sequence=0, endpoints=()
)


def issue(number: int, **members: Any) -> Issue:
    return an_issue(id=UUID(int=number), opened_at=NOW, **members)


def flush(
    members: list[Issue], *, told: GroupRecord | None = None, options: RouteOptions = GROUPED, **setting: Any
) -> Any:
    given: dict[str, Any] = {"options": options, "policy": POLICY, "silences": [], "inhibitors": {}}
    return plan_flush(replace(GROUP, told=told), members, GroupSetting(**given | setting), NOW)


def entry(number: int) -> str:
    return f"{UUID(int=number)}:medium"


def test_a_flush_tells_what_nothing_holds() -> None:
    plan = flush([issue(1), issue(2), issue(3, snoozed_until=NOW + HOUR)], inhibitors={UUID(int=2): INHIBITOR})

    assert (plan.reason, [one.id.int for one in plan.firing]) == (FlushReason.FIRST, [1])
    assert plan.told.firing == {entry(1)}
    assert plan.next_flush_at == NOW + timedelta(minutes=5)


def test_a_flush_with_everything_held_tells_nothing_and_waits_for_the_hours() -> None:
    plan = flush([issue(1)], options=replace(GROUPED, active_time_intervals=("evening",)))

    assert (plan.reason, plan.told, plan.next_flush_at) == (FlushReason.NOTHING_NEW, None, NOW + 6 * HOUR)


def test_the_end_of_what_was_told_passes_a_silence_and_that_of_anything_else_does_not() -> None:
    told = GroupRecord(firing=frozenset({entry(1)}), resolved=frozenset(), at=NOW - HOUR)
    ended = [issue(number, state=IssueState.RESOLVED, resolved_at=NOW) for number in (1, 2)]
    plan = flush([*ended, issue(3, reason="delivery")], told=told, silences=[a_silence()])

    assert [one.id.int for one in plan.resolved] == [1]
    assert sorted(number.int for number in plan.leaving) == [1, 2]


def test_a_group_whose_last_issue_ended_is_empty() -> None:
    told = GroupRecord(firing=frozenset({entry(1)}), resolved=frozenset(), at=NOW - HOUR)
    plan = flush([issue(1, state=IssueState.RESOLVED, resolved_at=NOW)], told=told)

    assert (plan.reason, plan.next_flush_at) == (FlushReason.ALL_RESOLVED, None)


def test_an_issue_that_became_worse_is_news() -> None:
    told = GroupRecord(firing=frozenset({entry(1)}), resolved=frozenset(), at=NOW - HOUR)
    worse = issue(1, severity=AlertSeverity.HIGH, loud_severity=AlertSeverity.HIGH)

    assert flush([worse], told=told).reason is FlushReason.NEW_ISSUES


def test_nothing_is_repeated_once_all_are_acknowledged() -> None:
    options = replace(GROUPED, repeat_interval=(HOUR,))
    told = GroupRecord(firing=frozenset({entry(1)}), resolved=frozenset(), at=NOW - HOUR, repeats=1)

    assert flush([issue(1)], told=told, options=options).told.repeats == 2
    taken = flush([issue(1)], told=told, options=options, taken=frozenset({UUID(int=1)}))
    one_left = flush([issue(1), issue(2)], told=told, options=options, taken=frozenset({UUID(int=1)}))
    assert taken.reason is FlushReason.NOTHING_NEW
    assert one_left.reason is FlushReason.NEW_ISSUES


@pytest.mark.parametrize(("waits", "wait"), [(False, timedelta(0)), (True, timedelta(seconds=30))])
def test_a_critical_issue_brings_its_group_forward_unless_it_waits(waits: bool, wait: timedelta) -> None:
    critical = issue(1, loud_severity=AlertSeverity.CRITICAL)
    options = replace(GROUPED, critical_waits=waits)
    join = join_group(critical, view_of(critical, None).labels, UUID(int=2), options, NOW)

    assert (join.flush_at - NOW, join.urgent, join.labels) == (wait, not waits, {"reason": "billing"})
