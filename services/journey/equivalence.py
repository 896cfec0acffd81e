"""Whether a touchpoint is one that is stored already, though their fingerprints differ. Pure.

Fingerprints are made by the release that stored them, from identifiers as they were spelt then. A known duplicate stays
one through an upgrade: what is judged here is the stored touchpoint itself. Asked only where fingerprints differ.
"""

from typing import Any

import msgspec

from schemas.documents.touchpoint import SEALED
from schemas.identifiers import blocked, spelling
from services.journey.domain.touchpoint import Identifier, Touchpoint, fingerprint, first_fingerprint


def is_repeat(given: Touchpoint, known: bytes, stored: Touchpoint | None) -> bool:
    """Whether `given`, whose own fingerprint is not the `known` one, repeats what that was made of.

    `stored` is None where the touchpoint is not there any more, or never was because it names nobody.
    """
    return is_equivalent(stored, given) if stored is not None else first_fingerprint(given) == known


def is_equivalent(stored: Touchpoint, given: Touchpoint) -> bool:
    """Whether `given` says what `stored` says, as far as an earlier release would have kept it.

    Identifiers whose value is blocked by now do not count; an extension or an `ß` that the stored one lost does not
    either; two encrypted values cannot be compared, and are taken to be equal.
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
