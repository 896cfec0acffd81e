"""Repairs invalid optional members of a touchpoint, for producers that never read responses. Pure.

The members that every touchpoint needs (id, time, channel, kind and one identifier) are never changed. A number that
some readers would round becomes text; what is too long is cut; what fits nowhere is left out. Every repair is reported.
It runs only on touchpoints that the contract rejects.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from schemas.documents.touchpoint import PostedTouchpoint
from schemas.validation import FieldError
from services.ingest.reasons import RepairKind
from services.ingest.results.item_result import ItemResult, MemberRepair
from services.ingest.touchpoint import contract
from services.ingest.touchpoint.document import ItemLimits, JsonObject

_SAFE: Final = (1 << 53) - 1
_LONGEST_TEXT: Final = 4096
_MOST_MEMBERS: Final = 100
_NEEDED: Final = frozenset({"id", "occurred_at", "channel", "kind", "customer", "source", "replay"})
_OF_MANY: Final = frozenset({"customer", "refs"})
_BAD_NAME: Final = re.compile(r"[\x00-\x1f\x7f]|^$|^.{129,}$", re.DOTALL)
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_UNKEEPABLE: Final = re.compile(r"[\x00\ud800-\udfff]")


def read_again(
    found: JsonObject, rejected: ItemResult, defaults: Mapping[str, Any], *, composed: bool
) -> tuple[PostedTouchpoint | ItemResult, tuple[MemberRepair, ...]]:
    """Return the touchpoint that a rejected object is once it is repaired, with the repairs; `found` is used up."""
    repairs = _repair_members(found, rejected.errors)
    if not repairs:
        return rejected, ()
    return contract.read(found, defaults, composed=composed, shallow=True), repairs


def _repair_members(found: JsonObject, errors: Sequence[FieldError]) -> tuple[MemberRepair, ...]:
    """Repair `found` in place where `errors` allow it, and return the repairs, if any."""
    tops = [error.path.partition(".")[0].partition("[")[0] for error in errors]
    notes: list[MemberRepair] = []
    if "attributes" in tops:
        found["attributes"] = _freed(found.get("attributes"), "attributes", notes)
    for error, top in zip(errors, tops, strict=True):
        inner = error.path.partition(".")[2].partition(".")[0]
        held = found.get(top)
        if top in _OF_MANY and isinstance(held, dict) and inner in held:
            del held[inner]
            notes.append(MemberRepair(path=f"{top}.{inner}", how=RepairKind.LEFT_OUT))
        elif top in found and top not in _NEEDED and top != "attributes":
            del found[top]
            notes.append(MemberRepair(path=top, how=RepairKind.LEFT_OUT))
    return tuple(notes)


def read_leniently(text: bytes, limits: ItemLimits) -> tuple[JsonObject, tuple[MemberRepair, ...]] | None:
    """Return the object that `text` is, with repairs of what cannot be kept inside its members.

    None where it is no JSON object, or cannot be kept for what it says itself.
    """
    try:
        found = json.loads(text, parse_int=_whole, parse_float=_real, parse_constant=_Number)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or _UNKEEPABLE.search("".join(_said(found))):
        return None
    notes: list[MemberRepair] = []
    return _shallow(found, "", limits.depth, notes), tuple(notes)


def _said(message: JsonObject) -> Iterator[str]:
    """The texts of the message itself: who, what and which one must not be guessed at."""
    yield from (held for name, held in message.items() if isinstance(held, str))


class _Number(str):
    """A number that cannot be kept as one, as it was written."""

    __slots__ = ()


def _whole(text: str) -> int | _Number:
    return int(text) if len(text.lstrip("-")) < 17 and abs(int(text)) <= _SAFE else _Number(text)


def _real(text: str) -> float | _Number:
    number = float(text)
    return number if abs(number) <= _SAFE else _Number(text)


def _shallow(node: Any, path: str, levels: int, notes: list[MemberRepair]) -> Any:
    """Return `node` with at most `levels` levels, with texts that can be kept, and its odd numbers told."""
    if isinstance(node, _Number):
        notes.append(MemberRepair(path=path, how=RepairKind.NUMBER_AS_TEXT))
        return str(node)
    if isinstance(node, str):
        return _kept(node, path, notes)
    if isinstance(node, dict | list) and levels < 1:
        notes.append(MemberRepair(path=path, how=RepairKind.SHORTENED))
        return json.dumps(node, ensure_ascii=True)[:_LONGEST_TEXT]
    if isinstance(node, dict):
        return {
            _UNKEEPABLE.sub("", name): _shallow(child, _inside(path, name), levels - 1, notes)
            for name, child in node.items()
        }
    return [_shallow(child, path, levels - 1, notes) for child in node] if isinstance(node, list) else node


def _freed(node: Any, path: str, notes: list[MemberRepair]) -> Any:
    """Return a free value that the contract takes."""
    if isinstance(node, bool) or node is None:
        return node
    if isinstance(node, int | float):
        if abs(node) <= _SAFE:
            return node
        notes.append(MemberRepair(path=path, how=RepairKind.NUMBER_AS_TEXT))
        return str(node)
    if isinstance(node, str):
        return _kept(node, path, notes)
    if isinstance(node, list):
        if len(node) > _MOST_MEMBERS:
            notes.append(MemberRepair(path=path, how=RepairKind.SHORTENED))
        return [_freed(child, path, notes) for child in node[:_MOST_MEMBERS]]
    return dict(_members(node, path, notes))


def _members(node: dict[str, Any], path: str, notes: list[MemberRepair]) -> Iterator[tuple[str, Any]]:
    usable = [name for name in node if not _BAD_NAME.search(name)]
    if len(usable) < len(node):
        notes.append(MemberRepair(path=path, how=RepairKind.LEFT_OUT))
    if len(usable) > _MOST_MEMBERS:
        notes.append(MemberRepair(path=path, how=RepairKind.SHORTENED))
    for name in usable[:_MOST_MEMBERS]:
        yield name, _freed(node[name], _inside(path, name), notes)


def _kept(text: str, path: str, notes: list[MemberRepair]) -> str:
    kept = _UNKEEPABLE.sub("", text)[:_LONGEST_TEXT]
    if kept != text:
        notes.append(MemberRepair(path=path, how=RepairKind.SHORTENED))
    return kept


def _inside(path: str, name: str) -> str:
    plain = name if _PLAIN_NAME.fullmatch(name) else ""
    return ".".join(part for part in (path, plain) if part)
