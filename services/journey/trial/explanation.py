"""Explains what one rule says about one customer: why it fired, or which of its conditions keeps it from firing.

Every answer comes from the rule's own evaluator: a condition is asked about by leaving it out, and by the values at
which the rule without it would fire. So an explanation cannot disagree with the rule. Pure.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from math import ceil
from typing import TypeVar, assert_never

import msgspec

from services.journey.domain.friction import RuleFinding
from services.journey.domain.history import CustomerHistory
from services.journey.domain.journey import segment
from services.journey.domain.projection import ProjectionPolicy
from services.journey.domain.rules.book import Rulebook
from services.journey.domain.rules.evaluator import FindingCandidate
from services.journey.domain.rules.matching import field_getter, number
from services.journey.domain.rules.rule import Clause, Matcher, Rule, RuleScope
from services.journey.domain.rules.rule_checks import at_level
from services.journey.domain.rules.shapes.absence import AbsenceRule
from services.journey.domain.rules.shapes.aggregate import AggregateRule
from services.journey.domain.rules.shapes.consequence import ConsequenceRule
from services.journey.domain.rules.shapes.count import CountRule
from services.journey.domain.rules.shapes.effort_line import EffortRule
from services.journey.domain.rules.shapes.limits import ThresholdLimit
from services.journey.domain.rules.shapes.registry import AnyRule
from services.journey.domain.rules.shapes.response import ResponseRule
from services.journey.domain.rules.shapes.sequence import SequenceRule
from services.journey.domain.rules.shapes.stage import StageRule
from services.journey.domain.rules.shapes.threshold import ThresholdRule
from services.journey.domain.rules.units import UnitPicker
from services.journey.domain.timer import Timer
from services.journey.domain.touchpoint import RecordedTouchpoint
from services.journey.trial.evaluation import evaluate_when_due

ENDLESS = 10**12
"""A number that no limit of a rule reaches."""

MOST_VALUES = 3
"""Values that an explanation names; a field may have as many as there are touchpoints."""

Shaped = TypeVar("Shaped", bound=Rule)


class ConditionExplanation(msgspec.Struct, frozen=True, kw_only=True):
    """One condition of a rule; which kinds of touchpoints it looks at is none, their number is `looked_at`.

    `holds` is false if the condition alone keeps the rule from firing: left out, the rule fires. `wanted` is what the
    rule says. `found` is the value at which it would have fired, the nearest that there is; None where there is none.
    """

    member: str
    wanted: str
    holds: bool
    found: str | None = None


class RuleExplanation(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule says about a customer. `waiting` are absences whose time has not come.

    `looked_at` is the number of units (touchpoints or contacts) that match the rule's first condition, of `units`.
    """

    rule: str
    enabled: bool
    units: int
    looked_at: int
    fired: tuple[RuleFinding, ...]
    waiting: tuple[Timer, ...]
    conditions: tuple[ConditionExplanation, ...]


def explain(
    rule: AnyRule, touchpoints: Iterable[RecordedTouchpoint], now: datetime, policy: ProjectionPolicy
) -> RuleExplanation:
    """Explain what `rule` says about the customer with these touchpoints at `now`; a rule that is off is asked too."""
    history = CustomerHistory(touchpoints, policy.contacts)
    segment(history, policy.journeys)
    asked = msgspec.structs.replace(rule, enabled=True)
    said = evaluate_when_due(Rulebook([asked]), history, lambda timer: timer.due_at <= now)
    matched, units = _looked_at(asked, history)
    return RuleExplanation(
        rule=rule.id,
        enabled=rule.enabled,
        units=units,
        looked_at=matched,
        fired=tuple(said.findings),
        waiting=tuple(said.timers),
        conditions=() if said.findings or said.timers else tuple(_conditions(_leveled(asked, history), history)),
    )


def _leveled(rule: AnyRule, history: CustomerHistory) -> AnyRule:
    """Return `rule` as it is for the service level that the customer has now."""
    level = history.service_level_at(len(history.units) - 1) if history.units else None
    return rule if level is None else at_level(rule, level)


def _candidates(rule: AnyRule, history: CustomerHistory) -> list[FindingCandidate]:
    return list(rule.evaluator().evaluate(history))


def _fires(rule: AnyRule, history: CustomerHistory) -> bool:
    return next(iter(rule.evaluator().evaluate(history)), None) is not None


def _looked_at(rule: AnyRule, history: CustomerHistory) -> tuple[int, int]:
    """Return how many units match the first condition of the rule, and of how many."""
    match rule:
        case CountRule() | ThresholdRule() | AggregateRule():
            matcher, contacts = rule.of, rule.contacts
        case SequenceRule(steps=(first, *_)):
            matcher, contacts = first.of, first.contacts
        case SequenceRule():
            matcher, contacts = rule.of, False
        case AbsenceRule() | ResponseRule():
            matcher, contacts = rule.after, False
        case StageRule():
            matcher, contacts = rule.stages[0].begins, False
        case ConsequenceRule():
            matcher, contacts = rule.of, rule.contacts
        case EffortRule():
            matcher, contacts = (), False
        case _:
            assert_never(rule)
    every = history.contacts if contacts else history.units
    return len(UnitPicker(matcher, contacts=contacts).pick(history)), len(every)


def _conditions(rule: AnyRule, history: CustomerHistory) -> Iterator[ConditionExplanation]:
    match rule:
        case CountRule():
            yield from _of_count(rule, history)
        case SequenceRule():
            yield from _of_sequence(rule, history)
        case ThresholdRule():
            yield from _of_limits(rule, history)
        case AggregateRule():
            yield from _of_aggregate(rule, history)
        case AbsenceRule():
            yield from _of_absence(rule, history)
        case ResponseRule():
            yield from _of_follow_up(rule, history)
        case _:
            yield from _of_the_rest(rule, history)


def _of_the_rest(
    rule: StageRule | EffortRule | ConsequenceRule, history: CustomerHistory
) -> Iterator[ConditionExplanation]:
    match rule:
        case StageRule():
            yield from _of_stages(rule, history)
        case EffortRule():
            most = next((n for n in range(rule.at_least - 1, 0, -1) if _fires(_with(rule, at_least=n), history)), 0)
            yield ConditionExplanation(member="at_least", wanted=str(rule.at_least), holds=most == 0, found=str(most))
        case ConsequenceRule():
            yield from _of_consequence(rule, history)
        case _:
            assert_never(rule)


def _of_count(rule: CountRule, history: CustomerHistory) -> Iterator[ConditionExplanation]:
    fewer = range(rule.at_least - 1, 0, -1)
    # the fewer it needs, the sooner it fires: the first that does is found by halves
    first = bisect_left(fewer, True, key=lambda n: _fires(_with(rule, at_least=n), history))
    most = fewer[first] if first < len(fewer) else 0
    yield ConditionExplanation(member="at_least", wanted=str(rule.at_least), holds=most == 0, found=str(most))
    yield from _of_within(rule, history)
    yield from _of_shared(rule, history)
    yield from _of_matcher(
        _MatcherPlace(
            member="of", matcher=rule.of, contacts=rule.contacts, replaced=lambda matcher: _with(rule, of=matcher)
        ),
        history,
    )


def _of_sequence(rule: SequenceRule, history: CustomerHistory) -> Iterator[ConditionExplanation]:
    for at, step in enumerate(rule.steps):
        replaced = partial(_with_step, rule, at)
        place = _MatcherPlace(member=f"steps[{at}]", matcher=step.of, contacts=step.contacts, replaced=replaced)
        yield from _of_matcher(place, history)
    yield from _of_within(rule, history)
    yield from _of_shared(rule, history)
    if rule.once:
        holds = not _fires(_with(rule, once=False), history)
        yield ConditionExplanation(member="once", wanted="true", holds=holds)


def _with_step(rule: SequenceRule, at: int, matcher: Matcher) -> SequenceRule:
    steps = list(rule.steps)
    steps[at] = msgspec.structs.replace(steps[at], of=matcher)
    return _with(rule, steps=tuple(steps))


def _of_aggregate(rule: AggregateRule, history: CustomerHistory) -> Iterator[ConditionExplanation]:
    most = next((n for n in range(rule.at_least - 1, 0, -1) if _fires(_with(rule, at_least=n), history)), 0)
    yield ConditionExplanation(member="at_least", wanted=str(rule.at_least), holds=most == 0, found=str(most))
    if rule.within is not None:
        holds = not _fires(_with(rule, within=None), history)
        yield ConditionExplanation(member="within", wanted=_duration(rule.within), holds=holds)
    yield from _of_limits(rule, history)


def _of_stages(rule: StageRule, history: CustomerHistory) -> Iterator[ConditionExplanation]:
    begun = [stage.name for stage in rule.stages if UnitPicker(stage.begins).pick(history)]
    names = ", ".join(stage.name for stage in rule.stages)
    yield ConditionExplanation(member="stages", wanted=names, holds=bool(begun), found=", ".join(begun) or None)
    holds = not _fires(_with(rule, ends={"kind": "\x00"}), history)
    yield ConditionExplanation(member="ends", wanted=_text(rule.ends), holds=holds)


def _of_consequence(rule: ConsequenceRule, history: CustomerHistory) -> Iterator[ConditionExplanation]:
    """Ask for the frictions first: a silence after them in which nothing counts shows those that stand."""
    shortest = timedelta(microseconds=1)
    never = _with(rule, expect={"kind": "\x00"}, of=(), contacts=False, within=rule.within or shortest)
    found = sorted({str(one.numbers["friction"]) for one in _candidates(never, history)})
    names = ", ".join(carried.id for carried in rule.frictions)
    yield ConditionExplanation(member="frictions", wanted=names, holds=bool(found), found=", ".join(found) or None)
    if rule.expect is not None:
        yield ConditionExplanation(member="expect", wanted=_text(rule.expect), holds=not found)
        return
    if rule.within is not None:
        holds = not _fires(_with(rule, within=None), history)
        yield ConditionExplanation(member="within", wanted=_duration(rule.within), holds=holds)
    for field in rule.same:
        others = tuple(one for one in rule.same if one != field)
        yield ConditionExplanation(member="same", wanted=field, holds=not _fires(_with(rule, same=others), history))
    place = _MatcherPlace(
        member="of", matcher=rule.of, contacts=rule.contacts, replaced=lambda matcher: _with(rule, of=matcher)
    )
    yield from _of_matcher(place, history)


def _of_limits(rule: ThresholdRule | AggregateRule, history: CustomerHistory) -> Iterator[ConditionExplanation]:
    if rule.field is not None:
        read = number(field_getter(rule.field))
        known = any(read(unit.view) is not None for unit in UnitPicker(rule.of, contacts=rule.contacts).pick(history))
        yield ConditionExplanation(member="field", wanted=rule.field, holds=known)
    for at, limit in enumerate(rule.limits):
        [side] = [name for name in ("gt", "gte", "lt", "lte") if getattr(limit, name) is not None]
        free = ThresholdLimit(when=limit.when, **{side: ENDLESS if side in {"lt", "lte"} else -ENDLESS})
        reached = [
            value
            for one in _candidates(_with(rule, limits=(*rule.limits[:at], free, *rule.limits[at + 1 :])), history)
            if isinstance(value := one.numbers["value"], int | float)
        ]
        nearest = None if not reached else max(reached) if side in {"gt", "gte"} else min(reached)
        yield ConditionExplanation(
            member=f"limits[{at}].{side}",
            wanted=f"{getattr(limit, side):g}",
            holds=nearest is None,
            found=None if nearest is None else f"{nearest:g}",
        )
    yield from _of_matcher(
        _MatcherPlace(
            member="of", matcher=rule.of, contacts=rule.contacts, replaced=lambda matcher: _with(rule, of=matcher)
        ),
        history,
    )


def _of_absence(rule: AbsenceRule, history: CustomerHistory) -> Iterator[ConditionExplanation]:
    if rule.pauses is not None:
        holds = not _fires(_with(rule, pauses=None, resumes=None), history)
        yield ConditionExplanation(member="pauses", wanted=_text(rule.pauses), holds=holds)
    yield from _of_follow_up(rule, history)


def _of_follow_up(rule: AbsenceRule | ResponseRule, history: CustomerHistory) -> Iterator[ConditionExplanation]:
    never = _with(rule, expect={"kind": "\x00"})
    unfollowed = _candidates(never, history)
    yield ConditionExplanation(
        member="expect", wanted=_text(rule.expect), holds=not unfollowed, found=_follow_ups(rule, unfollowed, history)
    )
    yield from _of_matcher(
        _MatcherPlace(
            member="after", matcher=rule.after, contacts=False, replaced=lambda matcher: _with(rule, after=matcher)
        ),
        history,
    )


def _follow_ups(
    rule: AbsenceRule | ResponseRule, waited: Sequence[FindingCandidate], history: CustomerHistory
) -> str | None:
    """Return the times of the follow-ups that came in time, of the latest arming touchpoint."""
    if not waited:
        return None
    last = waited[-1]
    follow_ups = UnitPicker(rule.expect).pick(history)
    if isinstance(rule, ResponseRule):
        places = (None, history.contact_of(last.anchor.position))
        follow_ups = [unit for unit in follow_ups if history.contact_of(unit.position) in places]
    times = [
        unit.time for unit in follow_ups if last.due_at is not None and last.anchor.time <= unit.time <= last.due_at
    ]
    return times[0].isoformat() if times else None


def _of_within(rule: CountRule | SequenceRule, history: CustomerHistory) -> Iterator[ConditionExplanation]:
    if rule.within is None:
        return
    shortest = min((_needed(rule, one) for one in _candidates(_with(rule, within=None), history)), default=None)
    yield ConditionExplanation(
        member="within",
        wanted=_duration(rule.within),
        holds=shortest is None,
        found=None if shortest is None else _duration(shortest),
    )


def _needed(rule: CountRule | SequenceRule, one: FindingCandidate) -> timedelta:
    """Return the shortest `within` that a candidate needs: of a plain count, its latest `at_least` units will do."""
    evidence = one.evidence
    is_plain = isinstance(rule, CountRule) and rule.distinct is None and rule.changes is None
    first = evidence[-rule.at_least] if isinstance(rule, CountRule) and is_plain else evidence[0]
    return one.anchor.time - first.time


def _of_shared(rule: CountRule | SequenceRule, history: CustomerHistory) -> Iterator[ConditionExplanation]:
    for field in rule.same:
        others = tuple(one for one in rule.same if one != field)
        yield ConditionExplanation(member="same", wanted=field, holds=not _fires(_with(rule, same=others), history))
    if rule.per is not RuleScope.CUSTOMER:
        holds = not _fires(_with(rule, per=RuleScope.CUSTOMER), history)
        yield ConditionExplanation(member="per", wanted=str(rule.per), holds=holds)
    if rule.without is not None:
        holds = not _fires(_with(rule, without=None), history)
        yield ConditionExplanation(member="without", wanted=_text(rule.without), holds=holds)


class _MatcherPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where a matcher stands in a rule: its path, itself, and the rule with another one in its place."""

    member: str
    matcher: Matcher
    contacts: bool
    replaced: Callable[[Matcher], AnyRule]


def _of_matcher(place: _MatcherPlace, history: CustomerHistory) -> Iterator[ConditionExplanation]:
    """Ask about each field of each clause: would the rule fire without it, and which values are there?"""
    clauses = place.matcher if isinstance(place.matcher, tuple) else (place.matcher,)
    for clause in clauses:
        for field, wanted in clause.items():
            if field == "kind":  # what a touchpoint is; how many there are is `looked_at`
                continue
            looser: Clause = {name: one for name, one in clause.items() if name != field}
            matcher = tuple(looser if one is clause else one for one in clauses)
            holds = not _fires(place.replaced(matcher), history)
            yield ConditionExplanation(
                member=f"{place.member}.{field}",
                wanted=_text(wanted),
                holds=holds,
                found=None if holds else _values(field, looser, place.contacts, history),
            )


def _values(field: str, clause: Clause, contacts: bool, history: CustomerHistory) -> str | None:
    """Return the values of `field` among the units that match the rest of the clause, the commonest first."""
    get = field_getter(field)
    units = UnitPicker(clause, contacts=contacts).pick(history)
    values = Counter(str(value) for unit in units if (value := get(unit.view)) is not None)
    return ", ".join(value for value, _ in values.most_common(MOST_VALUES)) or None


def _text(value: object) -> str:
    """Return a condition as a rules file would write it, in one line."""
    return (
        msgspec.json.encode(msgspec.to_builtins(value)).decode().replace('"', "").replace(",", ", ").replace(":", ": ")
    )


def _duration(length: timedelta) -> str:
    """Return a duration as a rules file writes it, rounded up to seconds."""
    rest = ceil(length.total_seconds())
    parts = []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")):
        number, rest = divmod(rest, size)
        if number:
            parts.append(f"{number}{unit}")
    return " ".join(parts) or "0s"


def _with(rule: Shaped, **changes: object) -> Shaped:
    return msgspec.structs.replace(rule, **changes)
