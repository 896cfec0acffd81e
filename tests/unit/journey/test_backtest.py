"""What a backtest counts for one customer, and that the parts of a whole can be added up in any order."""

from collections import Counter
from datetime import timedelta
from itertools import count
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from services.journey.domain.rules.book import Rulebook
from services.journey.domain.touchpoint import RecordedTouchpoint
from services.journey.rulebook import rules_file
from services.journey.trial.backtest import (
    MOST_LISTED,
    Backtest,
    BacktestTally,
    BacktestWindow,
    FrictionInForce,
    StoredHistory,
)
from tests.unit.journey.domain.making import DAY, DAYS, HOURS, POLICY, call, seen, told

WEEK = BacktestWindow(since=DAY, until=DAY + timedelta(days=7), zone=ZoneInfo("Asia/Seoul"))
CUSTOMER = UUID(int=1)


def rules(text: str) -> Rulebook:
    return rules_file.read(text, name="tried.yaml")


DEFAULT = rules("extends: default")


def in_force(*history: RecordedTouchpoint) -> list[FrictionInForce]:
    """What the shipped rules found in a history, as it would be stored; absences without their timers are not."""
    return [
        FrictionInForce(
            id=one.id,
            rule=one.rule,
            at=one.stale_from,
            anchor=one.anchor.interaction_id or one.anchor.touchpoint_id or "",
            journey=UUID(int=one.journeys[0]),
            touchpoints=frozenset(one.touchpoints),
        )
        for one in told(*history).findings
    ]


def judge(
    *history: RecordedTouchpoint,
    stored: list[FrictionInForce] | None = None,
    tried: Rulebook = DEFAULT,
    window: BacktestWindow = WEEK,
) -> BacktestTally:
    known = in_force(*history) if stored is None else stored
    timer = count().__next__
    backtest = Backtest(tried, POLICY, window, timer)
    return backtest.judge([StoredHistory(customer_id=CUSTOMER, touchpoints=history, in_force=known)])


TWICE = (call("first", 0, reason="billing"), call("second", 4 * DAYS, reason="billing"))


def test_the_rules_in_force_change_nothing() -> None:
    tally = judge(*TWICE)
    rule = tally.rules["repeat_contact_7d"]
    assert (rule.found, rule.in_force, rule.new, rule.gone, rule.moved, rule.customers) == (1, 1, 0, 0, 0, 1)
    assert (tally.customers, tally.touchpoints, tally.judged, tally.read) == (1, 2, 1, 2)


def test_a_narrower_rule_loses_frictions() -> None:
    tally = judge(*TWICE, tried=rules("extends: default\nchange: {repeat_contact_7d: {within: 3d}}"))
    rule = tally.rules["repeat_contact_7d"]
    assert (rule.found, rule.in_force, rule.new, rule.gone) == (0, 1, 0, 1)
    assert [(one.customer_id, one.anchor) for one in rule.gone_ones] == [(CUSTOMER, "second")]


def test_a_wider_rule_finds_more() -> None:
    tally = judge(*TWICE, tried=rules("extends: default\nchange: {repeat_contact_24h: {within: 5d}}"))
    rule = tally.rules["repeat_contact_24h"]
    assert (rule.found, rule.in_force, rule.new, rule.gone) == (1, 0, 1, 0)
    assert [one.anchor for one in rule.new_ones] == ["second"]


def test_a_rule_that_is_switched_off_loses_all() -> None:
    tally = judge(*TWICE, tried=rules("extends: default\nchange: {repeat_contact_7d: {enabled: false}}"))
    assert (tally.rules["repeat_contact_7d"].found, tally.rules["repeat_contact_7d"].gone) == (0, 1)


def test_a_friction_for_the_same_touchpoints_at_another_anchor_has_moved() -> None:
    history = [call(str(hour), hour * HOURS, reason="billing") for hour in range(3)]
    stored = [one for one in in_force(*history) if one.rule == "repeat_contact_24h" and one.anchor == "1"]
    tally = judge(*history, stored=stored, tried=rules("extends: default\nchange: {repeat_contact_24h: {at_least: 3}}"))
    rule = tally.rules["repeat_contact_24h"]
    assert (rule.found, rule.new, rule.gone, rule.moved) == (1, 0, 0, 1)
    assert [(one.was.anchor, one.becomes.anchor) for one in rule.moved_ones] == [("1", "2")]


def test_what_could_be_known_before_or_after_the_window_does_not_count() -> None:
    early = (call("first", -2 * DAYS, reason="a"), call("second", -1, reason="a"), call("third", 1, reason="a"))
    rule = judge(*early, stored=[]).rules["repeat_contact_7d"]
    assert [one.anchor for one in rule.new_ones] == ["third"]
    late = (call("first", 6 * DAYS, reason="a"), call("second", 7 * DAYS, reason="a"))
    assert judge(*late, stored=[]).rules["repeat_contact_7d"].found == 0


@pytest.mark.parametrize(("due_on", "found"), [(6, 1), (8, 0)])
def test_an_absence_counts_where_it_is_due(due_on: int, found: int) -> None:
    promise = seen("promise", 1 * DAYS, kind="callback_promised", due_at=DAY + timedelta(days=due_on))
    tally = judge(promise, stored=[])
    assert tally.rules["callback_missed"].found == found


def test_days_and_hours_are_those_of_the_zone() -> None:
    before_nine_in_utc = (call("first", 0, reason="billing"), call("second", 16 * HOURS, reason="billing"))
    tally = judge(*before_nine_in_utc)
    assert tally.rules["repeat_contact_24h"].per_day == Counter({"2026-11-23": 1})
    assert tally.issues.per_hour == Counter({1: 1})
    assert tally.issues.per_day == tally.issues_in_force.per_day == Counter({"2026-11-23": 1})


def test_rules_that_share_touchpoints_overlap() -> None:
    history = (
        call("first", 0, reason="billing"),
        call("second", 60, reason="billing"),
        call("odd", 90, reason="other", wait_s=900),
    )
    tally = judge(*history)
    assert tally.rules["repeat_contact_24h"].overlap == Counter({"repeat_contact_7d": 1})
    assert tally.rules["long_wait"].overlap == Counter()


def test_parts_add_up_to_the_whole_in_any_order() -> None:
    parts = [judge(*TWICE), judge(call("one", 0, wait_s=900)), judge(seen("page", 60), stored=[])]
    backtest = Backtest(DEFAULT, POLICY, WEEK, count().__next__)
    sums = []
    for order in (parts, parts[::-1]):
        whole = backtest.empty()
        for part in order:
            whole.add(part)
        sums.append(whole)
    assert sums[0] == sums[1]
    assert (sums[0].customers, sums[0].touchpoints) == (3, 4)
    assert sums[0].rules["long_wait"].found == sums[0].rules["repeat_contact_7d"].found == 1


def test_lists_are_bounded_and_counts_are_not() -> None:
    history = [call(str(place), place, wait_s=900) for place in range(MOST_LISTED + 5)]
    tally = judge(*history, stored=[], window=WEEK)
    whole = Backtest(DEFAULT, POLICY, WEEK, count().__next__).empty()
    whole.add(tally)
    whole.add(tally)
    rule = whole.rules["long_wait"]
    assert (rule.new, len(rule.new_ones)) == (2 * (MOST_LISTED + 5), MOST_LISTED)
