"""Paths into a delivery: `detail.contactId` and the like look into the event, `@header.Id` and the like elsewhere.

The event is one element of the body where it is split, else the body. Without `@`, a path is one of
`services.ingest.forms.mapping.paths`; so is what follows `@body.` and `@each.`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.ingest.forms.mapping.faults import MappingRuleError
from services.ingest.forms.mapping.paths import compile_steps, walk
from services.ingest.forms.mapping.values import Reader
from services.ingest.forms.webhooks.delivery import InboundDelivery, parameters


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


ROOTS = ("header", "query", "body", "each", "option", "received_at", "received_ms", "digest", "index")
"""What may follow an `@`."""

_NAMED = frozenset({"header", "query", "body", "each", "option"})
_DIGEST_BYTES = 16


def compile_event_path(text: str) -> Reader[EventContext]:
    """Return what reads the value at `text`; absent is None.

    Raises:
        MappingRuleError: it is no path.
    """
    if not text.startswith("@"):
        steps = compile_steps(text)
        return lambda view: walk(view.event, steps)
    root, dot, rest = text[1:].partition(".")
    if root not in ROOTS:
        raise MappingRuleError(f"`{text}`: after @ comes one of {', '.join(ROOTS)}")
    if (root in _NAMED) != bool(dot and rest):
        wanted = "wants a name after a dot" if root in _NAMED else "stands alone"
        raise MappingRuleError(f"`{text}`: @{root} {wanted}")
    return _rooted(root, rest)


def _rooted(root: str, rest: str) -> Reader[EventContext]:
    if root in {"body", "each"}:
        steps = compile_steps(rest, len(f"@{root}."))
        return (lambda view: walk(view.whole, steps)) if root == "body" else lambda view: walk(view.element, steps)
    if root == "header":
        return lambda view: view.delivery.header(rest)
    if root == "query":
        return lambda view: next(iter(parameters(view.delivery.query).get(rest, ())), None)
    if root == "option":
        return lambda view: view.options.get(rest)
    return _FACTS[root]


_FACTS: dict[str, Reader[EventContext]] = {
    "received_at": lambda view: view.received_at,
    "received_ms": lambda view: int(view.received_at.timestamp() * 1000),
    "digest": lambda view: hashlib.blake2b(view.raw, digest_size=_DIGEST_BYTES).hexdigest(),
    "index": lambda view: view.at,
}
