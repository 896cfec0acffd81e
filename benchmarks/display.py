"""Results for a person at a terminal, and how a benchmark goes on."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.status import Status
from rich.table import Table

from benchmarks.measuring import Benchmark, Lap
from benchmarks.results import Document


class ConsoleTeller:
    """Says on a console what begins and what was measured."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._status: Status | None = console.status(title) if console.is_terminal else None

    def __enter__(self) -> "ConsoleTeller":
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def step(self, text: str) -> None:
        """Something begins that takes a moment."""
        if self._status is not None:
            self._status.update(text)
        else:
            self._console.print(text, style="dim", highlight=False)

    def lap(self, lap: Lap) -> None:
        """One run is measured."""
        numbers = "  ".join(f"{name} {number(value, 2)}" for name, value in lap.measures.items())
        self._console.print(f"  {lap.round}: {_name(lap.contestant, lap.case)}  {numbers}", highlight=False)


def benchmarks(console: Console, known: Iterable[Benchmark]) -> None:
    """Say which benchmarks there are."""
    table = Table("name", "what", "runs")
    for one in known:
        table.add_row(one.name, one.title, "by its name or with --full" if one.long else "always")
    console.print(table)


def result(console: Console, document: Document) -> None:
    """Print a result's table, its ratios and its notes."""
    table = Table(*headings(document), title=document["title"])
    for cells in rows(document):
        table.add_row(*cells)
    console.print(table)
    for line in (*ratios(document), *goals(document)):
        console.print(f"  {line}", highlight=False)
    for note in document["notes"]:
        console.print(f"  {note}", style="dim", highlight=False)


def headings(document: Document) -> list[str]:
    """Return the headings of a result's table."""
    titles = [measure["title"] for measure in document["measures"]]
    case = ["case"] if any(one["case"] for one in document["medians"]) else []
    cpu = [f"CPU µs a {document['unit']}"] if any(one["cpu_us"] for one in document["medians"]) else []
    return ["contestant", *case, *titles, *cpu]


def rows(document: Document) -> list[list[str]]:
    """Return the rows of a result's table: medians, with the spread of the first measure."""
    return [_row(document, one, len(headings(document))) for one in document["medians"]]


def _row(document: Document, one: dict[str, Any], width: int) -> list[str]:
    cells = [one["contestant"]]
    if any(other["case"] for other in document["medians"]):
        cells.append(one["case"])
    for place, measure in enumerate(document["measures"]):
        cells.append(_cell(one["measures"].get(measure["name"]), measure["digits"], spread=place == 0))
    if len(cells) < width:
        cells.append(", ".join(f"{process} {number(spent, 1)}" for process, spent in one["cpu_us"].items()))
    return cells


def _cell(spread_of: dict[str, float] | None, digits: int, *, spread: bool) -> str:
    if spread_of is None:
        return "–"
    middle = number(spread_of["median"], digits)
    if not spread or spread_of["min"] == spread_of["max"]:
        return middle
    return f"{middle} ({number(spread_of['min'], digits)}–{number(spread_of['max'], digits)})"


def ratios(document: Document) -> list[str]:
    """Return one line for each ratio."""
    return [_ratio_line(one) for one in document["ratios"]]


def _ratio_line(one: dict[str, Any]) -> str:
    each = ", ".join(f"{value:.2f}" for value in one["each"])
    left, right = _name(one["of"], one["of_case"]), _name(one["to"], one["to_case"])
    return f"{left} is {one['median']:.2f}× {right} by {one['measure']} ({each}){_verdict(one, '≥')}"


def goals(document: Document) -> list[str]:
    """Return one line for each goal."""
    return [
        f"{_name(one['contestant'], one['case'])}: {one['measure']} {number(one['median'], 1)}{_verdict(one, 'aim')}"
        for one in document["goals"]
    ]


def _verdict(one: dict[str, Any], word: str) -> str:
    if one["aim"] is None:
        return ""
    return f"; {word} {number(one['aim'], 1)}: {'met' if one['met'] else 'NOT met'}"


def _name(contestant: str, case: str) -> str:
    return f"{contestant}, {case}" if case else contestant


def number(value: float, digits: int) -> str:
    """Return a number as it is read: separators, no more digits than matter."""
    if abs(value) >= 1000 or value == int(value):
        digits = 0
    return f"{value:,.{digits}f}"
