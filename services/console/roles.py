"""What people are to the console: their role, which kind of key serves it, and how a provider's claims name it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.runtime.addresses import value_forms
from services.runtime.credentials.api_keys import KeyKind


class Right(StrEnum):
    """Something that people may do; pages show, and the console forwards, what the rights allow."""

    LOOK = "look"
    """Issues, outbreaks, customers with what they did."""
    ACT = "act"
    """Take, assign, snooze, resolve, note issues."""
    REVEAL = "reveal"
    """See identifiers in clear, with a reason that is kept."""
    ANALYSE = "analyse"
    """The map, funnels, rules and what they find, impact, improvements."""
    PROPOSE = "propose"
    """Propose an improvement, and say that one is done."""
    DECIDE = "decide"
    """Accept or decline improvements."""
    RULE = "rule"
    """Try rules, put them in force, go back."""
    MERGE = "merge"
    """Say who is one person and who is not."""
    AUDIT = "audit"
    """Read who saw whom in clear."""
    INSPECT = "inspect"
    """See what producers send, as it comes."""
    HEALTH = "health"
    """See how the pipeline and the teams' endpoints do."""
    OPERATE = "operate"
    """Test endpoints and send again what they missed."""

    @property
    def key_kind(self) -> KeyKind:
        """The least kind of key that an API asks for; the console uses its own of this kind for whom it signed in."""
        return _KINDS.get(self, KeyKind.READER)


_KINDS = {
    Right.ACT: KeyKind.AGENT,
    Right.REVEAL: KeyKind.AGENT,
    Right.PROPOSE: KeyKind.AGENT,
    Right.DECIDE: KeyKind.ADMIN,
    Right.RULE: KeyKind.ADMIN,
    Right.MERGE: KeyKind.ADMIN,
    Right.AUDIT: KeyKind.ADMIN,
    Right.OPERATE: KeyKind.ADMIN,
}


class PersonRole(StrEnum):
    """The role of whoever is signed in."""

    READER = "reader"
    AGENT = "agent"
    LEAD = "lead"
    ANALYST = "analyst"
    OPERATOR = "operator"


_AGENTS = {Right.LOOK, Right.ACT, Right.REVEAL}
_READERS = {Right.LOOK, Right.ANALYSE, Right.INSPECT, Right.HEALTH}

RIGHTS: Mapping[PersonRole, frozenset[Right]] = {
    PersonRole.READER: frozenset(_READERS),
    PersonRole.AGENT: frozenset(_AGENTS),
    PersonRole.LEAD: frozenset(
        _AGENTS | {Right.ANALYSE, Right.PROPOSE, Right.DECIDE, Right.MERGE, Right.AUDIT, Right.HEALTH}
    ),
    PersonRole.ANALYST: frozenset(_READERS | {Right.PROPOSE, Right.RULE}),
    PersonRole.OPERATOR: frozenset(Right),
}
"""What people may do whom the provider signed in."""

_OF_KEYS = {
    KeyKind.READER: PersonRole.READER,
    KeyKind.AGENT: PersonRole.AGENT,
    KeyKind.ADMIN: PersonRole.OPERATOR,
}


def role_of_key(kind: KeyKind) -> PersonRole | None:
    """Return the role of somebody who signs in with a key of this kind; None for a producer's, which opens no page."""
    return _OF_KEYS.get(kind)


def rights_of(role: PersonRole, *, by_key: bool) -> frozenset[Right]:
    """Return what somebody may do. A key of one's own may what the APIs let it do, so an agent's sees all pages."""
    if not by_key:
        return RIGHTS[role]
    kind = next(kind for kind, its in _OF_KEYS.items() if its is role)
    return frozenset(right for right in Right if kind.includes(right.key_kind))


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleMapping:
    """Which value of a claim makes which role; the first entry that fits decides, and `*` fits everybody."""

    entries: Sequence[tuple[str, PersonRole]]

    def role_for(self, values: Sequence[str]) -> PersonRole | None:
        """Return the role of somebody whose claim has `values`; None if no entry fits."""
        return next((role for value, role in self.entries if value == "*" or value in values), None)


def parse_mapping(text: str) -> RoleMapping:
    """Return the mapping that `VALUE=ROLE, …` writes.

    Raises:
        ValueError: with a sentence that says what is wrong and never quotes what was given.
    """
    entries: list[tuple[str, PersonRole]] = []
    for number, word in enumerate(value_forms.words(text), start=1):
        value, _, role = word.rpartition("=")
        if not value.strip() or role.strip() not in set(PersonRole):
            msg = f"entry {number} is no VALUE=ROLE; roles are {', '.join(PersonRole)}, and * is everybody"
            raise ValueError(msg)
        entries.append((value.strip(), PersonRole(role.strip())))
    return RoleMapping(entries=tuple(entries))


def claimed_values(claims: Mapping[str, object], path: str) -> Sequence[str]:
    """Return the texts that a claim holds; the path of a nested one has dots (`realm_access.roles`)."""
    found: object = claims.get(path)
    if found is None:
        found = claims
        for name in path.split("."):
            found = found.get(name) if isinstance(found, dict) else None
    if isinstance(found, str):
        return (found,)
    return tuple(one for one in found if isinstance(one, str)) if isinstance(found, list) else ()
