"""The rulebook: prepares rules and evaluates them one by one, each in isolation."""

from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from itertools import zip_longest
from typing import Protocol, Self, cast

import msgspec

from services.journey.domain.friction import BilingualText, FrictionAdvice, RuleFinding
from services.journey.domain.history import CustomerHistory
from services.journey.domain.names import FrictionId, TimerId, timer_id
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
from services.journey.domain.rules.inputs import HistoryGrowth
from services.journey.domain.rules.matching import mentions_field
from services.journey.domain.rules.rule import RuleFailure
from services.journey.domain.rules.shapes.registry import AnyRule
from services.journey.domain.timer import Timer


class RuleEvaluation(msgspec.Struct, frozen=True, gc=False):
    """What all rules found in one history."""

    findings: list[RuleFinding]
    timers: list[Timer]
    failures: list[RuleFailure]

    def add(self, other: "RuleEvaluation") -> None:
        """Add what other rules found."""
        self.findings.extend(other.findings)
        self.timers.extend(other.timers)
        self.failures.extend(other.failures)


class RuleGroup:
    """All editions of one rule that were ever in force, in order: they are asked together."""

    __slots__ = ("editions",)

    def __init__(self, editions: Sequence[RuleEdition]) -> None:
        """Keep `editions`."""
        self.editions = editions

    def may_find(self, kinds: frozenset[str], fields: frozenset[str]) -> bool:
        """Return whether any edition can find anything where there are these kinds of touchpoints and rare fields."""
        return any(edition.may_find(kinds, fields) for edition in self.editions)

    def is_reached(self, came: HistoryGrowth) -> bool:
        """Return whether what `came` at the end of a history can change what any edition finds there."""
        return any(edition.is_reached(came) for edition in self.editions)


class GivenAnswers(msgspec.Struct, frozen=True):
    """What each rule found in a history of `length` touchpoints, when these timers had `fired`."""

    length: int
    fired: frozenset[TimerId]
    efforts: Sequence[float]
    by_rule: dict[RuleGroup, RuleEvaluation]


class AnswerKey:
    """What the answers of a rulebook are kept under; they are gone when it is."""

    __slots__ = ("__weakref__",)


class RuleMeter(Protocol):
    """Learns what each rule costs. The clock is its own: the domain has none."""

    def begin(self) -> None:
        """Note that the first rule is asked now."""
        ...

    def spent(self, rule: str) -> None:
        """Note that the rule `rule` has been asked, and the next one is asked now."""
        ...


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
        self._known_as = AnswerKey()  # with or without a meter, what was answered is the same
        self._meter: RuleMeter | None = None
        latest = versions[-1].rules
        self.rules: tuple[AnyRule, ...] = tuple(rule for rule in latest if not isinstance(rule, UnknownRule))
        self.unknown: tuple[UnknownRule, ...] = tuple(rule for rule in latest if isinstance(rule, UnknownRule))
        self._editions = {(one.rule.id, one.number): one for one in editions.values()}
        asked = [[edition for edition in editions if edition.is_ever_in_force] for editions in by_rule.values()]
        self._asked = tuple(RuleGroup(editions) for editions in asked if editions)
        self._plans: dict[_InputsThere, Sequence[RuleGroup]] = {}
        in_force = [edition for editions in asked for edition in editions]
        self._is_constant = all(edition.is_always_in_force for edition in in_force)
        self._asks_for_level = any(mentions_field(edition.rule, "service_level") for edition in in_force)

    def metered(self, meter: RuleMeter) -> Self:
        """Return these rules, with a meter that is told when each of them has been asked."""
        book = copy(self)
        book._meter = meter
        return book

    def evaluate(self, history: CustomerHistory) -> RuleEvaluation:
        """Evaluate every rule over `history`; a rule that raises is reported and does not affect the others.

        Where the history has only grown since, rules that look at nothing of what came are not asked again.
        """
        if not self._asked:
            return RuleEvaluation([], [], [])
        if self._asks_for_level:
            history.spread_service_levels()
        evaluation = RuleEvaluation([], [], [])
        known, came = self._answers_so_far(history)
        span = None if self._is_constant else _append_span(history)
        for group in self._concerned(history):
            said = known.get(group)
            if said is None or came is None or said.failures or group.is_reached(came):
                said = known[group] = self._ask(group, history, span)
            evaluation.add(said)
        history.answers[self._known_as] = GivenAnswers(len(history.units), history.fired, history.efforts, known)
        return evaluation

    def _answers_so_far(self, history: CustomerHistory) -> tuple[dict[RuleGroup, RuleEvaluation], HistoryGrowth | None]:
        """Return what each rule found when it was asked last, and what came since; None if all is to be asked again."""
        given = cast("GivenAnswers | None", history.answers.get(self._known_as))
        if given is None or given.fired != history.fired:
            return {}, None
        units = history.units[given.length :]
        if not self._is_constant and any(unit.at.interaction_id is not None for unit in units):
            return {}, None  # when an interaction was appended first may be another moment now
        contacts = any(history.contact_of(unit.position) is not None for unit in units)
        return given.by_rule, HistoryGrowth(units, contacts, history.efforts != given.efforts)

    def _ask(self, group: RuleGroup, history: CustomerHistory, span: AppendSpan | None) -> RuleEvaluation:
        """Ask one rule, in all its editions."""
        said = RuleEvaluation([], [], [])
        judged: list[JudgedCandidate] = []
        failure: RuleFailure | None = None
        for edition in group.editions:
            try:
                judged += edition.candidates(history, span)
            except Exception as error:  # noqa: BLE001 - a rule's failure is a value: the worker counts it by name
                failure = _failure(edition, error)
        try:
            if judged:
                self._settle(judged, history, said)
        except Exception as error:  # noqa: BLE001 - as above
            failure = _failure(group.editions[-1], error)
        if failure is not None:
            said.failures.append(failure)
        return said

    def _concerned(self, history: CustomerHistory) -> Iterable[RuleGroup]:
        plan = self._plan(history)
        return plan if self._meter is None else _measured(plan, self._meter)

    def _plan(self, history: CustomerHistory) -> Sequence[RuleGroup]:
        """Return the rules whose input is in `history`: the others find nothing, and are not asked."""
        if not self._asked:
            return ()
        there = frozenset(history.by_kind), history.rare_fields()
        plan = self._plans.get(there)
        if plan is None:
            if len(self._plans) >= MOST_PLANS:
                self._plans.clear()
            plan = self._plans[there] = [group for group in self._asked if group.may_find(*there)]
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


def _measured(plan: Sequence[RuleGroup], meter: RuleMeter) -> Iterator[RuleGroup]:
    meter.begin()
    for group in plan:
        yield group
        meter.spent(group.editions[0].rule.id)


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
