"""Stores versions: the first when a worker starts, a file that the settings name, and what a person applies."""

from dataclasses import dataclass

from services.journey.rulebook import definitions_file, identity_file, stored_rules
from services.journey.rulebook.definitions_file import DefinitionsFile
from services.journey.rulebook.identity_file import IdentityFile
from services.journey.rulebook.rules_file import ResolvedRules
from services.journey.versions import policy_table
from services.journey.versions.policy_table import NewPolicy, PolicyKind, PolicyVersion
from services.runtime.postgres.pools import Connection

WORKER = "waymark"
"""The author of versions that a worker stores by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyApplication:
    """What came of applying: the version in force, the one before it, and whether it is new."""

    version: PolicyVersion
    before: PolicyVersion | None
    is_new: bool


def of_rules(resolved: ResolvedRules, *, author: str, note: str) -> NewPolicy:
    """Return a rules file as a version to store."""
    document = stored_rules.encode(resolved.rules)
    return NewPolicy(kind=PolicyKind.RULES, document=document, written=resolved.text, author=author, note=note)


def of_journeys(file: DefinitionsFile, *, author: str, note: str) -> NewPolicy:
    """Return a file of journey definitions as a version to store."""
    document = definitions_file.encode(file.raw)
    return NewPolicy(kind=PolicyKind.JOURNEYS, document=document, written=file.text, author=author, note=note)


def of_identity(file: IdentityFile, *, author: str, note: str) -> NewPolicy:
    """Return a file of identity policy as a version to store."""
    document = identity_file.encode(file.settings)
    return NewPolicy(kind=PolicyKind.IDENTITY, document=document, written=file.text, author=author, note=note)


def shipped_identity() -> NewPolicy:
    """Return the policy of identity that ships as a version: what has judged everything until another is applied."""
    return NewPolicy(
        kind=PolicyKind.IDENTITY,
        document=identity_file.encode(identity_file.shipped()),
        written="extends: default\n",
        author=WORKER,
        note="the policy that comes with Waymark",
    )


async def apply_identity(connection: Connection, new: NewPolicy) -> PolicyApplication:
    """Store a policy of identity as `apply` does; the one that ships becomes the first version before it."""
    await policy_table.lock(connection)
    if not await policy_table.load(connection, new.kind):
        await policy_table.add(connection, shipped_identity())
    return await apply(connection, new)


async def apply(connection: Connection, new: NewPolicy) -> PolicyApplication:
    """Store a version and put it in force, unless the latest one says the same. Call it in a transaction of its own."""
    await policy_table.lock(connection)
    stored = await policy_table.load(connection, new.kind)
    before = stored[-1] if stored else None
    if before is not None and before.digest == new.digest:
        return PolicyApplication(version=before, before=stored[-2] if len(stored) > 1 else None, is_new=False)
    return PolicyApplication(version=await policy_table.add(connection, new), before=before, is_new=True)


def first_rules(resolved: ResolvedRules, *, file: str) -> NewPolicy:
    """Return what a worker was started with as a version; `file` is empty for the shipped rules."""
    return of_rules(resolved, author=WORKER, note=f"from {file}" if file else "the rules that come with Waymark")


async def begin(connection: Connection, new: NewPolicy, *, named: bool) -> PolicyApplication:
    """Store what a worker was started with, if it is the first version, or `named` by the settings and not known yet.

    A file is stored once: what a person applied after it stays in force, whichever worker starts.
    """
    await policy_table.lock(connection)
    stored = await policy_table.load(connection, new.kind)
    is_known = any(version.digest == new.digest for version in stored)
    if stored and (is_known or not named):
        return PolicyApplication(version=stored[-1], before=None, is_new=False)
    before = stored[-1] if stored else None
    return PolicyApplication(version=await policy_table.add(connection, new), before=before, is_new=True)
