"""Rules as they are stored: whole rules in JSON, so that a version means the same whatever file a release ships.

A stored rule that this release cannot read becomes an `UnknownRule`: it fails for whoever it would judge, which keeps
what others found, and leaves those customers to a release that knows it.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from services.journey.domain.rules.edition import UnknownRule, UnknownRuleError
from services.journey.domain.rules.shapes.registry import AnyRule
from services.journey.rulebook.rules_file import read_rule


class StoredRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is stored of a version of the rules."""

    rules: list[dict[str, Any]]


class StoredShadow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is stored of a version of the shadow: a whole rules file, and the ids of the rules that are tried."""

    rules: list[dict[str, Any]]
    shadowed: list[str]

    @property
    def tried(self) -> list[dict[str, Any]]:
        """The rules that are in the shadow."""
        return [rule for rule in self.rules if rule["id"] in self.shadowed]


class _Named(msgspec.Struct):
    id: str
    version: int = 1
    enabled: bool = True


_ENCODER = msgspec.json.Encoder(order="sorted")
_DECODER = msgspec.json.Decoder(StoredRules)
_SHADOW_DECODER = msgspec.json.Decoder(StoredShadow)


def encode(rules: Sequence[dict[str, Any]]) -> bytes:
    """Return whole rules as they are stored; equal rules in equal order give equal bytes."""
    return _ENCODER.encode(StoredRules(rules=list(rules)))


def decode(document: bytes) -> tuple[AnyRule | UnknownRule, ...]:
    """Return the rules of a stored version, except for unknown ones that are switched off.

    Raises:
        msgspec.ValidationError, msgspec.DecodeError: nothing of it can be read.
    """
    found = (_rule(raw) for raw in _DECODER.decode(document).rules)
    return tuple(rule for rule in found if rule is not None)


def as_file(document: bytes) -> str:
    """Return a stored version as a rules file, without rules that this release does not know; raises like `decode`."""
    known = [raw for raw in _DECODER.decode(document).rules if not isinstance(_rule(raw), UnknownRule)]
    return msgspec.json.encode({"rules": known}).decode()


def encode_shadow(shadow: StoredShadow) -> bytes:
    """Return a version of the shadow as it is stored."""
    return _ENCODER.encode(shadow)


def read_shadow(document: bytes) -> StoredShadow:
    """Return a stored version of the shadow; raises as `decode` does."""
    return _SHADOW_DECODER.decode(document)


def decode_shadow(document: bytes) -> tuple[AnyRule | UnknownRule, ...]:
    """Return the rules in the shadow in a stored version; raises as `decode` does."""
    found = (_rule(raw) for raw in read_shadow(document).tried)
    return tuple(rule for rule in found if rule is not None)


def _rule(raw: dict[str, Any]) -> AnyRule | UnknownRule | None:
    try:
        return read_rule(raw)
    except UnknownRuleError as error:
        named = msgspec.convert(raw, _Named)
        if not named.enabled:
            return None
        return UnknownRule(id=named.id, version=named.version, content=_ENCODER.encode(raw), why=str(error))
