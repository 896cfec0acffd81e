"""Compares two policies of identity: of which type which member differs, and which values are blocked. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from services.journey.rulebook.identity_file import IdentitySettings

_LISTS = ("words", "constants", "exact", "patterns")


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityChange:
    """One member that differs: `of` is `types.NAME`, `others`, `policy`, `blocked.every` or `blocked.types.NAME`.

    `before` and `after` are as they stand in JSON; of blocked values they are the lists.
    """

    of: str
    member: str
    before: Any
    after: Any


def compare(before: IdentitySettings, after: IdentitySettings) -> list[IdentityChange]:
    """Return what `after` changes; a type that only one of them names has there what holds for all others."""
    old, new = msgspec.to_builtins(before), msgspec.to_builtins(after)
    found = [change for name in {**old["types"], **new["types"]} for change in _of_type(name, old, new)]
    found += _differing("others", old["others"], new["others"])
    found += _blocked("blocked.every", old["blocked"]["every"], new["blocked"]["every"])
    old_types, new_types = old["blocked"]["types"], new["blocked"]["types"]
    for name in {**old_types, **new_types}:
        found += _blocked(f"blocked.types.{name}", old_types.get(name, {}), new_types.get(name, {}))
    if before.most_identifiers != after.most_identifiers:
        found += _differing(
            "policy",
            {"most_identifiers": before.most_identifiers},
            {"most_identifiers": after.most_identifiers},
        )
    return found


def _of_type(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[IdentityChange]:
    return _differing(f"types.{name}", old["types"].get(name, old["others"]), new["types"].get(name, new["others"]))


def _blocked(of: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[IdentityChange]:
    return _differing(
        of, {name: sorted(old.get(name, ())) for name in _LISTS}, {name: sorted(new.get(name, ())) for name in _LISTS}
    )


def _differing(of: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[IdentityChange]:
    for member in {**old, **new}:
        if old.get(member) != new.get(member):
            yield IdentityChange(of=of, member=member, before=old.get(member), after=new.get(member))
