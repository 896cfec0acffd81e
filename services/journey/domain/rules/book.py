"""The rulebook: rules made ready to run, evaluated one by one, each in isolation."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from services.journey.domain.friction import Finding, Text
from services.journey.domain.history import History
from services.journey.domain.names import FrictionId, timer_id
from services.journey.domain.rules.absence import AbsenceRule
from services.journey.domain.rules.count import CountRule
from services.journey.domain.rules.findings import finding, restrained
from services.journey.domain.rules.matching import SenselessError, names
from services.journey.domain.rules.scope import Candidate
from services.journey.domain.rules.sense import check
from services.journey.domain.rules.sequence import PatternRule, StepsRule
from services.journey.domain.rules.shape import Absence, AnyRule, Count, RuleFailed, Threshold
from services.journey.domain.rules.threshold import ThresholdRule
from services.journey.domain.rules.wording import Wording
from services.journey.domain.timer import Timer


class RuleRefusedError(ValueError):
    """A rule that makes no sense; the message names it and says why."""

    def __init__(self, rule: str, why: str) -> None:
        """`rule` is its id."""
        super().__init__(f"{rule}: {why}")


class Ready(Protocol):
    """A rule made ready."""

    def evaluate(self, history: History) -> Iterable[Candidate]:
        """What it finds, anchors in any order."""
        ...


class Evaluation(msgspec.Struct, frozen=True, gc=False):
    """What all rules say of one history."""

    findings: list[Finding]
    timers: list[Timer]
    failures: list[RuleFailed]


class Rulebook:
    """Rules in force. Built once and shared: it holds no state of any customer."""

    def __init__(self, rules: Sequence[AnyRule]) -> None:
        """Makes `rules` ready, disabled ones too; raises `RuleRefusedError`."""
        self.rules = tuple(rules)
        self._wording: dict[str, Wording] = {}
        self._ready: list[tuple[AnyRule, Ready]] = []
        for rule in self.rules:
            if rule.id in self._wording:
                raise RuleRefusedError(rule.id, "this id is given twice")
            try:
                check(rule)
                self._wording[rule.id] = Wording(rule)
                ready = _ready(rule)
            except SenselessError as error:
                raise RuleRefusedError(rule.id, str(error)) from error
            if rule.enabled:
                self._ready.append((rule, ready))
        self._asks_for_level = any(names(rule, "service_level") for rule, _ in self._ready)

    def evaluate(self, history: History) -> Evaluation:
        """Every rule over `history`; one that raises is reported and does not touch the others."""
        if self._asks_for_level:
            history.spread_service_levels()
        evaluation = Evaluation([], [], [])
        for rule, ready in self._ready:
            try:
                candidates = list(ready.evaluate(history))
                if candidates:
                    self._settle(rule, candidates, history, evaluation)
            except Exception as error:  # noqa: BLE001 - a rule's failure is a value: the worker counts it by name
                evaluation.failures.append(
                    RuleFailed(rule=rule.id, rule_version=rule.version, error=type(error).__name__)
                )
        return evaluation

    def words(self, found: Finding) -> tuple[Text, Text]:
        """The title and the explanation of `found`."""
        wording = self._wording[found.rule]
        return wording.title(found), wording.explanation(found)

    @staticmethod
    def _settle(rule: AnyRule, candidates: list[Candidate], history: History, into: Evaluation) -> None:
        """Candidates become timers while the stream has not passed their due time, else findings."""
        timers = []
        standing = []
        for candidate in candidates:
            timer = _timer(rule, candidate, history)
            if timer is None or timer.id in history.fired:
                standing.append(candidate)
            else:
                timers.append(timer)
        findings: dict[FrictionId, Finding] = {}
        for candidate in restrained(rule, standing):
            found = finding(rule, candidate, history)
            findings.setdefault(found.id, found)  # of several at one anchor the first stands
        into.timers.extend(timers)
        into.findings.extend(findings.values())


def _ready(rule: AnyRule) -> Ready:
    if isinstance(rule, Count):
        return CountRule(rule)
    if isinstance(rule, Threshold):
        return ThresholdRule(rule)
    if isinstance(rule, Absence):
        return AbsenceRule(rule)
    return PatternRule(rule) if rule.pattern else StepsRule(rule)


def _timer(rule: AnyRule, candidate: Candidate, history: History) -> Timer | None:
    """The timer that an absence waits for."""
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
