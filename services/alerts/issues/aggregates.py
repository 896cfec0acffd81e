"""Computes the aggregates of an issue from its frictions: severity, count, rules, title and timeline.

Pure. Every aggregate is computed from all frictions that stand and never added up, so order and repetition cannot
change the result. The one exception is the severity, which does not fall while an issue is unresolved. The state of an
issue is left to `lifecycle`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from services.alerts.issues.model import (
    AlertSeverity,
    Issue,
    LocalizedTitle,
    ReportedFriction,
    TimelineStep,
    worst_severity,
)

TIMELINE_LENGTH = 10
FRICTIONS_NAMED = 100
REFS_NAMED = 16
RULES_NAMED = 50
ALSO_NAMED = 3
LONGEST_WHY = 500
SERVICE_LEVELS = ("basic", "enhanced", "premium")


def leading_friction(frictions: Sequence[ReportedFriction]) -> ReportedFriction:
    """Return the friction that gives the title: the most severe, then the latest, then the last by id."""
    return max(frictions, key=lambda f: (f.severity.rank, f.occurred_at, f.id))


def speaking_frictions(frictions: Sequence[ReportedFriction]) -> list[ReportedFriction]:
    """Return the frictions that have something to say: those whose rule no other one of them implies.

    Rules files cannot have circles; where two versions of a file make one, all speak.
    """
    implied = {rule for friction in frictions for rule in friction.implies}
    return [friction for friction in frictions if friction.rule not in implied] or list(frictions)


def with_aggregates(issue: Issue, standing: Sequence[ReportedFriction], *, keep_severity: bool) -> Issue:
    """Return `issue` with the aggregates of the frictions in `standing`; if there are none, only the count changes.

    With `keep_severity` the severity does not fall.
    """
    if not standing:
        return replace(issue, count=0, frictions=())
    ordered = sorted(standing, key=lambda f: (f.occurred_at, f.id))
    speaking = speaking_frictions(ordered)
    lead = leading_friction(speaking)
    highest = leading_friction(ordered).severity
    loud = worst_severity(*(f.severity for f in ordered if not f.quiet))
    if keep_severity:
        highest = worst_severity(highest, issue.severity) or highest
        loud = worst_severity(loud, issue.loud_severity)
    return replace(
        issue,
        severity=highest,
        loud_severity=loud,
        rules=tuple(sorted({f.rule for f in ordered})[:RULES_NAMED]),
        channel=ordered[-1].channel,
        reason=issue.reason if issue.journey_id is None else _last(f.reason for f in ordered),
        service_level=_best_level(ordered),
        title=lead.title,
        why=_why(lead, speaking),
        playbook=lead.playbook,
        count=len(ordered),
        frictions=tuple(f.id for f in ordered[-FRICTIONS_NAMED:]),
        first_at=ordered[0].occurred_at,
        last_at=ordered[-1].occurred_at,
        refs=_refs(ordered),
        timeline=_timeline(ordered),
    )


def latest_revision(frictions: Iterable[ReportedFriction]) -> datetime | None:
    """Return the time of the newest revision that counts for the push latency, None if none does."""
    return max((f.revised_at for f in frictions if not f.quiet), default=None)


def _last(values: Iterable[str | None]) -> str | None:
    found: str | None = None
    for value in values:
        found = value or found
    return found


def _best_level(frictions: Sequence[ReportedFriction]) -> str | None:
    """Return the highest service level among the frictions; an unknown word counts least."""
    levels = {f.service_level for f in frictions if f.service_level}
    return max(levels, key=lambda v: (SERVICE_LEVELS.index(v) if v in SERVICE_LEVELS else -1, v), default=None)


def _refs(frictions: Sequence[ReportedFriction]) -> dict[str, str]:
    merged: dict[str, str] = {}
    for friction in frictions:
        merged.update(friction.refs)
    return dict(sorted(merged.items())[:REFS_NAMED])


def _timeline(frictions: Sequence[ReportedFriction]) -> tuple[TimelineStep, ...]:
    steps = {step for friction in frictions for step in friction.timeline}
    ordered = sorted(steps, key=lambda s: (s.occurred_at, s.channel, s.kind, s.outcome or "", s.reason or ""))
    return tuple(ordered[-TIMELINE_LENGTH:])


def severity_rose(before: AlertSeverity | None, after: AlertSeverity | None) -> bool:
    """Return whether `after` is worse than `before`; None is the mildest."""
    return after is not None and (before is None or after.rank > before.rank)


def _why(lead: ReportedFriction, speaking: Sequence[ReportedFriction]) -> LocalizedTitle:
    """Return the explanation of `lead`, and the titles of what else was found, each rule once."""
    said = lead.explanation or lead.title
    latest = {friction.rule: friction for friction in speaking if friction.rule != lead.rule}
    others = sorted(latest.values(), key=lambda f: (-f.severity.rank, f.rule))
    more = len(others) - ALSO_NAMED
    return LocalizedTitle(
        en=_sentence(said.en, "Also: ", [f.title.en for f in others], f"{more} more" if more > 0 else "", "."),
        ko=_sentence(said.ko, "그 밖에: ", [f.title.ko for f in others], f"외 {more}건" if more > 0 else "", ""),
    )


def _sentence(said: str, mark: str, titles: Sequence[str], more: str, end: str) -> str:
    named = "; ".join([title.rstrip(".") for title in titles[:ALSO_NAMED]] + ([more] if more else []))
    text = f"{said} {mark}{named}{end}" if named else said
    return text if len(text) <= LONGEST_WHY else text[: LONGEST_WHY - 1].rstrip() + "…"
