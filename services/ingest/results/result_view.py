"""One touchpoint's result as its producer reads it: status, code and sentences in the caller's language. Pure.

Each wire form builds its own response from these results.
"""

import msgspec

from schemas.languages import Language
from schemas.validation import FieldError
from services.ingest.reasons import ItemOutcome, TouchpointRejection
from services.ingest.results.item_result import ItemResult
from services.ingest.results.messages import say

_KNOWN_ID_LENGTH = 255
"""Characters; a longer id is not the contract's, and is not sent back."""


class MemberNote(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One thing about one member: an error to fix, or a warning about what was left out."""

    path: str
    code: str
    message: str


class ItemResultView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The result of the touchpoint at `index`, as its producer reads it."""

    index: int
    status: ItemOutcome
    id: str | None = None
    code: str | None = None
    field: str | None = None
    message: str | None = None
    errors: tuple[MemberNote, ...] = ()
    warnings: tuple[MemberNote, ...] = ()


def view_of(at: int, result: ItemResult, language: Language, retry_after_s: int) -> ItemResultView:
    """Return the view of the result for the touchpoint at `at`."""
    if result.reason is None and not result.dropped and not result.repairs:
        return ItemResultView(index=at, status=result.outcome, id=result.id)
    return ItemResultView(
        index=at,
        status=result.outcome,
        id=result.id if len(result.id or "") <= _KNOWN_ID_LENGTH else None,
        code=str(result.reason) if result.reason is not None else None,
        field=result.field or None,
        message=message_of(result, language, retry_after_s),
        errors=tuple(_error(error, language) for error in result.errors),
        warnings=tuple(
            MemberNote(
                path=f"customer.{dropped.type}",
                code=str(dropped.reason),
                message=say(dropped.reason, language, type=dropped.type),
            )
            for dropped in result.dropped
        )
        + tuple(
            MemberNote(path=note.path, code=str(note.how), message=say(note.how, language)) for note in result.repairs
        ),
    )


def message_of(result: ItemResult, language: Language, retry_after_s: int) -> str | None:
    """Return the sentence for a result, or None for a result without a reason."""
    if result.reason is None:
        return None
    if result.reason is TouchpointRejection.INVALID_FIELD and len(result.errors) == 1:
        return _error(result.errors[0], language).message
    return say(result.reason, language, **{"retry_after": retry_after_s, **result.facts})


def _error(error: FieldError, language: Language) -> MemberNote:
    return MemberNote(
        path=error.path,
        code=str(error.code),
        message=error.message_ko if language is Language.KO else error.message,
    )
