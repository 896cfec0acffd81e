"""Versions of policies as the command reads, stores and tells them, whatever their kind."""

import os
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from services.journey.shadowing import shadow_versions
from services.journey.versions import policy_table, storing
from services.journey.versions.policy_table import NewPolicy, PolicyKind, PolicyVersion
from services.journey.versions.storing import PolicyApplication
from services.runtime.postgres.pools import Connection
from waymark.console import CommandError, say
from waymark.database import run_in_transaction
from waymark.target import find_target

T = TypeVar("T")


def run(work: Callable[[Connection], Awaitable[T]]) -> T:
    """Run `work` in one transaction on the database that the command is pointed at; raises `CommandError`."""
    target = find_target(os.environ)
    return run_in_transaction(target.postgres_direct or target.postgres, work)


def load(kind: PolicyKind) -> list[PolicyVersion]:
    """Return all stored versions of a kind, oldest first."""

    async def read(connection: Connection) -> list[PolicyVersion]:
        return await policy_table.load(connection, kind)

    return run(read)


def find(kind: PolicyKind, number: int | None) -> PolicyVersion:
    """Return a stored version, None for the latest; raise `CommandError` if there is none."""
    stored = demand_any(kind, load(kind))
    return stored[-1] if number is None else _numbered(kind, stored, number)


async def put_again(connection: Connection, kind: PolicyKind, number: int, by: str, note: str) -> PolicyApplication:
    """Put an earlier version in force again, as the next one; raise `CommandError` if there is none."""
    version = _numbered(kind, await policy_table.load(connection, kind), number)
    new = NewPolicy(
        kind=kind,
        document=version.document,
        written=version.written,
        author=by,
        note=note or f"version {number} again",
    )
    return await (shadow_versions.apply if kind is PolicyKind.RULES else storing.apply)(connection, new)


def demand_any(kind: PolicyKind, stored: list[PolicyVersion]) -> list[PolicyVersion]:
    """Return the versions; raise `CommandError` if there is none."""
    if stored:
        return stored
    english, korean = _NOTHING[kind]
    raise CommandError(say(english, korean))


_NOTHING = {
    PolicyKind.RULES: (
        "no rules are stored yet: start a journey worker, or apply some: waymark rules apply default",
        "아직 저장된 규칙이 없습니다. 여정 워커를 시작하거나 적용하세요: waymark rules apply default",
    ),
    PolicyKind.JOURNEYS: (
        "no journeys are defined yet; begin with a set: waymark journeys apply retail",
        "아직 정의된 여정이 없습니다. 기본 정의로 시작하세요: waymark journeys apply retail",
    ),
    PolicyKind.SHADOW: (
        "nothing has been in the shadow yet: waymark rules apply FILE --shadow",
        "아직 그림자로 시험한 규칙이 없습니다: waymark rules apply FILE --shadow",
    ),
    PolicyKind.IDENTITY: (
        "the policy of identity that ships is in force; no other was applied: waymark identity show",
        "기본 식별 정책이 적용 중이며 다른 정책을 적용한 적이 없습니다: waymark identity show",
    ),
}


def _numbered(kind: PolicyKind, stored: list[PolicyVersion], number: int) -> PolicyVersion:
    for one in demand_any(kind, stored):
        if one.version == number:
            return one
    raise CommandError(
        say(
            f"there is no version {number}; the versions are 1 to {stored[-1].version}",
            f"버전 {number}은(는) 없습니다. 1부터 {stored[-1].version}까지 있습니다",
        )
    )


def version_document(version: PolicyVersion) -> dict[str, Any]:
    """Return a version for programs."""
    return {
        "version": version.version,
        "in_force_from": time_text(version.in_force_from),
        "author": version.author,
        "note": version.note,
        "stored_at": time_text(version.stored_at),
    }


def headline(version: PolicyVersion) -> str:
    """Return one line about a version, in the operator's language."""
    if version.version == 1:
        since = say("from the beginning", "처음부터")
    else:
        since = say(f"in force from {_local(version.in_force_from)}", f"{_local(version.in_force_from)}부터 적용")
    note = f": {version.note}" if version.note else ""
    return f"{say('version', '버전')} {version.version}, {since} ({version.author}{note})"


def time_text(moment: datetime) -> str:
    """Return a moment in UTC for programs."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _local(moment: datetime) -> str:
    return moment.astimezone().isoformat(sep=" ", timespec="seconds")


def as_yaml(document: Any) -> str:
    """Return a document as YAML, in the order in which it was written."""
    import yaml

    text: str = yaml.safe_dump(msgspec.to_builtins(document), allow_unicode=True, sort_keys=False, width=120)
    return text
