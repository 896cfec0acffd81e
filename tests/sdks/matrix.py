"""`python -m tests.sdks.matrix`: the unmodified libraries of others against a real ingest, one table, one verdict.

Each row is a library, each column something that a producer lives through. Rows of other wire forms are added to
`rows()`: a name and, for each column, what to do. Apache Kafka by default; `--embedded` takes the embedded broker.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.sdks import events, vendors
from tests.sdks.checks import CHECKS, Check
from tests.sdks.ground import Ground
from tests.sdks.kit import LIBRARIES, Library
from tests.sdks.vendors import VENDORS, Vendor

Cell = Callable[[Ground], Awaitable[str]]
"""Returns what was seen, in a few words; raises when it is not what it should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One producer and what it is put through; columns it does not have are shown as a dash."""

    name: str
    cells: Mapping[str, Cell]


def rows() -> list[Row]:
    """Return every row."""
    return [
        *(
            Row(name=each.name, cells={column: _of(each, check) for column, check in CHECKS.items()})
            for each in LIBRARIES
        ),
        *(
            Row(name=each.name, cells={column: _of(each, check) for column, check in events.CHECKS.items()})
            for each in events.LIBRARIES
        ),
        *(
            Row(name=each.name, cells={name: _by(each, check) for name, check in vendors.checks_of(each).items()})
            for each in VENDORS
        ),
    ]


def _by(vendor: Vendor, check: vendors.Check) -> Cell:
    return lambda ground: check(ground, vendor)


def _of(library: Library, check: Check) -> Cell:
    return lambda ground: check(ground, library)


async def fill(ground: Ground, asked: Sequence[Row], columns: Sequence[str]) -> dict[str, dict[str, str]]:
    """Run every cell, one after the other; a wrong one begins with WRONG."""
    found: dict[str, dict[str, str]] = {}
    for row in asked:
        for column in columns:
            cell = row.cells.get(column)
            if cell is None:
                continue
            started = time.monotonic()
            try:
                seen = await cell(ground)
            except Exception as error:  # noqa: BLE001  a cell that fails is what the table is there to show
                seen = f"WRONG: {type(error).__name__}: {str(error)[:300]}"
            found.setdefault(row.name, {})[column] = seen
            _say(f"{time.monotonic() - started:6.1f} s  {row.name}, {column}: {seen}")
    return found


def table(found: Mapping[str, Mapping[str, str]], columns: Sequence[str]) -> str:
    """Return the matrix as a Markdown table."""
    lines = [["library", *columns]]
    lines += [[name, *(cells.get(column, "–") for column in columns)] for name, cells in found.items()]
    head, *body = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([head, "|" + "---|" * (len(columns) + 1), *body])


def main() -> int:
    """Run what was asked for; 1 when a cell is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.sdks.matrix", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", action="append", default=[], help="part of a row's name; repeat it")
    parser.add_argument("--column", action="append", default=[], help="a column; repeat it")
    parser.add_argument("--embedded", action="store_true", help="the embedded broker instead of Apache Kafka")
    told = parser.parse_args()
    asked = [row for row in rows() if not told.only or any(part in row.name for part in told.only)]
    known = list(dict.fromkeys(column for row in asked for column in row.cells))
    columns = [column for column in known if not told.column or column in told.column]
    if not asked or not columns:
        parser.error("no such row or column")
    with (
        tempfile.TemporaryDirectory(prefix="waymark-sdks-") as folder,
        Ground(Path(folder), embedded=told.embedded) as ground,
    ):
        found = asyncio.run(_all(ground, asked, columns))
    _say("\n" + table(found, columns))
    wrong = sum(seen.startswith("WRONG") for cells in found.values() for seen in cells.values())
    cells = sum(len(each) for each in found.values())
    _say(f"\n{len(found)} libraries, {cells} cells, {wrong} wrong")
    return 1 if wrong else 0


async def _all(ground: Ground, asked: Sequence[Row], columns: Sequence[str]) -> dict[str, dict[str, str]]:
    await ground.open()
    return await fill(ground, asked, columns)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
