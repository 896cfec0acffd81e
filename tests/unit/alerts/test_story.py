"""Why an issue is open and what happened, in the words of people."""

from datetime import timedelta
from typing import Any

import pytest

from services.alerts.issues.aggregates import LONGEST_WHY, with_aggregates
from services.alerts.issues.model import (
    AlertSeverity,
    JourneySituation,
    LatestStep,
    LocalizedTitle,
    ReportedFriction,
    TimelineStep,
)
from services.alerts.issues.story import MOST_TOLD, resolution_words, sentence, tell
from tests.unit.alerts.builders import NOW, a_friction, an_issue


def said(number: int, rule: str, **members: Any) -> ReportedFriction:
    """A friction with an explanation of its own."""
    text = LocalizedTitle(en=f"Why {rule}.", ko=f"{rule} 이유.")
    title = LocalizedTitle(en=f"Title {rule}", ko=f"제목 {rule}")
    return a_friction(number, rule=rule, explanation=text, title=title, **members)


def why(*frictions: ReportedFriction) -> LocalizedTitle:
    told = with_aggregates(an_issue(), frictions, keep_severity=False).why
    assert told is not None
    return told


def test_a_rule_that_implies_another_speaks_for_it_and_both_count() -> None:
    day = said(1, "repeat_contact_24h", severity=AlertSeverity.HIGH, implies=("repeat_contact_7d",))
    week = said(2, "repeat_contact_7d")
    issue = with_aggregates(an_issue(), [day, week], keep_severity=False)
    assert issue.why == LocalizedTitle(en="Why repeat_contact_24h.", ko="repeat_contact_24h 이유.")
    assert (issue.count, issue.rules) == (2, ("repeat_contact_24h", "repeat_contact_7d"))


def test_an_implied_rule_gives_its_severity_and_not_its_words() -> None:
    mild = said(1, "a", severity=AlertSeverity.LOW, implies=("b",))
    issue = with_aggregates(an_issue(), [mild, said(2, "b", severity=AlertSeverity.HIGH)], keep_severity=False)
    assert (issue.severity, issue.title.en) == (AlertSeverity.HIGH, "Title a")


def test_what_else_was_found_is_named_once_each_the_severest_first() -> None:
    told = why(
        said(1, "lead", severity=AlertSeverity.CRITICAL),
        said(2, "mild", severity=AlertSeverity.LOW),
        said(3, "bad", severity=AlertSeverity.HIGH),
        said(4, "mild", severity=AlertSeverity.LOW),
    )
    assert told.en == "Why lead. Also: Title bad; Title mild."
    assert told.ko == "lead 이유. 그 밖에: 제목 bad; 제목 mild"


def test_of_many_the_rest_is_counted_and_the_sentence_stays_short() -> None:
    many = [said(1, "lead", severity=AlertSeverity.HIGH), *(said(n, f"r{n}") for n in range(2, 9))]
    assert why(*many).en == "Why lead. Also: Title r2; Title r3; Title r4; 4 more."
    long = said(1, "x")
    words = LocalizedTitle(en="a" * 600, ko="가" * 600)
    told = with_aggregates(an_issue(), [a_friction(1, explanation=words)], keep_severity=False).why
    assert told is not None
    assert (len(told.en), len(told.ko), told.ko[-1]) == (LONGEST_WHY, LONGEST_WHY, "…")
    assert why(long).en == "Why x."


@pytest.mark.parametrize(
    ("step", "en", "ko"),
    [
        (
            TimelineStep(occurred_at=NOW, channel="phone", kind="call_ended", outcome="unresolved", reason="billing"),
            "Call ended by phone: not resolved (billing).",
            "전화에서 통화 종료: 미해결 (요금)",
        ),
        (
            LatestStep(occurred_at=NOW, channel="web", kind="order_placed"),
            "Order placed on the web.",
            "웹에서 주문 완료",
        ),
        (
            LatestStep(occurred_at=NOW, channel="phone", kind="call_started", direction="outbound"),
            "Call started by phone, from us.",
            "전화에서 통화 시작(당사 발신)",
        ),
        (
            LatestStep(occurred_at=NOW, channel="app", kind="acme.loan_offered", outcome="gateway_timeout"),
            "Acme: loan offered in the app: gateway timeout.",
            "앱에서 acme: loan offered: 결제사 응답 없음",
        ),
    ],
)
def test_what_happened_is_a_plain_sentence(step: TimelineStep | LatestStep, en: str, ko: str) -> None:
    assert sentence(step) == LocalizedTitle(en=en, ko=ko)


def test_before_and_since_are_one_story_in_order_each_touchpoint_once() -> None:
    first = TimelineStep(occurred_at=NOW, channel="phone", kind="call_ended")
    again = LatestStep(occurred_at=NOW, channel="phone", kind="call_ended", direction="inbound")
    order = LatestStep(occurred_at=NOW + timedelta(minutes=3), channel="web", kind="order_placed")
    journey = JourneySituation(state="open", last_at=NOW, effort=1.0, contact_count=1, since=(again, order))
    told = tell(an_issue(timeline=(first,), journey=journey))
    assert [(step.said.en, step.since) for step in told] == [
        ("Call ended by phone.", False),
        ("Order placed on the web.", True),
    ]


def test_a_story_is_the_latest_part_of_it() -> None:
    steps = tuple(
        TimelineStep(occurred_at=NOW + timedelta(minutes=n), channel="web", kind="page_viewed") for n in range(30)
    )
    assert len(tell(an_issue(timeline=steps))) == MOST_TOLD


@pytest.mark.parametrize(
    ("resolution", "en", "ko"),
    [
        ("called_back", "called back", "전화로 안내함"),
        ("order_placed", "Order placed", "주문 완료"),
        ("the_shop_found_it", "the shop found it", "the shop found it"),
    ],
)
def test_how_an_issue_ended_is_said_in_words(resolution: str, en: str, ko: str) -> None:
    assert resolution_words(resolution) == LocalizedTitle(en=en, ko=ko)
