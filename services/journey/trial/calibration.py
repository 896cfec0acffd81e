"""Whether effort scores agree with what customers answered when they were asked.

For each answer to a survey, the effort of its journey until then is computed as the worker computes it, from the
touchpoints before the answer, and compared with the answer. What a survey says itself is left out: a `survey_answered`
does not count, and of another touchpoint with an answer (a call with a rating) everything but the answer does. Pure.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import atanh, sqrt, tanh
from typing import Final

import msgspec

from services.journey.domain.contacts.contact import CountedUnit
from services.journey.domain.effort import Effort, measure
from services.journey.domain.history import CustomerHistory
from services.journey.domain.journey import segment
from services.journey.domain.projection import ProjectionPolicy
from services.journey.domain.touchpoint import SurveyScore, Touchpoint
from services.journey.trial.backtest import BacktestWindow, StoredHistory

FEWEST: Final = 10
"""Fewest answers of which a correlation is told: below that it is chance."""

BANDS: Final = (0.0, 0.1, 25.0, 50.0, 75.0, 90.0)
"""Where bands of effort scores begin; the first holds the journeys without any effort."""

_HARD_SEVENTHS: Final = 3
"""An answer of at most three sevenths of its scale is a bad one, as effort and the rules take it."""

_Z: Final = 1.96
"""Of the normal distribution: 95 % lie within so many standard errors."""

_SURVEY: Final = "survey_answered"

Pairs = Mapping[tuple[float, float], int]
"""How often two numbers were seen together."""


class Correlation(msgspec.Struct, frozen=True, kw_only=True):
    """Spearman's rank correlation, -1 to 1, with its 95 % interval (None where it has no width)."""

    spearman: float
    low: float | None
    high: float | None


class EffortBand(msgspec.Struct, frozen=True, kw_only=True):
    """The answers after journeys whose score was at least `begins`, and below the next band."""

    begins: float
    answers: int
    mean: float
    bad: float


class PartAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """How one part of the score goes with the answers; `mean_with` and `mean_without` are answers, 0 to 1."""

    factor: str
    answers: int
    mean_with: float
    mean_without: float | None
    correlation: Correlation | None


class CalibrationTally(msgspec.Struct, kw_only=True):
    """Answers by the effort before them: `scores` and, by its name, the points of each part. Answers are 0 to 1.

    `alone` counts the answers whose journey has nothing else, of which no effort can be known.
    """

    judged: int = 0
    read: int = 0
    alone: int = 0
    scores: Counter[tuple[float, float]] = msgspec.field(default_factory=Counter)
    parts: dict[str, Counter[tuple[float, float]]] = msgspec.field(default_factory=dict)

    def add(self, other: "CalibrationTally") -> None:
        """Add what another part of the customers gave."""
        self.judged += other.judged
        self.read += other.read
        self.alone += other.alone
        self.scores.update(other.scores)
        for factor, pairs in other.parts.items():
            self.parts.setdefault(factor, Counter()).update(pairs)

    def note(self, effort: Effort, answer: float) -> None:
        """Count one answer, 0 to 1, after a journey of this effort."""
        self.scores[effort.score, answer] += 1
        for part in effort.parts:
            self.parts.setdefault(part.factor, Counter())[float(part.points), answer] += 1

    def answers(self) -> int:
        """Return how many answers were compared."""
        return self.scores.total()

    def agreement(self) -> Correlation | None:
        """Return how scores and answers go together, None if there are too few or all are alike."""
        return rank_correlation(self.scores)

    def bands(self) -> list[EffortBand]:
        """Return the bands that have answers, the easiest first."""
        found: defaultdict[float, Counter[float]] = defaultdict(Counter)
        for (score, answer), count in self.scores.items():
            found[max(begins for begins in BANDS if begins <= score)][answer] += count
        return [_band(begins, found[begins]) for begins in sorted(found)]

    def part_agreements(self) -> list[PartAgreement]:
        """Return how each part goes with the answers, the one with the worst answers first."""
        everybody = _by_second(self.scores)
        found = [_part(factor, pairs, everybody) for factor, pairs in self.parts.items()]
        return sorted(found, key=lambda one: (one.correlation.spearman if one.correlation else 0.0, one.factor))


class Calibration:
    """Compares the answers to one kind of survey (`metric`) in the window with the effort before them."""

    def __init__(self, policy: ProjectionPolicy, window: BacktestWindow, metric: str) -> None:
        """Prepare to look for answers to `metric`, such as `ces`."""
        self._policy = policy
        self._window = window
        self._metric = metric

    def empty(self) -> CalibrationTally:
        """Return a tally of no customers."""
        return CalibrationTally()

    def judge(self, histories: Iterable[StoredHistory]) -> CalibrationTally:
        """Return the tally of some customers."""
        tally = CalibrationTally()
        for history in histories:
            tally.judged += 1
            tally.read += len(history.touchpoints)
            self._judge(history, tally)
        return tally

    def _judge(self, history: StoredHistory, tally: CalibrationTally) -> None:
        asked = (one for one in history.touchpoints if self._answer(one.touchpoint.score) is not None and not one.late)
        wanted = {one.touchpoint.key for one in asked if self._window.holds(one.touchpoint.occurred_at)}
        if not wanted:
            return
        whole = CustomerHistory(history.touchpoints, self._policy.contacts)
        for unit in whole.units:
            answer = self._answer(unit.at.score)
            if answer is None or unit.at.key not in wanted:
                continue
            effort = self._effort_before(CustomerHistory(whole.recorded[: unit.position + 1], self._policy.contacts))
            if effort is None:
                tally.alone += 1
            else:
                tally.note(effort, answer)

    def _answer(self, score: SurveyScore | None) -> float | None:
        return None if score is None or score.metric != self._metric else score.value / score.scale

    def _effort_before(self, history: CustomerHistory) -> Effort | None:
        """Return the effort of the journey of the last touchpoint, an answer, without what the answer says."""
        segments = segment(history, self._policy.journeys)
        journey = history.journey_of[-1]
        members = [history.units[position] for position in segments[journey].members]
        touchpoints = list(_without_answer(members))
        if not touchpoints:
            return None
        contacts = [one for one in history.contacts if history.journey_of[one.position] == journey]
        return measure(touchpoints, contacts)


def _without_answer(members: Sequence[CountedUnit]) -> Iterator[Touchpoint]:
    *before, last = (unit.at for unit in members)
    yield from before
    if last.kind != _SURVEY:
        yield msgspec.structs.replace(last, score=None)


def rank_correlation(pairs: Pairs) -> Correlation | None:
    """Return Spearman's correlation, ties at their middle rank; None of fewer than 10, or where one side is constant.

    The interval is by Fisher's transformation with the standard error of Bonett and Wright (2000).
    """
    number = sum(pairs.values())
    if number < FEWEST:
        return None
    first, second = _middle_ranks(_by_first(pairs)), _middle_ranks(_by_second(pairs))
    middle = (number + 1) / 2
    both = squares = others = 0.0
    for (one, other), count in pairs.items():
        left, right = first[one] - middle, second[other] - middle
        both += count * left * right
        squares += count * left * left
        others += count * right * right
    if not squares or not others:
        return None
    found = max(-1.0, min(1.0, both / sqrt(squares * others)))
    if abs(found) > 1 - 1e-12:
        return Correlation(spearman=found, low=None, high=None)
    error = sqrt((1 + found * found / 2) / (number - 3))
    return Correlation(spearman=found, low=tanh(atanh(found) - _Z * error), high=tanh(atanh(found) + _Z * error))


def _middle_ranks(counts: Mapping[float, int]) -> dict[float, float]:
    ranks: dict[float, float] = {}
    before = 0
    for value in sorted(counts):
        ranks[value] = before + (counts[value] + 1) / 2
        before += counts[value]
    return ranks


def _by_first(pairs: Pairs) -> Counter[float]:
    found: Counter[float] = Counter()
    for (one, _), count in pairs.items():
        found[one] += count
    return found


def _by_second(pairs: Pairs) -> Counter[float]:
    found: Counter[float] = Counter()
    for (_, other), count in pairs.items():
        found[other] += count
    return found


def _mean(answers: Mapping[float, int]) -> float | None:
    number = sum(answers.values())
    return sum(answer * count for answer, count in answers.items()) / number if number else None


def _band(begins: float, answers: Counter[float]) -> EffortBand:
    number = answers.total()
    bad = sum(count for answer, count in answers.items() if answer * 7 <= _HARD_SEVENTHS)
    return EffortBand(begins=begins, answers=number, mean=_mean(answers) or 0.0, bad=bad / number)


def _part(factor: str, pairs: Counter[tuple[float, float]], everybody: Counter[float]) -> PartAgreement:
    having = _by_second(pairs)
    without = Counter({answer: count - having[answer] for answer, count in everybody.items()})
    whole = Counter(pairs)
    whole.update({(0.0, answer): count for answer, count in without.items() if count})
    return PartAgreement(
        factor=factor,
        answers=pairs.total(),
        mean_with=_mean(having) or 0.0,
        mean_without=_mean(without),
        correlation=rank_correlation(whole),
    )
