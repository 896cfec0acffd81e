"""Fills the tables of docs/benchmarks.md: what stands between `<!-- NAME -->` and `<!-- /NAME -->` is a benchmark's."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import display
from benchmarks.results import Document

PATH = Path(__file__).parents[1] / "docs" / "benchmarks.md"


class NoPlaceError(Exception):
    """The document has no place for a result."""


def fill(documents: Sequence[Document], path: Path = PATH) -> list[str]:
    """Write the results into the document and return the names of what was filled in.

    Raises:
        NoPlaceError: the document has no marks for one of them.
    """
    text = path.read_text(encoding="utf-8")
    for one in documents:
        text = _put(text, one["benchmark"], table(one))
    path.write_text(text, encoding="utf-8")
    return [one["benchmark"] for one in documents]


def table(document: Document) -> str:
    """Return a result as Markdown: when and on what, the table, ratios and goals, notes."""
    headings = display.headings(document)
    lines = [_circumstances(document), "", _line(headings), _line(["---"] * len(headings))]
    lines += [_line(cells) for cells in display.rows(document)]
    for extra in ([*display.ratios(document), *display.goals(document)], document["notes"]):
        if extra:
            lines += ["", *(f"* {one}" for one in extra)]
    return "\n".join(lines)


def _circumstances(document: Document) -> str:
    machine, plan = document["machine"], document["plan"]
    settings = "".join(f", {name} {_plain(value)}" for name, value in document["settings"].items())
    return (
        f"{document['measured_at'][:10]}, {machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']:.0f} GiB, "
        f"Python {machine['python']}; seed {plan['seed']}, {plan['rounds']} rounds{settings}. "
        f"Load of the machine at the end: {machine['load_1m']}."
    )


def _plain(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _put(text: str, name: str, content: str) -> str:
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not pattern.search(text):
        raise NoPlaceError(f"docs/benchmarks.md has no marks for {name}")
    return pattern.sub(lambda found: f"{found[1]}\n{content}\n\n{found[2]}", text, count=1)
