"""What rules cost is measured on one customer in so many, and a rule that raises costs what it took."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count

import msgspec

from services.journey import policies
from services.journey.costs.rule_sample import RuleSample
from services.journey.domain.projection import SegmentedHistory, project, project_segmented
from services.journey.domain.rules.book import Rulebook
from services.journey.domain.touchpoint import RecordedTouchpoint, Touchpoint
from services.journey.rulebook import rules_file

AT = datetime(2026, 11, 23, 9, tzinfo=UTC)


def ticking(step: float) -> Iterator[float]:
    return (step * tick for tick in count())


def test_one_customer_in_so_many_is_picked_and_nobody_without_touchpoints() -> None:
    sample = RuleSample(timer=ticking(1.0).__next__, every=3)
    book = Rulebook([])
    picked = [sample.of(book, touchpoints) is not book for touchpoints in (1, 0, 1, 5, 0, 1, 1, 7)]
    assert picked == [False, False, False, True, False, False, False, True]
    assert sample.take().touchpoints == 12
    assert (sample.take().touchpoints, sample.take().seconds) == (0, {})


def test_each_rule_takes_the_time_since_the_one_before() -> None:
    times = iter([10.0, 10.5, 12.5, 20.0, 20.25])
    sample = RuleSample(timer=times.__next__, every=1)
    sample.begin()
    sample.spent("a")
    sample.spent("b")
    sample.begin()
    sample.spent("a")
    assert sample.take().seconds == {"a": 0.75, "b": 2.0}


def history() -> list[RecordedTouchpoint]:
    plain = {
        "source": "test",
        "id": "one",
        "occurred_at": AT,
        "received_at": AT,
        "channel": "phone",
        "kind": "call_ended",
        "direction": "inbound",
        "wait_s": 400,
        "customer": {"customer_id": {"value": "C-1"}},
    }
    return [RecordedTouchpoint(touchpoint=msgspec.convert(plain, Touchpoint), appended_at=AT)]


def test_every_rule_that_is_asked_is_measured_and_no_other() -> None:
    sample = RuleSample(timer=ticking(0.001).__next__, every=1)
    book = rules_file.load()
    found = project(history(), rulebook=sample.of(book, 1), policy=policies.projection())
    seconds = sample.take().seconds
    assert {one.rule for one in found.findings} <= set(seconds)
    assert "long_wait" in seconds
    assert "low_ces" not in seconds  # nothing has a score: it was not asked
    assert set(seconds) <= {rule.id for rule in book.rules if rule.enabled}
    assert found == project(history(), rulebook=book, policy=policies.projection())  # to measure changes nothing


def test_a_rule_that_is_not_asked_again_costs_next_to_nothing_and_is_answered_alike() -> None:
    book, policy = rules_file.load(), policies.projection()
    sample = RuleSample(timer=ticking(0.001).__next__, every=1)
    known = SegmentedHistory(history(), policy)
    first = project_segmented(known, sample.of(book, 1))
    assert project_segmented(known, book).findings == first.findings  # one history, one set of answers
    assert len(known.index.answers) == 1


def test_a_rulebook_without_rules_costs_nothing() -> None:
    sample = RuleSample(timer=ticking(1.0).__next__, every=1)
    project(history(), rulebook=sample.of(Rulebook([]), 1), policy=policies.projection())
    assert sample.take().seconds == {}
