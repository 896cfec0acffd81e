"""What is counted as having come before a friction, and how sure it is."""

from collections.abc import Sequence
from datetime import timedelta
from math import inf
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from services.journey.domain.touchpoint import RecordedTouchpoint
from services.journey.trial.backtest import BacktestWindow, StoredHistory
from services.journey.trial.precedence import FEWEST, Precedence, PrecedenceTally, PrecedingSign
from tests.unit.journey.domain.making import DAY, DAYS, HOURS, POLICY, SHIPPED, call, seen

MONTH = BacktestWindow(since=DAY, until=DAY + timedelta(days=30), zone=ZoneInfo("Asia/Seoul"))


def looked(
    rule: str, *customers: Sequence[RecordedTouchpoint], within: timedelta = timedelta(hours=24)
) -> PrecedenceTally:
    precedence = Precedence(SHIPPED, POLICY, MONTH, rule, within)
    return precedence.judge(
        StoredHistory(customer_id=UUID(int=number), touchpoints=touchpoints, in_force=())
        for number, touchpoints in enumerate(customers)
    )


def waits(hours: float, wait_s: int, *, after: str = "", outcome: str | None = None) -> list[RecordedTouchpoint]:
    """A call after that wait, with one touchpoint an hour before it."""
    before = [seen(f"before-{hours}", hours * HOURS - HOURS, after, outcome=outcome)] if after else []
    return [*before, call(f"call-{hours}", hours * HOURS, wait_s=wait_s)]


def only(tally: PrecedenceTally) -> PrecedingSign:
    [sign] = tally.signs()
    return sign


def test_what_comes_before_frictions_more_often_has_a_lift() -> None:
    long_after_error = [waits(2, 300, after="error_shown") for _ in range(8)] + [waits(2, 300) for _ in range(2)]
    short = [waits(2, 10, after="error_shown") for _ in range(4)] + [waits(2, 10) for _ in range(16)]
    tally = looked("long_wait", *long_after_error, *short)
    assert tally.looks() == (10, 20)
    sign = only(tally)
    assert (sign.sign, sign.before_frictions, sign.before_others) == ("error_shown", 8, 4)
    assert sign.lift == pytest.approx(4.0)  # 8 of 10 against 4 of 20


def test_the_interval_is_that_of_a_ratio_of_shares() -> None:
    """The aspirin study of the Physicians' Health Study, as Agresti works it out: 1.82 (1.43 to 2.31)."""
    tally = PrecedenceTally()
    tally.frictions["call_ended"], tally.others["call_ended"] = 11_034, 11_037
    tally.before_frictions["call_ended", "placebo"], tally.before_others["call_ended", "placebo"] = 189, 104
    sign = only(tally)
    assert [sign.low, sign.lift, sign.high] == pytest.approx([1.433, 1.818, 2.306], abs=0.001)


def test_an_outcome_is_a_sign_of_its_own() -> None:
    tally = looked("long_wait", *[waits(2, 300, after="chat_ended", outcome="abandoned") for _ in range(FEWEST)])
    assert [one.sign for one in tally.signs()] == ["chat_ended", "chat_ended (abandoned)"]
    assert {one.lift for one in tally.signs()} == {None}


def test_a_sign_that_is_rare_is_not_told() -> None:
    assert looked("long_wait", *[waits(2, 300, after="error_shown") for _ in range(FEWEST - 1)]).signs() == []


def test_only_what_lies_within_the_time_counts_and_each_sign_once() -> None:
    early = [seen("early", 0, "error_shown"), call("call", 25 * HOURS, wait_s=300)]
    often = [seen("one", 0, "error_shown"), seen("two", 1, "error_shown"), call("call", 60, wait_s=300)]
    tally = looked("long_wait", *[early] * 5, *[often] * 5)
    assert (only(tally).before_frictions, tally.looks()) == (5, (10, 0))


def test_what_a_friction_rests_on_is_no_sign_of_it_and_neither_is_the_rest_of_that_call() -> None:
    again = [
        call("start", 0, kind="call_started", interaction_id="c1", reason="billing"),
        call("end", 9, interaction_id="c1", reason="billing"),
        seen("error", 30, "error_shown"),
        call("again", 60, kind="call_started", interaction_id="c2", reason="billing"),
    ]
    tally = looked("repeat_contact_24h", *[again] * FEWEST)
    assert [one.sign for one in tally.signs()] == ["error_shown"]


def test_others_are_touchpoints_of_the_same_kind_in_the_window_that_complete_nothing() -> None:
    customers = [
        *[waits(2, 300)] * 5,
        [seen("page", 1 * HOURS), *waits(3, 10)],
        [call("before the window", -2 * DAYS, wait_s=10)],
        [call("after the window", 31 * DAYS, wait_s=10)],
    ]
    assert looked("long_wait", *customers).looks() == (5, 1)


def test_frictions_outside_of_the_window_are_neither_frictions_nor_others() -> None:
    tally = looked("long_wait", [call("early", -1 * DAYS, wait_s=300)], waits(2, 300))
    assert tally.looks() == (1, 0)


def test_parts_add_up() -> None:
    whole = looked("long_wait", *[waits(2, 300, after="error_shown")] * 6, *[waits(2, 10)] * 3)
    parts = PrecedenceTally()
    for part in (
        looked("long_wait", *[waits(2, 10)] * 3),
        looked("long_wait", *[waits(2, 300, after="error_shown")] * 6),
    ):
        parts.add(part)
    assert parts == whole


def test_signs_stand_by_what_is_certain() -> None:
    sure = [waits(2, 300, after="error_shown") for _ in range(20)]
    rare = [waits(2, 300, after="login_failed") for _ in range(5)]
    others = [waits(2, 10, after="error_shown")] * 4 + [waits(2, 10, after="login_failed")] + [waits(2, 10)] * 50
    tally = looked("long_wait", *sure, *rare, *others)
    assert [one.sign for one in tally.signs()] == ["error_shown", "login_failed"]
    assert all((one.low or inf) <= (one.lift or inf) <= (one.high or -inf) for one in tally.signs())
