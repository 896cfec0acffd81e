"""What people do to issues: once is enough, and what cannot be done says why."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from services.alerts.deliver.retry import SILENT_AFTER, EndpointHealth
from services.alerts.inbox.actions import (
    LONGEST_SNOOZE,
    ActionOutcome,
    ActionVerdict,
    acknowledge,
    add_note,
    end_snooze,
    notify_again,
    reopen,
    resolve,
    snooze,
)
from services.alerts.issues.model import (
    SYSTEM,
    AlertSeverity,
    Issue,
    IssueEvent,
    IssueEventKind,
    IssueState,
    NotificationRecord,
)
from services.alerts.notify.routing import RoutedEndpoint, RoutingDirectory
from services.alerts.policy.tree import Route
from tests.unit.alerts.builders import NOW, an_issue

OPEN = an_issue()
TAKEN = an_issue(state=IssueState.ACKNOWLEDGED, acknowledged_at=NOW, acknowledged_by="kim")
RESOLVED = an_issue(state=IssueState.RESOLVED, resolved_at=NOW, resolved_by="kim", resolution="called_back")
MERGED = an_issue(state=IssueState.RESOLVED, resolved_at=NOW, resolution="merged", merged_into=UUID(int=9))
LATER = NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    ("action", "outcome"),
    [
        pytest.param(
            lambda: acknowledge(TAKEN, actor="lee", now=NOW), ActionOutcome.ALREADY, id="taking what is taken"
        ),
        pytest.param(
            lambda: acknowledge(RESOLVED, actor="lee", now=NOW), ActionOutcome.RESOLVED, id="taking what is resolved"
        ),
        pytest.param(
            lambda: resolve(RESOLVED, actor="lee", now=NOW, resolution="x"), ActionOutcome.ALREADY, id="resolving twice"
        ),
        pytest.param(
            lambda: reopen(OPEN, actor="lee", now=NOW, superseded=False),
            ActionOutcome.ALREADY,
            id="opening what is open",
        ),
        pytest.param(
            lambda: reopen(MERGED, actor="lee", now=NOW, superseded=False),
            ActionOutcome.MERGED,
            id="opening the merged",
        ),
        pytest.param(
            lambda: reopen(RESOLVED, actor="lee", now=NOW, superseded=True),
            ActionOutcome.SUPERSEDED,
            id="opening beside a later one",
        ),
        pytest.param(
            lambda: snooze(RESOLVED, actor="lee", now=NOW, until=LATER),
            ActionOutcome.RESOLVED,
            id="snoozing the resolved",
        ),
        pytest.param(
            lambda: snooze(OPEN, actor="lee", now=NOW, until=NOW), ActionOutcome.IN_THE_PAST, id="snoozing until now"
        ),
        pytest.param(
            lambda: snooze(an_issue(snoozed_until=LATER), actor="lee", now=NOW, until=LATER),
            ActionOutcome.ALREADY,
            id="snoozing twice until the same time",
        ),
        pytest.param(lambda: end_snooze(OPEN, now=NOW), ActionOutcome.ALREADY, id="waking what is awake"),
    ],
)
def test_what_changes_nothing_says_so(action: Callable[[], ActionVerdict], outcome: ActionOutcome) -> None:
    verdict = action()
    assert (verdict.outcome, verdict.change) == (outcome, None)


@pytest.mark.parametrize(
    ("action", "issue", "event"),
    [
        pytest.param(
            lambda issue: acknowledge(issue, actor="lee", now=LATER, note="mine"),
            OPEN,
            IssueEvent(kind=IssueEventKind.ACKNOWLEDGED, actor="lee", detail={"note": "mine"}),
            id="acknowledge",
        ),
        pytest.param(
            lambda issue: acknowledge(issue, actor="lee", now=LATER),
            OPEN,
            IssueEvent(kind=IssueEventKind.ACKNOWLEDGED, actor="lee", detail={}),
            id="acknowledge without a word",
        ),
        pytest.param(
            lambda issue: resolve(issue, actor="lee", now=LATER, resolution="called_back", note="done"),
            TAKEN,
            IssueEvent(kind=IssueEventKind.RESOLVED, actor="lee", detail={"resolution": "called_back", "note": "done"}),
            id="resolve",
        ),
        pytest.param(
            lambda issue: reopen(issue, actor="lee", now=LATER, superseded=False, note="again"),
            RESOLVED,
            IssueEvent(kind=IssueEventKind.REOPENED, actor="lee", detail={"note": "again"}),
            id="reopen",
        ),
        pytest.param(
            lambda issue: snooze(issue, actor="lee", now=NOW, until=LATER, note="later"),
            OPEN,
            IssueEvent(
                kind=IssueEventKind.SNOOZED, actor="lee", detail={"until": "2026-11-22T10:00:00+00:00", "note": "later"}
            ),
            id="snooze",
        ),
        pytest.param(
            lambda issue: end_snooze(issue, now=LATER),
            an_issue(snoozed_until=LATER),
            IssueEvent(kind=IssueEventKind.SNOOZE_ENDED, actor=SYSTEM, detail={}),
            id="wake",
        ),
        pytest.param(
            lambda issue: add_note(issue, actor="lee", now=LATER, text="calls back at six"),
            OPEN,
            IssueEvent(kind=IssueEventKind.NOTE, actor="lee", detail={"note": "calls back at six"}),
            id="note",
        ),
    ],
)
def test_every_action_is_one_version_and_one_line_of_audit(
    action: Callable[[Issue], ActionVerdict], issue: Issue, event: IssueEvent
) -> None:
    verdict = action(issue)

    assert verdict.outcome is ActionOutcome.DONE
    assert verdict.change is not None
    assert verdict.change.before == issue
    assert verdict.change.after.version == issue.version + 1
    assert verdict.change.after.updated_at == (NOW if event.kind is IssueEventKind.SNOOZED else LATER)
    assert verdict.change.events == (event,)


def after(verdict: ActionVerdict) -> Issue:
    assert verdict.change is not None
    return verdict.change.after


def test_taking_it_names_who_and_when() -> None:
    taken = after(acknowledge(OPEN, actor="lee", now=NOW))

    assert (taken.state, taken.acknowledged_by, taken.acknowledged_at) == (IssueState.ACKNOWLEDGED, "lee", NOW)


def test_resolving_it_keeps_who_took_it() -> None:
    done = after(resolve(TAKEN, actor="lee", now=LATER, resolution="called_back"))

    assert (done.state, done.resolved_at, done.resolved_by) == (IssueState.RESOLVED, LATER, "lee")
    assert (done.resolution, done.acknowledged_by) == ("called_back", "kim")


def test_resolving_it_ends_a_snooze() -> None:
    assert after(resolve(an_issue(snoozed_until=LATER), actor="lee", now=NOW, resolution="x")).snoozed_until is None


def test_reopening_it_starts_over() -> None:
    again = after(reopen(RESOLVED, actor="lee", now=LATER, superseded=False))

    assert (again.state, again.resolution, again.opened_at) == (IssueState.OPEN, None, LATER)


def test_a_snooze_ends_when_its_time_has_come() -> None:
    asleep = after(snooze(OPEN, actor="lee", now=NOW, until=LATER))

    assert end_snooze(asleep, now=LATER - timedelta(seconds=1)).outcome is ActionOutcome.ALREADY
    assert after(end_snooze(asleep, now=LATER)).snoozed_until is None


DESK, GONE = UUID(int=1), UUID(int=2)
SOMEBODY = RoutingDirectory(
    routes=(), endpoints={DESK: RoutedEndpoint(id=DESK, team_id=None, catch_all=True)}, teams={}
)
NOBODY = RoutingDirectory(routes=(), endpoints={}, teams={})
TOLD = NotificationRecord(severity=AlertSeverity.MEDIUM, at=NOW, endpoints=(GONE,), sequence=4)


def test_an_issue_that_nobody_could_hear_of_is_told_once_somebody_is_there() -> None:
    waiting = replace(OPEN, unheard_since=NOW)

    told = notify_again(waiting, SOMEBODY, now=LATER)

    assert notify_again(waiting, NOBODY, now=LATER) == ActionVerdict(outcome=ActionOutcome.ALREADY)
    assert told.change is not None
    assert (told.change.before, told.change.events) == (waiting, ())
    assert told.change.after == replace(waiting, version=OPEN.version + 1, updated_at=LATER)


def test_an_issue_is_told_again_by_the_routes_that_take_it_and_to_those_alive_by_then() -> None:
    late = EndpointHealth(failing_since=LATER - SILENT_AFTER)  # dead at this moment, alive just before
    desk = RoutedEndpoint(id=DESK, team_id=None, catch_all=False)
    only = Route(id=UUID(int=9), name="calls", channels=(str(OPEN.channel),), endpoints=(DESK,))
    directory = RoutingDirectory(
        routes=(only,), endpoints={DESK: desk, GONE: replace(desk, id=GONE, health=late)}, teams={}
    )

    told = notify_again(replace(OPEN, told=TOLD, unheard_since=NOW), directory, now=LATER)

    assert told.outcome is ActionOutcome.DONE
    assert told.change is not None
    assert told.change.after.told == replace(TOLD, severity=None, resolved=False)


def test_a_snooze_lasts_a_year_at_most() -> None:
    longest = snooze(OPEN, actor="kim", now=NOW, until=NOW + LONGEST_SNOOZE)
    longer = snooze(OPEN, actor="kim", now=NOW, until=NOW + LONGEST_SNOOZE + timedelta(microseconds=1))

    assert (longest.outcome, longer) == (ActionOutcome.DONE, ActionVerdict(outcome=ActionOutcome.TOO_LONG))


@pytest.mark.parametrize("directory", [SOMEBODY, NOBODY])
def test_an_issue_whose_listeners_are_all_deleted_begins_anew(directory: RoutingDirectory) -> None:
    told = notify_again(replace(OPEN, told=TOLD), directory, now=LATER)

    assert told.change is not None
    assert told.change.after.told == replace(TOLD, severity=None)


def test_an_issue_of_which_only_the_dead_were_told_goes_to_the_living() -> None:
    dead = RoutedEndpoint(id=GONE, team_id=None, catch_all=True, enabled=False)
    issue = replace(OPEN, told=TOLD)

    told = notify_again(issue, replace(SOMEBODY, endpoints={**SOMEBODY.endpoints, GONE: dead}), now=LATER)
    nobody = notify_again(issue, replace(SOMEBODY, endpoints={GONE: dead}), now=LATER)

    assert told.change is not None
    assert told.change.after.told == replace(TOLD, severity=None)
    assert nobody == ActionVerdict(outcome=ActionOutcome.ALREADY)


@pytest.mark.parametrize(
    "issue",
    [
        pytest.param(replace(OPEN, told=replace(TOLD, endpoints=(GONE, DESK))), id="one that was told is left"),
        pytest.param(OPEN, id="nobody was to be told"),
        pytest.param(replace(TAKEN, told=TOLD), id="a person has it"),
        pytest.param(replace(TAKEN, unheard_since=NOW), id="a person has it, unheard"),
        pytest.param(replace(RESOLVED, told=TOLD), id="it is over"),
        pytest.param(replace(OPEN, told=TOLD, snoozed_until=LATER), id="a person snoozed it"),
    ],
)
def test_an_issue_that_somebody_knows_of_is_not_told_again(issue: Issue) -> None:
    assert notify_again(issue, SOMEBODY, now=NOW) == ActionVerdict(outcome=ActionOutcome.ALREADY)
