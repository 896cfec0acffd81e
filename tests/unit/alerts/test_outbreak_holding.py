"""Which issues an outbreak holds, folds in and hands out, and what its own issue says."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from services.alerts.issues.model import (
    AlertSeverity,
    IssueChange,
    IssueEventKind,
    IssueState,
    NotificationRecord,
    OutbreakFacts,
)
from services.alerts.notify.decision import DEFAULT_NOTIFY_ON, NotificationReason, decide
from services.alerts.outbreaks.detection import OutbreakKey
from services.alerts.outbreaks.outbreak_holding import (
    counted_outbreak,
    ended_outbreak,
    fold,
    hand_out,
    hold,
    outbreak_issue,
    reopened_outbreak,
)
from tests.unit.alerts.builders import NOW, a_friction, an_issue

OUTBREAK = UUID(int=99)
KEY = OutbreakKey(rule="payment_declines", reason="", field="channel", value="web")
TOLD = NotificationRecord(severity=AlertSeverity.MEDIUM, at=NOW, sequence=1)


def a_change(**members: object) -> IssueChange:
    return IssueChange(before=None, after=an_issue(**members), events=())


def facts(frictions: int = 12, customers: int = 12) -> OutbreakFacts:
    return OutbreakFacts(
        segment="channel", value="web", started_at=NOW, usual=1.5, frictions=frictions, customers=customers
    )


def opened() -> IssueChange:
    sample = [a_friction(n, severity=AlertSeverity.LOW) for n in (1, 2)]
    return outbreak_issue(KEY, facts(), sample, issue_id=OUTBREAK, occurrence=2, now=NOW)


def test_an_issue_of_an_outbreak_is_held_and_nobody_is_notified() -> None:
    friction = a_friction(1)
    held = hold(a_change(), [friction], {friction.id: OUTBREAK})
    assert held.after.held_by == OUTBREAK
    assert [event.kind for event in held.events] == [IssueEventKind.HELD]
    decision = decide(None, held.after, now=NOW, notify_on=DEFAULT_NOTIFY_ON)
    assert (decision.notify, decision.reason) == (False, NotificationReason.HELD)


def test_an_issue_with_something_else_is_not_held() -> None:
    ours, other = a_friction(1), a_friction(2)
    assert hold(a_change(), [ours, other], {ours.id: OUTBREAK}).after.held_by is None


def test_an_issue_that_people_know_of_is_not_held() -> None:
    friction = a_friction(1)
    assert hold(a_change(told=TOLD), [friction], {friction.id: OUTBREAK}).after.held_by is None


def test_an_issue_that_comes_back_in_an_outbreak_is_held() -> None:
    friction = a_friction(1)
    over = replace(TOLD, resolved=True)
    held = hold(a_change(told=over), [friction], {friction.id: OUTBREAK})
    assert decide(None, held.after, now=NOW, notify_on=DEFAULT_NOTIFY_ON).reason is NotificationReason.HELD


@pytest.mark.parametrize(("severity", "released"), [(AlertSeverity.CRITICAL, True), (AlertSeverity.HIGH, False)])
def test_something_critical_beside_it_hands_an_issue_out_at_once(severity: AlertSeverity, released: bool) -> None:
    issue = an_issue(held_by=OUTBREAK, severity=severity, loud_severity=severity)
    change = hold(IssueChange(before=issue, after=issue, events=()), [a_friction(3, severity=severity)], {})
    assert (change.after.held_by is None) is released
    assert decide(issue, change.after, now=NOW, notify_on=DEFAULT_NOTIFY_ON).notify is released


def test_what_outlives_an_outbreak_is_handed_out_and_told() -> None:
    change = hand_out(an_issue(held_by=OUTBREAK), now=NOW, why="over")
    assert change is not None
    assert [event.kind for event in change.events] == [IssueEventKind.HANDED_OUT]
    assert decide(change.before, change.after, now=NOW, notify_on=DEFAULT_NOTIFY_ON).reason is NotificationReason.FIRST
    assert hand_out(change.after, now=NOW, why="over") is None
    assert hand_out(an_issue(held_by=OUTBREAK, state=IssueState.RESOLVED, resolved_at=NOW), now=NOW, why="over") is None


def test_what_was_told_before_is_folded_in_and_told_of_its_end_alone() -> None:
    folded = fold(an_issue(told=TOLD, rules=("a",)), OUTBREAK, {"a", "b"}, now=NOW)
    assert folded is not None
    worse = replace(folded.after, loud_severity=AlertSeverity.CRITICAL)
    assert decide(folded.after, worse, now=NOW, notify_on=DEFAULT_NOTIFY_ON).reason is NotificationReason.NOTHING_NEW
    released = hand_out(folded.after, now=NOW, why="over")
    assert released is not None
    assert not decide(folded.after, released.after, now=NOW, notify_on=DEFAULT_NOTIFY_ON).notify
    assert fold(folded.after, OUTBREAK, {"a"}, now=NOW) is None
    assert fold(an_issue(rules=("a", "c")), OUTBREAK, {"a", "b"}, now=NOW) is None
    assert fold(an_issue(rules=("a", "b")), OUTBREAK, {"a", "b"}, now=NOW) is not None


def test_an_outbreak_has_no_customer_and_is_at_least_high() -> None:
    issue = opened().after
    assert (issue.customer_id, issue.severity, issue.occurrence, issue.count) == ("", AlertSeverity.HIGH, 2, 12)
    assert issue.title.en == "Outbreak: Friction 2 — 12 customers, channel web"
    assert issue.title.ko == "동시 다발: 불편 2 — 고객 12명, 채널 웹"


def test_its_counts_change_and_its_severity_follows_the_worst() -> None:
    issue = opened().after
    change = counted_outbreak(issue, facts(3_000, 1), [AlertSeverity.CRITICAL], last_at=NOW, now=NOW)
    assert change is not None
    assert (change.after.severity, change.after.count) == (AlertSeverity.CRITICAL, 3_000)
    assert change.after.title.en == "Outbreak: Friction 2 — 1 customer, channel web"
    assert counted_outbreak(change.after, facts(3_000, 1), [], last_at=NOW - timedelta(days=1), now=NOW) is None

    over = ended_outbreak(change, NOW)
    assert (over.after.state, over.after.resolution, over.after.resolved_by) == (IssueState.RESOLVED, "over", "waymark")
    again = reopened_outbreak(over.after, facts(), NOW)
    assert (again.after.state, again.after.id) == (IssueState.OPEN, issue.id)


def test_it_says_by_which_rules_customers_met_it_and_how_many_issues_outlive_it() -> None:
    met = replace(facts(228, 131), rules={"payment_declines": 131, "checkout_abandoned": 97}, held=12)
    change = counted_outbreak(opened().after, met, [], last_at=NOW, now=NOW)
    assert change is not None
    assert change.after.rules == ("payment_declines", "checkout_abandoned")
    assert change.after.why is not None
    assert change.after.why.en == (
        "228 frictions of 131 customers (payment_declines 131, checkout_abandoned 97); "
        "usual at this hour are 1.5 in five minutes."
    )
    over = counted_outbreak(change.after, replace(met, over_at=NOW), [], last_at=NOW, now=NOW)
    assert over is not None
    assert over.after.why is not None
    assert over.after.why.en.endswith(
        " 12 issues of its customers are still open; they come little by little, the most urgent first."
    )
    assert over.after.why.ko.endswith(" 고객 이슈 12건이 아직 열려 있으며, 급한 것부터 나누어 알려 드립니다.")
