"""Compares two versions of the rules, rule by rule. Pure: stored documents in, names of rules out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from services.journey.rulebook.stored_rules import StoredRules


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChanges:
    """The ids of rules by what happened to them; `changed` has the members that differ.

    `on` and `off` are rules that only a switch was turned of, or that came or went with it.
    """

    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    on: tuple[str, ...] = ()
    off: tuple[str, ...] = ()
    changed: Mapping[str, tuple[str, ...]]

    def __bool__(self) -> bool:
        """Return whether anything differs."""
        return bool(self.new or self.gone or self.on or self.off or self.changed)


def rules_in(document: bytes) -> dict[str, dict[str, Any]]:
    """Return the whole rules of a stored version by id."""
    return {rule["id"]: rule for rule in msgspec.json.decode(document, type=StoredRules).rules}


def compare(before: bytes | None, after: bytes) -> RuleChanges:
    """Return what `after` changes; without a version before it, every rule is new."""
    old, now = rules_in(before) if before is not None else {}, rules_in(after)
    both = [id_ for id_ in now if id_ in old]
    members = {id_: _differing(old[id_], now[id_]) for id_ in both}
    return RuleChanges(
        new=tuple(id_ for id_ in now if id_ not in old),
        gone=tuple(id_ for id_ in old if id_ not in now),
        on=tuple(id_ for id_ in both if _is_on(now[id_]) and not _is_on(old[id_])),
        off=tuple(id_ for id_ in both if _is_on(old[id_]) and not _is_on(now[id_])),
        changed={id_: differing for id_, differing in members.items() if differing},
    )


def _is_on(rule: Mapping[str, Any]) -> bool:
    return bool(rule.get("enabled", True))


def _differing(old: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    names = dict.fromkeys([*old, *now])
    return tuple(name for name in names if name != "enabled" and old.get(name) != now.get(name))
