"""From a body to its messages: one call, or a batch of them, each a slice of the bytes as they were sent."""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from services.ingest import document
from services.ingest.document import ItemLimits
from services.ingest.reasons import Refusal, Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """The messages of one request, the key if it stood in the body, and what a batch says for all of its messages."""

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


def open_calls(body: bytes, limits: ItemLimits) -> Calls:
    """Take a body apart: `{"batch": [{…}, …], "sentAt": …, "writeKey": …}`, or one message.

    Raises:
        Refused: the whole is no such document, is empty, or holds more than `limits.items`.
    """
    calls = _taken_apart(document.bare(body), limits)
    if not calls.messages:
        raise Refused(Refusal.NO_CALLS)
    if len(calls.messages) > limits.items:
        raise Refused(Refusal.TOO_MANY_ITEMS, limit=limits.items)
    return calls


def _taken_apart(body: bytes, limits: ItemLimits) -> Calls:
    readable = document.without_lone_surrogates(body)
    try:
        outer = _OUTER.decode(readable)
    except RecursionError:
        raise Refused(Refusal.BODY_TOO_DEEP, limit=limits.depth) from None
    except msgspec.ValidationError:
        raise Refused(Refusal.INVALID_CALLS) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Refused(Refusal.BODY_NOT_JSON) from None
    write_key = next((key for key in (outer.write_key, outer.api_key) if isinstance(key, str) and key), None)
    if isinstance(outer.batch, msgspec.UnsetType):
        return Calls(messages=(body,), write_key=write_key)
    shared = {name: said for name, said in (("sentAt", outer.sent_at), ("context", outer.context)) if said is not None}
    return Calls(
        messages=document.slices(body, readable, outer.batch), write_key=write_key, shared=shared, is_batch=True
    )


def completed(message: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    """Return a message with what its batch says for all; what it says itself counts."""
    if not shared:
        return message
    whole = {**shared, **message}
    contexts = [part for part in (shared.get("context"), message.get("context")) if isinstance(part, dict)]
    if contexts:
        whole["context"] = {name: held for part in contexts for name, held in part.items()}
    return whole
