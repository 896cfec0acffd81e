"""The conditions of a rules file by the oracle: matchers, fields by their paths, limits, durations.

Part of the oracle: it imports nothing of Waymark, on purpose.
"""

from typing import Any, Final

from tests.oracle.facts import DAY, HOUR, MINUTE, SECOND, Json

UNITS: Final = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}


def matches(matcher: Any, doc: Json) -> bool:
    """One clause, or several of which one must hold."""
    clauses = matcher if isinstance(matcher, list) else [matcher]
    return any(all(_holds(read(doc, field), want) for field, want in clause.items()) for clause in clauses)


def _holds(value: Any, want: Any) -> bool:
    if isinstance(want, dict):
        return all(_asked(value, name, wanted) for name, wanted in want.items())
    return value is not None and any(_equal(value, one) for one in (want if isinstance(want, list) else [want]))


def _asked(value: Any, name: str, wanted: Any) -> bool:
    if name == "exists":
        return (value is not None) is wanted
    if value is None:
        return False
    if name == "not":
        return not _holds(value, wanted)
    if name == "contains":
        return isinstance(value, str) and wanted.casefold() in value.casefold()
    return is_number(value) and is_over(value, {name: wanted})


def is_over(number: Any, limit: Json) -> bool:
    return bool(
        ("gt" in limit and number > limit["gt"])
        or ("gte" in limit and number >= limit["gte"])
        or ("lt" in limit and number < limit["lt"])
        or ("lte" in limit and number <= limit["lte"])
    )


def _equal(value: Any, want: Any) -> bool:
    return bool(value == want and isinstance(value, bool) == isinstance(want, bool))


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def read(doc: Json, field: str) -> Any:
    """A field by its path, None where it is not known."""
    if field.startswith("score.on_"):
        score = doc.get("score")
        return None if not score else score["value"] * int(field.removeprefix("score.on_")) / score["scale"]
    node: Any = doc
    names = field.split(".")
    if names[0] == "customer" and len(names) == 2:
        names.append("value")
    for name in names:
        node = node.get(name) if isinstance(node, dict) else None
    return node


def duration(text: str) -> int:
    """`1d 2h` in microseconds."""
    return sum(int(part[:-1]) * UNITS[part[-1]] for part in text.split())
