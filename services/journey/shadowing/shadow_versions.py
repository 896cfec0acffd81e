"""Puts rules into the shadow, from there in force, and out of it.

In the shadow are the rules of a file that are on and say something else than what is in force. What comes into force
with the same words leaves it in the same transaction.
"""

from services.journey.rulebook import stored_rules
from services.journey.rulebook.rules_file import ResolvedRules
from services.journey.rulebook.stored_rules import StoredShadow
from services.journey.versions import policy_table, rule_changes, storing
from services.journey.versions.policy_table import NewPolicy, PolicyKind, PolicyVersion
from services.journey.versions.storing import PolicyApplication
from services.runtime.postgres.pools import Connection

EMPTY = StoredShadow(rules=[], shadowed=[])


class NothingToTryError(ValueError):
    """No rule of the file is on and differs from what is in force, or nothing is in the shadow."""


async def try_rules(connection: Connection, resolved: ResolvedRules, *, author: str, note: str) -> PolicyApplication:
    """Put what a file changes into the shadow, in place of what was there. Call it in a transaction of its own.

    Raises:
        NothingToTryError: the file changes nothing, or switches rules off alone.
    """
    await policy_table.lock(connection)
    in_force = await _latest(connection, PolicyKind.RULES)
    shadow = StoredShadow(rules=list(resolved.rules), shadowed=[rule["id"] for rule in resolved.rules])
    shadow = _differing(shadow, in_force)
    if not shadow.shadowed:
        raise NothingToTryError
    return await _store(connection, shadow, written=resolved.text, author=author, note=note)


async def put_in_force(connection: Connection, *, author: str, note: str) -> PolicyApplication:
    """Put the file whose rules are in the shadow in force, which ends their trial. Call it in a transaction of its own.

    Raises:
        NothingToTryError: nothing is in the shadow.
    """
    await policy_table.lock(connection)
    stored = await _latest(connection, PolicyKind.SHADOW)
    shadow = EMPTY if stored is None else stored_rules.read_shadow(stored.document)
    if stored is None or not shadow.shadowed:
        raise NothingToTryError
    document = stored_rules.encode(shadow.rules)
    new = NewPolicy(
        kind=PolicyKind.RULES, document=document, written=stored.written, author=author, note=note or stored.note
    )
    return await apply(connection, new)


async def end(connection: Connection, *, author: str, note: str) -> PolicyApplication:
    """Take everything out of the shadow. Call it in a transaction of its own.

    Raises:
        NothingToTryError: nothing is in the shadow.
    """
    await policy_table.lock(connection)
    stored = await _latest(connection, PolicyKind.SHADOW)
    if stored is None or not stored_rules.read_shadow(stored.document).shadowed:
        raise NothingToTryError
    return await _store(connection, EMPTY, written="", author=author, note=note)


async def apply(connection: Connection, new: NewPolicy) -> PolicyApplication:
    """Put rules in force as `storing.apply` does; what the shadow says as well leaves it."""
    applied = await storing.apply(connection, new)
    stored = await _latest(connection, PolicyKind.SHADOW)
    if stored is not None:
        shadow = stored_rules.read_shadow(stored.document)
        left = _differing(shadow, applied.version)
        if left.shadowed != shadow.shadowed:
            note = f"in force with version {applied.version.version}"
            written = stored.written if left.shadowed else ""
            await _store(connection, left if left.shadowed else EMPTY, written=written, author=new.author, note=note)
    return applied


async def trials(connection: Connection) -> list[PolicyVersion]:
    """Return every version of the shadow, the oldest first."""
    return await policy_table.load(connection, PolicyKind.SHADOW)


def _differing(shadow: StoredShadow, in_force: PolicyVersion | None) -> StoredShadow:
    """Return `shadow` with those of its rules that are on and say something else than what is in force."""
    before = None if in_force is None else in_force.document
    changes = rule_changes.compare(before, stored_rules.encode(shadow.rules))
    differing = {*changes.new, *changes.on, *changes.changed}
    tried = [rule["id"] for rule in shadow.tried if rule["id"] in differing and rule.get("enabled", True)]
    return StoredShadow(rules=shadow.rules, shadowed=tried)


async def _store(
    connection: Connection, shadow: StoredShadow, *, written: str, author: str, note: str
) -> PolicyApplication:
    """Store a version of the shadow; the first stands behind an empty one, so that it tries nothing in the past."""
    document = stored_rules.encode_shadow(shadow)
    new = NewPolicy(kind=PolicyKind.SHADOW, document=document, written=written, author=author, note=note)
    if await _latest(connection, PolicyKind.SHADOW) is None:
        nothing = stored_rules.encode_shadow(EMPTY)
        await policy_table.add(
            connection,
            NewPolicy(kind=PolicyKind.SHADOW, document=nothing, written="", author=storing.WORKER, note="nothing yet"),
        )
    return await storing.apply(connection, new)


async def _latest(connection: Connection, kind: PolicyKind) -> PolicyVersion | None:
    versions = await policy_table.load(connection, kind)
    return versions[-1] if versions else None
