"""Masks what was sent: shows types, lengths and shapes instead of values. Pure.

A shape keeps what tells an engineer the mistake (`9999-99-99T99:99:99` has no offset, `aaa@aaaa.aaa` is an address) and
nothing that tells a person: every letter, digit and syllable looks like every other of its kind.
"""

import re
from collections.abc import Mapping
from typing import Any

SHAPE_LENGTH = 40
_MEMBERS = 60
_DEPTH = 5
_PUNCTUATION = frozenset(" -_.,:;/+@()[]{}#*'\"=&?!%<>|~^$\\")
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_LONG_NUMBER = re.compile(r"\d{4}")
_SLUG = re.compile(r"[a-z][a-z0-9_.:-]{0,63}")

Structure = str | dict[str, Any] | list[Any]

_OPEN = frozenset(
    {"channel", "kind", "direction", "outcome", "reason", "service_level", "queue", "source", "replay"}
    | {"occurred_at", "received_at", "sent_at", "reported_at", "due_at", "time_quality"}
    | {"wait_s", "duration_s", "hold_s", "transfers", "sequence", "sentiment", "sentiment_by", "score", "value"}
)
"""Members of an accepted touchpoint whose values are facts about the contact, not about the person."""


def shape(text: str) -> str:
    """Return `text` with every letter, digit and syllable replaced by one for its kind, cut at 40."""
    shown = "".join(_kind(character) for character in text[:SHAPE_LENGTH])
    return shown + ("…" if len(text) > SHAPE_LENGTH else "")


def _kind(character: str) -> str:
    if character.isdigit():
        return "9"
    if character.isascii():
        if character.isalpha():
            return "A" if character.isupper() else "a"
        return character if character in _PUNCTUATION else "?"
    if "가" <= character <= "힣":
        return "가"
    return "字" if character.isalpha() else "?"


def leaf(value: Any) -> str:
    """Return type, length and shape of a value: `text(19) 9999-99-99T99:99:99`."""
    if isinstance(value, str):
        return f"text({len(value)}) {shape(value)}".rstrip()
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return f"number {shape(str(value))}"
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return f"object({len(value)})"
    return f"list({len(value)})" if isinstance(value, list) else "unknown"


def structure(value: Any, depth: int = _DEPTH) -> Structure:
    """Return what `value` is made of; too many members and too deep levels become a count."""
    if isinstance(value, Mapping) and depth:
        shown: dict[str, Any] = {
            name(member): structure(inner, depth - 1) for member, inner in list(value.items())[:_MEMBERS]
        }
        if len(value) > _MEMBERS:
            shown["…"] = f"{len(value) - _MEMBERS} more"
        return shown
    if isinstance(value, list) and depth and value:
        return [structure(value[0], depth - 1), *([f"{len(value) - 1} more"] if len(value) > 1 else [])]
    return leaf(value)


def name(member: str) -> str:
    """Return a member's name if it is one that programs give, else its shape: somebody may be named there."""
    return member if _PLAIN_NAME.fullmatch(member) and not _LONG_NUMBER.search(member) else shape(member)


def at_path(document: Any, path: str) -> Any:
    """Return the value at `customer.phone` or `tags[3].name`; raises LookupError where there is none."""
    found = document
    for step in re.findall(r"[^.\[\]]+", path):
        if isinstance(found, list):
            found = found[int(step)] if step.isdigit() else found[step]
        elif isinstance(found, Mapping):
            found = found[step]
        else:
            raise LookupError(path)
    return found


def touchpoint(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return an accepted touchpoint in its normal form, with whatever could name a person masked."""
    return {member: _member(member, value) for member, value in document.items()}


def _member(member: str, value: Any) -> Any:
    if member == "id":
        return value
    if member == "customer" and isinstance(value, Mapping):
        return {name(type_): _identifier(given) for type_, given in value.items()}
    if member in _OPEN:
        return value if not isinstance(value, str) or _is_open(value) else leaf(value)
    return structure(value)


def _identifier(given: Any) -> Any:
    if isinstance(given, Mapping) and "value" in given:
        return {**{key: inner for key, inner in given.items() if key == "verified"}, "value": leaf(given["value"])}
    return leaf(given)


def _is_open(text: str) -> bool:
    return bool(_TIME.fullmatch(text) or (_SLUG.fullmatch(text) and not _LONG_NUMBER.search(text)))


_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)")
