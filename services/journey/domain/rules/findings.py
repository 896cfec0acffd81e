"""From candidates to findings: which of them stand under cool-down and cap, and what is said about each."""

from collections.abc import Iterable, Sequence

from services.journey.domain.friction import (
    MOST_EVIDENCE,
    MOST_TIMELINE,
    Anchor,
    Finding,
    Severity,
    TimelineEntry,
)
from services.journey.domain.history import Contact, History, Unit
from services.journey.domain.names import FrictionId, friction_id
from services.journey.domain.rules.scope import Candidate
from services.journey.domain.rules.shape import AnyRule, Count, Scope, Threshold
from services.journey.domain.rules.shape import Sequence as SequenceShape
from services.journey.domain.touchpoint import Touchpoint


def restrained(rule: AnyRule, candidates: Iterable[Candidate]) -> Sequence[Candidate]:
    """Those that the cool-down and the cap of `rule` let stand, in order of their anchors."""
    ordered = sorted(candidates, key=lambda candidate: candidate.anchor.order)
    if rule.cooldown is None and rule.cap is None:
        return ordered
    accepted: list[Candidate] = []
    said: set[FrictionId] = set()
    for candidate in ordered:
        time = candidate.anchor.time
        id_ = _id(rule, candidate.anchor)
        if id_ in said:  # the same friction once more takes no place under the cap and begins no cool-down
            continue
        if rule.cooldown is not None and accepted and time - accepted[-1].anchor.time < rule.cooldown:
            continue
        if rule.cap is not None:
            recent = sum(time - earlier.anchor.time < rule.cap.within for earlier in accepted)
            if recent >= rule.cap.max:
                continue
        accepted.append(candidate)
        said.add(id_)
    return accepted


def finding(rule: AnyRule, candidate: Candidate, history: History) -> Finding:
    """What `rule` says of `candidate`."""
    anchor = candidate.anchor
    interaction_id = _interaction_id(rule, anchor)
    service_level = anchor.view.service_level or history.service_level_at(anchor.position)
    evidence = candidate.evidence[-MOST_EVIDENCE:]
    return Finding(
        id=_id(rule, anchor),
        rule=rule.id,
        rule_version=rule.version,
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


def _id(rule: AnyRule, anchor: Unit) -> FrictionId:
    interaction_id = _interaction_id(rule, anchor)
    return friction_id(rule.id, anchor.at.source, interaction_id=interaction_id, touchpoint_id=anchor.at.id)


def _interaction_id(rule: AnyRule, anchor: Unit) -> str | None:
    """The interaction that anchors it; None if a touchpoint does."""
    by_interaction = isinstance(rule, Count | SequenceShape | Threshold) and rule.per is Scope.INTERACTION
    return anchor.at.interaction_id if isinstance(anchor, Contact) or by_interaction else None


def _anchor(anchor: Unit, interaction_id: str | None) -> Anchor:
    if interaction_id is None:
        return Anchor(source=anchor.at.source, touchpoint_id=anchor.at.id)
    return Anchor(source=anchor.at.source, interaction_id=interaction_id)


def _severity(rule: AnyRule, service_level: str | None) -> Severity:
    if service_level is None:
        return rule.severity
    return rule.severity_by_service_level.get(service_level, rule.severity)


def _journeys(anchor: Unit, evidence: Iterable[Unit], history: History) -> tuple[int, ...]:
    """The anchor's journey first, then those of the evidence, each once."""
    of = history.journey_of
    return tuple(dict.fromkeys((of[anchor.position], *(of[unit.position] for unit in evidence))))


def _timeline(position: int, history: History) -> tuple[TimelineEntry, ...]:
    """The excerpt that ends at `position`; rules that meet at one touchpoint share it."""
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
