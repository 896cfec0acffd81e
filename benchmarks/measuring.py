"""What a benchmark is, what it is asked for and what it answers. Leaves running to each benchmark's module.

A benchmark runs *contestants* in one or more *cases*, all of them once in each *round*, so that the machine's moods hit
everybody alike; each run is a `Lap`. Ratios are taken inside a round and their median is told, never a ratio of medians
of different moments.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeVar

WAYMARK = "waymark"
"""What our own contestant is called in every benchmark."""

Size = TypeVar("Size")
Item = TypeVar("Item")


class Better(StrEnum):
    """Which way a measure is good."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is asked for: `quick` is for a first look, `full` brings the long cases, `only` names contestants."""

    rounds: int = 5
    quick: bool = False
    full: bool = False
    seed: int = 1
    only: Sequence[str] = ()

    def wants(self, contestant: str) -> bool:
        """Whether a contestant takes part."""
        return not self.only or any(word in contestant for word in self.only)

    @staticmethod
    def turn(contestants: Sequence[Item], number: int) -> list[Item]:
        """Return the order of a round: each begins with another contestant, for the first finds all caches cold."""
        first = (number - 1) % len(contestants) if contestants else 0
        return [*contestants[first:], *contestants[:first]]

    def size(self, quick: Size, usual: Size, full: Size | None = None) -> Size:
        """Pick the size of something, or a set of sizes, by the length that was asked for."""
        if self.quick:
            return quick
        return full if self.full and full is not None else usual


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One column: the name in `Lap.measures`, how it reads, and how many digits after the point matter."""

    name: str
    title: str
    digits: int = 0
    better: Better = Better.HIGHER


@dataclass(frozen=True, slots=True, kw_only=True)
class Lap:
    """One contestant in one case in one round. `cpu_us` is processor time per unit of work, by process."""

    round: int
    contestant: str
    case: str = ""
    measures: Mapping[str, float]
    cpu_us: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """How many times better `of` is than `to` in one measure; `aim` is what it should be at least.

    With `of_case` and `to_case` different, it compares cases instead of contestants.
    """

    of: str
    to: str
    measure: str
    of_case: str = ""
    to_case: str = ""
    aim: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A number that the median of a measure should reach: at least, or at most where lower is better."""

    contestant: str
    measure: str
    aim: float
    case: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that a benchmark answers. `notes` say what a reader must know before quoting a number."""

    laps: Sequence[Lap]
    measures: Sequence[Measure]
    unit: str
    """What `cpu_us` is per, in one word: record, touchpoint, alert."""

    ratios: Sequence[Ratio] = ()
    goals: Sequence[Goal] = ()
    settings: Mapping[str, str | int | float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of what stands outside the project's lock."""

    notes: Sequence[str] = ()


class Teller(Protocol):
    """Who hears how a benchmark goes on."""

    def step(self, text: str) -> None:
        """Something begins that takes a moment."""

    def lap(self, lap: Lap) -> None:
        """One run is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """One benchmark of the suite. `run` starts what it needs and leaves nothing behind, also when it is interrupted."""

    name: str
    title: str
    run: Callable[[Plan, Teller], Report]
    long: bool = False
    """Runs only when it is named or with `--full`."""
