"""The definition of one kind of journey, as a file of definitions gives it with durations already parsed.

Conditions are those of rules. What a definition says about touchpoints is left to `passage`.
"""

from datetime import timedelta
from enum import StrEnum

import msgspec

from services.journey.domain.friction import BilingualText
from services.journey.domain.rules.matching import InvalidRuleError, compile_matcher, field_getter
from services.journey.domain.rules.rule import Matcher
from services.journey.domain.rules.rule_checks import demand, positive


class DefinitionRefusedError(ValueError):
    """A definition that cannot be used; the message names it and says why."""

    def __init__(self, definition: str, why: str) -> None:
        """Name the definition by its id, and say `why` it cannot be used."""
        super().__init__(f"{definition}: {why}")


class OverdueEffect(StrEnum):
    """What happens when the deadline of a stage passes: the stage counts as overdue, or the journey has timed out."""

    OVERDUE = "overdue"
    TIMED_OUT = "timed_out"


ACCOUNT_REF = "account_id"
"""The reference that names the account of a touchpoint. It joins journeys of accounts, and never people."""


class JourneyScope(StrEnum):
    """Whose touchpoints a journey is made of: those of one customer, or of everybody who names one account."""

    CUSTOMER = "customer"
    ACCOUNT = "account"


class StageDefinition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stage. The first one begins with the entry, the others with a touchpoint that matches `begins`.

    It is to be left `within` a time after it began; `within_by_service_level` overrides that. With `again`, a journey
    may come back to the stage from a later one.
    """

    id: str
    title: BilingualText
    begins: Matcher | None = None
    within: timedelta | None = None
    within_by_service_level: dict[str, timedelta] = {}
    when_over: OverdueEffect = OverdueEffect.OVERDUE
    again: bool = False

    def deadline(self, service_level: str | None) -> timedelta | None:
        """Return how long the stage may last at this service level; None for as long as it takes."""
        if service_level is None:
            return self.within
        return self.within_by_service_level.get(service_level, self.within)


class JourneyDefinition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of journey.

    A touchpoint that matches `entry` opens a journey, unless one with the same values of the fields `key` is open.
    It ends when a touchpoint matches `reached` or `abandoned`, when a deadline passes that ends it (of a stage, or of
    the whole, `within`), or before a touchpoint that comes after more than `inactivity`. After an end, an entry with
    the same key counts only after `reentry_after`; with `once`, never. `scope` says whose touchpoints it is made of.
    """

    id: str
    title: BilingualText
    entry: Matcher
    stages: tuple[StageDefinition, ...]
    reached: Matcher
    abandoned: Matcher | None = None
    inactivity: timedelta
    within: timedelta | None = None
    within_by_service_level: dict[str, timedelta] = {}
    version: int = 1
    enabled: bool = True
    scope: JourneyScope = JourneyScope.CUSTOMER
    key: tuple[str, ...] = ()
    reentry_after: timedelta = timedelta(0)
    once: bool = False

    def deadline(self, service_level: str | None) -> timedelta | None:
        """Return how long the whole journey may last at this service level; None for as long as it takes."""
        if service_level is None:
            return self.within
        return self.within_by_service_level.get(service_level, self.within)

    def check(self) -> None:
        """Raise `DefinitionRefusedError` if the definition cannot be used."""
        try:
            self._check()
        except InvalidRuleError as error:
            raise DefinitionRefusedError(self.id, str(error)) from error

    def _check(self) -> None:
        demand(bool(self.stages), "give at least one stage")
        positive("inactivity", self.inactivity)
        positive("within", self.within)
        for level, within in self.within_by_service_level.items():
            positive(f"within_by_service_level.{level}", within)
        demand(self.reentry_after >= timedelta(0), "reentry_after is not negative")
        demand(not (self.once and self.reentry_after), "reentry_after goes with journeys that may be entered again")
        ids = [stage.id for stage in self.stages]
        for id_ in ids:
            demand(ids.count(id_) == 1, f"the stage {id_} is given twice")
        for matcher in (self.entry, self.reached, self.abandoned):
            if matcher is not None:
                compile_matcher(matcher)
        for name in self.key:
            field_getter(name)
        first, *others = self.stages
        demand(first.begins is None, f"the first stage {first.id} begins with the entry: leave out begins")
        for stage in self.stages:
            self._check_stage(stage)
        for stage in others:
            demand(stage.begins is not None, f"say what begins the stage {stage.id}")

    def _check_stage(self, stage: StageDefinition) -> None:
        positive(f"within of {stage.id}", stage.within)
        for level, within in stage.within_by_service_level.items():
            positive(f"within_by_service_level.{level} of {stage.id}", within)
        timed = stage.within is not None or bool(stage.within_by_service_level)
        demand(
            timed or stage.when_over is OverdueEffect.OVERDUE,
            f"the stage {stage.id} times out, and has no within",
        )
        if stage.begins is not None:
            compile_matcher(stage.begins)
