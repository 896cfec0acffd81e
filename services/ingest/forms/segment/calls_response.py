"""The response to calls: exactly 200 with JSON when the request was accepted, as the libraries expect it.

The body lists rejected calls and names their members as the sender does. When something could not be written, the whole
request gets 503 with Retry-After, because a library always resends a whole batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from schemas.languages import Language
from services.ingest.http.exchange import JSON_TYPE, HttpResponse
from services.ingest.reasons import ItemOutcome, ResponseSummary
from services.ingest.results import result_view
from services.ingest.results.item_result import ItemResult
from services.ingest.results.messages import say
from services.ingest.results.result_view import MemberNote
from services.ingest.touchpoint.repair import MemberRepair
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResult:
    """The result of the message at `index`; no result means that the mapping ignores the message.

    `repairs` are the repairs of the message itself, with the names that the message uses.
    """

    index: int
    message_id: str | None
    result: ItemResult | None
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


def respond(told: Sequence[CallResult], language: Language, retry_after_s: int) -> HttpResponse:
    """Return the response for the results of these calls."""
    outcomes = [one.result.outcome if one.result is not None else None for one in told]
    if ItemOutcome.UNAVAILABLE in outcomes:
        return _unavailable(language, retry_after_s)
    body = CallsView(
        success=True,
        accepted=outcomes.count(ItemOutcome.ACCEPTED),
        duplicate=outcomes.count(ItemOutcome.DUPLICATE),
        ignored=outcomes.count(None),
        rejected=[_rejected(one, one.result, language, retry_after_s) for one in told if _is_rejected(one.result)],
        warnings=[warned for one in told for warned in _warned(one, language)],
    )
    encoded = _ENCODER.encode(body)
    headers = (
        (b"content-type", JSON_TYPE.encode()),
        (b"content-length", b"%d" % len(encoded)),
        (b"content-language", language.encode()),
    )
    return HttpResponse(status=200, body=encoded, headers=headers)


def _is_rejected(result: ItemResult | None) -> bool:
    return result is not None and result.outcome is ItemOutcome.REJECTED


def _rejected(one: CallResult, result: ItemResult | None, language: Language, retry_after_s: int) -> RejectedCallView:
    assert result is not None  # noqa: S101  only rejected ones come here
    view = result_view.view_of(one.index, result, language, retry_after_s)
    return RejectedCallView(
        index=one.index,
        message_id=one.message_id,
        code=view.code or "",
        message=view.message or "",
        field=message_path(view.field) if view.field else None,
        errors=tuple(msgspec.structs.replace(note, path=message_path(note.path)) for note in view.errors),
    )


def _warned(one: CallResult, language: Language) -> list[CallWarningView]:
    if one.result is None or _is_rejected(one.result):
        return []
    repairs = [(note.path, note.how) for note in one.repairs]
    repairs += [(message_path(note.path), note.how) for note in one.result.repairs]
    return [
        *(
            CallWarningView(
                index=one.index, message_id=one.message_id, code=str(how), message=say(how, language), field=path
            )
            for path, how in repairs
        ),
        *_left_out(one, one.result, language),
    ]


def _left_out(one: CallResult, result: ItemResult, language: Language) -> list[CallWarningView]:
    return [
        CallWarningView(
            index=one.index,
            message_id=one.message_id,
            code=str(dropped.reason),
            message=say(dropped.reason, language, type=dropped.type),
            field=message_path(f"customer.{dropped.type}"),
        )
        for dropped in result.dropped
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
