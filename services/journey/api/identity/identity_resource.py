"""Identity for operators: why identifiers are one customer, what facts would do, and words that change who is who."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import Query

from services.journey.api.identity.desk_opener import DeskOpener, Opener
from services.journey.api.identity.identity_views import (
    IdentifierText,
    IdentityAccountView,
    RetractedPair,
    SettledView,
    SpokenPair,
    SupposedTouchpoint,
    SupposedTouchpoints,
    SuppositionView,
    UnmergedView,
    WordsView,
    WordView,
)
from services.journey.api.messages import ReadRefusal, refuse
from services.journey.api.resources.access import Actor, Api, Language, problems, reader_router
from services.journey.api.resources.lookups import Reference, customer_named
from services.journey.domain.identity.facts import OperatorWord
from services.journey.domain.touchpoint import Identifier, Touchpoint
from services.journey.operate.identity_desk import IdentityDesk, UnreadableReferenceError
from services.journey.read.lookup import LookupFault
from services.journey.repair.account import IdentityAccount, UnknownIdentifierError
from services.journey.settle.part_reading import PartTooLargeError
from services.journey.versions.in_force import NothingInForceError
from services.runtime.postgres.pools import ConcurrentChangeError

T = TypeVar("T")

router = reader_router()


@router.get(
    "/identity/why",
    summary="What makes identifiers one customer",
    tags=["identity"],
    responses=problems(404, 422),
)
async def tell_why(
    opener: Opener,
    one: Annotated[IdentifierText, Query()],
    other: Annotated[IdentifierText | None, Query()] = None,
    accept_language: Language = None,
) -> IdentityAccountView:
    """The path of evidence between two identifiers, or everything that holds the customer of one together.

    Links that are not followed are there as well, each with the reason.
    """
    asked = [one] if other is None else [one, other]
    return IdentityAccountView.of(await _at_desk(opener, accept_language, lambda desk: desk.why(asked)))


@router.get(
    "/customers/{reference:path}/why",
    summary="What makes this customer one person",
    tags=["customers"],
    responses=problems(404, 422),
)
async def tell_why_of_customer(
    api: Api, opener: Opener, reference: Reference, accept_language: Language = None
) -> IdentityAccountView:
    """Every piece of evidence that holds the customer together, and the links around that are not followed."""
    who = customer_named(api, reference, accept_language)

    async def ask(desk: IdentityDesk) -> IdentityAccount:
        return await (desk.why_customer(who) if isinstance(who, UUID) else desk.why([reference]))

    return IdentityAccountView.of(await _at_desk(opener, accept_language, ask))


@router.post(
    "/identity/simulate",
    summary="What touchpoints would do to the stored customers",
    tags=["identity"],
    responses=problems(413, 422),
)
async def simulate(opener: Opener, supposed: SupposedTouchpoints, accept_language: Language = None) -> SuppositionView:
    """Who would be merged, who would be split, and how much would move, if these came now. Nothing is changed."""
    now = opener.clock.now()
    touchpoints = [_touchpoint(number, one, now) for number, one in enumerate(supposed.touchpoints)]
    return SuppositionView.of(await _at_desk(opener, accept_language, lambda desk: desk.suppose(touchpoints)))


@router.post(
    "/identity/merge",
    summary="Say that two identifiers are one customer",
    tags=["identity"],
    responses=problems(404, 409, 413, 422),
)
async def merge(opener: Opener, actor: Actor, pair: SpokenPair, accept_language: Language = None) -> SettledView:
    """It holds whatever the constraints say; `separate` takes it back. Written with who said it, and why."""
    return await _say(opener, OperatorWord.MERGE, pair, actor, accept_language)


@router.post(
    "/identity/separate",
    summary="Say that two identifiers are never one customer",
    tags=["identity"],
    responses=problems(404, 409, 413, 422),
)
async def separate(opener: Opener, actor: Actor, pair: SpokenPair, accept_language: Language = None) -> SettledView:
    """No evidence joins them again; a later `merge` does. Written with who said it, and why."""
    return await _say(opener, OperatorWord.SEPARATE, pair, actor, accept_language)


@router.post(
    "/identity/unmerge",
    summary="Take the link between two identifiers back",
    tags=["identity"],
    responses=problems(404, 409, 413, 422),
)
async def unmerge(opener: Opener, actor: Actor, pair: RetractedPair, accept_language: Language = None) -> UnmergedView:
    """The same evidence does not bring it back. `still_joined` says that other links hold them together."""
    return UnmergedView.of(
        await _at_desk(opener, accept_language, lambda desk: desk.unmerge(pair.one, pair.other, actor))
    )


@router.get("/identity/words", summary="What operators said, the newest first", tags=["identity"])
async def read_words(
    opener: Opener,
    _: Actor,
    limit: Annotated[int, Query(ge=1, le=1_000, description="Most words.")] = 100,
    accept_language: Language = None,
) -> WordsView:
    """Merges, separations and unmerges, with who said each and why: the audit."""
    words = await _at_desk(opener, accept_language, lambda desk: desk.words(limit))
    return WordsView(words=[WordView.of(word) for word in words])


async def _say(
    opener: DeskOpener, word: OperatorWord, pair: SpokenPair, actor: str, accept_language: str | None
) -> SettledView:
    result = await _at_desk(
        opener, accept_language, lambda desk: desk.say(word, pair.one, pair.other, actor, pair.note)
    )
    return SettledView.of(result, joined=word is OperatorWord.MERGE)


async def _at_desk(opener: DeskOpener, accept_language: str | None, ask: Callable[[IdentityDesk], Awaitable[T]]) -> T:
    """Ask the desk; raises the problem of what cannot be answered or done."""
    desk = await opener.desk()
    try:
        return await ask(desk)
    except UnreadableReferenceError as error:
        is_blocked = error.fault is LookupFault.BLOCKED
        refusal = ReadRefusal.IDENTIFIER_BLOCKED if is_blocked else ReadRefusal.PAIR_MALFORMED
        raise refuse(refusal, accept_language) from error
    except UnknownIdentifierError as error:
        raise refuse(ReadRefusal.CUSTOMER_UNKNOWN, accept_language) from error
    except ConcurrentChangeError as error:
        raise refuse(ReadRefusal.CUSTOMERS_BUSY, accept_language) from error
    except NothingInForceError as error:
        raise refuse(ReadRefusal.NO_RULES_YET, accept_language) from error
    except PartTooLargeError as error:
        raise refuse(ReadRefusal.TOO_MANY_CONNECTED, accept_language) from error


def _touchpoint(number: int, supposed: SupposedTouchpoint, now: datetime) -> Touchpoint:
    when = supposed.occurred_at or now
    customer = {type_: Identifier(value=one.value, verified=one.verified) for type_, one in supposed.customer.items()}
    return Touchpoint(
        source="supposed",
        id=str(number),
        occurred_at=when,
        received_at=when,
        channel="",
        kind="",
        customer=customer,
    )
