"""What became of one touchpoint, before it is put into words."""

import msgspec

from schemas.validation import FieldError
from services.ingest.reasons import Outcome, Rejection, Unavailability
from services.ingest.touchpoint.acceptance import DroppedIdentifier, Rejected
from services.ingest.touchpoint.document import Unreadable
from services.ingest.touchpoint.repair import Mended

Facts = dict[str, str | int | float]


class Verdict(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The outcome for one touchpoint, why, where, and the `facts` that fill the wording."""

    outcome: Outcome
    id: str | None = None
    reason: Rejection | Unavailability | None = None
    field: str = ""
    facts: Facts = {}
    errors: tuple[FieldError, ...] = ()
    dropped: tuple[DroppedIdentifier, ...] = ()
    mended: tuple[Mended, ...] = ()


def reject_unreadable(why: Unreadable) -> Verdict:
    """Return the verdict on bytes that are no object that can be kept."""
    return Verdict(outcome=Outcome.REJECTED, reason=why.reason, facts={"limit": why.limit})


def reject_fields(id_: str | None, errors: list[FieldError]) -> Verdict:
    """Return the verdict on an object that is not what the contract asks for."""
    return Verdict(
        outcome=Outcome.REJECTED,
        id=id_,
        reason=Rejection.INVALID_FIELD,
        field=errors[0].path,
        errors=tuple(errors),
    )


def reject(id_: str, why: Rejected) -> Verdict:
    """Return the verdict on a touchpoint that acceptance rejected."""
    return Verdict(
        outcome=Outcome.REJECTED,
        id=id_,
        reason=why.reason,
        field=why.field,
        facts={"limit": why.fact, "allowed": why.fact},
        dropped=why.dropped,
    )
