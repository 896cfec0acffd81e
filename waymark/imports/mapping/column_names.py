"""Names of columns: one spelling of each, wherever it comes from, and none twice."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import islice

BUILT_IN = frozenset({"row", "file"})
"""Columns that every file has, unless it has its own of that name: the row's number, and the file's name."""

LOOKED_AT_FOR_HEADER = 20


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


def titles_before(
    rows: Iterable[Sequence[str]], fits: Callable[[Sequence[str]], None], refusal: type[Exception]
) -> int | None:
    """Return how many rows, with the one before `rows`, stand above the first that `fits` does not refuse.

    Only a few are looked at; None when none of them fits.
    """
    for number, cells in enumerate(islice(rows, LOOKED_AT_FOR_HEADER), start=1):
        try:
            fits(distinct(cells))
        except refusal:
            continue
        return number
    return None
