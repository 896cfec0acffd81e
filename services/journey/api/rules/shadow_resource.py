"""The shadow over HTTP: what is tried and what it finds, putting rules there, in force from there, and out of it."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Query

from services.journey.api.identity.desk_opener import Opener
from services.journey.api.messages import ReadRefusal, refuse
from services.journey.api.resources.access import Actor, Api, Language, problems, reader_router
from services.journey.api.rules import rule_reading
from services.journey.api.rules.rule_views import AppliedRulesView
from services.journey.api.rules.shadow_views import RulesToTry, ShadowNote, ShadowView
from services.journey.read.snapshots import snapshot
from services.journey.shadowing import shadow_listing, shadow_versions
from services.journey.shadowing.shadow_versions import NothingToTryError
from services.journey.store import shadow_rows
from services.journey.versions.storing import PolicyApplication
from services.runtime.postgres.pools import Connection, acquire, transaction

router = reader_router()


@router.get(
    "/rules/shadow",
    summary="What is in the shadow, and what it finds",
    tags=["rules"],
    response_model_exclude_none=True,
    responses=problems(422),
)
async def read_shadow(
    api: Api, examples: Annotated[int, Query(ge=0, le=100, description="Most examples of each rule.")] = 5
) -> ShadowView:
    """Each rule there beside the rule in force: how many frictions each found since then, and what only one found."""
    async with snapshot(api.pool) as connection:
        return ShadowView.of(await shadow_listing.read(connection, examples))


@router.post(
    "/rules/shadow",
    summary="Try rules in the shadow",
    tags=["rules"],
    response_model_exclude_none=True,
    responses=problems(404, 422),
)
async def try_rules(opener: Opener, actor: Actor, asked: RulesToTry, accept_language: Language = None) -> ShadowView:
    """What the file changes of the rules in force is asked by every worker from now on, and nothing of it is published.

    It takes the place of what was in the shadow; a rule that says the same as before goes on with its counts.
    """
    resolved = await rule_reading.resolve_sound(asked.text, accept_language)
    await _carry_out(
        opener,
        accept_language,
        lambda connection: shadow_versions.try_rules(connection, resolved, author=actor, note=asked.note),
    )
    return await _now(opener)


@router.post(
    "/rules/shadow/apply",
    summary="Put what is in the shadow in force",
    tags=["rules"],
    responses=problems(404, 422),
)
async def put_in_force(
    opener: Opener, actor: Actor, asked: ShadowNote, accept_language: Language = None
) -> AppliedRulesView:
    """The file whose changes were tried is in force from now on, as with `apply`; nothing is in the shadow any more."""
    applied = await _carry_out(
        opener,
        accept_language,
        lambda connection: shadow_versions.put_in_force(connection, author=actor, note=asked.note),
    )
    return AppliedRulesView.of_applied(applied)


@router.post(
    "/rules/shadow/end",
    summary="Take everything out of the shadow",
    tags=["rules"],
    response_model_exclude_none=True,
    responses=problems(404, 422),
)
async def end_shadow(opener: Opener, actor: Actor, asked: ShadowNote, accept_language: Language = None) -> ShadowView:
    """What was found in it is forgotten."""
    await _carry_out(
        opener, accept_language, lambda connection: shadow_versions.end(connection, author=actor, note=asked.note)
    )
    return await _now(opener)


async def _carry_out(
    opener: Opener, accept_language: str | None, work: Callable[[Connection], Awaitable[PolicyApplication]]
) -> PolicyApplication:
    """Carry out `work` in a transaction of its own, then remove what trials found that are over."""
    desk = await opener.desk()
    try:
        async with transaction(desk.pool) as connection:
            applied = await work(connection)
    except NothingToTryError as error:
        raise refuse(ReadRefusal.NOTHING_TO_TRY, accept_language) from error
    async with acquire(desk.pool) as connection:
        await shadow_rows.forget(connection, await shadow_listing.numbers(connection))
    return applied


async def _now(opener: Opener) -> ShadowView:
    """Return what is in the shadow, read where it was written: a standby may be behind."""
    desk = await opener.desk()
    async with acquire(desk.pool) as connection:
        return ShadowView.of(await shadow_listing.read(connection))
