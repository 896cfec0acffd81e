"""Lanes decide for themselves: what goes now, what waits, what is due by itself, and which groups an issue joins."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.alerts.hold.waits import ROOT_ID, Wait, WaitKind
from services.alerts.issues.model import AlertSeverity, Issue, IssueChange, IssueState, NotificationRecord
from services.alerts.notify.decision import DEFAULT_NOTIFY_ON, NotificationReason
from services.alerts.notify.holding import StandingFacts
from services.alerts.notify.notification import NotificationPlan, plan_notification
from services.alerts.notify.routing import RoutedEndpoint, RoutingDirectory
from services.alerts.policy.hours import HourSpan, NamedHours
from services.alerts.policy.tree import Route, RouteOptions
from tests.unit.alerts.builders import NOW, an_issue

DAY, NIGHT = UUID(int=1), UUID(int=2)
DAY_ROUTE, NIGHT_ROUTE = UUID(int=11), UUID(int=12)
HOUR = timedelta(hours=1)
CLOSED = NamedHours(name="later", spans=(HourSpan(years=((NOW.year + 1, NOW.year + 1),)),))
OUT_OF_HOURS = RouteOptions(active_time_intervals=("later",))


def a_directory(day: RouteOptions = OUT_OF_HOURS, night: RouteOptions | None = None) -> RoutingDirectory:
    routes = [Route(id=DAY_ROUTE, name="day", endpoints=(DAY,), options=day, continues=True)]
    if night is not None:
        routes.append(Route(id=NIGHT_ROUTE, name="night", endpoints=(NIGHT,), options=night))
    return RoutingDirectory(
        routes=tuple(routes),
        endpoints={e: RoutedEndpoint(id=e, team_id=None, catch_all=False) for e in (DAY, NIGHT)},
        teams={},
        hours=(CLOSED,),
    )


def plan(issue: Issue, directory: RoutingDirectory, *waits: Wait, before: Issue | None = None) -> NotificationPlan:
    return plan_notification(
        IssueChange(before=before, after=issue, events=()),
        directory,
        now=NOW,
        notify_on=DEFAULT_NOTIFY_ON,
        new_id=uuid4,
        standing=StandingFacts(waits=waits),
    )


def a_wait(**members: Any) -> Wait:
    given: dict[str, Any] = {
        "issue_id": UUID(int=7),
        "route_id": DAY_ROUTE,
        "kind": WaitKind.HOURS,
        "reason": "first",
        "due_at": NOW,
        "since": NOW - HOUR,
    }
    return Wait(**given | members)


TOLD = NotificationRecord(severity=AlertSeverity.MEDIUM, at=NOW - HOUR, endpoints=(NIGHT,), sequence=1)


def told_to(found: NotificationPlan) -> tuple[UUID, ...]:
    return found.notification.endpoints if found.notification else ()


def test_one_lane_tells_while_another_waits() -> None:
    found = plan(an_issue(), a_directory(night=RouteOptions()))

    assert told_to(found) == (NIGHT,)
    assert [(wait.route_id, wait.kind, wait.reason) for wait in found.holding.waits] == [
        (DAY_ROUTE, WaitKind.HOURS, "first")
    ]


def test_with_everything_held_the_issue_counts_as_untold_and_the_audit_says_so_once() -> None:
    first = plan(an_issue(), a_directory())
    again = plan(an_issue(count=2), a_directory(), a_wait(due_at=NOW + HOUR), before=an_issue())

    assert (first.decision.reason, told_to(first)) == (NotificationReason.OUT_OF_HOURS, ())
    assert first.change.after.told.severity is None
    assert [event.detail["reason"] for event in first.change.events] == ["out_of_hours"]
    assert again.change.events == ()
    assert again.holding.waits[0].since == NOW - HOUR


def test_a_wait_that_is_due_tells_its_own_endpoints_alone() -> None:
    issue = an_issue(told=TOLD)
    found = plan(issue, a_directory(day=RouteOptions(), night=RouteOptions()), a_wait(), before=issue)

    assert (told_to(found), found.decision.reason) == ((DAY,), NotificationReason.FIRST)
    assert found.holding.ended == (DAY_ROUTE,)
    assert found.change.after.told.endpoints == (NIGHT, DAY)


def test_a_wait_that_is_not_due_changes_nothing() -> None:
    issue = an_issue(told=TOLD)
    found = plan(issue, a_directory(day=RouteOptions()), a_wait(due_at=NOW + HOUR), before=issue)

    assert (told_to(found), found.holding.waits, found.holding.ended) == ((), (), ())


@pytest.mark.parametrize(
    ("members", "wait"),
    [
        pytest.param({"loud_severity": None}, {}, id="it has become quiet"),
        pytest.param({"state": IssueState.ACKNOWLEDGED}, {"kind": WaitKind.REPEAT, "reason": "repeated"}, id="taken"),
        pytest.param({}, {"route_id": UUID(int=99)}, id="its route takes it no more"),
        pytest.param({}, {"reason": "acknowledged"}, id="nobody wants to hear of that"),
    ],
)
def test_a_wait_without_a_reason_ends_and_is_not_looked_at_forever(
    members: dict[str, Any], wait: dict[str, Any]
) -> None:
    issue = an_issue(told=TOLD, **members)
    found = plan(issue, a_directory(day=RouteOptions()), a_wait(**wait), before=issue)

    assert (told_to(found), found.holding.ended) == ((), (wait.get("route_id", DAY_ROUTE),))


def test_what_is_due_while_a_person_has_snoozed_the_issue_waits_for_the_end_of_that() -> None:
    issue = an_issue(told=TOLD, snoozed_until=NOW + HOUR)
    found = plan(issue, a_directory(day=RouteOptions()), a_wait(), before=issue)

    assert (told_to(found), [wait.due_at for wait in found.holding.waits]) == ((), [NOW + HOUR])


def test_a_resolved_issue_waits_for_nothing_and_passes_the_hours() -> None:
    before = an_issue(told=replace(TOLD, endpoints=(DAY,)))
    issue = replace(before, state=IssueState.RESOLVED, resolved_at=NOW)
    found = plan(issue, a_directory(), a_wait(), before=before)

    assert (told_to(found), found.decision.reason) == ((DAY,), NotificationReason.RESOLVED)
    assert (found.holding.ended, found.holding.waits) == ((DAY_ROUTE,), ())


def test_telling_makes_the_next_repeat() -> None:
    repeating = RouteOptions(repeat_interval=(HOUR, 4 * HOUR))
    first = plan(an_issue(), a_directory(day=repeating))
    [wait] = first.holding.waits
    issue = an_issue(told=TOLD)
    second = plan(issue, a_directory(day=repeating), replace(wait, due_at=NOW), before=issue)

    assert (wait.kind, wait.reason, wait.due_at) == (WaitKind.REPEAT, "repeated", NOW + HOUR)
    assert second.decision.reason is NotificationReason.REPEATED
    assert second.holding.waits[0].due_at == NOW + 4 * HOUR


def test_an_issue_joins_its_group_and_leaves_that_of_its_old_labels() -> None:
    grouped = RouteOptions(group_by=("reason",))
    group = UUID(int=50)
    found = plan_notification(
        IssueChange(before=an_issue(), after=an_issue(reason="payment"), events=()),
        a_directory(day=grouped),
        now=NOW,
        notify_on=DEFAULT_NOTIFY_ON,
        new_id=uuid4,
        standing=StandingFacts(groups={(DAY_ROUTE, "reason=billing"): group}),
    )

    assert found.decision.reason is NotificationReason.GROUPED
    assert [join.key for join in found.holding.joins] == ["reason=payment"]
    assert found.holding.leaves == (group,)


def test_the_root_waits_too() -> None:
    directory = replace(
        a_directory(),
        routes=(),
        endpoints={NIGHT: RoutedEndpoint(id=NIGHT, team_id=None, catch_all=True)},
        root=RouteOptions(repeat_interval=(HOUR,)),
    )
    found = plan(an_issue(), directory)

    assert (told_to(found), [wait.route_id for wait in found.holding.waits]) == ((NIGHT,), [ROOT_ID])
