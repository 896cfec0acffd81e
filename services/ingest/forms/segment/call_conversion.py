"""Converts one message to native touchpoints, or says why it becomes none. Pure.

A message becomes one touchpoint. The exception is an alias of two values of the same identifier type: it becomes two
touchpoints that share a third identifier. Traits are read for identifiers only, because they describe the person.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from schemas import kinds
from schemas.vocabulary import Channel
from services.ingest.forms.mapping.members import put
from services.ingest.forms.mapping.paths import walk
from services.ingest.forms.segment.fields import Message, id_text, native_members
from services.ingest.forms.segment.segment_mapping import KINDS, CallTarget, CallType, SegmentMapping, slug

_WELL_KNOWN: Mapping[str, str] = {
    "order_completed": "order_placed",
    "order_refunded": "refund_paid",
    "product_added": "cart_updated",
    "product_removed": "cart_updated",
    "signed_in": "login_succeeded",
    "application_crashed": "app_crashed",
}
"""Events of Segment's published specifications that say what one of our kinds says."""

_PREFIX = "track."
_LONGEST_KIND = 64
_LONGEST_ID = 255
_CANONICAL = msgspec.json.Encoder(order="deterministic")
_BY_TRANSPORT = frozenset({"messageId", "sentAt", "receivedAt", "writeKey", "_metadata", "integrations"})
_CHANNELS = frozenset(Channel)


class NoTouchpointReason(StrEnum):
    """Why a message becomes no touchpoint."""

    LEFT_OUT = "left_out"
    UNKNOWN_CALL = "unknown_call"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSender:
    """What the conversion uses of the source: its mapping, its channel if it has only one, and whether it replays."""

    mapping: SegmentMapping
    only_channel: Channel | None = None
    has_default_channel: bool = False
    replays: bool = False


def call_type(message: Message, by_path: CallType | None) -> CallType | None:
    """Return the call type of a message: that of the address, else its own `type`."""
    if by_path is not None:
        return by_path
    said = message.get("type")
    return CallType(said.lower()) if isinstance(said, str) and said.lower() in set(CallType) else None


def message_id(message: Message) -> str:
    """Return a message's id; a message without one gets an id derived from its content, equal for every retry."""
    given = id_text(message.get("messageId"))
    if given is not None:
        return given if len(given) <= _LONGEST_ID else "derived-" + _digest(given.encode("utf-8", "replace"))
    content = {name: member for name, member in message.items() if name not in _BY_TRANSPORT}
    if reported_time(message) is None:
        content["sentAt"] = message.get("sentAt")
    return "derived-" + _digest(_CANONICAL.encode(content))


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def reported_time(message: Message) -> Any:
    """Return the time by the producer's clock; RudderStack's Node library sends it as `originalTimestamp`."""
    for name in ("originalTimestamp", "timestamp"):
        if message.get(name) not in (None, ""):
            return message[name]
    return None


def touchpoints(
    message: Message, call: CallType | None, sender: CallSender
) -> list[dict[str, Any]] | NoTouchpointReason:
    """Return the touchpoints that a message becomes, as they could have been posted."""
    if call is None:
        return NoTouchpointReason.UNKNOWN_CALL
    event = id_text(message.get("event")) or ""
    target = sender.mapping.target(call, event)
    if target is None:
        return NoTouchpointReason.LEFT_OUT
    properties = _object(message.get("properties"))
    members, used = native_members(properties)
    touchpoint: dict[str, Any] = {
        "id": message_id(message),
        "kind": target.kind or KINDS.get(call) or _kind_of(event),
        "customer": _customer(message, call, sender.mapping),
        **_times(message),
    }
    channel = _channel(message, call, target, sender)
    if channel is not None:
        touchpoint["channel"] = channel
    if sender.replays:
        touchpoint["replay"] = True
    for name, found in members.items():
        put(touchpoint, name, found)
    target.rule.fill(touchpoint, message)
    if target.attributes:
        _keep(message, call, {name: held for name, held in properties.items() if name not in used}, touchpoint)
    return _aliased(touchpoint, message, sender.mapping) if call is CallType.ALIAS else [touchpoint]


def _times(message: Message) -> dict[str, Any]:
    times = {"occurred_at": reported_time(message), "sent_at": message.get("sentAt")}
    if not isinstance(times["sent_at"], str):
        del times["sent_at"]
    return {name: held for name, held in times.items() if held is not None}


def _customer(message: Message, call: CallType, mapping: SegmentMapping) -> dict[str, Any]:
    customer: dict[str, Any] = {}
    for path, to in mapping.identifiers:
        if to.type in customer or (call is CallType.GROUP and path[0] == "traits"):  # those are the company's
            continue
        value = id_text(walk(message, path))
        if value is not None:
            customer[to.type] = {"value": value, "verified": True} if to.verified else value
    return customer


def _channel(message: Message, call: CallType, target: CallTarget, sender: CallSender) -> str | None:
    """Return the customer's channel; root `channel` and `context.channel` say how a library runs, not where it was."""
    said = walk(message, ("properties", "channel"))
    if isinstance(said, str) and said in _CHANNELS:
        return said
    settled = target.channel or sender.mapping.channel or sender.only_channel
    if settled is not None or sender.has_default_channel:
        return settled
    return _likely_channel(message, call)


def _likely_channel(message: Message, call: CallType) -> Channel:
    context = _object(message.get("context"))
    if call is CallType.SCREEN or "device" in context or "app" in context:
        return Channel.APP
    if call is CallType.PAGE or "page" in context:
        return Channel.WEB
    return Channel.API


def _kind_of(event: str) -> str:
    name = slug(event)
    if name in kinds.load():
        return name
    return _WELL_KNOWN.get(name, (_PREFIX + (name or "event"))[:_LONGEST_KIND])


def _keep(message: Message, call: CallType, properties: dict[str, Any], touchpoint: dict[str, Any]) -> None:
    kept = properties
    if kept.get("channel") == touchpoint.get("channel"):
        kept.pop("channel", None)
    named = {CallType.TRACK: ("event",), CallType.PAGE: ("name", "category"), CallType.SCREEN: ("name", "category")}
    for name in named.get(call, ()):
        if isinstance(message.get(name), str) and message[name]:
            kept.setdefault(name, message[name])
    if kept:
        touchpoint["attributes"] = {**kept, **touchpoint.get("attributes", {})}


def _aliased(touchpoint: dict[str, Any], message: Message, mapping: SegmentMapping) -> list[dict[str, Any]]:
    previous = id_text(message.get("previousId"))
    if previous is None:
        return [touchpoint]
    taken = [type_ for type_ in mapping.previous_id if type_ in touchpoint["customer"] and type_ != "anonymous_id"]
    for type_ in mapping.previous_id:
        if type_ not in taken:
            touchpoint["customer"][type_] = previous
    if not taken:
        return [touchpoint]
    bond = hashlib.blake2b(touchpoint["id"].encode(), digest_size=16).hexdigest()
    touchpoint["customer"]["alias_id"] = bond
    earlier = {**touchpoint, "id": f"{touchpoint['id']}#previous"}
    earlier["customer"] = {**dict.fromkeys(taken, previous), "alias_id": bond}
    return [touchpoint, earlier]


def _object(found: Any) -> dict[str, Any]:
    return dict(found) if isinstance(found, Mapping) else {}
