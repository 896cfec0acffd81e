"""Decides whether a touchpoint repeats a stored one although their fingerprints differ. Pure.

A fingerprint depends on the release that made it, because identifiers are spelt differently since. To recognise
duplicates through an upgrade, this module compares the touchpoints themselves. It is asked only if fingerprints differ.
"""

from typing import Any

import msgspec

from schemas.documents.touchpoint import SEALED
from schemas.identifiers import blocked, spelling
from services.journey.domain.touchpoint import Identifier, Touchpoint, fingerprint, first_fingerprint


def is_repeat(given: Touchpoint, known: bytes, stored: Touchpoint | None) -> bool:
    """Return whether `given` repeats the touchpoint with the fingerprint `known`, which is not its own fingerprint.

    `stored` is None if the touchpoint is no longer there, or never was because it names nobody.
    """
    return is_equivalent(stored, given) if stored is not None else first_fingerprint(given) == known


def is_equivalent(stored: Touchpoint, given: Touchpoint) -> bool:
    """Return whether `given` has the content of `stored`, as far as an earlier release would have kept it.

    Identifiers with a value that is blocked by now do not count, and neither does an extension or an `ß` that the
    stored one lost. Two encrypted values cannot be compared and count as equal.
    """
    kept = _usable(stored.customer)
    again = {type_: _as_stored(type_, one, kept.get(type_)) for type_, one in _usable(given.customer).items()}
    return fingerprint(_readable(stored, kept)) == fingerprint(_readable(given, again))


def _usable(customer: dict[str, Identifier]) -> dict[str, Identifier]:
    return {type_: one for type_, one in customer.items() if not blocked.is_blocked(type_, one.value)}


def _as_stored(type_: str, given: Identifier, stored: Identifier | None) -> Identifier:
    if stored is not None and spelling.earlier(type_, given.value) == stored.value:
        return msgspec.structs.replace(given, value=stored.value)
    return given


def _readable(touchpoint: Touchpoint, customer: dict[str, Identifier]) -> Touchpoint:
    return msgspec.structs.replace(touchpoint, customer=customer, attributes=_unsealed(touchpoint.attributes))


def _unsealed(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _unsealed(member) for name, member in node.items()}
    first = node[0] if isinstance(node, list) and node else node
    if isinstance(first, str) and first.startswith(SEALED):
        return SEALED
    return [_unsealed(element) for element in node] if isinstance(node, list) else node
