"""The shape *stage*: something that goes through stages stands still in one (docs/semantics.md, stage)."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from operator import attrgetter
from typing import ClassVar

import msgspec

from services.journey.domain.contacts.contact import CountedUnit
from services.journey.domain.history import CustomerHistory
from services.journey.domain.rules.business_time import BusinessTime
from services.journey.domain.rules.evaluator import FindingCandidate, RuleEvaluator
from services.journey.domain.rules.placeholders import Placeholders, duration_of, number_of, when_due
from services.journey.domain.rules.rule import Matcher, Rule, RuleScope
from services.journey.domain.rules.rule_checks import demand, positive
from services.journey.domain.rules.shapes.waiting import WaitingClock, waiting_numbers
from services.journey.domain.rules.units import FieldAgreement, UnitPicker


class StageStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stage: what begins it, and how long it may last; without `within`, as long as it takes."""

    name: str
    begins: Matcher
    within: timedelta | None = None


class StageRule(Rule, frozen=True, kw_only=True, tag="stage"):
    """A stage that lasts too long: it is left when another of `stages` begins, or by a touchpoint that matches `ends`.

    What agrees on the fields in `same` goes through the stages together. The time runs in `active_time_interval` only.
    """

    stages: tuple[StageStep, ...]
    ends: Matcher
    same: tuple[str, ...] = ()
    active_time_interval: BusinessTime | None = None
    per: ClassVar[RuleScope] = RuleScope.CUSTOMER

    placeholders: ClassVar[Placeholders] = {
        "stage": number_of("stage"),
        "due_at": when_due,
        "waited": duration_of("waited_s"),
    }

    def check(self) -> None:
        """Raise `InvalidRuleError` if the members of the shape do not fit together."""
        names = [stage.name for stage in self.stages]
        for name in names:
            demand(names.count(name) == 1, f"stages: {name} is given twice")
        for stage in self.stages:
            positive(f"stages: within of {stage.name}", stage.within)
        demand(any(stage.within is not None for stage in self.stages), "stages: none has within")

    def evaluator(self) -> RuleEvaluator:
        """Return what evaluates this rule; raise `InvalidRuleError` if it cannot be prepared."""
        return StageEvaluator(self)


class StageMark(msgspec.Struct, frozen=True, gc=False):
    """A touchpoint that begins the stage with this number, None if it ends them all."""

    unit: CountedUnit
    stage: int | None


class StageEvaluator:
    """A prepared stage rule. Its candidates have a due time; whether it has passed is left to the rulebook."""

    def __init__(self, rule: StageRule) -> None:
        """Prepare `rule`; raise `InvalidRuleError` if it cannot be prepared."""
        self._stages = rule.stages
        self._begins = [UnitPicker(stage.begins) for stage in rule.stages]
        self._ends = UnitPicker(rule.ends)
        self._agreement = FieldAgreement(rule.same)
        self._clock = WaitingClock(rule.active_time_interval, self._agreement)

    def evaluate(self, history: CustomerHistory) -> Iterable[FindingCandidate]:
        """Yield a candidate for each stage that is not left in time."""
        begun = {one.position: StageMark(one, at) for at, each in enumerate(self._begins) for one in each.pick(history)}
        if not begun:
            return
        begun |= {one.position: StageMark(one, None) for one in self._ends.pick(history)}
        marks = [begun[position] for position in sorted(begun)]
        for at, mark in enumerate(marks):
            stage = None if mark.stage is None else self._stages[mark.stage]
            if stage is None or stage.within is None:
                continue
            due_at = self._clock.after(mark.unit.time, stage.within)
            agrees = self._agreement.with_(mark.unit)
            if due_at is None or _goes_on(marks, at, agrees):
                continue
            first = bisect_left(marks, mark.unit.time, key=_time)
            left = (one for one in marks[first:] if one.stage != mark.stage and _agree(agrees, one))
            if (next_ := next(left, None)) is None or next_.unit.time > due_at:
                numbers = {"stage": stage.name, **waiting_numbers(mark.unit.time, due_at)}
                yield FindingCandidate(mark.unit, (mark.unit,), numbers, due_at)


Agrees = Callable[[CountedUnit], bool] | None

_time = attrgetter("unit.time")


def _goes_on(marks: Sequence[StageMark], at: int, agrees: Agrees) -> bool:
    """Return whether the stage was begun before, and not left since."""
    before = next((marks[index] for index in range(at - 1, -1, -1) if _agree(agrees, marks[index])), None)
    return before is not None and before.stage == marks[at].stage


def _agree(agrees: Agrees, mark: StageMark) -> bool:
    return agrees is None or agrees(mark.unit)
