"""Reads files of identity policy, and policies as they are stored, and makes of them what the domain decides by.

A file is checked against `schemas/identity.v1.schema.json`, then type by type; every problem is reported at once, with
its line and, for a name that is not known, the nearest one.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from difflib import get_close_matches
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas import validation
from schemas.identifiers import blocked, identifier_types, pseudonyms
from schemas.identifiers.blocked import BlockedValues, BlockList
from schemas.identifiers.identifier_types import IdentifierTrust, IdentifierType
from schemas.strict_yaml.yaml_text import UnreadableTextError, YamlText
from services.journey.domain.identity.constraints import (
    MOST_TOGETHER,
    SHARED_AFTER,
    ConstraintPolicy,
    TypeConstraints,
)
from services.journey.domain.identity.identity_book import SINCE_EVER, IdentityBook, IdentityVersion
from services.journey.domain.identity.planning import IdentityPolicy
from services.journey.rulebook import durations

SCHEMA: Final = "identity.v1"

REMEMBERED: Final = 8192
"""Identifiers for which the answer whether they are blocked is cached: the same ones come again and again."""

SPELT_BY_THE_CONTRACT: Final = frozenset({"email", "phone"})
"""Types whose values have their one spelling before they are published."""


class ValueSpelling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How values of a type are spelt: in small letters, and without some characters."""

    ignore_case: bool = False
    ignore: str = ""

    def spelt(self, value: str) -> str:
        """Return the one spelling of a value; one of which nothing would be left stays as it is."""
        plain = value.translate({ord(one): None for one in self.ignore}) if self.ignore else value
        return (plain.casefold() if self.ignore_case else plain) or value


class TypeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What holds for one type, in full: a stored policy means the same in every release."""

    strength: int
    title: dict[str, str] | None = None
    unique: bool = False
    personal: bool = False
    limit: int | None = None
    shared: bool = False
    verified_only: bool = False
    device: bool = False
    hold: timedelta | None = None
    shared_after: int | None = SHARED_AFTER
    spelling: ValueSpelling | None = None

    def constraints(self) -> TypeConstraints:
        """Return what the domain decides by."""
        return TypeConstraints(
            strength=self.strength,
            unique=self.unique,
            personal=self.personal,
            limit=self.limit,
            shared=self.shared,
            verified_only=self.verified_only,
            device=self.device,
            hold=self.hold,
            shared_after=self.shared_after,
        )


class MoreBlocked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Values that name nobody, beside those that ship: of every type, and of some."""

    every: BlockedValues = BlockedValues()
    types: dict[str, BlockedValues] = {}


class IdentitySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole policy: every type that is known, and what holds for all others."""

    types: dict[str, TypeSettings]
    others: TypeSettings
    blocked: MoreBlocked = MoreBlocked()
    most_identifiers: int = MOST_TOGETHER

    def version(self, in_force_from: datetime) -> IdentityVersion:
        """Return the policy as the domain decides by it, from a moment on."""
        types = self.types
        return IdentityVersion(
            in_force_from=in_force_from,
            policy=IdentityPolicy(
                blocked=_blocking(self.blocked),
                shared_types=frozenset(name for name, one in types.items() if one.shared),
                verified_types=frozenset(name for name, one in types.items() if one.verified_only),
                strength={name: one.strength for name, one in types.items()},
                unknown_strength=self.others.strength,
                most_identifiers=self.most_identifiers,
                spelt=_spelling({name: one.spelling for name, one in types.items() if one.spelling is not None}),
            ),
            constraints=ConstraintPolicy(
                types={name: one.constraints() for name, one in types.items()},
                others=self.others.constraints(),
                most_identifiers=self.most_identifiers,
            ),
        )


class IdentityRefusedError(ValueError):
    """A file that cannot be used; `problems` lists all its problems, one line each."""

    def __init__(self, name: str, problems: list[str]) -> None:
        """Name the file, and list its problems."""
        super().__init__("\n".join([f"{name} cannot be used:", *(f"  {problem}" for problem in problems)]))
        self.problems = tuple(problems)


class IdentityFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that can be used: its `text`, and the policy that it makes of the one that ships."""

    text: str
    settings: IdentitySettings


@cache
def shipped() -> IdentitySettings:
    """Return the policy that ships."""
    types = {name: _shipped_type(one) for name, one in identifier_types.load().items()}
    return IdentitySettings(types=types, others=_shipped_type(identifier_types.UNKNOWN))


def _shipped_type(known: IdentifierType) -> TypeSettings:
    return TypeSettings(
        title={"en": known.title.en, "ko": known.title.ko},
        strength=known.strength,
        unique=known.unique,
        personal=known.personal,
        shared=known.shared,
        device=known.trust is IdentifierTrust.DEVICE,
    )


@cache
def shipped_book() -> IdentityBook:
    """Return the policy that ships as the only version, which judges everything where nobody applied another."""
    return IdentityBook([shipped().version(SINCE_EVER)])


def load(path: Path) -> IdentityFile:
    """Return the file at a path; raise `IdentityRefusedError` or `OSError`."""
    try:
        return read(path.read_text(encoding="utf-8-sig"), name=path.name)
    except UnicodeDecodeError as error:
        problem = f"byte {error.start + 1} is not UTF-8; save the file as UTF-8"
        raise IdentityRefusedError(path.name, [problem]) from None


def read(text: str, *, name: str) -> IdentityFile:
    """Return the policy of the YAML `text`; raise `IdentityRefusedError` with every mistake in it."""
    try:
        written = YamlText(text)
    except UnreadableTextError as error:
        raise IdentityRefusedError(name, [str(error)]) from error
    document = written.document
    if not isinstance(document, dict):
        raise IdentityRefusedError(name, ["there is nothing in it: write `extends: default` and what is to differ"])
    problems = [f"{one.path}: {one.message}" for one in validation.errors(SCHEMA, document)]
    problems += _strange(document)
    settings = None
    if not problems:
        settings = _changed(shipped(), document)
        problems = _contradictions(settings, document)
    if settings is None or problems or written.doubled:
        raise IdentityRefusedError(name, [*written.doubled, *(written.located(one) for one in problems)])
    return IdentityFile(text=text, settings=settings)


def encode(settings: IdentitySettings) -> bytes:
    """Return a policy as it is stored; equal ones give equal bytes."""
    return msgspec.json.encode(settings, order="sorted")


def decode(document: bytes) -> IdentitySettings:
    """Return a stored policy; raise `ValueError` where this release cannot read it."""
    return msgspec.json.decode(document, type=IdentitySettings)


_DURATIONS = durations.members_of(TypeSettings)


def _strange(document: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with names of types: a new one needs a title, because people read it."""
    known, found = identifier_types.load(), []
    types = document.get("types")
    new = types if isinstance(types, dict) else {}
    for name, said in new.items():
        if name not in known and not (isinstance(said, dict) and "title" in said):
            found.append(
                f"types.{name}: there is no such type.{_like(name, known)} A new one needs a title, en and ko."
            )
    more = document.get("blocked")
    blocked_types = more.get("types") if isinstance(more, dict) else None
    found += [
        f"blocked.types.{name}: there is no such type.{_like(name, [*known, *new])}"
        for name in (blocked_types if isinstance(blocked_types, dict) else ())
        if name not in known and name not in new
    ]
    return found


def _like(name: str, known: Collection[str]) -> str:
    near = get_close_matches(str(name), known, n=1)
    return f" Did you mean {near[0]}?" if near else ""


def _changed(before: IdentitySettings, document: Mapping[str, Any]) -> IdentitySettings:
    types = dict(before.types)
    for name, said in document.get("types", {}).items():
        types[name] = _type(types.get(name, before.others), said)
    return IdentitySettings(
        types=types,
        others=_type(before.others, document.get("others", {})),
        blocked=msgspec.convert(document.get("blocked", {}), MoreBlocked),
        most_identifiers=document.get("most_identifiers", before.most_identifiers),
    )


def _type(before: TypeSettings, said: Mapping[str, Any]) -> TypeSettings:
    changed: TypeSettings = msgspec.convert(
        {**msgspec.to_builtins(before), **durations.parsed(said, _DURATIONS)}, TypeSettings
    )
    return changed


def _contradictions(settings: IdentitySettings, document: Mapping[str, Any]) -> list[str]:
    named = {f"types.{name}": settings.types[name] for name in document.get("types", {})}
    if "others" in document:
        named["others"] = settings.others
    found = []
    for path, one in named.items():
        if one.unique and one.shared:
            found.append(f"{path}: a value that many people share is not unique to one; leave out one of the two.")
        if one.unique and one.limit not in (None, 1):
            found.append(f"{path}.limit: a customer has one value of a unique type; leave it out.")
        if one.spelling is not None and path.removeprefix("types.") in SPELT_BY_THE_CONTRACT:
            found.append(f"{path}.spelling: e-mail addresses and phone numbers are spelt alike already; leave it out.")
    return found


def _blocking(more: MoreBlocked) -> Callable[[str, str], bool]:
    if more == MoreBlocked():
        return lru_cache(maxsize=REMEMBERED)(blocked.is_blocked)
    every = BlockList(more.every)
    types = {name: BlockList(more.every, its) for name, its in more.types.items()}

    def is_blocked(type_: str, value: str) -> bool:
        return blocked.is_blocked(type_, value) or types.get(type_, every).why(value) is not None

    return lru_cache(maxsize=REMEMBERED)(is_blocked)


def _spelling(types: Mapping[str, ValueSpelling]) -> Callable[[str, str], str] | None:
    if not types:
        return None

    def spelt(type_: str, value: str) -> str:
        one = types.get(type_)
        return value if one is None or pseudonyms.is_pseudonym(value) else one.spelt(value)

    return spelt
