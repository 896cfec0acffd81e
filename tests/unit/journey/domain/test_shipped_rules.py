"""Each shipped rule, row by row: what is one, what is not, and where exactly the line runs."""

from typing import Any

import pytest

from services.journey.domain.friction import FrictionSeverity
from services.journey.domain.touchpoint import RecordedTouchpoint, SurveyScore
from services.journey.rulebook import rules_file
from tests.unit.journey.domain.making import (
    DAYS,
    HOURS,
    SECOND,
    SHIPPED,
    anchors,
    at,
    call,
    found,
    mail,
    note,
    seen,
    told,
)

Row = tuple[str, list[RecordedTouchpoint], list[str]]


def case(id_: str, minutes: float, kind: str, case_id: str | None = "T-1", **fields: Any) -> RecordedTouchpoint:
    return seen(id_, minutes, kind, refs={} if case_id is None else {"case_id": case_id}, **fields)


def promise(minutes: float = 0, due: float | None = 60, **fields: Any) -> RecordedTouchpoint:
    return seen("promise", minutes, "callback_promised", due_at=None if due is None else at(due), **fields)


def declined(id_: str, minutes: float) -> RecordedTouchpoint:
    return seen(id_, minutes, "payment_declined")


def survey(value: float, scale: float = 7, metric: str = "ces") -> RecordedTouchpoint:
    return seen("s", 0, "survey_answered", score=SurveyScore(metric=metric, value=value, scale=scale))


def queues(*names: str | None, **fields: Any) -> list[RecordedTouchpoint]:
    return [seen(f"q{n}", n, "case_worked", queue=name, **fields) for n, name in enumerate(names)]


ROWS: dict[str, Row] = {
    # repeat contact: inclusive window, reasons that agree
    "exactly 24 hours apart": ("repeat_contact_24h", [call("a"), call("b", 24 * HOURS)], ["b"]),
    "a second more": ("repeat_contact_24h", [call("a"), call("b", 24 * HOURS + SECOND)], []),
    "at the same moment": ("repeat_contact_24h", [call("a"), call("b")], ["b"]),
    "every further contact": ("repeat_contact_24h", [call("a"), call("b", 1), call("c", 2)], ["b", "c"]),
    "another channel": ("repeat_contact_24h", [call("a"), call("b", 1, kind="chat_started", channel="chat")], ["b"]),
    "the same reason": ("repeat_contact_24h", [call("a", reason="x"), call("b", 1, reason="x")], ["b"]),
    "another reason": ("repeat_contact_24h", [call("a", reason="x"), call("b", 1, reason="y")], []),
    "the first reason unknown": ("repeat_contact_24h", [call("a"), call("b", 1, reason="y")], ["b"]),
    "the second reason unknown": ("repeat_contact_24h", [call("a", reason="x"), call("b", 1)], ["b"]),
    "an older one agrees": (
        "repeat_contact_24h",
        [call("a", reason="x"), call("b", 1, reason="y"), call("c", 2, reason="x")],
        ["c"],
    ),
    "start and end of one call": (
        "repeat_contact_24h",
        [call("a", interaction_id="c", kind="call_started"), call("b", 5, interaction_id="c")],
        [],
    ),
    "three lines in a messenger": (
        "repeat_contact_24h",
        [note("a"), note("b", 9 * SECOND), note("c", 20 * SECOND)],
        [],
    ),
    "four texts within 40 seconds": (
        "repeat_contact_24h",
        [note(name, 13 * SECOND * number, channel="sms") for number, name in enumerate("abcd")],
        [],
    ),
    "a messenger after half an hour": ("repeat_contact_24h", [note("a"), note("b", 30)], []),
    "a messenger a second later": ("repeat_contact_24h", [note("a"), note("b", 30 + SECOND)], ["b"]),
    "what we wrote keeps it going": (
        "repeat_contact_24h",
        [note("a"), note("b", 20, "message_sent", direction="outbound"), note("c", 50)],
        [],
    ),
    "two mails of one thread": (
        "repeat_contact_7d",
        [
            note(name, at, "email_received", channel="email", refs={"thread_id": "t"})
            for name, at in [("a", 0), ("b", DAYS)]
        ],
        [],
    ),
    "a second mail of another thread": (
        "repeat_contact_24h",
        [mail(name, refs={"thread_id": name}) for name in "ab"],
        ["b"],
    ),
    "a call from us": ("repeat_contact_24h", [call("a"), call("b", 1, direction="outbound")], []),
    "a late one does not count": ("repeat_contact_24h", [call("a", late=True), call("b", 1)], []),
    "exactly 7 days apart": ("repeat_contact_7d", [call("a"), call("b", 7 * DAYS)], ["b"]),
    "a second after 7 days": ("repeat_contact_7d", [call("a"), call("b", 7 * DAYS + SECOND)], []),
    # first contact resolution
    "resolved, and back": ("fcr_failed", [call("a", outcome="resolved"), call("b", 7 * DAYS)], ["b"]),
    "back after 7 days": ("fcr_failed", [call("a", outcome="resolved"), call("b", 7 * DAYS + SECOND)], []),
    "never resolved": ("fcr_failed", [call("a", outcome="unresolved"), call("b", 1)], []),
    "back with another reason": (
        "fcr_failed",
        [call("a", outcome="resolved", reason="x"), call("b", 1, reason="y")],
        [],
    ),
    "resolved after the wrap-up": (
        "fcr_failed",
        [call("a", interaction_id="c"), seen("w", 9, interaction_id="c", outcome="resolved"), call("b", 60)],
        ["b"],
    ),
    "back twice": ("fcr_failed", [call("a", outcome="resolved"), call("b", 1), call("c", 2)], ["b", "c"]),
    # reopened cases
    "worked after resolved": ("case_reopened", [case("r", 0, "case_resolved"), case("w", 1, "case_worked")], ["w"]),
    "waiting after resolved": ("case_reopened", [case("r", 0, "case_resolved"), case("w", 1, "case_waiting")], ["w"]),
    "closed after resolved": ("case_reopened", [case("r", 0, "case_resolved"), case("w", 1, "case_closed")], []),
    "another case": ("case_reopened", [case("r", 0, "case_resolved"), case("w", 1, "case_worked", "T-2")], []),
    "no case": ("case_reopened", [case("r", 0, "case_resolved", None), case("w", 1, "case_worked", None)], []),
    "worked before resolved": ("case_reopened", [case("w", 0, "case_worked"), case("r", 1, "case_resolved")], []),
    "worked on twice is one reopening": (
        "case_reopened",
        [case("r", 0, "case_resolved"), case("v", 1, "case_worked"), case("w", 2, "case_worked")],
        ["v"],
    ),
    "reopened twice": (
        "case_reopened",
        [
            case("r", 0, "case_resolved"),
            case("v", 1, "case_reopened"),
            case("s", 2, "case_resolved"),
            case("w", 3, "case_worked"),
        ],
        ["v", "w"],
    ),
    # transfers
    "two transfers": ("transfers", [call("a", transfers=2)], ["a"]),
    "one transfer": ("transfers", [call("a", transfers=1)], []),
    "one in each of two calls": ("transfers", [call("a", transfers=1), call("b", 1, transfers=1)], []),
    "transfers known at the end of the call": (
        "transfers",
        [call("a", interaction_id="c"), seen("b", 4, interaction_id="c", transfers=3)],
        ["a"],
    ),
    "transfers of a call from us": ("transfers", [call("a", transfers=5, direction="outbound")], []),
    # ping-pong
    "there and back": ("group_ping_pong", queues("A", "B", "A", refs={"case_id": "1"}), ["q2"]),
    "only there": ("group_ping_pong", queues("A", "B", "B", refs={"case_id": "1"}), []),
    "three groups": ("group_ping_pong", queues("A", "B", "C", refs={"case_id": "1"}), []),
    "round trip over a third": ("group_ping_pong", queues("A", "B", "C", "A", refs={"case_id": "1"}), []),
    "again and again": ("group_ping_pong", queues("A", "B", "A", "B", refs={"case_id": "1"}), ["q2", "q3"]),
    "repeats are one stay": ("group_ping_pong", queues("A", "A", None, "B", "B", "A", "A"), ["q5"]),
    "in two cases": (
        "group_ping_pong",
        [*queues("A", "B", refs={"case_id": "1"}), seen("z", 9, queue="A", refs={"case_id": "2"})],
        [],
    ),
    "without a case: in one journey": ("group_ping_pong", queues("A", "B", "A", reason="billing"), ["q2"]),
    # waiting
    "121 seconds": ("long_wait", [call("a", wait_s=121)], ["a"]),
    "120 seconds": ("long_wait", [call("a", wait_s=120)], []),
    "half a second more": ("long_wait", [call("a", wait_s=120.5)], ["a"]),
    "in a chat": ("long_wait", [call("a", wait_s=900, channel="chat", kind="chat_ended")], []),
    "said twice of one call": (
        "long_wait",
        [call("a", wait_s=300, interaction_id="c"), call("b", 5, wait_s=300, interaction_id="c")],
        ["a"],
    ),
    "in two calls": ("long_wait", [call("a", wait_s=300), call("b", 5, wait_s=300)], ["a", "b"]),
    # channel switch
    "web chat, phone, e-mail": (
        "channel_switch",
        [call("a", channel="chat"), call("b", 1), call("c", 24 * HOURS, channel="email")],
        ["c"],
    ),
    "one switch": ("channel_switch", [call("a", channel="chat"), call("b", 1)], []),
    "the third after a day": (
        "channel_switch",
        [call("a", channel="chat"), call("b", 1), call("c", 24 * HOURS + SECOND, channel="email")],
        [],
    ),
    "no switch at the end": (
        "channel_switch",
        [call("a", channel="chat"), call("b", 6), call("c", 12, channel="chat"), call("d", 24, channel="chat")],
        ["c"],
    ),
    "to a chat that still goes on": (
        "channel_switch",
        [call("a", channel="chat"), call("b", 6), call("c", 10, channel="chat"), call("d", 12, channel="email")],
        ["d"],
    ),
    "for other matters": (
        "channel_switch",
        [call("a", channel="chat", reason="x"), call("b", 1, reason="y"), call("c", 2, channel="email", reason="x")],
        [],
    ),
    # effort score of the customer
    "3 of 7": ("low_ces", [survey(3)], ["s"]),
    "4 of 7": ("low_ces", [survey(4)], []),
    "2 of 5 is 2.8 of 7": ("low_ces", [survey(2, 5)], ["s"]),
    "3 of 5 is 4.2 of 7": ("low_ces", [survey(3, 5)], []),
    "30 of 70 is exactly 3": ("low_ces", [survey(30, 70)], ["s"]),
    "satisfaction is not effort": ("low_ces", [survey(1, 5, "csat")], []),
    # payments
    "two declines in 30 minutes": ("payment_declines", [declined("a", 0), declined("b", 30)], ["b"]),
    "31 minutes": ("payment_declines", [declined("a", 0), declined("b", 31)], []),
    "an order between": (
        "payment_declines",
        [declined("a", 0), seen("o", 5, "order_placed"), declined("b", 10)],
        [],
    ),
    "an order after": (
        "payment_declines",
        [declined("a", 0), declined("b", 10), seen("o", 11, "order_placed")],
        ["b"],
    ),
    "an order before": (
        "payment_declines",
        [seen("o", 0, "order_placed"), declined("a", 1), declined("b", 10)],
        ["b"],
    ),
    # checkout
    "no order": ("checkout_abandoned", [seen("c", 0, "checkout_started")], ["c"]),
    "ordered at the last moment": (
        "checkout_abandoned",
        [seen("c", 0, "checkout_started"), seen("o", 30, "order_placed")],
        [],
    ),
    "ordered too late": (
        "checkout_abandoned",
        [seen("c", 0, "checkout_started"), seen("o", 30 + SECOND, "order_placed")],
        ["c"],
    ),
    "ordered before": (
        "checkout_abandoned",
        [seen("o", 0, "order_placed"), seen("c", SECOND, "checkout_started")],
        ["c"],
    ),
    "ordered something else": (
        "checkout_abandoned",
        [
            seen("c", 0, "checkout_started", refs={"order_id": "1"}),
            seen("o", 5, "order_placed", refs={"order_id": "2"}),
        ],
        ["c"],
    ),
    "one of the orders unknown": (
        "checkout_abandoned",
        [seen("c", 0, "checkout_started", refs={"order_id": "1"}), seen("o", 5, "order_placed")],
        [],
    ),
    # callbacks
    "no call back": ("callback_missed", [promise()], ["promise"]),
    "15 minutes of grace": ("callback_missed", [promise(), seen("b", 75, "callback_made")], []),
    "a second too late": ("callback_missed", [promise(), seen("b", 75 + SECOND, "callback_made")], ["promise"]),
    "any call from us counts": ("callback_missed", [promise(), call("b", 30, direction="outbound")], []),
    "the customer calls": ("callback_missed", [promise(), call("b", 30)], ["promise"]),
    "before the promise": ("callback_missed", [seen("b", -1, "callback_made"), promise()], ["promise"]),
    "in the moment of the promise": ("callback_missed", [seen("b", 0, "callback_made"), promise()], []),
    "for another case": (
        "callback_missed",
        [promise(refs={"case_id": "1"}), seen("b", 30, "callback_made", refs={"case_id": "2"})],
        ["promise"],
    ),
    "without a time": ("callback_missed", [promise(due=None)], []),
    "due before it was promised": ("callback_missed", [promise(minutes=61, due=60)], []),
}


@pytest.mark.parametrize(("rule", "history", "expected"), ROWS.values(), ids=ROWS)
def test_a_shipped_rule(rule: str, history: list[RecordedTouchpoint], expected: list[str]) -> None:
    assert anchors(rule, *history) == expected


def test_every_shipped_rule_has_rows_that_fire_and_rows_that_do_not() -> None:
    shipped = {rule.id for rule in SHIPPED.rules if rule.enabled}
    assert {rule for rule, _, expected in ROWS.values() if expected} == shipped
    assert {rule for rule, _, expected in ROWS.values() if not expected} == shipped


def test_evidence_of_a_repeat_contact_is_every_agreeing_one_before_it() -> None:
    (*_, last) = found(
        "repeat_contact_7d",
        call("a", reason="x"),
        call("b", 1, reason="y"),
        call("c", 2),
        call("d", 3, interaction_id="i", kind="call_started", reason="x"),
        call("e", 4, interaction_id="i", reason="x"),
    )
    assert last.touchpoints == (("test", "a"), ("test", "c"), ("test", "d"))
    assert last.evidence == {"count": 3, "span_s": 180.0, "within_s": 604_800.0}


def test_a_contact_anchors_at_its_interaction_or_else_at_its_touchpoint() -> None:
    history = [call("a", transfers=2, interaction_id="i"), call("b", 1, transfers=2)]
    by_interaction, by_touchpoint = found("transfers", *history)
    assert (by_interaction.anchor.interaction_id, by_interaction.anchor.touchpoint_id) == ("i", None)
    assert (by_touchpoint.anchor.interaction_id, by_touchpoint.anchor.touchpoint_id) == (None, "b")


def test_an_absence_waits_for_its_timer() -> None:
    projection = told(promise())
    assert projection.findings == []
    (timer,) = projection.timers
    assert (timer.rule, timer.armed_by, timer.due_at) == ("callback_missed", ("test", "promise"), at(75))
    fired = told(promise(), fired=[timer.id])
    assert [finding.rule for finding in fired.findings] == ["callback_missed"]
    assert fired.timers == []


def test_a_follow_up_that_was_late_in_arriving_takes_the_absence_back() -> None:
    (timer,) = told(promise()).timers
    assert told(promise(), seen("b", 70, "callback_made"), fired=[timer.id]).findings == []


def test_a_premium_customer_weighs_more() -> None:
    ordinary, promised = (
        found("repeat_contact_24h", seen("p", service_level=level), call("a", 1), call("b", 2))[0]
        for level in ("basic", "premium")
    )
    assert (ordinary.severity, promised.severity) == (FrictionSeverity.HIGH, FrictionSeverity.CRITICAL)


@pytest.mark.parametrize(
    ("rule", "history", "english", "korean"),
    [
        pytest.param(
            "repeat_contact_24h",
            [call("a", reason="billing"), call("b", 125, channel="chat", reason="billing")],
            "2 contacts in 2 hours 5 minutes, the latest by chat. Reason: billing.",
            "2시간 5분 사이에 2번 문의했습니다(마지막 채널: 채팅, 사유: 요금).",
            id="repeat contact",
        ),
        pytest.param(
            "long_wait",
            [call("a", wait_s=412)],
            "Waited 6 minutes 52 seconds by phone; the limit is 2 minutes.",
            "6분 52초 동안 기다렸습니다(채널: 전화, 기준: 2분).",
            id="long wait",
        ),
        pytest.param(
            "callback_missed",
            [promise()],
            "We promised to call back; by 2026-11-22 01:15 UTC nobody had. Reason: not known.",
            "회신 전화를 약속했지만 2026-11-22 01:15 UTC까지 아무도 전화하지 않았습니다(사유: 알 수 없음).",
            id="callback missed",
        ),
        pytest.param(
            "low_ces",
            [survey(2, 5)],
            "Scored 2.8 of 7 for ease, by web; 3 or less is hard.",
            "이용 편의 점수를 7점 만점에 2.8점으로 답했습니다(웹). 3점 이하는 이용이 힘들었다는 뜻입니다.",
            id="low score",
        ),
        pytest.param(
            "group_ping_pong",
            queues("청구팀", "기술팀", "청구팀", refs={"case_id": "1"}),
            "The matter went 청구팀 > 기술팀 > 청구팀 in 2 minutes.",
            "2분 사이에 청구팀 > 기술팀 > 청구팀 순서로 담당 부서가 바뀌어 제자리로 돌아왔습니다.",
            id="ping-pong",
        ),
    ],
)
def test_explanations_in_english_and_korean(
    rule: str, history: list[RecordedTouchpoint], english: str, korean: str
) -> None:
    (finding,) = found(rule, *history)
    _, explanation = SHIPPED.texts(finding)
    assert (explanation.en, explanation.ko) == (english, korean)


def test_every_shipped_rule_finds_its_words() -> None:
    for rule, history, expected in ROWS.values():
        for finding in found(rule, *history):
            assert expected
            title, explanation = SHIPPED.texts(finding)
            for text in (title.en, title.ko, explanation.en, explanation.ko):
                assert text
                assert "{" not in text


def test_these_shipped_rules_are_on() -> None:
    assert [rule.id for rule in rules_file.load().rules if rule.enabled] == [
        "repeat_contact_24h",
        "repeat_contact_7d",
        "fcr_failed",
        "transfers",
        "long_wait",
        "channel_switch",
        "case_reopened",
        "group_ping_pong",
        "low_ces",
        "payment_declines",
        "checkout_abandoned",
        "callback_missed",
    ]
