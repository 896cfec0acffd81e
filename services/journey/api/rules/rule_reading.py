"""Reads the rules that a request is about: those of a version, or a file that it brings along."""

import asyncio

from services.journey.api.messages import ReadRefusal, refuse
from services.journey.api.resources.access import ReadApi
from services.journey.domain.rules.book import Rulebook
from services.journey.domain.rules.edition import UnknownRule
from services.journey.rulebook import rules_file, stored_rules
from services.journey.rulebook.rules_file import ResolvedRules, RulesRefusedError
from services.journey.versions import policy_table
from services.journey.versions.policy_table import PolicyKind, PolicyVersion
from services.runtime.postgres.pools import acquire

NAME = "rules"
"""What messages about a file call it."""


async def resolve(text: str) -> ResolvedRules:
    """Return a file resolved, in a thread: a large one takes longer than others should wait.

    Raises:
        RulesRefusedError: with every mistake in it.
    """
    return await asyncio.to_thread(rules_file.resolve, text, name=NAME)


async def resolve_sound(text: str, accept_language: str | None) -> ResolvedRules:
    """Return a file resolved; raises the problem of one that cannot be used."""
    try:
        return await resolve(text)
    except RulesRefusedError as error:
        raise refuse(ReadRefusal.RULES_UNSOUND, accept_language) from error


async def versions(api: ReadApi) -> list[PolicyVersion]:
    """Return all versions of the rules, the oldest first."""
    async with acquire(api.pool) as connection:
        return await policy_table.load(connection, PolicyKind.RULES)


async def stored(api: ReadApi, number: int | None, accept_language: str | None) -> PolicyVersion:
    """Return a version, None for the latest; raises the problem where there is none."""
    every = await versions(api)
    if not every:
        raise refuse(ReadRefusal.NO_RULES_YET, accept_language)
    found = every[-1] if number is None else next((one for one in every if one.version == number), None)
    if found is None:
        raise refuse(ReadRefusal.RULES_VERSION_UNKNOWN, accept_language)
    return found


async def rules_asked(api: ReadApi, text: str | None, accept_language: str | None) -> Rulebook:
    """Return the rules of a file, or without one those in force that this release knows; raises the problem."""
    if text is not None:
        return (await resolve_sound(text, accept_language)).book
    rules = stored_rules.decode((await stored(api, None, accept_language)).document)
    return Rulebook([one for one in rules if not isinstance(one, UnknownRule)])
