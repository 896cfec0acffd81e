"""A case: the touchpoints of one customer, and the frictions that must stand at the end. Pure.

Reading a text of cases is left to a `CaseReader`: `waymark.rule_cases`, which reads touchpoints as ingest does.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from schemas.languages import Language
from services.journey.domain.friction import FrictionSeverity, RuleFinding
from services.journey.domain.projection import ProjectionPolicy, project
from services.journey.domain.rules.book import Rulebook
from services.journey.domain.rules.rule import RuleFailure
from services.journey.domain.touchpoint import RecordedTouchpoint


class ExpectedFriction(msgspec.Struct, frozen=True, kw_only=True):
    """A friction that must stand. `anchor` is an interaction id, or the id of a touchpoint of the anchor.

    Without `severity` or `at`, any will do.
    """

    rule: str
    anchor: str
    severity: FrictionSeverity | None = None
    at: datetime | None = None


class StandingFriction(msgspec.Struct, frozen=True, kw_only=True):
    """A friction that stands. `at` is when it could first be known: an absence's due time, else the anchor's time.

    `names` are all the ids by which its anchor may be called, the usual one first.
    """

    rule: str
    names: tuple[str, ...]
    severity: FrictionSeverity
    at: datetime


class RuleCase(msgspec.Struct, frozen=True, kw_only=True):
    """One case. Touchpoints that were received after `until` are not known yet; `expect` is all that must stand.

    With `only`, just these rules are asked, also where they are switched off.
    """

    name: str
    touchpoints: tuple[RecordedTouchpoint, ...]
    until: datetime
    expect: tuple[ExpectedFriction, ...]
    only: tuple[str, ...] = ()


class CaseResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a case: expected frictions that do not stand, and frictions that stand and are not expected."""

    name: str
    missing: tuple[ExpectedFriction, ...]
    unexpected: tuple[StandingFriction, ...]
    failures: tuple[RuleFailure, ...]

    @property
    def passed(self) -> bool:
        """Whether exactly the expected frictions stand, and no rule raised."""
        return not (self.missing or self.unexpected or self.failures)


class CasesRefusedError(ValueError):
    """Cases that cannot be used; `problems` has a line for each mistake."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class CasesToRun(Protocol):
    """Cases that were read, and what they say themselves that they are about: `default`, or the name of a file."""

    @property
    def rules(self) -> str | None:
        """The rules that the cases name, None where they name none."""

    @property
    def cases(self) -> Sequence[RuleCase]:
        """The cases, in their order."""

    def problems_with(self, rulebook: Rulebook) -> list[str]:
        """Return a line for each rule that a case names and that is not there, or would not be asked."""


class CaseReader(Protocol):
    """Reads a text of cases, and tells its mistakes in a language."""

    def __call__(self, text: str, language: Language, *, most_touchpoints: int | None = None) -> CasesToRun:
        """Return the cases; raises `CasesRefusedError` with every mistake, or if there are too many touchpoints."""


def run_case(case: RuleCase, rulebook: Rulebook, policy: ProjectionPolicy) -> CaseResult:
    """Return how the frictions that stand at the end of `case` differ from those that it expects."""
    known = [one for one in case.touchpoints if one.appended_at <= case.until]
    findings, failures = findings_at(known, case.until, _asked(case, rulebook), policy)
    standing = [_standing(found, known) for found in findings]
    missing = []
    for expected in case.expect:
        match = next((one for one in standing if _matches(expected, one)), None)
        if match is None:
            missing.append(expected)
        else:
            standing.remove(match)
    return CaseResult(name=case.name, missing=tuple(missing), unexpected=tuple(standing), failures=tuple(failures))


def _asked(case: RuleCase, rulebook: Rulebook) -> Rulebook:
    if not case.only:
        return rulebook
    return Rulebook([msgspec.structs.replace(rule, enabled=True) for rule in rulebook.rules if rule.id in case.only])


def undirected_contacts(case: RuleCase, contact_kinds: frozenset[str]) -> tuple[str, ...]:
    """Return the ids of touchpoints that would begin a contact, if their direction were given."""
    return tuple(
        one.touchpoint.id
        for one in case.touchpoints
        if one.touchpoint.kind in contact_kinds and one.touchpoint.direction is None
    )


def findings_at(
    touchpoints: Iterable[RecordedTouchpoint], until: datetime, rulebook: Rulebook, policy: ProjectionPolicy
) -> tuple[Sequence[RuleFinding], Sequence[RuleFailure]]:
    """Return what the rules find in `touchpoints` once every timer that is due by `until` has fired."""
    known = list(touchpoints)
    projection = project(known, rulebook=rulebook, policy=policy)
    if due := frozenset(timer.id for timer in projection.timers if timer.due_at <= until):
        projection = project(known, fired=due, rulebook=rulebook, policy=policy)
    return projection.findings, projection.failures


def _standing(found: RuleFinding, known: Sequence[RecordedTouchpoint]) -> StandingFriction:
    anchor = found.anchor
    names = [anchor.touchpoint_id or anchor.interaction_id or found.at.id]
    if anchor.interaction_id is not None:
        names += [
            one.touchpoint.id
            for one in known
            if (one.touchpoint.source, one.touchpoint.interaction_id) == (anchor.source, anchor.interaction_id)
        ]
    return StandingFriction(rule=found.rule, names=tuple(names), severity=found.severity, at=found.stale_from)


def _matches(expected: ExpectedFriction, standing: StandingFriction) -> bool:
    return (
        expected.rule == standing.rule
        and expected.anchor in standing.names
        and expected.severity in (None, standing.severity)
        and expected.at in (None, standing.at)
    )
