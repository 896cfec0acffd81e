"""The rulebook: prepares rules and evaluates them one by one, each in isolation."""

from collections.abc import Sequence

import msgspec

from services.journey.domain.friction import BilingualText, FrictionAdvice, RuleFinding
from services.journey.domain.history import CustomerHistory
from services.journey.domain.names import FrictionId, timer_id
from services.journey.domain.rules.evaluator import FindingCandidate, RuleEvaluator
from services.journey.domain.rules.findings import apply_cooldown_and_cap, build_finding
from services.journey.domain.rules.matching import InvalidRuleError, mentions_field
from services.journey.domain.rules.rule import RuleFailure, advice_of
from services.journey.domain.rules.rule_checks import check_shared
from services.journey.domain.rules.rule_texts import RuleTexts
from services.journey.domain.rules.shapes.registry import AnyRule
from services.journey.domain.timer import Timer


class RuleRefusedError(ValueError):
    """A rule that cannot be used; the message names it and says why."""

    def __init__(self, rule: str, why: str) -> None:
        """Name the rule by its id, and say `why` it cannot be used."""
        super().__init__(f"{rule}: {why}")


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
        self._advice: dict[str, FrictionAdvice] = {}
        self._evaluators: list[tuple[AnyRule, RuleEvaluator]] = []
        for rule in self.rules:
            if rule.id in self._texts:
                raise RuleRefusedError(rule.id, "this id is given twice")
            try:
                check_shared(rule)
                rule.check()
                self._texts[rule.id] = RuleTexts(rule)
                self._advice[rule.id] = advice_of(rule)
                evaluator = rule.evaluator()
            except InvalidRuleError as error:
                raise RuleRefusedError(rule.id, str(error)) from error
            if rule.enabled:
                self._evaluators.append((rule, evaluator))
        self._asks_for_level = any(mentions_field(rule, "service_level") for rule, _ in self._evaluators)

    def evaluate(self, history: CustomerHistory) -> RuleEvaluation:
        """Evaluate every rule over `history`; a rule that raises is reported and does not affect the others."""
        if self._asks_for_level:
            history.spread_service_levels()
        evaluation = RuleEvaluation([], [], [])
        for rule, evaluator in self._evaluators:
            try:
                candidates = list(evaluator.evaluate(history))
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

    def advice(self, rule: str) -> FrictionAdvice:
        """Return what the rule of this id says about its frictions beside their texts."""
        return self._advice[rule]

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
        for candidate in apply_cooldown_and_cap(rule, standing):
            found = build_finding(rule, candidate, history)
            findings.setdefault(found.id, found)  # of several at one anchor the first stands
        into.timers.extend(timers)
        into.findings.extend(findings.values())


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
