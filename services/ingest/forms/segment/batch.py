"""Splits a body into its messages: one call, or a batch of calls, each a slice of the bytes as sent."""

import json
from dataclasses import dataclass, field
from typing import Any

import msgspec

from services.ingest.reasons import RequestRefusal, RequestRefusedError
from services.ingest.touchpoint import document
from services.ingest.touchpoint.document import ItemLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class CallBatch:
    """The messages of one request, the key in the body, and the members that a batch gives to all its messages."""

    messages: tuple[bytes, ...]
    write_key: str | None = None
    shared: dict[str, Any] = field(default_factory=dict)
    is_batch: bool = False


class _Outer(msgspec.Struct, rename={"write_key": "writeKey", "sent_at": "sentAt"}):
    batch: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET
    write_key: Any = None
    api_key: Any = None
    sent_at: Any = None
    context: Any = None


_OUTER = msgspec.json.Decoder(_Outer)


def open_calls(body: bytes, limits: ItemLimits) -> CallBatch:
    """Split a body: `{"batch": [{…}, …], "sentAt": …, "writeKey": …}`, or one message.

    Raises:
        RequestRefusedError: the whole is no such document, is empty, or holds more than `limits.items`.
    """
    calls = _split(document.stripped_body(body), limits)
    if not calls.messages:
        raise RequestRefusedError(RequestRefusal.NO_CALLS)
    if len(calls.messages) > limits.items:
        raise RequestRefusedError(RequestRefusal.TOO_MANY_ITEMS, limit=limits.items)
    return calls


def _split(body: bytes, limits: ItemLimits) -> CallBatch:
    readable = document.without_lone_surrogates(body)
    try:
        outer = _OUTER.decode(readable)
    except RecursionError:
        raise RequestRefusedError(RequestRefusal.BODY_TOO_DEEP, limit=limits.depth) from None
    except msgspec.ValidationError:
        raise RequestRefusedError(RequestRefusal.INVALID_CALLS) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _with_constants(body)
    write_key = next((key for key in (outer.write_key, outer.api_key) if isinstance(key, str) and key), None)
    if isinstance(outer.batch, msgspec.UnsetType):
        return CallBatch(messages=(body,), write_key=write_key)
    shared = {name: said for name, said in (("sentAt", outer.sent_at), ("context", outer.context)) if said is not None}
    return CallBatch(
        messages=document.slices(body, readable, outer.batch), write_key=write_key, shared=shared, is_batch=True
    )


def _with_constants(body: bytes) -> CallBatch:
    """Take a body apart that says `NaN` or `Infinity`, as Python's own library does: the fault of one property.

    Raises:
        RequestRefusedError: it is no JSON even so.
    """
    try:
        whole = json.loads(body)
    except (ValueError, RecursionError):
        raise RequestRefusedError(RequestRefusal.BODY_NOT_JSON) from None
    if not isinstance(whole, dict) or not isinstance(whole.get("batch", []), list):
        raise RequestRefusedError(RequestRefusal.INVALID_CALLS)
    write_key = next(
        (key for key in (whole.get("writeKey"), whole.get("api_key")) if isinstance(key, str) and key), None
    )
    if "batch" not in whole:
        return CallBatch(messages=(body,), write_key=write_key)
    shared = {name: whole[name] for name in ("sentAt", "context") if whole.get(name) is not None}
    messages = tuple(json.dumps(message).encode() for message in whole["batch"])
    return CallBatch(messages=messages, write_key=write_key, shared=shared, is_batch=True)


def with_batch_members(message: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    """Return a message with the members of its batch; the message's own members take precedence."""
    if not shared:
        return message
    whole = {**shared, **message}
    contexts = [part for part in (shared.get("context"), message.get("context")) if isinstance(part, dict)]
    if contexts:
        whole["context"] = {name: held for part in contexts for name, held in part.items()}
    return whole
