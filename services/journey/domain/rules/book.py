"""The rulebook: prepares rules and evaluates them one by one, each in isolation."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from services.journey.domain.friction import BilingualText, RuleFinding
from services.journey.domain.history import CustomerHistory
from services.journey.domain.names import FrictionId, timer_id
from services.journey.domain.rules.absence import AbsenceRule
from services.journey.domain.rules.count import CountRule
from services.journey.domain.rules.findings import build_finding, within_limits
from services.journey.domain.rules.matching import InvalidRuleError, mentions_field
from services.journey.domain.rules.rule_checks import check_rule
from services.journey.domain.rules.rule_texts import RuleTexts
from services.journey.domain.rules.scope import FindingCandidate
from services.journey.domain.rules.sequence import PatternRule, StepsRule
from services.journey.domain.rules.shape import AbsenceShape, AnyRule, CountShape, RuleFailure, ThresholdShape
from services.journey.domain.rules.threshold import ThresholdRule
from services.journey.domain.timer import Timer


class RuleRefusedError(ValueError):
    """A rule that cannot be used; the message names it and says why."""

    def __init__(self, rule: str, why: str) -> None:
        """Name the rule by its id, and say `why` it cannot be used."""
        super().__init__(f"{rule}: {why}")


class PreparedRule(Protocol):
    """A rule that is prepared to be evaluated."""

    def evaluate(self, history: CustomerHistory) -> Iterable[FindingCandidate]:
        """Yield the candidates in `history`, in any order of their anchors."""
        ...


class RuleEvaluation(msgspec.Struct, frozen=True, gc=False):
    """What all rules found in one history."""

    findings: list[RuleFinding]
    timers: list[Timer]
    failures: list[RuleFailure]


class Rulebook:
    """The rules in force. It is built once and shared, because it holds no state of any customer."""

    def __init__(self, rules: Sequence[AnyRule]) -> None:
        """Prepare `rules`, disabled ones too; raise `RuleRefusedError` for one that cannot be used."""
        self.rules = tuple(rules)
        self._texts: dict[str, RuleTexts] = {}
        self._ready: list[tuple[AnyRule, PreparedRule]] = []
        for rule in self.rules:
            if rule.id in self._texts:
                raise RuleRefusedError(rule.id, "this id is given twice")
            try:
                check_rule(rule)
                self._texts[rule.id] = RuleTexts(rule)
                ready = _ready(rule)
            except InvalidRuleError as error:
                raise RuleRefusedError(rule.id, str(error)) from error
            if rule.enabled:
                self._ready.append((rule, ready))
        self._asks_for_level = any(mentions_field(rule, "service_level") for rule, _ in self._ready)

    def evaluate(self, history: CustomerHistory) -> RuleEvaluation:
        """Evaluate every rule over `history`; a rule that raises is reported and does not affect the others."""
        if self._asks_for_level:
            history.spread_service_levels()
        evaluation = RuleEvaluation([], [], [])
        for rule, ready in self._ready:
            try:
                candidates = list(ready.evaluate(history))
                if candidates:
                    self._settle(rule, candidates, history, evaluation)
            except Exception as error:  # noqa: BLE001 - a rule's failure is a value: the worker counts it by name
                evaluation.failures.append(
                    RuleFailure(rule=rule.id, rule_version=rule.version, error=type(error).__name__)
                )
        return evaluation

    def texts(self, found: RuleFinding) -> tuple[BilingualText, BilingualText]:
        """Return the title and the explanation of `found`."""
        texts = self._texts[found.rule]
        return texts.title(found), texts.explanation(found)

    @staticmethod
    def _settle(
        rule: AnyRule, candidates: list[FindingCandidate], history: CustomerHistory, into: RuleEvaluation
    ) -> None:
        """Turn candidates into timers while the stream has not passed their due time, otherwise into findings."""
        timers = []
        standing = []
        for candidate in candidates:
            timer = _timer(rule, candidate, history)
            if timer is None or timer.id in history.fired:
                standing.append(candidate)
            else:
                timers.append(timer)
        findings: dict[FrictionId, RuleFinding] = {}
        for candidate in within_limits(rule, standing):
            found = build_finding(rule, candidate, history)
            findings.setdefault(found.id, found)  # of several at one anchor the first stands
        into.timers.extend(timers)
        into.findings.extend(findings.values())


def _ready(rule: AnyRule) -> PreparedRule:
    if isinstance(rule, CountShape):
        return CountRule(rule)
    if isinstance(rule, ThresholdShape):
        return ThresholdRule(rule)
    if isinstance(rule, AbsenceShape):
        return AbsenceRule(rule)
    return PatternRule(rule) if rule.pattern else StepsRule(rule)


def _timer(rule: AnyRule, candidate: FindingCandidate, history: CustomerHistory) -> Timer | None:
    """Return the timer of an absence; None for a candidate of another shape."""
    if candidate.due_at is None:
        return None
    armed_by = candidate.anchor.at
    return Timer(
        id=timer_id(rule.id, armed_by.source, armed_by.id),
        rule=rule.id,
        armed_by=armed_by.key,
        due_at=candidate.due_at,
        appended_at=history.recorded[candidate.anchor.position].appended_at,
        replay=armed_by.replay,
    )
