"""Which answers are compared with which effort, and what the correlation of ranks is."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.journey.domain.touchpoint import RecordedTouchpoint, SurveyScore
from services.journey.trial.backtest import BacktestWindow, StoredHistory
from services.journey.trial.calibration import FEWEST, Calibration, CalibrationTally, rank_correlation
from tests.unit.journey.domain.making import DAY, HOURS, POLICY, call, seen

MONTH = BacktestWindow(since=DAY, until=DAY + timedelta(days=30), zone=ZoneInfo("Asia/Seoul"))
NO_EFFORT = 0.0
ONE_REPEAT = 25.9
"""The score of 6 points (docs/semantics.md, Effort)."""


def survey(minutes: float, value: float, metric: str = "ces", scale: float = 7, **fields: object) -> RecordedTouchpoint:
    given = {"channel": "app", "score": SurveyScore(metric=metric, value=value, scale=scale), **fields}
    return seen(f"answer-{minutes}", minutes, "survey_answered", **given)


def compared(*customers: Sequence[RecordedTouchpoint], metric: str = "ces") -> CalibrationTally:
    return Calibration(POLICY, MONTH, metric).judge(
        StoredHistory(customer_id=UUID(int=number), touchpoints=touchpoints, in_force=())
        for number, touchpoints in enumerate(customers)
    )


def scores(*touchpoints: RecordedTouchpoint) -> dict[tuple[float, float], int]:
    return dict(compared(touchpoints).scores)


TWO_CALLS = (call("a", 0), call("b", 60))


def test_an_answer_is_compared_with_the_effort_of_its_journey() -> None:
    assert scores(*TWO_CALLS, survey(90, 7)) == {(ONE_REPEAT, 1.0): 1}


def test_the_order_in_which_they_come_does_not_matter() -> None:
    assert scores(survey(90, 7), *reversed(TWO_CALLS)) == {(ONE_REPEAT, 1.0): 1}


def test_what_comes_after_the_answer_does_not_count() -> None:
    assert scores(call("a", 0), survey(30, 7), call("b", 60)) == {(NO_EFFORT, 1.0): 1}


def test_other_journeys_do_not_count() -> None:
    elsewhere = (call("x", 0, refs={"order_id": "1"}), call("y", 10, refs={"order_id": "1"}))
    asked = survey(90, 7, refs={"order_id": "2"})
    assert scores(*elsewhere, call("a", 20, refs={"order_id": "2"}), asked) == {(NO_EFFORT, 1.0): 1}


def test_the_answer_itself_is_no_effort() -> None:
    assert scores(call("a", 0), survey(30, 1, sentiment=-0.9)) == {(NO_EFFORT, 1 / 7): 1}


def test_a_call_with_an_answer_counts_but_for_its_answer() -> None:
    rated = call("b", 60, score=SurveyScore(metric="ces", value=1, scale=5))
    assert scores(call("a", 0), rated) == {(ONE_REPEAT, 0.2): 1}


def test_an_earlier_answer_is_a_part_of_the_effort() -> None:
    tally = compared((call("a", 0), survey(30, 1), survey(60, 2)))
    assert dict(tally.parts["hard_by_survey"]) == {(5.0, 2 / 7): 1}


def test_an_answer_without_anything_before_it_is_counted_apart() -> None:
    tally = compared((survey(30, 7),), (call("a", 0), survey(30, 7)))
    assert (tally.alone, tally.answers()) == (1, 1)


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(survey(-30, 7), id="before the window"),
        pytest.param(survey(31 * 24 * HOURS, 7), id="after it"),
        pytest.param(survey(30, 7, metric="nps", scale=10), id="another survey"),
    ],
)
def test_what_is_not_asked_for_is_no_answer(asked: RecordedTouchpoint) -> None:
    tally = compared((call("a", -60), asked))
    assert (tally.answers(), tally.alone, tally.judged, tally.read) == (0, 0, 1, 2)


def test_another_survey_is_compared_when_asked_for() -> None:
    tally = compared((*TWO_CALLS, survey(90, 9, metric="nps", scale=10)), metric="nps")
    assert dict(tally.scores) == {(ONE_REPEAT, 0.9): 1}


def test_parts_and_bands_say_who_answered_worse() -> None:
    hard = [(*TWO_CALLS, survey(90, 2)) for _ in range(6)]
    easy = [(call("a", 0), survey(90, 6)) for _ in range(6)]
    tally = compared(*hard, *easy)
    [part] = tally.part_agreements()
    assert (part.factor, part.answers) == ("repeat_contact", 6)
    assert (part.mean_with, part.mean_without) == pytest.approx((2 / 7, 6 / 7))
    assert part.correlation is not None
    assert part.correlation.spearman == pytest.approx(-1)
    assert [(band.begins, band.answers, band.bad) for band in tally.bands()] == [(0.0, 6, 0.0), (25.0, 6, 1.0)]


def test_pages_add_up_in_any_order() -> None:
    one, other = compared((*TWO_CALLS, survey(90, 2))), compared((*TWO_CALLS, survey(90, 2)), (survey(1, 2),))
    whole = compared()
    for page in (other, one):
        whole.add(page)
    assert whole == compared((*TWO_CALLS, survey(90, 2)), (*TWO_CALLS, survey(90, 2)), (survey(1, 2),))


def test_the_correlation_is_that_of_the_textbook() -> None:
    """Intelligence against hours of television, the worked example of Wikipedia's article on Spearman's rho."""
    intelligence = (86, 97, 99, 100, 101, 103, 106, 110, 112, 113)
    hours = (2, 20, 28, 27, 50, 29, 7, 17, 6, 12)
    found = rank_correlation(Counter(zip(intelligence, hours, strict=True)))
    assert found is not None
    assert found.spearman == pytest.approx(-29 / 165)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.spearman < found.high


@pytest.mark.parametrize(
    "pairs",
    [
        pytest.param({(1.0, 0.5): FEWEST - 2, (2.0, 0.4): 1}, id="too few"),
        pytest.param({(1.0, 0.5): FEWEST, (2.0, 0.5): FEWEST}, id="everybody answered the same"),
        pytest.param({(1.0, 0.5): FEWEST, (1.0, 0.6): FEWEST}, id="every score is the same"),
        pytest.param({}, id="nothing"),
    ],
)
def test_nothing_is_said_where_nothing_can_be(pairs: dict[tuple[float, float], int]) -> None:
    assert rank_correlation(pairs) is None


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=FEWEST, max_size=60))
def test_it_is_pearsons_correlation_of_the_ranks_counted_one_by_one(pairs: list[tuple[int, int]]) -> None:
    left, right = (_ranks([pair[side] for pair in pairs]) for side in (0, 1))
    found = rank_correlation(Counter((float(one), float(other)) for one, other in pairs))
    if len(set(left)) == 1 or len(set(right)) == 1:
        assert found is None
    else:
        assert found is not None
        assert found.spearman == pytest.approx(_pearson(left, right), abs=1e-9)


def _ranks(values: list[int]) -> list[float]:
    """Return each value's rank by its definition: those below it, and half of its equals."""
    return [sum(other < one for other in values) + (values.count(one) + 1) / 2 for one in values]


def _pearson(left: list[float], right: list[float]) -> float:
    mean = (sum(left) / len(left), sum(right) / len(right))
    both = sum((one - mean[0]) * (other - mean[1]) for one, other in zip(left, right, strict=True))
    squares = sum((one - mean[0]) ** 2 for one in left), sum((other - mean[1]) ** 2 for other in right)
    return float(both / (squares[0] * squares[1]) ** 0.5)
