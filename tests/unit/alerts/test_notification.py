"""What is told when and to whom, what is kept silent and with which reason, and what the issue remembers of either."""

from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from services.alerts.issues.model import (
    SYSTEM,
    AlertSeverity,
    Issue,
    IssueChange,
    IssueEvent,
    IssueEventKind,
    IssueState,
    NotificationRecord,
)
from services.alerts.notify.decision import DEFAULT_NOTIFY_ON, NotificationReason
from services.alerts.notify.notification import NotificationPlan, plan_notification
from services.alerts.notify.routing import RoutedEndpoint, RoutingDirectory
from services.alerts.policy.tree import Route
from tests.unit.alerts.builders import NOW, an_issue

DESK, NIGHT, GONE = UUID(int=1), UUID(int=2), UUID(int=3)
TEAM = UUID(int=11)
EARLIER = NOW - timedelta(hours=1)
DIRECTORY = RoutingDirectory(
    routes=(Route(id=UUID(int=101), name="billing", reasons=("billing",), endpoints=(DESK,), teams=(TEAM,)),),
    endpoints={
        DESK: RoutedEndpoint(id=DESK, team_id=TEAM, catch_all=False),
        NIGHT: RoutedEndpoint(id=NIGHT, team_id=None, catch_all=True),
    },
    teams={TEAM: "Billing"},
)
NOBODY = RoutingDirectory(routes=(), endpoints={}, teams={})
MUTED = RoutingDirectory(
    routes=(Route(id=UUID(int=102), name="mute", tells_nobody=True),), endpoints=DIRECTORY.endpoints, teams={}
)
OPENED = IssueEvent(kind=IssueEventKind.OPENED, actor=SYSTEM)
RESOLVED: dict[str, Any] = {"state": IssueState.RESOLVED, "resolved_at": NOW, "resolution": "called_back"}
TOLD = NotificationRecord(severity=AlertSeverity.MEDIUM, at=EARLIER, endpoints=(DESK,), sequence=1)


def said(
    after: Issue,
    directory: RoutingDirectory = DIRECTORY,
    *,
    before: Issue | None = None,
    notify_on: frozenset[NotificationReason] = DEFAULT_NOTIFY_ON,
) -> NotificationPlan:
    numbers = count(1)
    change = IssueChange(before=before, after=after, events=(OPENED,), revised_at=EARLIER)
    return plan_notification(
        change, directory, now=NOW, notify_on=notify_on, new_id=lambda: UUID(int=900 + next(numbers))
    )


def not_told(reason: NotificationReason) -> IssueEvent:
    return IssueEvent(kind=IssueEventKind.NOT_TOLD, actor=SYSTEM, detail={"reason": reason})


def test_the_first_news_is_told_to_whom_the_routes_name() -> None:
    announcement = said(an_issue())
    notification, issue = announcement.notification, announcement.change.after

    assert notification is not None
    assert issue.told == NotificationRecord(
        severity=AlertSeverity.MEDIUM, resolved=False, at=NOW, endpoints=(DESK,), sequence=1
    )
    assert (issue.team, issue.unheard_since) == ("Billing", None)
    assert (notification.id, notification.issue, notification.sequence) == (UUID(int=901), issue, 1)
    assert (notification.type, notification.reason) == ("issue.opened", NotificationReason.FIRST)
    assert (notification.endpoints, notification.revised_at, notification.created_at) == ((DESK,), EARLIER, NOW)
    assert (announcement.decision.notify, announcement.decision.reason) == (True, NotificationReason.FIRST)
    detail: dict[str, Any] = {"reason": NotificationReason.FIRST, "type": "issue.opened", "endpoints": [str(DESK)]}
    assert announcement.change.events == (OPENED, IssueEvent(kind=IssueEventKind.TOLD, actor=SYSTEM, detail=detail))
    assert (announcement.change.before, announcement.change.revised_at) == (None, EARLIER)


def test_what_was_told_last_is_the_severity_of_what_is_loud() -> None:
    issue = said(an_issue(severity=AlertSeverity.CRITICAL, loud_severity=AlertSeverity.HIGH)).change.after
    snoozed = an_issue(told=replace(TOLD, resolved=False), loud_severity=None)
    woken = said(snoozed, before=replace(snoozed, snoozed_until=NOW)).change.after

    assert issue.told.severity is AlertSeverity.HIGH
    assert woken.told.severity is AlertSeverity.MEDIUM


def test_news_goes_to_those_who_know_before_those_who_are_new() -> None:
    issue = an_issue(
        told=replace(TOLD, endpoints=(NIGHT, GONE)), severity=AlertSeverity.HIGH, loud_severity=AlertSeverity.HIGH
    )

    announcement = said(issue, before=issue)

    assert announcement.notification is not None
    assert announcement.notification.endpoints == (NIGHT, DESK)
    assert announcement.notification.type == "issue.updated"
    assert announcement.change.after.told == NotificationRecord(
        severity=AlertSeverity.HIGH, resolved=False, at=NOW, endpoints=(NIGHT, GONE, DESK), sequence=2
    )


def test_an_end_is_told_to_those_who_know_of_the_beginning_and_to_nobody_else() -> None:
    issue = an_issue(**RESOLVED, told=replace(TOLD, endpoints=(NIGHT,)))

    announcement = said(issue, before=an_issue())

    assert announcement.notification is not None
    assert announcement.notification.endpoints == (NIGHT,)
    assert announcement.change.after.told.resolved is True
    assert announcement.change.after.team is None, "an issue that is over stays with the team that it had"


@pytest.mark.parametrize("severity", [AlertSeverity.MEDIUM, AlertSeverity.HIGH])
def test_a_dead_endpoint_is_joined_by_those_that_catch(severity: AlertSeverity) -> None:
    desk = replace(DIRECTORY.endpoints[DESK], enabled=False)
    directory = replace(DIRECTORY, endpoints={**DIRECTORY.endpoints, DESK: desk})

    announcement = said(an_issue(severity=severity, loud_severity=severity), directory)

    assert announcement.notification is not None
    assert announcement.notification.endpoints == (DESK, NIGHT)


@pytest.mark.parametrize(
    ("issue", "before", "directory", "reason", "in_the_audit"),
    [
        pytest.param(an_issue(loud_severity=None), None, DIRECTORY, NotificationReason.QUIET, True, id="quiet"),
        pytest.param(
            an_issue(
                told=TOLD,
                severity=AlertSeverity.HIGH,
                loud_severity=AlertSeverity.HIGH,
                snoozed_until=NOW + timedelta(seconds=1),
            ),
            None,
            DIRECTORY,
            NotificationReason.SNOOZED,
            True,
            id="snoozed",
        ),
        pytest.param(
            an_issue(told=TOLD, state=IssueState.ACKNOWLEDGED),
            an_issue(),
            DIRECTORY,
            NotificationReason.NOT_WANTED,
            True,
            id="unwanted",
        ),
        pytest.param(an_issue(), None, NOBODY, NotificationReason.NO_ROUTE, True, id="nobody is there"),
        pytest.param(an_issue(), None, MUTED, NotificationReason.MUTED, True, id="a route tells nobody"),
        pytest.param(
            an_issue(told=TOLD), an_issue(), DIRECTORY, NotificationReason.NOTHING_NEW, False, id="nothing is new"
        ),
        pytest.param(
            an_issue(**RESOLVED), an_issue(), DIRECTORY, NotificationReason.NEVER_TOLD, False, id="nobody knew"
        ),
        pytest.param(
            an_issue(**RESOLVED, told=replace(TOLD, endpoints=(GONE,))),
            an_issue(),
            DIRECTORY,
            NotificationReason.NO_ROUTE,
            True,
            id="all who knew are gone",
        ),
    ],
)
def test_what_is_kept_silent_has_a_reason(
    issue: Issue, before: Issue | None, directory: RoutingDirectory, reason: NotificationReason, in_the_audit: bool
) -> None:
    announcement = said(issue, directory, before=before)

    assert announcement.notification is None
    assert (announcement.decision.notify, announcement.decision.reason) == (False, reason)
    assert announcement.change.events == ((OPENED, not_told(reason)) if in_the_audit else (OPENED,))
    over = not issue.unresolved and issue.told.severity is not None
    assert announcement.change.after.told == replace(issue.told, resolved=over)


def test_what_is_told_anew_goes_to_those_alone_who_were_not_told() -> None:
    anew = an_issue(told=replace(TOLD, severity=None, endpoints=(DESK,)), reason="delivery")
    again = an_issue(told=replace(TOLD, severity=None, endpoints=(NIGHT,)), reason="delivery")

    told = said(anew, before=anew)

    assert told.notification is not None
    assert (told.notification.endpoints, told.decision.reason) == ((NIGHT,), NotificationReason.FIRST)
    assert told.change.after.told.endpoints == (DESK, NIGHT)
    assert said(again, before=again).notification is None


def test_a_mute_does_not_silence_what_people_know_of_already() -> None:
    issue = an_issue(told=TOLD, severity=AlertSeverity.HIGH, loud_severity=AlertSeverity.HIGH)

    announcement = said(issue, MUTED, before=issue)

    assert announcement.notification is not None
    assert announcement.notification.endpoints == (DESK,)


@pytest.mark.parametrize(
    ("told", "notify_on", "directory"),
    [
        pytest.param(TOLD, DEFAULT_NOTIFY_ON - {NotificationReason.RESOLVED}, DIRECTORY, id="ends are not wanted"),
        pytest.param(replace(TOLD, endpoints=(GONE,)), DEFAULT_NOTIFY_ON, DIRECTORY, id="all who knew are gone"),
    ],
)
def test_what_comes_back_after_an_end_that_was_not_told_is_news(
    told: NotificationRecord, notify_on: frozenset[NotificationReason], directory: RoutingDirectory
) -> None:
    ended = said(an_issue(**RESOLVED, told=told), directory, before=an_issue(), notify_on=notify_on).change.after
    back = said(replace(ended, state=IssueState.OPEN, resolved_at=None, resolution=None), before=ended)

    assert ended.told == replace(told, resolved=True)
    assert (back.decision.notify, back.decision.reason) == (True, NotificationReason.REOPENED)


def test_an_end_of_what_nobody_knew_leaves_nothing_told() -> None:
    ended = said(an_issue(**RESOLVED), before=an_issue()).change.after

    assert ended.told == NotificationRecord()


def test_an_issue_without_anybody_to_tell_waits_since_the_first_time() -> None:
    first = said(an_issue(), NOBODY).change.after
    again = said(replace(first, unheard_since=EARLIER), NOBODY, before=first).change.after

    assert (first.unheard_since, again.unheard_since) == (NOW, EARLIER)
    assert first.told == NotificationRecord()


@pytest.mark.parametrize(
    ("members", "directory", "notify_on"),
    [
        pytest.param({}, DIRECTORY, DEFAULT_NOTIFY_ON, id="it is told"),
        pytest.param({}, MUTED, DEFAULT_NOTIFY_ON, id="it is muted"),
        pytest.param({}, NOBODY, frozenset[NotificationReason](), id="nobody wants to hear of it"),
        pytest.param({"state": IssueState.ACKNOWLEDGED}, NOBODY, DEFAULT_NOTIFY_ON, id="a person took it"),
        pytest.param(RESOLVED, NOBODY, DEFAULT_NOTIFY_ON, id="it is over"),
        pytest.param({**RESOLVED, "told": TOLD}, NOBODY, DEFAULT_NOTIFY_ON, id="it is over, and was told once"),
    ],
)
def test_an_issue_waits_no_longer_when(
    members: dict[str, Any], directory: RoutingDirectory, notify_on: frozenset[NotificationReason]
) -> None:
    issue = an_issue(unheard_since=EARLIER, **members)

    assert said(issue, directory, before=issue, notify_on=notify_on).change.after.unheard_since is None


def test_a_snooze_keeps_an_issue_waiting() -> None:
    issue = an_issue(
        told=TOLD,
        severity=AlertSeverity.HIGH,
        loud_severity=AlertSeverity.HIGH,
        snoozed_until=NOW + timedelta(hours=1),
        unheard_since=EARLIER,
    )

    assert said(issue, before=issue).change.after.unheard_since == EARLIER


def test_the_end_of_a_snooze_that_nobody_could_hear_of_is_told_later() -> None:
    waiting = an_issue(told=TOLD, unheard_since=EARLIER)

    announcement = said(waiting, before=waiting)

    assert (announcement.decision.notify, announcement.decision.reason) == (True, NotificationReason.SNOOZE_ENDED)


def test_an_open_issue_moves_to_the_team_of_its_route_and_back_to_none() -> None:
    moved = said(an_issue(team="Night", told=TOLD)).change.after
    nobody = said(an_issue(team="Night", told=TOLD), MUTED).change.after
    over = said(an_issue(team="Night", **RESOLVED), before=an_issue()).change.after

    assert (moved.team, nobody.team, over.team) == ("Billing", None, "Night")
