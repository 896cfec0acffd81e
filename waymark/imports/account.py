"""Keeps account of an import: what became of each row, and the problems by what is wrong and in which column."""

from dataclasses import dataclass
from enum import IntEnum

from waymark.imports.mapping.recipe import Problem, year_problem

MOST_GROUPS = 1000
"""Of distinct problems; what comes after that is counted together."""


class Fate(IntEnum):
    """What became of a row: the worst of what became of its touchpoints. A row that no entry of the mapping wants is
    skipped."""

    SKIPPED = 0
    WAITING = 1
    DUPLICATE = 2
    ACCEPTED = 3
    REJECTED = 4


class Rows:
    """Every row has one fate, so the counts add up to the rows read."""

    def __init__(self) -> None:
        self._fates = bytearray()

    def read(self, *, touchpoints: int, problems: int) -> int:
        """Take the next row; return its number, from 0."""
        self._fates.append(Fate.REJECTED if problems else Fate.WAITING if touchpoints else Fate.SKIPPED)
        return len(self._fates) - 1

    def settle(self, row: int, fate: int) -> None:
        """Note what became of a touchpoint of a row."""
        self._fates[row] = max(self._fates[row], fate)

    def counts(self) -> dict[str, int]:
        """Return `read`, and how many of those were accepted, duplicate, rejected and skipped."""
        named = {fate.name.lower(): self._fates.count(fate) for fate in (Fate.ACCEPTED, Fate.DUPLICATE, Fate.REJECTED)}
        return {"read": len(self._fates), **named, "skipped": self._fates.count(Fate.SKIPPED)}


@dataclass(slots=True)
class Group:
    """Problems that are the same but for the line; `years` holds the first and the last year that was not taken."""

    first: Problem
    count: int = 0
    years: tuple[int, int] | None = None

    @property
    def message(self) -> str:
        """What is wrong with all of them."""
        if self.years is None:
            return self.first.message
        low, high = self.years
        return year_problem(str(low) if low == high else f"{low}–{high}")


class Groups:
    """Counts problems by code, field, column and message."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str, str, str], Group] = {}

    def __call__(self, problem: Problem) -> None:
        """Count one."""
        said = "" if problem.year is not None else problem.message
        key = (problem.code, problem.field, problem.column, said)
        if key not in self._groups and len(self._groups) >= MOST_GROUPS:
            key = (problem.code, "", "", "")
        group = self._groups.setdefault(key, Group(problem))
        group.count += 1
        if problem.year is not None:
            low, high = group.years or (problem.year, problem.year)
            group.years = (min(low, problem.year), max(high, problem.year))

    def worst(self) -> list[Group]:
        """Return the groups, the largest first."""
        return sorted(self._groups.values(), key=lambda group: (-group.count, group.first.line))
