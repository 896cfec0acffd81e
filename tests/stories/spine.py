"""The table of docs/life-of-a-touchpoint.md, who called whom in a run, and where the two differ."""

import ast
import re
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "life-of-a-touchpoint.md"

MOST_FUNCTIONS = 25
MOST_LINES = 430
BOUNDARIES = (
    "`POST /v1/touchpoints`",
    "topic `touchpoints`",
    "table `outbox`",
    "topic `frictions`",
    "table `deliveries`",
)
"""Where no function calls the next one: something is written down, and read by another task or process."""

LAST = ("services/alerts/deliver/http/sender.py", "EndpointSender.send")
"""Where the way ends."""

FunctionPlace = tuple[str, str]
"""A file, from the root of the repository, and the qualified name of a function in it."""

Call = tuple[FunctionPlace, FunctionPlace]
"""Who called, and what."""

LINK = re.compile(r"\[`(?P<file>[^`\]]+)`\]\((?P<target>[^)#]+)\) `(?P<function>[\w.]+)`")
_ROW = re.compile(r"\| *\d+ *\|")
_INLINE = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})
"""Parts of a function that are frames of their own to some interpreters."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, kw_only=True)
class SpineRow:
    """A row of the table. `called_by` has the number of another row, the boundary before it, or both."""

    number: int
    function: FunctionPlace
    called_by: str
    adds: str
    fails: str

    @property
    def caller(self) -> int | None:
        """The number of the row that calls this one, None where there is only a boundary."""
        found = re.match(r"\d+", self.called_by)
        return int(found[0]) if found else None


def read_spine(page: str) -> list[SpineRow]:
    """Return the rows of the page's table."""
    rows = []
    for line in page.splitlines():
        if _ROW.match(line):
            number, where, called_by, adds, fails = (cell.strip() for cell in line.strip("|").split("|"))
            [function] = functions_in(where)
            rows.append(SpineRow(number=int(number), function=function, called_by=called_by, adds=adds, fails=fails))
    return rows


def functions_in(text: str) -> list[FunctionPlace]:
    """Return the functions that a text names, by the files that its links lead to."""
    return [
        (str((PAGE.parent / link["target"]).resolve().relative_to(ROOT)), link["function"])
        for link in LINK.finditer(text)
    ]


def untrue(page: str, calls: Collection[Call]) -> list[str]:
    """Return what the page says of the spine and `calls`, in their order, do not bear out; empty for a true page."""
    rows = read_spine(page)
    by_number = {row.number: row for row in rows}
    found = [] if list(by_number) == list(range(1, len(rows) + 1)) else ["the rows are not numbered 1, 2, 3 …"]
    if not rows or rows[-1].function != LAST:
        found.append("the way does not end at the webhook")
    if len(rows) > MOST_FUNCTIONS:
        found.append(f"{len(rows)} functions")
    if [place for place in BOUNDARIES for row in rows if place in row.called_by] != list(BOUNDARIES):
        found.append("each boundary is crossed once, in the order of the way")
    ran = list(dict.fromkeys(callee for _, callee in calls))
    in_order = [place for place in ran if place in {row.function for row in rows}]
    if in_order != [row.function for row in rows]:
        found.append("the rows do not stand in the order in which their functions run")
    for row in rows:
        if definition(row.function) is None:
            found.append(f"{row.number}: there is no {row.function[1]}")
        elif row.function not in ran:
            found.append(f"{row.number}: {row.function[1]} did not run")
        found += _untrue_caller(row, by_number, calls)
    lines = sum(length(row.function) for row in rows)
    return [*found, f"{lines} lines"] if lines > MOST_LINES else found


def _untrue_caller(row: SpineRow, by_number: dict[int, SpineRow], calls: Collection[Call]) -> Iterator[str]:
    if not row.adds or not row.fails:
        yield f"{row.number}: a cell is empty"
    if row.caller is None:
        if row.called_by not in BOUNDARIES:
            yield f"{row.number}: nobody calls it"
    elif row.caller >= row.number or row.caller not in by_number:
        yield f"{row.number}: its caller stands not above it"
    elif (by_number[row.caller].function, row.function) not in calls:
        yield f"{row.number}: {by_number[row.caller].function[1]} did not call {row.function[1]}"


def definition(place: FunctionPlace) -> Function | None:
    """Return the syntax tree of a function, None where there is none of that name."""
    file, name = place
    if not (ROOT / file).is_file():
        return None
    body: Sequence[ast.stmt] = ast.parse((ROOT / file).read_text(encoding="utf-8")).body
    *classes, function = name.split(".")
    for outer in classes:
        body = next((node.body for node in body if isinstance(node, ast.ClassDef) and node.name == outer), [])
    return next((node for node in body if isinstance(node, Function) and node.name == function), None)


def length(place: FunctionPlace) -> int:
    """Return how many lines a function has, signature and docstring included; 0 where there is no such function."""
    known = definition(place)
    return 0 if known is None else (known.end_lineno or known.lineno) - known.lineno + 1


def steps_of(place: FunctionPlace) -> list[str]:
    """Return what a function calls, in the order of its text, each name once and without a leading underscore."""
    known = definition(place)
    assert known is not None
    found = [node for node in ast.walk(known) if isinstance(node, ast.Call)]
    found.sort(key=lambda node: (node.end_lineno or 0, node.end_col_offset or 0))
    names = (node.func.attr if isinstance(node.func, ast.Attribute) else _name(node.func) for node in found)
    return list(dict.fromkeys(name.lstrip("_") for name in names))


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


@contextmanager
def recorded_calls() -> Iterator[dict[Call, None]]:
    """Collect which function of this repository calls which, directly, in this thread; in order, each once."""
    calls: dict[Call, None] = {}
    places: dict[CodeType, FunctionPlace | None] = {}

    def place_of(code: CodeType) -> FunctionPlace | None:
        if code not in places:
            file = Path(code.co_filename)
            ours = file.is_relative_to(ROOT / "services") or file.is_relative_to(ROOT / "schemas")
            places[code] = (str(file.relative_to(ROOT)), code.co_qualname) if ours else None
        return places[code]

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and (callee := place_of(frame.f_code)) is not None:
            outer = frame.f_back
            while outer is not None and outer.f_code.co_name in _INLINE:
                outer = outer.f_back
            caller = place_of(outer.f_code) if outer is not None else None
            calls.setdefault((caller or ("", ""), callee))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(before)
