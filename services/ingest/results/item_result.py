"""The result of one item, before it is put into sentences. Pure."""

import msgspec

from schemas.validation import FieldError
from services.ingest.reasons import ItemOutcome, TouchpointRejection, UnavailabilityReason
from services.ingest.touchpoint.acceptance import DroppedIdentifier, RejectedTouchpoint
from services.ingest.touchpoint.document import UnreadableItem
from services.ingest.touchpoint.repair import MemberRepair

Facts = dict[str, str | int | float]


class ItemResult(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The outcome of one item, its reason and field, and the `facts` that fill its sentence."""

    outcome: ItemOutcome
    id: str | None = None
    reason: TouchpointRejection | UnavailabilityReason | None = None
    field: str = ""
    facts: Facts = {}
    errors: tuple[FieldError, ...] = ()
    dropped: tuple[DroppedIdentifier, ...] = ()
    repairs: tuple[MemberRepair, ...] = ()


def reject_unreadable(why: UnreadableItem) -> ItemResult:
    """Return the result for bytes that are no object that can be kept."""
    return ItemResult(outcome=ItemOutcome.REJECTED, reason=why.reason, facts={"limit": why.limit})


def reject_fields(id_: str | None, errors: list[FieldError]) -> ItemResult:
    """Return the result for an object that violates the contract."""
    return ItemResult(
        outcome=ItemOutcome.REJECTED,
        id=id_,
        reason=TouchpointRejection.INVALID_FIELD,
        field=errors[0].path,
        errors=tuple(errors),
    )


def reject(id_: str, why: RejectedTouchpoint) -> ItemResult:
    """Return the result for a touchpoint that acceptance rejected."""
    return ItemResult(
        outcome=ItemOutcome.REJECTED,
        id=id_,
        reason=why.reason,
        field=why.field,
        facts={"limit": why.fact, "allowed": why.fact},
        dropped=why.dropped,
    )
