"""Watches begin with resolutions, follow their issues, and end when these are opened again."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.alerts.inbox import actions
from services.alerts.inbox.outcome_actions import state_outcome
from services.alerts.issues.model import SYSTEM, Issue, IssueChange, IssueEvent, IssueEventKind, IssueState
from services.alerts.loop.outcomes import Gesture, ResolutionOutcome, outcome_of
from services.alerts.loop.watch_changes import WatchPolicy, begin_watches, follow_issues
from services.alerts.loop.watches import Watch
from tests.unit.alerts.builders import NOW, an_issue

POLICY = WatchPolicy(time=timedelta(days=7))
VOUCHER = Gesture(kind="voucher", amount="10000", currency="KRW")
LATER = NOW + timedelta(hours=3)


def ids() -> Callable[[], UUID]:
    """Ids for new watches."""
    numbers = iter(range(500, 600))
    return lambda: UUID(int=next(numbers))


def resolved(resolution: str = "called_back", gesture: Gesture | None = None, **members: Any) -> IssueChange:
    """The change by which Kim resolves an issue."""
    change = actions.resolve(an_issue(**members), actor="kim", now=NOW, resolution=resolution, gesture=gesture).change
    assert change is not None
    return change


def begin(change: IssueChange, *known: Watch, policy: WatchPolicy = POLICY) -> list[Watch]:
    """The watches that begin with a change."""
    return begin_watches([change], known, policy=policy, new_id=ids())


def test_a_resolution_begins_a_watch_with_its_outcome_and_gesture() -> None:
    [watch] = begin(resolved(gesture=VOUCHER, team="care"))
    assert (watch.outcome, watch.gesture, watch.team) == (ResolutionOutcome.CALLED_BACK, VOUCHER, "care")
    assert (watch.resolved_at, watch.until) == (NOW, NOW + timedelta(days=7))
    assert begin(resolved(), policy=WatchPolicy(time=timedelta(0))) == []


@pytest.mark.parametrize(
    ("members", "begins"),
    [
        ({}, True),
        ({"resolution": "retracted", "resolved_by": SYSTEM}, False),
        ({"resolution": "merged", "resolved_by": SYSTEM}, False),
        ({"resolution": "order_placed", "resolved_by": SYSTEM}, True),
        ({"resolution": "order_placed", "resolved_by": SYSTEM, "loud_severity": None}, False),
        ({"loud_severity": None}, True),
        ({"customer_id": ""}, False),
    ],
)
def test_only_where_something_was_done_somebody_is_watched(members: dict[str, Any], *, begins: bool) -> None:
    change = resolved()
    assert bool(begin(replace(change, after=replace(change.after, **members)))) is begins


def test_what_is_resolved_already_begins_nothing() -> None:
    after = resolved().after
    assert begin(IssueChange(before=after, after=after, events=())) == []


@pytest.mark.parametrize(
    ("resolution", "by", "outcome"),
    [
        ("fixed", "kim", ResolutionOutcome.FIXED),
        ("refunded", "kim", ResolutionOutcome.OTHER),
        ("resolved", "kim", ResolutionOutcome.UNSTATED),
        (None, "kim", ResolutionOutcome.UNSTATED),
        ("order_placed", SYSTEM, ResolutionOutcome.SETTLED),
    ],
)
def test_what_a_resolution_counts_as(resolution: str | None, by: str, outcome: ResolutionOutcome) -> None:
    assert outcome_of(an_issue(resolution=resolution, resolved_by=by)) is outcome


def test_an_issue_that_parts_from_a_resolved_one_is_watched_as_that_is() -> None:
    origin = resolved(gesture=VOUCHER, team="care")
    [watch] = begin(origin)
    event = IssueEvent(kind=IssueEventKind.RESOLVED, actor=SYSTEM, detail={"split_off": str(watch.issue_id)})
    parted = replace(origin.after, id=UUID(int=8), customer_id="bob", team=None)
    [second] = begin(IssueChange(before=None, after=parted, events=(event,)), watch)
    assert (second.customer_id, second.team, second.gesture) == ("bob", "care", VOUCHER)


def follow(watch: Watch, before: Issue, *others: IssueChange, **members: Any) -> Watch:
    """The watch after a change of its issue."""
    change = IssueChange(before=before, after=replace(before, **members), events=())
    [after] = follow_issues([watch], [change, *others], now=LATER)
    return after


def test_a_watch_follows_its_issue_to_another_customer_and_journey() -> None:
    issue = resolved().after
    [watch] = begin(resolved())
    moved = follow(watch, issue, customer_id="bob", journey_id="j9")
    assert (moved.customer_id, moved.matter.journey_id, moved.ended_at) == ("bob", "j9", None)
    assert follow(watch, issue, count=0).withdrawn
    assert not follow(replace(watch, withdrawn=True), issue, count=1).withdrawn


def test_an_open_issue_that_is_merged_takes_its_earlier_watches_along() -> None:
    [watch] = begin(resolved())
    into = an_issue(id=UUID(int=9), customer_id="bob", journey_id="j5")
    joined = IssueChange(before=into, after=into, events=())
    again = an_issue()
    merged = {"state": IssueState.RESOLVED, "merged_into": into.id, "resolved_at": LATER, "count": 0}
    after = follow(replace(watch, ended_at=NOW), again, joined, **merged)
    assert (after.issue_id, after.customer_id, after.withdrawn) == (into.id, "bob", False)


def test_opening_it_again_ends_the_watch_never_before_the_friction_that_did_it() -> None:
    issue = resolved().after
    [watch] = begin(resolved())
    opened = {"state": IssueState.OPEN, "resolved_at": None, "resolved_by": None, "resolution": None}
    assert follow(watch, issue, **opened).ended_at == LATER
    ahead = LATER + timedelta(seconds=30)
    event = IssueEvent(kind=IssueEventKind.REOPENED, actor=SYSTEM, detail={"friction": "f", "rule": "r"})
    change = IssueChange(before=issue, after=replace(issue, **opened, last_at=ahead), events=(event,))  # type: ignore[arg-type]  # members of an issue
    assert follow_issues([watch], [change], now=LATER)[0].ended_at == ahead


def test_a_later_resolution_does_not_touch_an_earlier_watch() -> None:
    [watch] = begin(resolved())
    ended = replace(watch, ended_at=NOW + timedelta(hours=1))
    second = replace(resolved().after, resolved_at=LATER, resolution="false_alarm")
    change = IssueChange(before=an_issue(), after=second, events=())
    assert follow_issues([ended], [change], now=LATER) == [ended]


def test_an_outcome_can_be_stated_later_and_changes_what_the_watch_counts_as() -> None:
    issue = resolved("resolved").after
    [watch] = begin(resolved("resolved"))
    verdict = state_outcome(issue, actor="lee", now=LATER, outcome="compensated", gesture=VOUCHER)
    assert verdict.change is not None
    [after] = follow_issues([watch], [verdict.change], now=LATER)
    assert (after.outcome, after.gesture) == (ResolutionOutcome.COMPENSATED, VOUCHER)
    assert verdict.change.events[0].detail["before"] == "resolved"


def test_what_is_open_has_no_outcome_and_the_same_again_changes_nothing() -> None:
    assert state_outcome(an_issue(), actor="kim", now=NOW, outcome="fixed").outcome == "issue_unresolved"
    done = resolved("fixed").after
    assert state_outcome(done, actor="kim", now=NOW, outcome="fixed").outcome == "already"
    merged = replace(done, merged_into=UUID(int=3))
    assert state_outcome(merged, actor="kim", now=NOW, outcome="fixed").outcome == "issue_merged"
