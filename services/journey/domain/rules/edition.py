"""Editions of rules: each wording of a rule, with the periods in which it was in force.

A rule that changes is one rule in two editions. The edition that judges a candidate is the one in force when the broker
appended what names the friction, so a change neither finds nor takes back anything in what came before it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from services.journey.domain.friction import FrictionAdvice
from services.journey.domain.history import CustomerHistory
from services.journey.domain.rules.evaluator import LeveledRule, RuleEvaluator
from services.journey.domain.rules.findings import JudgedCandidate, named_at
from services.journey.domain.rules.inputs import NOTHING_NEEDED, HistoryGrowth, InputNeed, RuleReach, needs_of
from services.journey.domain.rules.matching import InvalidRuleError
from services.journey.domain.rules.rule import advice_of
from services.journey.domain.rules.rule_checks import at_level, check_shared
from services.journey.domain.rules.rule_texts import RuleTexts
from services.journey.domain.rules.shapes.registry import AnyRule

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""From when the first version is in force: no record counts as appended earlier."""

_END = datetime.max.replace(tzinfo=UTC)

AppendSpan = tuple[datetime, datetime]
"""When the broker appended the first and the last touchpoint of a history."""


class RuleRefusedError(ValueError):
    """A rule that cannot be used; the message names it and says why."""

    def __init__(self, rule: str, why: str) -> None:
        """Name the rule by its id, and say `why` it cannot be used."""
        super().__init__(f"{rule}: {why}")


class UnknownRuleError(Exception):
    """A rule in force that this release does not know; a newer one evaluates it."""


class UnknownRule(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A stored rule that this release cannot read. `content` is what is stored, `why` the reason."""

    id: str
    version: int
    content: bytes
    why: str


class RulesVersion(msgspec.Struct, frozen=True, kw_only=True):
    """All rules of one version, in force from a moment on until the next version is."""

    in_force_from: datetime
    rules: Sequence[AnyRule | UnknownRule]


class RuleEdition:
    """One wording of a rule, prepared. Its `number` is its place among those of the rule, from 0."""

    __slots__ = ("_advice", "_leveled", "_needs", "_periods", "_reach", "_texts", "number", "rule")

    def __init__(self, rule: AnyRule | UnknownRule, number: int) -> None:
        """Prepare `rule`; raise `RuleRefusedError` if it cannot be used."""
        self.rule = rule
        self.number = number
        self._texts: RuleTexts | None = None
        self._advice: FrictionAdvice | None = None
        self._leveled: LeveledRule[AnyRule] | None = None
        self._periods: list[tuple[datetime, datetime]] = []
        self._needs: Sequence[InputNeed] = NOTHING_NEEDED
        self._reach: RuleReach | None = None
        if isinstance(rule, UnknownRule):
            return
        try:
            _check(rule)
            by_level: dict[str, tuple[AnyRule, RuleEvaluator]] = {}
            for level in rule.by_service_level:
                _check(leveled := at_level(rule, level))
                by_level[level] = leveled, leveled.evaluator()
            self._texts = RuleTexts(rule)
            self._advice = advice_of(rule)
            self._leveled = LeveledRule(rule, rule.evaluator(), by_level)
            self._needs = needs_of(rule)
            self._reach = RuleReach(rule)
        except InvalidRuleError as error:
            raise RuleRefusedError(rule.id, str(error)) from error

    @property
    def is_ever_in_force(self) -> bool:
        """Whether there is any time at which the edition was in force."""
        return bool(self._periods)

    @property
    def is_always_in_force(self) -> bool:
        """Whether the edition was in force from the beginning, and still is."""
        return self._periods == [(BEGINNING, _END)]

    @property
    def texts(self) -> RuleTexts:
        """The texts of the rule; raises `UnknownRuleError`."""
        if self._texts is None:
            raise UnknownRuleError(self.rule.id)
        return self._texts

    @property
    def advice(self) -> FrictionAdvice:
        """What the rule says about its frictions beside their texts; raises `UnknownRuleError`."""
        if self._advice is None:
            raise UnknownRuleError(self.rule.id)
        return self._advice

    def add_period(self, begin: datetime, end: datetime | None) -> None:
        """Say that the edition is in force from `begin` to before `end`, None for now; periods come in order."""
        if self._periods and self._periods[-1][1] == begin:
            begin = self._periods.pop()[0]
        self._periods.append((begin, _END if end is None else end))

    def may_find(self, kinds: frozenset[str], fields: frozenset[str]) -> bool:
        """Return whether the rule can find anything where there are these kinds of touchpoints and rare fields."""
        return all(need.is_met(kinds, fields) for need in self._needs)

    def is_reached(self, came: HistoryGrowth) -> bool:
        """Return whether what `came` at the end of a history can change what the rule finds there."""
        return self._reach is None or self._reach.is_reached(came)

    def candidates(self, history: CustomerHistory, span: AppendSpan | None) -> list[JudgedCandidate]:
        """Return what this edition finds and judges; `span` is that of `history`, None for an edition always in force.

        Raises:
            UnknownRuleError: this release does not know the rule.
        """
        if span is not None and not self._meets(span):
            return []
        if self._leveled is None:
            raise UnknownRuleError(self.rule.id)
        found = [JudgedCandidate(worded, self.number, one) for worded, one in self._leveled.evaluate(history)]
        if not found or span is None or self._holds(span):
            return found
        return [one for one in found if self._covers(named_at(one, history))]

    def _meets(self, span: AppendSpan) -> bool:
        first, last = span
        return any(begin <= last and first < end for begin, end in self._periods)

    def _holds(self, span: AppendSpan) -> bool:
        first, last = span
        return any(begin <= first and last < end for begin, end in self._periods)

    def _covers(self, moment: datetime) -> bool:
        return any(begin <= moment < end for begin, end in self._periods)


def _check(rule: AnyRule) -> None:
    check_shared(rule)
    rule.check()
