"""What a fault is, and what is said of it afterwards: one fault, one run, one verdict. Running it is `__main__`'s."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tests.faults.checker import Check
from tests.faults.lab import Lab


class Outcome(StrEnum):
    """How a run ended. Only `HOLDS` is a pass: what was not run has shown nothing."""

    HOLDS = "holds"
    BROKEN = "BROKEN"
    NOT_RUN = "NOT RUN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was counted and what was found. `not_run` says why a machine does not permit this fault."""

    checks: Sequence[Check] = ()
    counts: Mapping[str, int | float] = field(default_factory=dict)
    not_run: str = ""

    @property
    def outcome(self) -> Outcome:
        """What it amounts to; a verdict without a single check has shown nothing either."""
        if self.not_run or not self.checks:
            return Outcome.NOT_RUN
        return Outcome.HOLDS if all(one.ok for one in self.checks) else Outcome.BROKEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way in which the world goes wrong. `short` ones run in CI, all of them by `make faults`."""

    id: str
    title: str
    short: bool
    run: Callable[[Lab, int], Awaitable[Verdict]]
    """Takes a laboratory of its own and the seed."""

    by_name: bool = False
    """Runs only when it is asked for by its id."""

    limit_s: float = 600.0
    """Longest run, engines included; beyond it the verdict is BROKEN."""
