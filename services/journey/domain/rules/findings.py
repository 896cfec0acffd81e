"""Turns candidates into findings: applies the cool-down and the cap of a rule, and gathers what is known of each."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from services.journey.domain.contacts.contact import Contact, CountedUnit
from services.journey.domain.friction import (
    MOST_EVIDENCE,
    MOST_TIMELINE,
    Anchor,
    FrictionSeverity,
    RuleFinding,
    TimelineEntry,
)
from services.journey.domain.history import CustomerHistory
from services.journey.domain.names import FrictionId, friction_id
from services.journey.domain.rules.evaluator import FindingCandidate, level_of
from services.journey.domain.rules.rule import FrictionCap, RuleScope, caps_of
from services.journey.domain.rules.shapes.registry import AnyRule
from services.journey.domain.touchpoint import Touchpoint


class JudgedCandidate(msgspec.Struct, frozen=True, gc=False):
    """A candidate with the rule that judges it, in the edition with the number `edition`."""

    rule: AnyRule
    edition: int
    candidate: FindingCandidate


def named_at(judged: JudgedCandidate, history: CustomerHistory) -> datetime:
    """Return when the broker appended what names the friction: the first record of an interaction, or a touchpoint.

    A record that is appended later does not change it.
    """
    anchor = judged.candidate.anchor
    interaction_id = _interaction_id(judged.rule, anchor)
    if interaction_id is None:
        return history.recorded[anchor.position].appended_at
    source = anchor.at.source
    return min(
        one.appended_at
        for one in history.recorded
        if one.touchpoint.interaction_id == interaction_id and one.touchpoint.source == source
    )


def apply_cooldown_and_cap(judged: Iterable[JudgedCandidate]) -> Sequence[JudgedCandidate]:
    """Return the candidates of one rule that its cool-down and cap allow, in the order of their anchors.

    Each edition of the rule looks back with its own cool-down and cap on what any edition found.
    """
    ordered = sorted(judged, key=lambda one: one.candidate.anchor.order)
    if all(one.rule.cooldown is None and one.rule.cap is None for one in ordered):
        return ordered
    accepted: list[JudgedCandidate] = []
    said: set[FrictionId] = set()
    for one in ordered:
        rule, time = one.rule, one.candidate.anchor.time
        id_ = _id(rule, one.candidate.anchor)
        if id_ in said:  # the same friction once more takes no place under the cap and begins no cool-down
            continue
        if rule.cooldown is not None and accepted and time - accepted[-1].candidate.anchor.time < rule.cooldown:
            continue
        if any(_is_full(cap, time, accepted) for cap in caps_of(rule.cap)):
            continue
        accepted.append(one)
        said.add(id_)
    return accepted


def _is_full(cap: FrictionCap, time: datetime, accepted: Sequence[JudgedCandidate]) -> bool:
    """Return whether a cap leaves no place at `time`, after what was accepted."""
    return sum(time - earlier.candidate.anchor.time < cap.within for earlier in accepted) >= cap.max


def build_finding(judged: JudgedCandidate, history: CustomerHistory) -> RuleFinding:
    """Return the finding that a rule makes of a candidate."""
    rule, candidate = judged.rule, judged.candidate
    anchor = candidate.anchor
    interaction_id = _interaction_id(rule, anchor)
    service_level = level_of(anchor, history)
    evidence = candidate.evidence[-MOST_EVIDENCE:]
    return RuleFinding(
        id=_id(rule, anchor),
        rule=rule.id,
        rule_version=rule.version,
        edition=judged.edition,
        severity=_severity(rule, service_level),
        anchor=_anchor(anchor, interaction_id),
        at=anchor.at,
        stale_from=candidate.due_at or anchor.time,
        journeys=_journeys(anchor, evidence, history),
        touchpoints=tuple(unit.at.key for unit in evidence),
        evidence=candidate.numbers,
        timeline=_timeline(anchor.position, history),
        reason=anchor.view.reason,
        service_level=service_level,
        refs=anchor.view.refs,
    )


def _id(rule: AnyRule, anchor: CountedUnit) -> FrictionId:
    interaction_id = _interaction_id(rule, anchor)
    return friction_id(rule.id, anchor.at.source, interaction_id=interaction_id, touchpoint_id=anchor.at.id)


def _interaction_id(rule: AnyRule, anchor: CountedUnit) -> str | None:
    """Return the interaction that anchors the finding; None if a touchpoint does."""
    if isinstance(anchor, Contact) or rule.per is RuleScope.INTERACTION:
        return anchor.at.interaction_id
    return None


def _anchor(anchor: CountedUnit, interaction_id: str | None) -> Anchor:
    if interaction_id is None:
        return Anchor(source=anchor.at.source, touchpoint_id=anchor.at.id)
    return Anchor(source=anchor.at.source, interaction_id=interaction_id)


def _severity(rule: AnyRule, service_level: str | None) -> FrictionSeverity:
    if service_level is None:
        return rule.severity
    return rule.severity_by_service_level.get(service_level, rule.severity)


def _journeys(anchor: CountedUnit, evidence: Iterable[CountedUnit], history: CustomerHistory) -> tuple[int, ...]:
    """Return the anchor's journey first, then the journeys of the evidence, each once."""
    of = history.journey_of
    return tuple(dict.fromkeys((of[anchor.position], *(of[unit.position] for unit in evidence))))


def _timeline(position: int, history: CustomerHistory) -> tuple[TimelineEntry, ...]:
    """Return the excerpt that ends at `position`; rules with the same anchor share it."""
    timeline = history.timelines.get(position)
    if timeline is None:
        units = history.units[max(0, position + 1 - MOST_TIMELINE) : position + 1]
        timeline = history.timelines[position] = tuple(_entry(unit.at) for unit in units)
    return timeline


def _entry(touchpoint: Touchpoint) -> TimelineEntry:
    return TimelineEntry(
        occurred_at=touchpoint.occurred_at,
        channel=touchpoint.channel,
        kind=touchpoint.kind,
        outcome=touchpoint.outcome,
        reason=touchpoint.reason,
    )
