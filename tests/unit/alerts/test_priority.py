"""Priorities with their reasons, deadlines in business time, and whether promises were kept."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.alerts.issues.model import (
    AlertSeverity,
    Issue,
    IssueChange,
    IssueState,
    JourneySituation,
    LatestStep,
    OutbreakFacts,
    ValueAtStake,
)
from services.alerts.policy.hours import HourSpan, NamedHours
from services.alerts.policy.service_levels import DEFAULT_LEVELS, OFFICE_HOURS, ServiceTarget, due_at
from services.alerts.priority.ranking import grown_older, kept_promises, prioritised
from tests.unit.alerts.builders import NOW, an_issue

SEOUL = ZoneInfo("Asia/Seoul")
HOUR = timedelta(hours=1)


def ranked(now: datetime = NOW, **members: Any) -> Issue:
    """An issue with its priority, opened at `NOW` unless told."""
    issue = an_issue(**{"opened_at": NOW, "service_level": None} | members)
    return prioritised(IssueChange(before=None, after=issue, events=()), DEFAULT_LEVELS, now).after


def score(now: datetime = NOW, **members: Any) -> int:
    priority = ranked(now, **members).priority
    assert priority is not None
    assert priority.score == max(0, min(100, sum(factor.points for factor in priority.factors)))
    return priority.score


def a_situation(**members: Any) -> JourneySituation:
    given: dict[str, Any] = {"state": "open", "last_at": NOW, "effort": 0.0, "contact_count": 1}
    return JourneySituation(**given | members)


@pytest.mark.parametrize(
    ("more", "less"),
    [
        ({"severity": AlertSeverity.CRITICAL}, {"severity": AlertSeverity.HIGH}),
        ({"severity": AlertSeverity.HIGH}, {"severity": AlertSeverity.MEDIUM}),
        ({"service_level": "premium"}, {"service_level": "enhanced"}),
        ({"service_level": "enhanced"}, {"service_level": None}),
        ({"journey": a_situation(effort=80.0)}, {"journey": a_situation(effort=20.0)}),
        ({"journey": a_situation(contact_count=4)}, {"journey": a_situation(contact_count=2)}),
        ({"journey": a_situation(value=ValueAtStake(amount=900_000, currency="KRW"))}, {"journey": a_situation()}),
    ],
)
def test_what_is_worse_comes_first(more: dict[str, Any], less: dict[str, Any]) -> None:
    assert score(**more) > score(**less)


def test_the_factors_say_what_they_saw() -> None:
    value = ValueAtStake(amount=500_000, currency="KRW")
    journey = a_situation(effort=50.0, contact_count=3, value=value)
    priority = ranked(severity=AlertSeverity.HIGH, service_level="premium", journey=journey).priority
    assert priority is not None
    assert [(one.factor, one.value, one.points) for one in priority.factors] == [
        ("severity", "high", 26),
        ("effort", 50.0, 6),
        ("repeats", 2, 4),
        ("value", "500000 KRW", 5),
        ("service_level", "premium", 10),
    ]


def test_a_currency_that_nobody_gave_a_scale_gives_nothing() -> None:
    assert score(journey=a_situation(value=ValueAtStake(amount=10**9, currency="XTS"))) == score(journey=a_situation())


@pytest.mark.parametrize(("outcome", "falls"), [("resolved", True), ("unresolved", False), (None, False)])
def test_what_ended_resolved_since_falls(outcome: str | None, falls: bool) -> None:
    step = LatestStep(occurred_at=NOW, channel="phone", kind="call_ended", outcome=outcome)
    assert (score(journey=a_situation(since=(step,))) < score(journey=a_situation())) is falls


def test_an_outbreak_rises_with_its_customers_up_to_a_bound() -> None:
    def of(customers: int) -> int:
        return score(outbreak=OutbreakFacts(started_at=NOW, usual=0.0, frictions=customers, customers=customers))

    assert of(1) < of(10) < of(100) == of(10_000)


def test_age_and_deadlines_raise_it_in_steps_that_are_known_beforehand() -> None:
    issue = ranked(service_level="premium")
    moments: list[int] = []
    while issue.priority is not None and issue.priority.next_at_s is not None and len(moments) < 20:
        assert grown_older(issue, now=datetime.fromtimestamp(issue.priority.next_at_s - 1, UTC)) is None
        now = datetime.fromtimestamp(issue.priority.next_at_s, UTC)
        change = grown_older(issue, now=now)
        assert change is not None
        before, issue = issue.priority.score, prioritised(change, DEFAULT_LEVELS, now).after
        assert issue.priority is not None
        assert issue.priority.score > before
        moments.append((now - NOW) // timedelta(seconds=1))
    minutes = [moment // 60 for moment in moments]
    assert minutes == [11, 15, 60, 240, 1440, 4320]


def test_who_takes_it_goes_on_to_the_next_deadline() -> None:
    late = NOW + timedelta(minutes=20)
    waiting = score(late, service_level="premium")
    taken = score(late, service_level="premium", state=IssueState.ACKNOWLEDGED, acknowledged_at=late)
    assert taken < waiting


def test_a_resolved_issue_keeps_what_it_had() -> None:
    issue = ranked()
    closed = replace(issue, state=IssueState.RESOLVED, resolved_at=NOW)
    change = IssueChange(before=issue, after=closed, events=())
    assert prioritised(change, DEFAULT_LEVELS, NOW + 99 * HOUR) is change
    assert grown_older(closed, now=NOW + 99 * HOUR) is None


def at(text: str) -> datetime:
    """A moment in Seoul."""
    return datetime.fromisoformat(text).replace(tzinfo=SEOUL)


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        pytest.param("2026-11-23T10:00", 4, "2026-11-23T14:00", id="within a day"),
        pytest.param("2026-11-23T16:00", 4, "2026-11-24T11:00", id="overnight"),
        pytest.param("2026-11-27T17:00", 4, "2026-11-30T12:00", id="over a weekend"),
        pytest.param("2026-11-23T14:00", 4, "2026-11-23T18:00", id="to the last minute"),
        pytest.param("2026-11-22T03:00", 4, "2026-11-23T13:00", id="from a Sunday night"),
        pytest.param("2026-09-23T16:00", 4, "2026-09-28T11:00", id="over Chuseok, 24 to 26 September"),
        pytest.param("2026-12-24T17:00", 2, "2026-12-28T10:00", id="over Christmas and the weekend"),
        pytest.param("2026-11-23T10:00", 27, "2026-11-26T10:00", id="three days of nine hours"),
    ],
)
def test_business_time_stands_still_outside_the_hours(start: str, hours: int, due: str) -> None:
    assert due_at(at(start), hours * HOUR, OFFICE_HOURS) == at(due)


def test_business_time_over_a_change_of_the_clocks() -> None:
    night = NamedHours(name="night", spans=(HourSpan(times=((0, 6 * 60),), zone="Europe/Berlin"),))
    berlin = ZoneInfo("Europe/Berlin")
    start = datetime(2026, 3, 29, 0, 0, tzinfo=berlin)  # the clock goes from 2 to 3: the night has five hours
    assert due_at(start, 5 * HOUR, night) == datetime(2026, 3, 29, 6, 0, tzinfo=berlin)
    assert due_at(start, 6 * HOUR, night) == datetime(2026, 3, 30, 1, 0, tzinfo=berlin)


def test_around_the_clock_and_never() -> None:
    never = NamedHours(name="never", spans=(HourSpan(years=((1999, 1999),)),))
    assert due_at(NOW, 4 * HOUR, None) == NOW + 4 * HOUR
    assert due_at(NOW, 4 * HOUR, never) is None


def resolved(issue: Issue, after: timedelta, **members: Any) -> list[tuple[ServiceTarget, str, bool]]:
    moment = NOW + after
    closed = replace(
        issue, state=IssueState.RESOLVED, resolved_at=moment, updated_at=moment, **{"resolution": "done"} | members
    )
    return list(kept_promises(IssueChange(before=issue, after=closed, events=())))


def test_a_promise_is_kept_or_not_when_somebody_takes_the_issue_and_when_it_is_resolved() -> None:
    issue = ranked(service_level="premium")
    moment = NOW + timedelta(minutes=16)
    taken = replace(issue, state=IssueState.ACKNOWLEDGED, acknowledged_at=moment, updated_at=moment)
    assert list(kept_promises(IssueChange(before=issue, after=taken, events=()))) == [
        (ServiceTarget.RESPOND, "premium", False)
    ]
    assert resolved(taken, 3 * HOUR) == [(ServiceTarget.RESOLVE, "premium", True)]
    assert resolved(taken, 5 * HOUR) == [(ServiceTarget.RESOLVE, "premium", False)]
    assert resolved(issue, timedelta(minutes=5)) == [
        (ServiceTarget.RESPOND, "premium", True),
        (ServiceTarget.RESOLVE, "premium", True),
    ]


def test_what_was_withdrawn_was_promised_to_nobody() -> None:
    assert resolved(ranked(), HOUR, resolution="retracted") == []
    assert list(kept_promises(IssueChange(before=None, after=ranked(), events=()))) == []
