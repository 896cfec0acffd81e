"""Stores versions: the first when a worker starts, a file that the settings name, and what a person applies."""

from dataclasses import dataclass

from services.journey.rulebook import definitions_file, stored_rules
from services.journey.rulebook.definitions_file import DefinitionsFile
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
