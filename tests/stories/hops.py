"""The nine hops of a touchpoint's life, and what their code looks like: to the reader, and to the interpreter."""

import ast
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType

ROOT = Path(__file__).parents[2]

Hop = tuple[str, str]
"""A file and a function in it."""

HOPS: list[Hop] = [
    ("services/ingest/forms/native/post_touchpoints.py", "PostTouchpoints.answer"),
    ("services/ingest/touchpoint/contract.py", "read"),
    ("services/ingest/touchpoint/acceptance.py", "accept"),
    ("services/ingest/publish/intake.py", "TouchpointIntake._publish"),
    ("services/journey/apply/transaction.py", "BatchTransaction.apply"),
    ("services/journey/domain/projection.py", "project"),
    ("services/journey/domain/rules/book.py", "Rulebook.evaluate"),
    ("services/alerts/issues/placement.py", "place"),
    ("services/alerts/deliver/webhook/sender.py", "WebhookSender.send"),
]

IN_SQL = HOPS[4]
"""The one hop that is nothing without PostgreSQL; the integration tests take it."""

STAND_IN = ("tests/stories/journey_tables.py", "JourneyTables.apply")
"""What takes the same steps in the story."""

STEPS = ("judge", "filter_duplicates", "resolve", "renew", "advance")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def definition(hop: Hop) -> Function | None:
    """Return the syntax tree of a function, None where there is none of that name."""
    file, name = hop
    body: list[ast.stmt] = ast.parse((ROOT / file).read_text(encoding="utf-8")).body
    *classes, function = name.split(".")
    for outer in classes:
        body = next((node.body for node in body if isinstance(node, ast.ClassDef) and node.name == outer), [])
    return next((node for node in body if isinstance(node, Function) and node.name == function), None)


def length(hop: Hop) -> int:
    """Return how many lines a function has, signature and docstring included."""
    known = definition(hop)
    assert known is not None
    return (known.end_lineno or known.lineno) - known.lineno + 1


def calls(hop: Hop) -> list[str]:
    """Return what a function calls, in the order of its text, each name once and without a leading underscore."""
    known = definition(hop)
    assert known is not None
    found = [node for node in ast.walk(known) if isinstance(node, ast.Call)]
    found.sort(key=lambda node: (node.lineno, node.col_offset))
    names = (node.func.attr if isinstance(node.func, ast.Attribute) else _name(node.func) for node in found)
    return list(dict.fromkeys(name.lstrip("_") for name in names))


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def code_of(hop: Hop) -> tuple[str, int]:
    """Return the file and the first line of a function, as the interpreter knows it."""
    known = definition(hop)
    assert known is not None
    first = known.decorator_list[0].lineno if known.decorator_list else known.lineno
    return str(ROOT / hop[0]), first


@contextmanager
def watched() -> Iterator[set[tuple[str, int]]]:
    """Collect the functions that this thread enters."""
    entered: set[CodeType] = set()
    places: set[tuple[str, int]] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            entered.add(frame.f_code)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield places
    finally:
        sys.setprofile(before)
        places.update((code.co_filename, code.co_firstlineno) for code in entered)
