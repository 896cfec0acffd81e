"""Rules in the shadow: asked like those in force, and told apart from them. What they find is never published.

A *trial* is one rule as it stands in the shadow, from the version on since which it says what it says. The engine knows
it by a name of its own, so that its timers and failures are not those of the rule in force.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import accumulate

import msgspec

from services.journey.domain.history import CustomerHistory
from services.journey.domain.rules.book import Rulebook, RuleEvaluation
from services.journey.domain.rules.edition import BEGINNING, RulesVersion, UnknownRule
from services.journey.domain.rules.shapes.registry import AnyRule

_CONTENT = msgspec.json.Encoder(order="deterministic")


class ShadowVersion(msgspec.Struct, frozen=True, kw_only=True):
    """The rules that were in the shadow from a moment on until the next version was."""

    number: int
    in_force_from: datetime
    rules: Sequence[AnyRule | UnknownRule]


class ShadowTrial(msgspec.Struct, frozen=True, kw_only=True):
    """A rule in the shadow: its id, and the version and the moment since which it says what it says there."""

    rule: str
    number: int
    since: datetime

    @property
    def name(self) -> str:
        """What the engine calls it; no rule's id has a colon."""
        return f"shadow:{self.number}:{self.rule}"


class ShadowBook:
    """The trials of the latest version. Those of earlier versions that it does not have are over, and not asked."""

    def __init__(self, versions: Sequence[ShadowVersion] = ()) -> None:
        """Prepare the rules in the shadow; `versions` come in order."""
        begun = [(_trial(rule, versions), rule) for rule in versions[-1].rules] if versions else []
        self.trials = {trial.name: trial for trial, _ in begun}
        self.unknown = tuple(rule.id for _, rule in begun if isinstance(rule, UnknownRule))
        self._book = Rulebook.through(_growing(begun))

    @property
    def numbers(self) -> frozenset[int]:
        """The versions at which the trials began."""
        return frozenset(trial.number for trial in self.trials.values())

    def __bool__(self) -> bool:
        """Return whether any rule is in the shadow."""
        return bool(self.trials)

    def evaluate(self, history: CustomerHistory) -> RuleEvaluation:
        """Evaluate every trial over `history`; findings, timers and failures carry its name."""
        return self._book.evaluate(history)


def _trial(rule: AnyRule | UnknownRule, versions: Sequence[ShadowVersion]) -> ShadowTrial:
    """Return the trial of a rule of the latest version: it began where the run of equal wordings did."""
    content = _content(rule)
    began = versions[-1]
    for version in reversed(versions):
        if not any(one.id == rule.id and _content(one) == content for one in version.rules):
            break
        began = version
    return ShadowTrial(rule=rule.id, number=began.number, since=began.in_force_from)


def _content(rule: AnyRule | UnknownRule) -> bytes:
    return rule.content if isinstance(rule, UnknownRule) else _CONTENT.encode(rule)


def _growing(begun: Sequence[tuple[ShadowTrial, AnyRule | UnknownRule]]) -> list[RulesVersion]:
    """Return versions of the trials alone: each comes when it began, and none goes."""
    named = sorted(
        ((trial.since, msgspec.structs.replace(rule, id=trial.name)) for trial, rule in begun), key=lambda one: one[0]
    )
    moments = sorted({since for since, _ in named})
    joining = ([rule for since, rule in named if since == moment] for moment in moments)
    grown = accumulate(joining, lambda known, more: [*known, *more])
    return [
        RulesVersion(in_force_from=BEGINNING, rules=[]),
        *(RulesVersion(in_force_from=moment, rules=rules) for moment, rules in zip(moments, grown, strict=True)),
    ]


NOTHING_TRIED = ShadowBook()
