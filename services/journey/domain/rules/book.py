"""The rulebook: prepares rules and evaluates them one by one, each in isolation."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Self

import msgspec

from services.journey.domain.friction import BilingualText, FrictionAdvice, RuleFinding
from services.journey.domain.history import CustomerHistory
from services.journey.domain.names import FrictionId, timer_id
from services.journey.domain.rules.edition import (
    BEGINNING,
    AppendSpan,
    RuleEdition,
    RuleRefusedError,
    RulesVersion,
    UnknownRule,
)
from services.journey.domain.rules.evaluator import FindingCandidate
from services.journey.domain.rules.findings import JudgedCandidate, apply_cooldown_and_cap, build_finding
from services.journey.domain.rules.matching import mentions_field
from services.journey.domain.rules.rule import RuleFailure
from services.journey.domain.rules.shapes.registry import AnyRule
from services.journey.domain.timer import Timer


class RuleEvaluation(msgspec.Struct, frozen=True, gc=False):
    """What all rules found in one history."""

    findings: list[RuleFinding]
    timers: list[Timer]
    failures: list[RuleFailure]


class Rulebook:
    """The rules of every version. It is built once and shared, because it holds no state of any customer: only which
    rules are concerned by which kinds of touchpoints.

    `rules` are those of the latest version that this release knows, disabled ones too.
    """

    def __init__(self, rules: Sequence[AnyRule]) -> None:
        """Prepare `rules`, in force at all times; raise `RuleRefusedError` for one that cannot be used."""
        self._take([RulesVersion(in_force_from=BEGINNING, rules=rules)])

    @classmethod
    def through(cls, versions: Sequence[RulesVersion]) -> Self:
        """Return the rules of `versions`, which come in order; raise `RuleRefusedError` as for one version."""
        book = cls.__new__(cls)
        book._take(versions)
        return book

    def _take(self, versions: Sequence[RulesVersion]) -> None:
        editions: dict[bytes, RuleEdition] = {}
        by_rule: dict[str, list[RuleEdition]] = {}
        for version, following in zip_longest(versions, versions[1:]):
            ids: set[str] = set()
            for rule in version.rules:
                if rule.id in ids:
                    raise RuleRefusedError(rule.id, "this id is given twice")
                ids.add(rule.id)
                content = rule.content if isinstance(rule, UnknownRule) else _CONTENT.encode(rule)
                edition = editions.get(content)
                if edition is None:
                    wordings = by_rule.setdefault(rule.id, [])
                    edition = editions[content] = RuleEdition(rule, len(wordings))
                    wordings.append(edition)
                if isinstance(rule, UnknownRule) or rule.enabled:
                    edition.add_period(version.in_force_from, None if following is None else following.in_force_from)
        latest = versions[-1].rules
        self.rules: tuple[AnyRule, ...] = tuple(rule for rule in latest if not isinstance(rule, UnknownRule))
        self.unknown: tuple[UnknownRule, ...] = tuple(rule for rule in latest if isinstance(rule, UnknownRule))
        self._editions = {(one.rule.id, one.number): one for one in editions.values()}
        asked = [[edition for edition in group if edition.is_ever_in_force] for group in by_rule.values()]
        self._asked = tuple(group for group in asked if group)
        self._plans: dict[_InputsThere, Sequence[list[RuleEdition]]] = {}
        self._is_constant = all(edition.is_always_in_force for group in self._asked for edition in group)
        self._asks_for_level = any(
            mentions_field(edition.rule, "service_level") for group in self._asked for edition in group
        )

    def evaluate(self, history: CustomerHistory) -> RuleEvaluation:
        """Evaluate every rule over `history`; a rule that raises is reported and does not affect the others."""
        if self._asks_for_level:
            history.spread_service_levels()
        evaluation = RuleEvaluation([], [], [])
        span = None if self._is_constant else _append_span(history)
        for editions in self._concerned(history):
            judged: list[JudgedCandidate] = []
            failure: RuleFailure | None = None
            for edition in editions:
                try:
                    judged += edition.candidates(history, span)
                except Exception as error:  # noqa: BLE001 - a rule's failure is a value: the worker counts it by name
                    failure = _failure(edition, error)
            try:
                if judged:
                    self._settle(judged, history, evaluation)
            except Exception as error:  # noqa: BLE001 - as above
                failure = _failure(editions[-1], error)
            if failure is not None:
                evaluation.failures.append(failure)
        return evaluation

    def _concerned(self, history: CustomerHistory) -> Sequence[list[RuleEdition]]:
        """Return the rules whose input is in `history`: the others find nothing, and are not asked."""
        if not self._asked:
            return ()
        there = frozenset(history.by_kind), history.rare_fields()
        plan = self._plans.get(there)
        if plan is None:
            if len(self._plans) >= MOST_PLANS:
                self._plans.clear()
            plan = self._plans[there] = [
                group for group in self._asked if any(edition.may_find(*there) for edition in group)
            ]
        return plan

    def texts(self, found: RuleFinding) -> tuple[BilingualText, BilingualText]:
        """Return the title and the explanation of `found`, in the words of the edition that found it."""
        texts = self._editions[found.rule, found.edition].texts
        return texts.title(found), texts.explanation(found)

    def advice(self, found: RuleFinding) -> FrictionAdvice:
        """Return what the edition that found `found` says about its frictions beside their texts."""
        return self._editions[found.rule, found.edition].advice

    @staticmethod
    def _settle(judged: list[JudgedCandidate], history: CustomerHistory, into: RuleEvaluation) -> None:
        """Turn candidates into timers while the stream has not passed their due time, otherwise into findings."""
        timers = []
        standing = []
        for one in judged:
            timer = _timer(one.rule, one.candidate, history)
            if timer is None or timer.id in history.fired:
                standing.append(one)
            else:
                timers.append(timer)
        findings: dict[FrictionId, RuleFinding] = {}
        for one in apply_cooldown_and_cap(standing):
            found = build_finding(one, history)
            findings.setdefault(found.id, found)  # of several at one anchor the first stands
        into.timers.extend(timers)
        into.findings.extend(findings.values())


MOST_PLANS = 10_000
"""Most combinations of kinds and fields for which it is remembered which rules they concern."""

_InputsThere = tuple[frozenset[str], frozenset[str]]

_CONTENT = msgspec.json.Encoder(order="deterministic")


def _append_span(history: CustomerHistory) -> AppendSpan | None:
    times = [one.appended_at for one in history.recorded]
    return (min(times), max(times)) if times else None


def _failure(edition: RuleEdition, error: Exception) -> RuleFailure:
    return RuleFailure(rule=edition.rule.id, rule_version=edition.rule.version, error=type(error).__name__)


def _timer(rule: AnyRule, candidate: FindingCandidate, history: CustomerHistory) -> Timer | None:
    """Return the timer of an absence; None for a candidate of another shape.

    Where the due time can move, it is part of the timer's name: a timer that fired says nothing about another time.
    """
    if candidate.due_at is None:
        return None
    armed_by = candidate.anchor.at
    moves = candidate.due_moves or bool(rule.by_service_level)  # a level may become known late
    name = f"{rule.id}@{candidate.due_at.isoformat()}" if moves else rule.id
    return Timer(
        id=timer_id(name, armed_by.source, armed_by.id),
        rule=rule.id,
        armed_by=armed_by.key,
        due_at=candidate.due_at,
        appended_at=history.recorded[candidate.anchor.position].appended_at,
        replay=armed_by.replay,
    )
