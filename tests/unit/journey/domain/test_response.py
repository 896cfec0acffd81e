"""Who waits for a reply: which touchpoint begins a wait, what ends it, by when, and what becomes of timers."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.journey.domain.rules.book import Rulebook
from services.journey.domain.touchpoint import RecordedTouchpoint
from tests.unit.journey.domain.making import (
    DAYS,
    HOURS,
    SECOND,
    Shelf,
    a_rule,
    anchors,
    at,
    call,
    events,
    mail,
    note,
    seen,
    step,
    told,
)

FIRST: dict[str, Any] = {
    "shape": "response",
    "reply": "first",
    "after": {"kind": ["chat_started", "message_received", "email_received"]},
    "expect": [
        {"kind": "message_sent", "attributes.automatic": {"exists": False}},
        {"kind": ["call_started", "call_ended"], "direction": "outbound"},
    ],
    "within_by_channel": {"chat": "2m", "messenger": "20m", "email": "4h"},
}
NEXT = FIRST | {"reply": "next"}
RULES = a_rule(**FIRST)
LATER = a_rule(**NEXT)


def reply(id_: str = "reply", minutes: float = 0, channel: str = "messenger", **fields: Any) -> RecordedTouchpoint:
    return seen(id_, minutes, "message_sent", channel=channel, direction="outbound", **fields)


def waiting(*history: RecordedTouchpoint, rules: Rulebook = RULES) -> list[tuple[str, float]]:
    """Who waits, and in how many minutes of the story the reply is due."""
    timers = told(*history, rules=rules).timers
    return [(timer.armed_by[1], round((timer.due_at - at(0)).total_seconds() / 60, 4)) for timer in timers]


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([note("a")], ["a"]),
        ([note("a"), reply(minutes=20)], []),  # at the last moment
        ([note("a"), reply(minutes=20 + SECOND)], ["a"]),
        ([note("a"), reply(minutes=0)], []),  # at the same moment, and before it in order
        ([note("a"), reply(minutes=-1)], ["a"]),  # it was no reply to this
        ([note("a"), reply(minutes=5, attributes={"automatic": True})], ["a"]),
        ([note("a"), note("b", 5), note("c", 10)], ["a"]),  # one wait
        ([note("a"), note("b", 5), reply(minutes=21)], ["a"]),
        ([note("a"), reply(minutes=5), note("b", 10)], []),  # the next reply is another matter
        ([note("a"), note("b", 31)], ["a", "b"]),  # two conversations
        ([note("a"), note("b", 31), reply(minutes=40)], ["a"]),
        ([mail("m"), reply(minutes=239, channel="email")], []),
        ([mail("m"), reply(minutes=241, channel="email")], ["m"]),
        ([mail("m"), call("back", 60, direction="outbound")], []),  # of no contact: it counts wherever it is
        ([mail("m"), call("ours", 60)], ["m"]),  # the customer calls
        ([note("a", channel="sms")], []),  # a channel without a time
        ([mail("m", late=True)], []),
    ],
)
def test_the_first_reply(history: list[RecordedTouchpoint], expected: list[str]) -> None:
    assert anchors("mine", *history, rules=RULES) == expected
    assert anchors("mine", *reversed(history), rules=RULES) == expected


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([note("a")], []),
        ([note("a"), reply(minutes=5), note("b", 10)], ["b"]),
        ([note("a"), reply(minutes=5), note("b", 10), note("c", 12)], ["b"]),
        ([note("a"), reply(minutes=5), note("b", 10), reply("r2", 30)], []),
        ([note("a"), reply(minutes=5), note("b", 10), reply("r2", 30 + SECOND)], ["b"]),
        ([note("a"), reply(minutes=5), note("b", 5)], []),  # at the moment of a reply: asked before it
        ([note("a"), reply(minutes=5), reply("r2", 6), note("b", 10)], ["b"]),
        ([note("a"), reply(minutes=5), note("b", 10), reply("r2", 12), note("c", 20)], ["c"]),
        ([note("a"), reply(minutes=29), note("b", 30)], ["b"]),  # the first came too late, and came
    ],
)
def test_the_next_reply(history: list[RecordedTouchpoint], expected: list[str]) -> None:
    assert anchors("mine", *history, rules=LATER) == expected
    assert anchors("mine", *reversed(history), rules=LATER) == expected


def test_a_reply_in_another_contact_is_none() -> None:
    chat = {"channel": "chat", "interaction_id": "c"}
    there = [note("c", 1, "chat_started", **chat), reply("r", 2, **chat)]
    assert anchors("mine", note("a"), *there, rules=RULES) == ["a"]


def test_replies_that_belong_to_another_case_do_not_count() -> None:
    rules = a_rule(**FIRST, same=["refs.case_id"])
    wrote = mail("m", refs={"case_id": "1"})
    assert anchors("mine", wrote, call("x", 9, direction="outbound", refs={"case_id": "2"}), rules=rules) == ["m"]
    assert anchors("mine", wrote, call("x", 9, direction="outbound", refs={"case_id": "1"}), rules=rules) == []
    assert anchors("mine", wrote, call("x", 9, direction="outbound"), rules=rules) == []


def test_what_asks_and_replies_at_once_replies() -> None:
    rules = a_rule(**FIRST | {"expect": {"kind": ["message_sent", "message_received"]}})
    assert anchors("mine", note("a"), rules=rules) == []


def test_channels_without_a_time_of_their_own_have_that_of_the_rule() -> None:
    rules = a_rule(**FIRST, within="1h")
    assert waiting(note("a", channel="sms"), mail("m"), rules=rules) == [("a", 60), ("m", 240)]


def test_a_level_has_other_times_channel_by_channel() -> None:
    rules = a_rule(**FIRST, by_service_level={"premium": {"within_by_channel": {"messenger": "5m"}}})
    premium: dict[str, Any] = {"service_level": "premium"}
    assert waiting(note("a", **premium), mail("m", **premium), rules=rules) == [("a", 5), ("m", 240)]
    assert waiting(note("a"), mail("m"), rules=rules) == [("a", 20), ("m", 240)]


def test_the_time_runs_in_business_hours() -> None:
    hours = {"name": "ours", "time_intervals": [{"times": [{"start_time": "09:00", "end_time": "18:00"}]}]}
    rules = a_rule(**FIRST, active_time_interval=hours)
    assert waiting(mail("m", 17 * HOURS), rules=rules) == [("m", DAYS + 12 * HOURS)]
    overnight = reply(minutes=20 * HOURS, channel="email")
    assert anchors("mine", mail("m", 17 * HOURS), overnight, rules=rules) == []  # who replies at night replies


def test_the_numbers_say_when_it_was_due() -> None:
    waits = [timer.id for timer in told(note("a", 3), rules=RULES).timers]
    [finding] = told(note("a", 3), rules=RULES, fired=waits).findings
    assert finding.evidence == {"due_at": "2026-11-22T00:23:00.000000Z", "waited_s": 1200.0}
    assert finding.stale_from == at(23)


def test_a_reply_that_is_learnt_late_takes_the_friction_back() -> None:
    shelf = Shelf()
    step(shelf, note("a"), rules=RULES)
    shelf.fire(at(20))
    assert [event for event, _ in events(step(shelf, note("a"), minutes=20, rules=RULES))] == ["detected"]
    answered = [note("a"), reply(minutes=15)]
    assert [event for event, _ in events(step(shelf, *answered, minutes=30, rules=RULES))] == ["retracted"]
    assert events(step(shelf, *answered, minutes=40, rules=RULES)) == []


def test_an_earlier_message_that_is_learnt_late_begins_the_wait_instead() -> None:
    shelf = Shelf()
    step(shelf, note("b", 10), rules=RULES)
    shelf.fire(at(30))
    step(shelf, note("b", 10), minutes=30, rules=RULES)
    changes = step(shelf, note("a", 5), note("b", 10), minutes=31, rules=RULES)
    assert [event for event, _ in events(changes)] == ["retracted"]
    shelf.fire(at(31))
    changes = step(shelf, note("a", 5), note("b", 10), minutes=31, rules=RULES)
    assert [event for event, _ in events(changes)] == ["detected"]


MOMENTS = st.lists(st.tuples(st.integers(0, 90), st.booleans()), max_size=12)


@given(MOMENTS, st.integers(0, 2**32))
def test_laws_of_waiting(moments: list[tuple[int, bool]], seed: int) -> None:
    """Waits alternate with replies; order does not matter; a reply at the first moment of a wait ends it."""
    history = [
        reply(f"r{number}", minute) if is_reply else note(f"a{number}", minute)
        for number, (minute, is_reply) in enumerate(moments)
    ]
    first, later = anchors("mine", *history, rules=RULES), anchors("mine", *history, rules=LATER)
    shuffled = [*history, *history]
    Random(seed).shuffle(shuffled)
    assert anchors("mine", *shuffled, rules=RULES) == first
    assert anchors("mine", *shuffled, rules=LATER) == later
    assert not set(first) & set(later)
    times = {one.touchpoint.id: one.touchpoint.occurred_at for one in history}
    replied = [one.touchpoint.occurred_at for one in history if one.touchpoint.kind == "message_sent"]
    for rules, found in ((RULES, first), (LATER, later)):
        for name in found:
            assert not any(0 <= (moment - times[name]).total_seconds() <= 1200 for moment in replied)
            ends = reply("then", (times[name] - at(0)).total_seconds() / 60)
            assert name not in anchors("mine", *history, ends, rules=rules)
