"""API keys as the operator handles them: makes, lists, rotates and revokes them.

A source's key is one row of ingest's; a role's key stands in every API. The text of a key leaves this module once, as
the answer of `create_*`; only its hash is stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.alerts.admin import operator_access as alerts
from services.ingest.sources import source_administration as sources
from services.ingest.sources.source_administration import SourceSpec
from services.journey import administration as journey
from services.runtime.credentials.api_keys import KeyKind, MintedKey, mint, parse
from services.runtime.key_tables import ListedKey
from services.runtime.postgres.pools import Connection
from waymark.console import CommandError

ROLE_TABLES = (sources.ROLE_KEYS, journey.ROLE_KEYS, alerts.ROLE_KEYS)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRotation:
    """A new key in place of an old one, which remains valid until `old_ends`."""

    key: MintedKey
    subject: str
    old_ends: datetime


async def create_source_key(
    connection: Connection, spec: SourceSpec, *, label: str = "", days: int | None = None, only: Sequence[str] = ()
) -> MintedKey:
    """Make a key for a source, as ingest does it; raises `CommandError` for a name that no source can have."""
    try:
        return await sources.create_source_key(connection, spec, label=label, days=days, only=only)
    except sources.SourceNameError as error:
        raise wrong_name(spec.name) from error


def wrong_name(source: str) -> CommandError:
    """Return the error for a name that no source can have."""
    return CommandError(
        f"{source!r} is no name for a source: letters, digits, dot, dash, underscore, at most 64", exit_code=2
    )


async def create_role_key(
    connection: Connection, role: KeyKind, *, label: str = "", days: int | None = None
) -> MintedKey:
    """Make a key of one role for every API. The label names the actor in the audit of issues."""
    key = mint(role)
    for table in ROLE_TABLES:
        await table.add(connection, key, label=label, days=days)
    return key


async def rotate_key(connection: Connection, key_id: str, *, overlap_h: float) -> KeyRotation:
    """Make a key with the old one's permissions, and let the old one end after an overlap in which both work.

    Raises:
        CommandError: there is no such key, it is revoked or expired, or it was rotated already.
    """
    old = next((key for key in await list_keys(connection) if key.key_id == key_id), None)
    if old is None:
        raise CommandError(f"there is no key {key_id}; `waymark keys list` shows them")
    if old.rotated_to is not None:
        raise CommandError(f"{key_id} was rotated already: {old.rotated_to} takes its place")
    key = mint(KeyKind(old.kind))
    if key.kind is KeyKind.SOURCE:
        ends = [await sources.replace_source_key(connection, key_id, key, overlap_h=overlap_h)]
    else:
        holding = [table for table in ROLE_TABLES if await table.find(connection, key_id) is not None]
        ends = [await table.replace(connection, key_id, key, overlap_h=overlap_h) for table in holding]
    known = [end for end in ends if end is not None]
    if len(known) < len(ends):
        raise CommandError(f"{key_id} is revoked or has expired; make a new one with `waymark keys create`")
    return KeyRotation(key=key, subject=old.subject, old_ends=min(known))


async def list_keys(connection: Connection) -> list[ListedKey]:
    """Return every key, newest first; a role's key that stands in several APIs is listed once."""
    of_roles: dict[str, ListedKey] = {}
    for table in ROLE_TABLES:
        for row in await table.list_all(connection):
            of_roles[row.key_id] = _merged(of_roles.get(row.key_id, row), row)
    keys = [*await sources.list_source_keys(connection), *of_roles.values()]
    return sorted(sorted(keys, key=lambda key: key.key_id), key=lambda key: key.created_at, reverse=True)


def _merged(one: ListedKey, other: ListedKey) -> ListedKey:
    """Return a role's key as two APIs have it: what ends or was used anywhere counts."""
    return replace(
        one,
        created_at=min(one.created_at, other.created_at),
        expires_at=min(filter(None, (one.expires_at, other.expires_at)), default=None),
        revoked_at=min(filter(None, (one.revoked_at, other.revoked_at)), default=None),
        last_used_at=max(filter(None, (one.last_used_at, other.last_used_at)), default=None),
    )


async def revoke_key(connection: Connection, key_id: str) -> bool:
    """Revoke a key wherever it stands, and return whether there was one. Replicas notice within seconds."""
    return any([await table.revoke(connection, key_id) for table in (sources.KEYS, *ROLE_TABLES)])


async def still_valid(connection: Connection, text: str) -> bool:
    """Return whether a key that was written down earlier is known to this database and opens everything of its kind."""
    presented = parse(text)
    if presented is None:
        return False
    tables = (sources.KEYS,) if presented.kind is KeyKind.SOURCE else ROLE_TABLES
    return all([await table.admits(connection, presented) for table in tables])
