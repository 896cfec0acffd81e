"""Names of columns: spelled in one way wherever they come from, and made distinct."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import islice

BUILT_IN = frozenset({"row", "file"})
"""Columns that every file has, unless it has its own of that name: the row's number, and the file's name."""

LOOKED_AT_FOR_HEADER = 20

_VALUE = re.compile(
    r"[\[\"'(]?(?:\d{1,4}[-./]\d{1,2}[-./]\d{1,4}|\d{1,2}:\d{2})(?!\w)|[^\s@]+@[^\s@]+\.\w+$|[+-]?\d[\d.,() -]{4,}$"
)
"""A date or a clock at the beginning, an e-mail address, a number that is longer than a year."""


@lru_cache(maxsize=8192)
def plain(name: str) -> str:
    """Return a name as it is compared: composed (macOS takes Hangul apart), on one line, without blanks around it."""
    return " ".join(unicodedata.normalize("NFC", name).replace("\ufeff", "").split())


def distinct(header: Sequence[str]) -> list[str]:
    """Return a name for each cell of a header: what stands twice is numbered, `Name (1)`, `Name (2)`, what is empty is
    `column 3`."""
    names = [plain(cell) or f"column {number}" for number, cell in enumerate(header, start=1)]
    counts = Counter(names)
    taken = {name for name, count in counts.items() if count == 1}
    numbers: Counter[str] = Counter()
    made = []
    for name in names:
        if counts[name] == 1:
            made.append(name)
            continue
        numbers[name] += 1
        while (numbered := f"{name} ({numbers[name]})") in taken:
            numbers[name] += 1
        made.append(numbered)
    return made


def twins(name: str, columns: Sequence[str]) -> list[str]:
    """Return the columns that were numbered because they are all called `name`."""
    numbered = re.compile(re.escape(name) + r" \(\d+\)")
    return [column for column in columns if numbered.fullmatch(column)]


def has(columns: Sequence[str]) -> str:
    """Return what to say of the columns that a file has; cells that look like those of a row are not quoted."""
    if is_row(columns):
        return (
            f"its first line has {_counted(columns)} and looks like a row: if there is no header line, "
            "name the columns with `columns: [...]`"
        )
    return f"it has: {', '.join(columns) or 'none'}"


def is_row(cells: Sequence[str]) -> bool:
    """Return whether what should be a header has a number, a time or an address in it, as only rows have."""
    return any(_VALUE.match(cell.strip()) for cell in cells)


def _counted(cells: Sequence[str]) -> str:
    return "1 cell" if len(cells) == 1 else f"{len(cells)} cells"


def titles_before(
    rows: Iterable[Sequence[str]], fits: Callable[[Sequence[str]], None], refusal: type[Exception], but: type[Exception]
) -> int | None:
    """Return how many rows, with the one before `rows`, stand above the first that `fits` does not refuse.

    A refusal that is a `but` is none. Only a few are looked at; None when none of them fits.
    """
    for number, cells in enumerate(islice(rows, LOOKED_AT_FOR_HEADER), start=1):
        try:
            fits(distinct(cells))
        except but:
            return number
        except refusal:
            continue
        return number
    return None
