"""The result of one item, from the decision about it to its response, before it is put into sentences. Pure."""

from collections.abc import Mapping

import msgspec

from schemas.identifiers.spelling import DropReason
from schemas.validation import FieldError
from services.ingest.reasons import ItemOutcome, RepairKind, TouchpointRejection, UnavailabilityReason

Facts = Mapping[str, str | int | float]


class DroppedIdentifier(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An identifier that was left out: its type and why."""

    type: str
    reason: DropReason


class MemberRepair(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One repair: its path, without names that may be personal, and its kind."""

    path: str
    how: RepairKind


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


def reject(
    reason: TouchpointRejection,
    *,
    id_: str | None = None,
    field: str = "",
    dropped: tuple[DroppedIdentifier, ...] = (),
    **facts: str | int | float,
) -> ItemResult:
    """Return the result for an item that will never be accepted as it is."""
    return ItemResult(outcome=ItemOutcome.REJECTED, id=id_, reason=reason, field=field, facts=facts, dropped=dropped)


def reject_fields(id_: object, errors: list[FieldError]) -> ItemResult:
    """Return the result for an object that violates the contract; an id that is no text is not one."""
    return ItemResult(
        outcome=ItemOutcome.REJECTED,
        id=id_ if isinstance(id_, str) else None,
        reason=TouchpointRejection.INVALID_FIELD,
        field=errors[0].path,
        errors=tuple(errors),
    )
