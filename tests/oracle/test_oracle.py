"""The oracle by hand-worked examples: if it were wrong, agreeing with it would mean nothing."""

import ast
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.faults.workload import NOON, What, make
from tests.oracle.expected import expect
from tests.oracle.people import DAY, HOUR, MINUTE, TICK, instant

Json = dict[str, Any]


def _touchpoint(number: int, after: timedelta, kind: str = "call_started", **rest: Any) -> Json:
    at = instant(NOON + after)
    inbound = {"direction": "inbound"} if kind in {"email_received", "call_started", "call_ended"} else {}
    return {
        "id": f"t{number}",
        "source": "test",
        "occurred_at": at,
        "received_at": at,
        "channel": "phone",
        "kind": kind,
        "customer": {"email": {"value": "a@mail.example", "verified": False}},
        **inbound,
        **rest,
    }


def _rules(*documents: Json) -> list[str]:
    return sorted(found.rule for found in expect(documents).frictions.values())


def _known(**identifiers: str) -> Json:
    return {name: {"value": value, "verified": False} for name, value in identifiers.items()}


@pytest.mark.parametrize(
    ("gap", "rules"),
    [
        pytest.param(DAY, ["repeat_contact_24h", "repeat_contact_7d"], id="a day to the microsecond"),
        pytest.param(DAY + TICK, ["repeat_contact_7d"], id="a microsecond more"),
        pytest.param(7 * DAY, ["repeat_contact_7d"], id="a week to the microsecond"),
        pytest.param(7 * DAY + TICK, [], id="longer than a week"),
        pytest.param(timedelta(), ["repeat_contact_24h", "repeat_contact_7d"], id="the same moment"),
    ],
)
def test_windows_include_their_end(gap: timedelta, rules: list[str]) -> None:
    assert _rules(_touchpoint(1, timedelta()), _touchpoint(2, gap)) == rules


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        pytest.param("billing", "billing", True, id="the same reason"),
        pytest.param("billing", "login", False, id="another reason"),
        pytest.param("billing", None, True, id="an unknown reason"),
    ],
)
def test_contacts_repeat_when_reasons_agree(first: str | None, second: str | None, found: bool) -> None:
    two = _touchpoint(1, timedelta(), reason=first), _touchpoint(2, HOUR, reason=second)
    assert bool(_rules(*two)) is found


def test_one_call_in_two_touchpoints_is_one_contact() -> None:
    call = {"channel": "phone", "interaction_id": "call-1"}
    assert _rules(_touchpoint(1, timedelta(), "call_started", **call), _touchpoint(2, HOUR, "call_ended", **call)) == []


def _message(number: int, after: timedelta, kind: str = "message_received", **rest: Any) -> Json:
    direction = "outbound" if kind == "message_sent" else "inbound"
    return _touchpoint(number, after, kind, **{"channel": "messenger", "direction": direction, **rest})


@pytest.mark.parametrize(
    ("channel", "quiet"),
    [("chat", 10 * MINUTE), ("messenger", HOUR / 2), ("sms", HOUR / 2), ("email", 12 * HOUR), ("social", 12 * HOUR)],
)
def test_messages_are_one_contact_until_the_quiet_time_has_passed(channel: str, quiet: timedelta) -> None:
    first, within, after = (
        _message(n, gap, channel=channel) for n, gap in enumerate((timedelta(), quiet, quiet + TICK))
    )
    assert _rules(first, within) == []
    assert _rules(first, after) == ["repeat_contact_24h", "repeat_contact_7d"]


def test_who_writes_keeps_a_conversation_going_but_we_begin_none() -> None:
    first, last = _message(1, timedelta()), _message(3, HOUR)
    assert _rules(first, _message(2, HOUR / 2, "message_sent", source="crm"), last) == []
    assert _rules(first, _message(2, HOUR / 2, "message_sent", channel="sms"), last) != []
    assert _rules(first, _message(2, HOUR, "message_sent"), _message(3, 2 * HOUR, "message_sent")) == []


def test_letters_of_one_thread_are_one_contact_however_late() -> None:
    mails = {
        name: [_message(n, n * DAY, channel="email", refs={name: "x"}) for n in (0, 1)]
        for name in ("thread_id", "case_id")
    }
    assert [_rules(*pair) for pair in mails.values()] == [[], []]
    assert _rules(mails["thread_id"][0], mails["case_id"][1]) == ["repeat_contact_24h", "repeat_contact_7d"]
    assert _rules(*(_message(n, n * DAY, refs={"thread_id": "x"}) for n in (0, 1))) != []


def test_an_outbound_call_is_no_contact() -> None:
    assert _rules(_touchpoint(1, timedelta()), _touchpoint(2, HOUR, "call_started", direction="outbound")) == []


def test_people_who_never_met_are_two_and_a_diamond_is_one() -> None:
    links = [("cookie", "email"), ("cookie", "phone"), ("email", "customer_id"), ("phone", "customer_id")]
    documents = [
        _touchpoint(number, timedelta(), "page_viewed", customer=_known(**{one: one, other: other}))
        for number, (one, other) in enumerate(links)
    ]
    stranger = _touchpoint(9, timedelta(), "page_viewed", customer=_known(cookie="stranger"))
    assert sorted(map(len, expect([*documents, stranger]).customers)) == [1, 4]


def test_a_placeholder_joins_nobody() -> None:
    one = _touchpoint(1, timedelta(), customer=_known(email="a@mail.example", cookie="null"))
    other = _touchpoint(2, HOUR, customer=_known(email="b@mail.example", cookie="null"))
    assert len(expect([one, other]).customers) == 2
    assert _rules(one, other) == []


def test_a_link_that_comes_last_makes_friction_of_what_came_before() -> None:
    one = _touchpoint(1, timedelta(), customer=_known(email="a@mail.example"))
    other = _touchpoint(2, HOUR, customer=_known(phone="+821012345678"))
    link = _touchpoint(3, 2 * HOUR, "page_viewed", customer=_known(email="a@mail.example", phone="+821012345678"))
    assert _rules(one, other) == []
    assert _rules(one, other, link) == ["repeat_contact_24h", "repeat_contact_7d"]


def test_a_touchpoint_that_came_too_late_is_history() -> None:
    late = _touchpoint(2, HOUR, received_at=instant(NOON + 73 * HOUR + TICK))
    edge = _touchpoint(2, HOUR, received_at=instant(NOON + 73 * HOUR))
    assert _rules(_touchpoint(1, timedelta()), late) == []
    assert len(_rules(_touchpoint(1, timedelta()), edge)) == 2


@pytest.mark.parametrize(
    ("follow_up", "missed"),
    [
        pytest.param(None, True, id="none"),
        pytest.param((timedelta(), {}), False, id="at once"),
        pytest.param((75 * MINUTE, {}), False, id="at the last moment"),
        pytest.param((75 * MINUTE + TICK, {}), True, id="a moment too late"),
        pytest.param((HOUR, {"refs": {"case_id": "other"}}), True, id="for another case"),
        pytest.param((HOUR, {"refs": {"case_id": "mine"}}), False, id="for the same case"),
    ],
)
def test_a_promise_is_kept_until_a_quarter_of_an_hour_after_it_is_due(
    follow_up: tuple[timedelta, Json] | None, missed: bool
) -> None:
    promise = _touchpoint(1, timedelta(), "callback_promised", due_at=instant(NOON + HOUR), refs={"case_id": "mine"})
    kept = [] if follow_up is None else [_touchpoint(2, follow_up[0], "callback_made", **follow_up[1])]
    assert _rules(promise, *kept) == (["callback_missed"] if missed else [])


def test_a_case_that_goes_there_and_back_again_is_ping_pong_once_for_each_turn() -> None:
    queues = ["a", "b", "b", "a", "c", "a"]
    documents = [
        _touchpoint(number, number * HOUR, "case_worked", queue=queue, refs={"case_id": "T-1"})
        for number, queue in enumerate(queues)
    ]
    found = expect(documents).frictions.values()
    assert [(one.rule, one.evidence) for one in found] == [
        ("group_ping_pong", (("test", "t0"), ("test", "t2"), ("test", "t3"))),
        ("group_ping_pong", (("test", "t3"), ("test", "t4"), ("test", "t5"))),
    ]


def test_declined_cards_are_forgotten_once_the_order_is_placed() -> None:
    declined = [_touchpoint(number, number * 10 * MINUTE, "payment_declined") for number in (0, 2)]
    placed = _touchpoint(9, 15 * MINUTE, "order_placed")
    assert _rules(*declined) == ["payment_declines"]
    assert _rules(*declined, placed) == []


def test_frictions_of_one_customer_and_journey_share_an_issue() -> None:
    about = [
        _touchpoint(number, number * HOUR, reason=reason)
        for number, reason in enumerate(("billing", "login", "billing", "login"))
    ]
    groups = expect(about).groups
    assert sorted(map(len, groups)) == [2, 2]


def test_the_order_of_arrival_does_not_matter() -> None:
    workload = make(11, 3000, NOON)
    shuffled = Random(5).sample(workload.touchpoints, len(workload.touchpoints))
    assert expect(shuffled) == expect(workload.touchpoints)


def test_the_workload_is_the_same_for_the_same_seed_and_has_everything_in_it() -> None:
    workload = make(11, 3000, NOON)
    assert workload == make(11, 3000, NOON)
    assert workload != make(12, 3000, NOON)
    assert workload.count(What.TOUCHPOINT) == 3000
    assert workload.count(What.DUPLICATE) == 150
    assert workload.count(What.POISON) + workload.count(What.CONFLICT) == 30
    assert {found.rule for found in expect(workload.touchpoints).frictions.values()} == {
        "repeat_contact_24h",
        "repeat_contact_7d",
        "fcr_failed",
        "case_reopened",
        "transfers",
        "group_ping_pong",
        "long_wait",
        "channel_switch",
        "low_ces",
        "payment_declines",
        "callback_missed",
        "checkout_abandoned",
    }


PARTS = {path.stem: path for path in sorted(Path(__file__).parent.glob("*.py")) if not path.stem.startswith("test_")}


@pytest.mark.parametrize("name", PARTS)
def test_the_oracle_shares_no_code_with_what_it_judges(name: str) -> None:
    tree = ast.parse(PARTS[name].read_text(encoding="utf-8"))
    imported = {
        module.split(".")[0]
        for node in ast.walk(tree)
        for module in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported.isdisjoint({"services", "schemas", "waymark"})
