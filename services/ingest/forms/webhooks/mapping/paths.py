"""Paths to values in a delivery: `detail.contactId`, `contacts[0].email`, `parts[type=note].body`, `@header.Id`.

A path without `@` looks into the event (one element of the body where it is split, else the body). A member whose name
has dots or brackets stands in quotation marks: `tags."aws:name"`. Of several elements that satisfy a condition the
first counts; an object that does not satisfy it is absent: `author[type=user|lead].email`. `[only]` is the element of a
list that has but one, `[]` all of them. A path is compiled once, and no expression is ever evaluated. Pure.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from services.ingest.forms.webhooks.delivery import InboundDelivery, parameters


class EventPathError(Exception):
    """A path that cannot be read; the message shows where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventContext:
    """One event with everything that a path can refer to; `raw` is the event as sent, `at` its index from 0."""

    event: Any
    whole: Any
    delivery: InboundDelivery
    received_at: datetime
    raw: bytes = b""
    at: int = 0
    element: Any = None
    """Of an entry that is made once for each element of a list: that element."""

    options: Mapping[str, str] = field(default_factory=dict)


Getter = Callable[[EventContext], Any]
PathStep = Callable[[Any], Any]

ROOTS = ("header", "query", "body", "each", "option", "received_at", "received_ms", "digest", "index")
"""What may follow an `@`."""

_STEP = re.compile(
    r"""\[(?P<at>-?\d+)\] | \[(?P<member>[^\]=\s]+)=(?P<wanted>[^\]]*)\] | (?P<only>\[only\]) | (?P<all>\[\])
      | (?P<dot>\.)?(?:"(?P<quoted>[^"]+)"|(?P<name>[^."\[\]{}@\s]+))""",
    re.VERBOSE,
)
_DIGEST_BYTES = 16


def compile_path(text: str) -> Getter:
    """Return what reads the value at `text`; absent is None.

    Raises:
        EventPathError: it is no path.
    """
    if not text.startswith("@"):
        steps = _steps(text, 0)
        return lambda view: _walk(view.event, steps)
    root, dot, rest = text[1:].partition(".")
    if root not in ROOTS:
        raise EventPathError(f"`{text}`: after @ comes one of {', '.join(ROOTS)}")
    if (root in _NAMED) != bool(dot and rest):
        wanted = "wants a name after a dot" if root in _NAMED else "stands alone"
        raise EventPathError(f"`{text}`: @{root} {wanted}")
    return _rooted(root, rest)


_NAMED = frozenset({"header", "query", "body", "each", "option"})


def _rooted(root: str, rest: str) -> Getter:
    if root == "body":
        steps = _steps(rest, len("@body."))
        return lambda view: _walk(view.whole, steps)
    if root == "each":
        steps = _steps(rest, len("@each."))
        return lambda view: _walk(view.element, steps)
    if root == "header":
        return lambda view: view.delivery.header(rest)
    if root == "query":
        return lambda view: next(iter(parameters(view.delivery.query).get(rest, ())), None)
    if root == "option":
        return lambda view: view.options.get(rest)
    return _FACTS[root]


_FACTS: dict[str, Getter] = {
    "received_at": lambda view: view.received_at,
    "received_ms": lambda view: int(view.received_at.timestamp() * 1000),
    "digest": lambda view: hashlib.blake2b(view.raw, digest_size=_DIGEST_BYTES).hexdigest(),
    "index": lambda view: view.at,
}


def _steps(text: str, offset: int) -> tuple[PathStep, ...]:
    steps: list[PathStep] = []
    end = 0
    while end < len(text):
        found = _STEP.match(text, end)
        if found is None or (found["dot"] is None) != (end == 0 or found[0].startswith("[")):
            raise EventPathError(f"`{text}` is no path: look at character {offset + end + 1}")
        end = found.end()
        if found["all"] is not None:  # what follows is asked of each element
            rest = _steps(text[end:].removeprefix("."), offset + end) if end < len(text) else ()
            return (*steps, partial(_every, steps=rest))
        steps.append(_step(found))
    if not steps:
        raise EventPathError("an empty path")
    return tuple(steps)


def _step(found: re.Match[str]) -> PathStep:
    if found["at"] is not None:
        at = int(found["at"])
        return lambda node: node[at] if isinstance(node, list) and -len(node) <= at < len(node) else None
    if found["only"] is not None:
        return lambda node: node[0] if isinstance(node, list) and len(node) == 1 else None
    if found["member"] is not None:
        member, wanted = found["member"], frozenset(found["wanted"].casefold().split("|"))
        return lambda node: next(
            (part for part in _objects(node) if as_text(part.get(member)).casefold() in wanted), None
        )
    name = found["quoted"] or found["name"]
    return lambda node: node.get(name) if isinstance(node, dict) else None


def _objects(node: Any) -> list[dict[str, Any]]:
    """The objects in a list; an object by itself is the one there is."""
    return [part for part in (node if isinstance(node, list) else [node]) if isinstance(part, dict)]


def _every(node: Any, steps: tuple[PathStep, ...]) -> list[Any]:
    """What stands at `steps` in each element of a list, where it does."""
    found = [_walk(part, steps) for part in (node if isinstance(node, list) else ())]
    return [one for one in found if one is not None]


def elements(node: Any, names: Sequence[str]) -> list[Any]:
    """Return the elements of the list at `names`, going through every list on the way."""
    if isinstance(node, list):
        return [one for part in node for one in (elements(part, names) if names else [part])]
    return elements(node.get(names[0]), names[1:]) if names and isinstance(node, dict) else []


def _walk(node: Any, steps: tuple[PathStep, ...]) -> Any:
    for step in steps:
        if node is None:
            return None
        node = step(node)
    return node


def as_text(value: Any) -> str:
    """Return a value as text: JSON's true is `true`, 2.0 is `2`; null, objects and lists are empty."""
    if value is None or isinstance(value, dict | list):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)
