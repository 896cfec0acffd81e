"""What people do to issues: once is enough, and what cannot be done says why."""

from datetime import timedelta
from uuid import UUID

import pytest

from services.alerts.domain.actions import Outcome, Verdict, acknowledge, note, reopen, resolve, snooze, wake
from services.alerts.domain.values import EventKind, Issue, State
from tests.unit.alerts.builders import NOW, an_issue

OPEN = an_issue()
TAKEN = an_issue(state=State.ACKNOWLEDGED, acknowledged_at=NOW, acknowledged_by="kim")
RESOLVED = an_issue(state=State.RESOLVED, resolved_at=NOW, resolved_by="kim", resolution="called_back")
MERGED = an_issue(state=State.RESOLVED, resolved_at=NOW, resolution="merged", merged_into=UUID(int=9))
LATER = NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        pytest.param(acknowledge(TAKEN, actor="lee", now=NOW), Verdict.ALREADY, id="taking what is taken"),
        pytest.param(acknowledge(RESOLVED, actor="lee", now=NOW), Verdict.RESOLVED, id="taking what is resolved"),
        pytest.param(resolve(RESOLVED, actor="lee", now=NOW, resolution="x"), Verdict.ALREADY, id="resolving twice"),
        pytest.param(reopen(OPEN, actor="lee", now=NOW, superseded=False), Verdict.ALREADY, id="opening what is open"),
        pytest.param(reopen(MERGED, actor="lee", now=NOW, superseded=False), Verdict.MERGED, id="opening the merged"),
        pytest.param(
            reopen(RESOLVED, actor="lee", now=NOW, superseded=True), Verdict.SUPERSEDED, id="opening beside a later one"
        ),
        pytest.param(snooze(RESOLVED, actor="lee", now=NOW, until=LATER), Verdict.RESOLVED, id="snoozing the resolved"),
        pytest.param(snooze(OPEN, actor="lee", now=NOW, until=NOW), Verdict.IN_THE_PAST, id="snoozing until now"),
        pytest.param(wake(OPEN, now=NOW), Verdict.ALREADY, id="waking what is awake"),
    ],
)
def test_what_changes_nothing_says_so(outcome: Outcome, verdict: Verdict) -> None:
    assert (outcome.verdict, outcome.change) == (verdict, None)


def after(outcome: Outcome) -> Issue:
    assert outcome.change is not None
    assert outcome.change.after.version == outcome.change.after.version
    return outcome.change.after


def test_taking_it_names_who_and_when() -> None:
    taken = after(acknowledge(OPEN, actor="lee", now=NOW))

    assert (taken.state, taken.acknowledged_by, taken.acknowledged_at) == (State.ACKNOWLEDGED, "lee", NOW)


def test_resolving_it_keeps_who_took_it() -> None:
    done = after(resolve(TAKEN, actor="lee", now=NOW, resolution="called_back"))

    assert (done.state, done.resolved_by, done.resolution, done.acknowledged_by) == (
        State.RESOLVED,
        "lee",
        "called_back",
        "kim",
    )


def test_resolving_it_ends_a_snooze() -> None:
    assert after(resolve(an_issue(snoozed_until=LATER), actor="lee", now=NOW, resolution="x")).snoozed_until is None


def test_reopening_it_starts_over() -> None:
    again = after(reopen(RESOLVED, actor="lee", now=LATER, superseded=False))

    assert (again.state, again.resolution, again.opened_at) == (State.OPEN, None, LATER)


def test_a_snooze_ends_when_its_time_has_come() -> None:
    asleep = after(snooze(OPEN, actor="lee", now=NOW, until=LATER))

    assert wake(asleep, now=LATER - timedelta(seconds=1)).verdict is Verdict.ALREADY
    assert after(wake(asleep, now=LATER)).snoozed_until is None


def test_every_action_is_one_version_and_one_line_of_audit() -> None:
    outcome = note(OPEN, actor="lee", now=NOW, text="calls back at six")

    assert outcome.change is not None
    assert outcome.change.after.version == OPEN.version + 1
    [event] = outcome.change.events
    assert (event.kind, event.actor, event.detail) == (EventKind.NOTE, "lee", {"note": "calls back at six"})
