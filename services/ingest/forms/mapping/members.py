"""The members of a touchpoint that a mapping may set, and how their values are written and put together.

A member inside another is named with a dot: `customer.phone`, `score.value`.
"""

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

from schemas.documents.touchpoint import PostedTouchpoint, ScoreDocument
from schemas.vocabulary import MoneyDocument
from services.ingest.forms.mapping.faults import MappingRuleError

REQUIRED: Final = frozenset({"id", "occurred_at", "channel", "kind", "customer"})
IGNORED: Final = frozenset({"reported_at", "time_quality", "sentiment_by"})
"""Members that ingest sets itself and ignores when they are sent; the files of channel systems may say them."""

MEMBERS: Final = frozenset(PostedTouchpoint.__struct_fields__) - {"source", "received_at", "replay"} - IGNORED

OPEN: Final = frozenset({"customer", "refs", "attributes"})
"""Members whose own members have names that the sender chooses."""

PAIRS: Final[Mapping[str, Collection[str]]] = {
    "score": ScoreDocument.__struct_fields__,
    "value": MoneyDocument.__struct_fields__,
}
"""Members with a fixed set of members of their own."""

NESTED: Final = OPEN | PAIRS.keys()

TIMES: Final = frozenset({"occurred_at", "due_at"})
DURATIONS: Final = frozenset({"wait_s", "duration_s", "hold_s"})
COUNTS: Final = frozenset({"transfers", "sequence"})
NUMBERS: Final = DURATIONS | COUNTS | {"sentiment", "score.value", "score.scale", "value.amount"}


def is_member(name: str) -> bool:
    """Return whether a mapping may set this: a member, one of an open member, or one of a pair."""
    outer, dot, inner = name.partition(".")
    if outer in OPEN:
        return bool(inner)
    if outer in PAIRS:
        return inner in PAIRS[outer]
    return outer in MEMBERS and not dot


def takes_members(name: str) -> bool:
    """Return whether the value of this may be an object with members: an identifier, a pair, or an attribute."""
    outer, dot, inner = name.partition(".")
    return name in PAIRS or (bool(dot) and (outer == "attributes" or (outer == "customer" and "." not in inner)))


def missing(names: Collection[str]) -> list[str]:
    """Return the members that every touchpoint needs and that are not among `names`."""
    return sorted(REQUIRED.difference(names))


def unknown(names: Collection[str], members: Collection[str] = MEMBERS) -> Iterator[tuple[str, str]]:
    """Yield each name that is none of `members`, and a hint at the one that may be meant (or nothing)."""
    for name in sorted(set(names).difference(members)):
        close = get_close_matches(name, members, n=1)
        yield name, f"; did you mean `{close[0]}`?" if close else ""


def merged(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is given over the defaults, the members of a member one by one."""
    whole = {**defaults, **given}
    for name in NESTED & defaults.keys() & given.keys():
        if isinstance(defaults[name], dict) and isinstance(given[name], dict):
            whole[name] = {**defaults[name], **given[name]}
    return whole


def flattened(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields with the members of open members taken out: `customer.phone`.

    Raises:
        MappingRuleError: an open member has no members.
    """
    found: dict[str, Any] = {}
    for name, value in fields.items():
        if name not in OPEN:
            found[name] = value
        elif isinstance(value, dict):
            found |= {f"{name}.{member}": held for member, held in value.items()}
        else:
            raise MappingRuleError(f"`{name}` wants its members, like `{name}: {{…}}`")
    return found


def put(document: dict[str, Any], name: str, value: Any) -> None:
    """Put a value at a member, which may be one of another: `refs.order_id`."""
    outer, dot, inner = name.partition(".")
    if dot:
        document.setdefault(outer, {})[inner] = value
    else:
        document[name] = value
