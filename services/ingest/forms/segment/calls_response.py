"""The response to calls: exactly 200 with JSON when the request was accepted, as the libraries expect it.

The body lists rejected calls and names their members as the sender does. When something could not be written, the whole
request gets 503 with Retry-After, because a library always resends a whole batch.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from schemas.languages import Language
from services.ingest.http.exchange import JSON_TYPE, HttpResponse
from services.ingest.reasons import ItemOutcome, ResponseSummary
from services.ingest.results import result_view
from services.ingest.results.item_result import ItemResult, MemberRepair
from services.ingest.results.messages import say
from services.ingest.results.result_view import ItemResultView, MemberNote
from services.runtime.http.problems import Problem, problem_response

_ENCODER = msgspec.json.Encoder()

_MEMBERS = {
    "id": "messageId",
    "occurred_at": "timestamp",
    "sent_at": "sentAt",
    "customer": "userId",
    "customer.customer_id": "userId",
    "customer.anonymous_id": "anonymousId",
    "channel": "properties.channel",
    "attributes": "properties",
}
"""The name in a message, under the default mapping, of a touchpoint's member."""


_WORST_FIRST: Final = (ItemOutcome.UNAVAILABLE, ItemOutcome.REJECTED, ItemOutcome.ACCEPTED, ItemOutcome.DUPLICATE)


class MappedCall(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A message of a request, and the items that it became; no items means that the mapping ignores the message.

    `original` are its bytes as sent. `repairs` are the repairs of the message itself, with the names that the message
    uses.
    """

    message_id: str | None = None
    original: bytes
    items: Sequence[bytes | ItemResult]
    repairs: tuple[MemberRepair, ...] = ()


class RejectedCallView(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"message_id": "messageId"}
):
    """A call that was rejected for good."""

    index: int
    message_id: str | None = None
    code: str
    message: str
    field: str | None = None
    errors: tuple[MemberNote, ...] = ()


class CallWarningView(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"message_id": "messageId"}
):
    """A warning about an accepted call: an identifier was left out, or a member was repaired."""

    index: int
    message_id: str | None = None
    code: str
    message: str
    field: str


class CallsView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of a 200 response to calls."""

    success: bool
    accepted: int
    duplicate: int
    ignored: int
    rejected: list[RejectedCallView]
    warnings: list[CallWarningView] = []


def respond(
    calls: Sequence[MappedCall], became: Sequence[Sequence[ItemResult]], language: Language, retry_after_s: int
) -> HttpResponse:
    """Return the response for these calls and the results of the items of each."""
    worst = [min(results, key=_badness, default=None) for results in became]
    outcomes = [result.outcome if result is not None else None for result in worst]
    if ItemOutcome.UNAVAILABLE in outcomes:
        return _unavailable(language, retry_after_s)
    rejected: list[RejectedCallView] = []
    warnings: list[CallWarningView] = []
    for at, (call, result) in enumerate(zip(calls, worst, strict=True)):
        if result is None:
            continue
        view = result_view.view_of(at, result, language, retry_after_s)
        if result.outcome is ItemOutcome.REJECTED:
            rejected.append(_rejected(call, view))
        else:
            warnings += _warnings(call, view, language)
    body = CallsView(
        success=True,
        accepted=outcomes.count(ItemOutcome.ACCEPTED),
        duplicate=outcomes.count(ItemOutcome.DUPLICATE),
        ignored=outcomes.count(None),
        rejected=rejected,
        warnings=warnings,
    )
    encoded = _ENCODER.encode(body)
    headers = (
        (b"content-type", JSON_TYPE.encode()),
        (b"content-length", b"%d" % len(encoded)),
        (b"content-language", language.encode()),
    )
    return HttpResponse(status=200, body=encoded, headers=headers)


def _badness(result: ItemResult) -> int:
    return _WORST_FIRST.index(result.outcome)


def _rejected(call: MappedCall, view: ItemResultView) -> RejectedCallView:
    return RejectedCallView(
        index=view.index,
        message_id=call.message_id,
        code=view.code or "",
        message=view.message or "",
        field=message_path(view.field) if view.field else None,
        errors=tuple(msgspec.structs.replace(note, path=message_path(note.path)) for note in view.errors),
    )


def _warnings(call: MappedCall, view: ItemResultView, language: Language) -> list[CallWarningView]:
    notes = [(note.path, str(note.how), say(note.how, language)) for note in call.repairs]
    notes += [(message_path(note.path), note.code, note.message) for note in view.warnings]
    return [
        CallWarningView(index=view.index, message_id=call.message_id, code=code, message=message, field=path)
        for path, code, message in notes
    ]


def message_path(path: str) -> str:
    """Return the name in a message of the touchpoint's member at `path`."""
    outer, _, inner = path.partition(".")
    if path in _MEMBERS or not inner:
        return _MEMBERS.get(path, path)
    return f"properties.{inner}" if outer == "attributes" else path


def _unavailable(language: Language, retry_after_s: int) -> HttpResponse:
    message = say(ResponseSummary.SOME_UNAVAILABLE, language, retry_after=retry_after_s)
    headers = {"retry-after": str(retry_after_s), "content-language": str(language)}
    response = problem_response(Problem(503, str(ResponseSummary.SOME_UNAVAILABLE), message, headers=headers))
    return HttpResponse(status=503, body=bytes(response.body), headers=tuple(response.raw_headers))
