"""The policy of identity for analysts: what is in force and was, checking, trying and applying a file."""

import asyncio
from typing import Annotated

from fastapi import Query

from services.journey.api.identity.desk_opener import Opener
from services.journey.api.identity.policy_views import (
    AppliedPolicyView,
    IdentityHistoryView,
    PolicyCheckView,
    PolicyInForceView,
    PolicyToApply,
    RehearsalView,
    WrittenPolicy,
    members,
    views,
)
from services.journey.api.messages import ReadRefusal, refuse
from services.journey.api.resources.access import Actor, Api, Language, ReadApi, problems, reader_router
from services.journey.domain.identity.identity_book import SINCE_EVER
from services.journey.rehearsal.policy_rehearsal import PolicyRehearsal, TooManyTouchpointsError
from services.journey.renewer import read_policy
from services.journey.rulebook import identity_file
from services.journey.rulebook.identity_file import IdentityFile, IdentityRefusedError, IdentitySettings
from services.journey.versions import policy_table, storing
from services.journey.versions.in_force import NothingInForceError, PolicyCache
from services.journey.versions.policy_table import NewPolicy, PolicyKind, PolicyVersion
from services.runtime.postgres.pools import acquire, transaction

router = reader_router()

NAME = "policy"
"""What messages about a file call it."""

MOST_TOUCHPOINTS = 100_000
"""Stored touchpoints on which a policy is tried over HTTP, which takes some seconds; the command has no such limit."""

Version = Annotated[int | None, Query(ge=1, le=2_147_483_647, description="An earlier version; else that in force.")]

_rehearsing = asyncio.Lock()


@router.get(
    "/identity/policy", summary="The policy of identity in force", tags=["identity"], responses=problems(404, 422)
)
async def show_policy(api: Api, version: Version = None, accept_language: Language = None) -> PolicyInForceView:
    """Which identifiers are unique, shared or limited, how they are spelt, and which values name nobody."""
    stored = await _versions(api)
    if version is None:
        latest = stored[-1] if stored else None
        return PolicyInForceView.of(latest, _settings(latest))
    found = _numbered(stored, version, accept_language)
    return PolicyInForceView.of(found, _settings(found))


@router.get(
    "/identity/policy/history",
    summary="Every version of the policy of identity",
    tags=["identity"],
    responses=problems(422),
)
async def read_policy_history(
    api: Api, limit: Annotated[int, Query(ge=1, le=1_000, description="Most versions.")] = 100
) -> IdentityHistoryView:
    """The newest first: from when on, who applied it, why, and what it changed."""
    return IdentityHistoryView.of(await _versions(api), limit)


@router.post(
    "/identity/policy/check",
    summary="Whether a file of identity policy can be used",
    tags=["identity"],
    responses=problems(413, 422),
)
async def check_policy(api: Api, asked: WrittenPolicy) -> PolicyCheckView:
    """Every mistake in the file with its line, or what it would change of what is in force. Nothing is stored."""
    try:
        file = await _read(asked.text)
    except IdentityRefusedError as error:
        return PolicyCheckView(sound=False, problems=list(error.problems), changes=[])
    stored = await _versions(api)
    return PolicyCheckView(
        sound=True, problems=[], changes=views(_settings(stored[-1] if stored else None), file.settings)
    )


@router.post(
    "/identity/policy/simulate",
    summary="What a policy would have made of the stored customers",
    tags=["identity"],
    responses=problems(409, 413, 422),
)
async def simulate_policy(
    api: Api, opener: Opener, asked: WrittenPolicy, accept_language: Language = None
) -> RehearsalView:
    """Who would merge, who would split and which frictions would change, had it judged everything from the beginning.

    Nothing is changed. One at a time, and on at most 100,000 touchpoints: with more, use the command.
    """
    file = await _read_sound(asked.text, accept_language)
    if _rehearsing.locked():
        raise refuse(ReadRefusal.REHEARSAL_BUSY, accept_language)
    async with _rehearsing:
        try:
            async with acquire(api.pool) as connection:
                held = await PolicyCache().look_at_all(connection)
            rehearsal = PolicyRehearsal(
                pool=api.pool,
                clock=opener.clock,
                rulebook=held.rulebook,
                projection=await read_policy(api.pool),
                history=opener.worker.history_touchpoints,
                most_touchpoints=MOST_TOUCHPOINTS,
            )
            return RehearsalView.of(await rehearsal.rehearse(file.settings.version(SINCE_EVER), lambda *_: None))
        except NothingInForceError as error:
            raise refuse(ReadRefusal.NO_RULES_YET, accept_language) from error
        except TooManyTouchpointsError as error:
            raise refuse(ReadRefusal.REHEARSAL_TOO_LARGE, accept_language) from error


@router.post(
    "/identity/policy/apply",
    summary="Put a policy of identity in force",
    tags=["identity"],
    responses=problems(404, 413, 422),
)
async def apply_policy(
    api: Api, opener: Opener, actor: Actor, asked: PolicyToApply, accept_language: Language = None
) -> AppliedPolicyView:
    """It judges every touchpoint that comes from now on, in every worker; nobody who is known is merged or split.

    Stored with the label of the key and the note. The same policy again changes nothing.
    """
    if asked.text is not None:
        new = storing.of_identity(await _read_sound(asked.text, accept_language), author=actor, note=asked.note)
    else:
        new = _again(_numbered(await _versions(api), asked.version, accept_language), actor, asked.note)
    desk = await opener.desk()
    async with transaction(desk.pool) as connection:
        applied = await storing.apply_identity(connection, new)
    after = _settings(applied.version)
    before = _settings(applied.before) if applied.is_new else after
    return AppliedPolicyView(**members(applied.version), changes=views(before, after), applied=applied.is_new)


async def _read(text: str) -> IdentityFile:
    """Return a file read, in a thread: a large one takes longer than others should wait."""
    return await asyncio.to_thread(identity_file.read, text, name=NAME)


async def _read_sound(text: str, accept_language: str | None) -> IdentityFile:
    """Return a file read; raises the problem of one that cannot be used."""
    try:
        return await _read(text)
    except IdentityRefusedError as error:
        raise refuse(ReadRefusal.IDENTITY_UNSOUND, accept_language) from error


async def _versions(api: ReadApi) -> list[PolicyVersion]:
    async with acquire(api.pool) as connection:
        return await policy_table.load(connection, PolicyKind.IDENTITY)


def _numbered(stored: list[PolicyVersion], number: int | None, accept_language: str | None) -> PolicyVersion:
    found = next((one for one in stored if one.version == number), None)
    if found is None:
        raise refuse(ReadRefusal.IDENTITY_VERSION_UNKNOWN, accept_language)
    return found


def _settings(version: PolicyVersion | None) -> IdentitySettings:
    """Return the policy of a version, the one that ships where none is stored."""
    return identity_file.shipped() if version is None else identity_file.decode(version.document)


def _again(version: PolicyVersion, actor: str, note: str) -> NewPolicy:
    return NewPolicy(
        kind=PolicyKind.IDENTITY, document=version.document, written=version.written, author=actor, note=note
    )
