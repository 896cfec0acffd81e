"""When many frictions are an outbreak, against what is usual at that hour; and when it is over."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alerts.outbreaks.detection import (
    KnownRate,
    MetOutbreak,
    OutbreakKey,
    OutbreakLimit,
    counted,
    is_over,
    key_of_text,
    keys_of,
    outbreak_to_join,
    parse_limits,
    threshold,
    usual_in_window,
)
from tests.unit.alerts.builders import NOW, a_friction

LIMIT = OutbreakLimit(floor=10, factor=4)


def rate(*same_hour: int, weekday: tuple[int, ...] = (), so_far: int = 0, minutes: int = 0) -> KnownRate:
    return KnownRate(same_hour=same_hour, same_weekday=weekday, so_far=so_far, so_far_minutes=minutes)


@pytest.mark.parametrize(
    ("known", "usual"),
    [
        pytest.param(rate(12, 12, 12), 1.0, id="twelve an hour are one in five minutes"),
        pytest.param(rate(120), 10.0, id="one day is enough to compare with"),
        pytest.param(rate(0, 0, 0, 12), 0.3, id="the latest day counts most, but not alone"),
        pytest.param(rate(12, 0), 0.7, id="a day before fades"),
        pytest.param(rate(0, 0, weekday=(600,)), 50.0, id="Mondays are compared with Mondays"),
        pytest.param(rate(so_far=30, minutes=15), 10.0, id="on the first day the mean so far"),
        pytest.param(rate(so_far=0, minutes=15), 0.0, id="nothing so far"),
    ],
)
def test_what_is_usual(known: KnownRate, usual: float) -> None:
    assert usual_in_window(known) == pytest.approx(usual)


@pytest.mark.parametrize(
    ("usual", "needed"),
    [
        pytest.param(0.0, 10, id="the floor, where nothing is usual"),
        pytest.param(2.0, 10, id="the floor, where little is"),
        pytest.param(2.6, 11, id="four times the usual, rounded up"),
        pytest.param(50.0, 200, id="four times the usual"),
    ],
)
def test_what_a_surge_is(usual: float, needed: int) -> None:
    assert threshold(usual, LIMIT) == needed


def test_noise_is_no_surge_where_the_factor_is_small() -> None:
    assert threshold(100.0, OutbreakLimit(floor=2, factor=1.1)) == 130


@given(st.floats(0, 1e5), st.integers(2, 500), st.floats(1, 50))
def test_what_is_usual_never_is_a_surge(usual: float, floor: int, factor: float) -> None:
    assert threshold(usual, OutbreakLimit(floor=floor, factor=factor)) >= max(floor, usual)


@pytest.mark.parametrize(
    ("lately", "opened_by", "over"),
    [
        pytest.param(0, 10, True, id="nothing more"),
        pytest.param(14, 10, True, id="less than half of it in each of three windows"),
        pytest.param(15, 10, False, id="half of it"),
        pytest.param(1, 2, False, id="a small one goes on with three"),
        pytest.param(0, 2, True, id="a small one ends with none"),
    ],
)
def test_when_it_is_over(lately: int, opened_by: int, over: bool) -> None:
    assert is_over(lately, opened_by) is (over if opened_by > 2 or lately == 0 else lately < 3)


def test_a_friction_counts_under_all_that_it_has_in_common_with_others() -> None:
    friction = a_friction(rule="payment_declines", reason=None, channel="web", queue=None, product="fibre\x1f500")
    assert keys_of(friction) == (
        OutbreakKey(rule="payment_declines", reason=""),
        OutbreakKey(rule="payment_declines", reason="", field="channel", value="web"),
        OutbreakKey(rule="payment_declines", reason="", field="product", value="fibre 500"),
    )
    assert [key_of_text(key.text) for key in keys_of(friction)] == list(keys_of(friction))
    assert keys_of(friction)[1].broad == keys_of(friction)[0]


def test_a_rule_that_another_speaks_for_is_not_counted_beside_it() -> None:
    day, week = a_friction(1, implies=("repeat_contact_7d",)), a_friction(2, rule="repeat_contact_7d")
    assert counted([day, week]) == [day]
    assert counted([week]) == [week]


def test_limits_are_read_by_rule() -> None:
    limits = parse_limits("*=10x4, long_wait=50x6.5, low_ces=off")
    assert limits.of("payment_declines") == LIMIT
    assert limits.of("long_wait") == OutbreakLimit(floor=50, factor=6.5)
    assert limits.of("low_ces") is None
    assert parse_limits("").of("anything") is None


@pytest.mark.parametrize("text", ["10x4", "*=10", "*=1x4", "*=10x0.5", "A=10x4", "*=x4", "*=10x", "*=on", "=10x4"])
def test_what_is_no_limit_is_refused_with_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"word 1 is no limit; write RULE=FLOORxFACTOR, such as \*=10x4"):
        parse_limits(text)


def test_a_slow_ramp_is_seen_because_the_usual_is_that_of_other_days() -> None:
    """A moving mean of the last minutes would follow the ramp and never call it unusual."""
    usual = usual_in_window(rate(*[24] * 7))
    ramp = [round(2 * 1.1**step) for step in range(60)]
    first = next(step for step, count in enumerate(ramp) if count >= threshold(usual, LIMIT))
    assert timedelta(minutes=5) * first < timedelta(hours=2)


def met(number: int, customers: int, *keys: OutbreakKey, minute: int = 0) -> MetOutbreak:
    return MetOutbreak(
        id=UUID(int=number), keys=keys or (DECLINES,), opened_at=NOW + timedelta(minutes=minute), met=customers
    )


DECLINES = OutbreakKey(rule="payment_declines", reason="")
ABANDONED = OutbreakKey(rule="checkout_abandoned", reason="", field="channel", value="web")


@pytest.mark.parametrize(("customers", "joins"), [(10, True), (9, False), (20, True)])
def test_a_surge_joins_the_outbreak_that_half_of_its_customers_met(customers: int, joins: bool) -> None:
    assert (outbreak_to_join(ABANDONED, 20, [met(1, customers)]) is not None) is joins


def test_of_several_it_joins_the_one_that_most_met_and_of_those_the_oldest() -> None:
    known = [met(1, 12), met(2, 15, minute=2), met(3, 15, minute=1), met(4, 2)]
    joined = outbreak_to_join(ABANDONED, 20, known)
    assert joined is not None
    assert joined.id == UUID(int=3)
    assert outbreak_to_join(ABANDONED, 20, []) is None


@pytest.mark.parametrize(
    ("other", "elsewhere"),
    [
        (replace(DECLINES, field="channel", value="app"), True),
        (replace(DECLINES, field="channel", value="web"), False),
        (replace(DECLINES, field="product", value="app"), False),
        (replace(DECLINES, reason="billing"), False),
    ],
)
def test_it_joins_none_that_is_elsewhere(other: OutbreakKey, elsewhere: bool) -> None:
    assert (outbreak_to_join(ABANDONED, 20, [met(1, 20, DECLINES, other)]) is None) is elsewhere
    reason = replace(ABANDONED, reason="delivery")
    assert (outbreak_to_join(reason, 20, [met(1, 20, other)]) is None) is (elsewhere or bool(other.reason))
