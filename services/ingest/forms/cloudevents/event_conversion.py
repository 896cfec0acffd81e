"""From a CloudEvent to a native touchpoint, as a JSON object that then goes the way of all touchpoints.

With a native type the data *is* the touchpoint, and the envelope fills in what it leaves out. With any other type the
envelope gives id, time and kind, and the rules of the source (`source_rules`) say which part of the data goes where.
Whether the result is a valid touchpoint is not judged here. Pure.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

from schemas.validation import FieldError
from services.ingest.forms.cloudevents.event import AttributeValue, CloudEvent, JsonData, TextData
from services.ingest.forms.cloudevents.event_faults import EventFault, field_error
from services.ingest.forms.cloudevents.event_rules import EventRules, EventTypeRule, IdOrigin
from services.ingest.touchpoint.document import JsonObject

_MAX_ID: Final = 255
_NOT_KIND = re.compile(r"[^a-z0-9_.]+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_PHONE = re.compile(r"\+?[0-9][0-9 ().-]{6,}")

_SPOKEN_OF: Final = frozenset(
    {
        "identity",
        "identitytype",
        "previousidentity",
        "previousidentitytype",
        "sequence",
        "sentat",
        "correlation",
        "correlationid",
        "traceparent",
        "tracestate",
    }
)
"""Extensions that have a place of their own; the others are kept as attributes."""

_IDENTITY_TYPES: Final = {"temporary_id": "anonymous_id", "mobile": "phone", "user_id": "customer_id"}
"""Names that others use for types of our catalogue; the first is Webex's."""


def convert(found: CloudEvent, rules: EventRules) -> JsonObject | list[FieldError]:
    """Return the touchpoint that an event stands for, or what keeps it from being one."""
    rule = rules.rule_for(found.type)
    if rule.native:
        if not isinstance(found.data, JsonData):
            return [field_error("data", EventFault.DATA_NOT_JSON)]
        if not isinstance(found.data.value, dict):
            return [field_error("data", EventFault.DATA_NOT_TOUCHPOINT)]
        item = dict(found.data.value)
        _fill_in(item, "id", found.id)
    else:
        item = _from_foreign_type(found, rule)
    _fill_in(item, "occurred_at", found.time)
    _fill_in(item, "sent_at", found.extensions.get("sentat"))
    _keep_extensions(item, found.extensions)
    errors = _identities(item, found.extensions, rule) + _sequence(item, found.extensions)
    _correlation(item, found.extensions)
    return errors or item


def _from_foreign_type(found: CloudEvent, rule: EventTypeRule) -> JsonObject:
    item: JsonObject = {}
    rule.members.fill(item, found)
    _fill_in(item, "id", _id(found, rule.id))
    _fill_in(item, "kind", rule.kind or _NOT_KIND.sub("_", found.type.lower()).strip("."))
    _fill_in(item, "channel", rule.channel)
    given = item.get("attributes")
    item["attributes"] = {**_kept(found, rule), **(given if isinstance(given, dict) else {})}
    return item


def _id(found: CloudEvent, chosen: IdOrigin) -> str:
    """Return the id: an event is the same as another when both source and id are (section "id")."""
    if chosen is IdOrigin.EVENT:
        return found.id
    whole = f"{found.source}#{found.id}"
    if len(whole) <= _MAX_ID:
        return whole
    return f"ce-{hashlib.sha256(whole.encode()).hexdigest()}"


def _kept(found: CloudEvent, rule: EventTypeRule) -> JsonObject:
    attributes: JsonObject = {"ce_source": found.source, "ce_type": found.type}
    if found.subject is not None:
        attributes["ce_subject"] = found.subject
    data = found.data.value if isinstance(found.data, JsonData | TextData) else None
    if rule.keep_data and data is not None:
        attributes["data"] = data
    return attributes


def _keep_extensions(item: JsonObject, extensions: Mapping[str, AttributeValue]) -> None:
    kept = {f"ce_{name}": value for name, value in extensions.items() if name not in _SPOKEN_OF}
    if not kept:
        return
    given = item.get("attributes")
    if given is None or isinstance(given, dict):  # anything else is the contract's to complain of
        item["attributes"] = {**kept, **(given or {})}


def _identities(item: JsonObject, extensions: Mapping[str, AttributeValue], rule: EventTypeRule) -> list[FieldError]:
    identity = extensions.get("identity")
    if identity is None or identity == "":
        return []
    type_ = _identity_type(str(extensions.get("identitytype") or rule.identitytype))
    if type_ is None:
        return [field_error("identitytype", EventFault.IDENTITY_TYPE)]
    customer = item.get("customer")
    if customer is None:
        customer = item["customer"] = {}
    if not isinstance(customer, dict):
        return []  # the contract complains of it
    _fill_in(customer, type_, str(identity))
    previous = extensions.get("previousidentity")
    if previous is not None and previous != "":
        named = _identity_type(str(extensions.get("previousidentitytype") or ""))
        _fill_in(customer, named or _looks_like(str(previous)), str(previous))
    return []


def _identity_type(given: str) -> str | None:
    name = _HUMP.sub("_", given.strip()).lower().replace("-", "_").replace(" ", "_")
    name = _IDENTITY_TYPES.get(name, name)
    known = {"customerid": "customer_id", "temporaryid": "anonymous_id"}.get(name, name)
    return known if _NAME.fullmatch(known) else None


def _looks_like(value: str) -> str:
    """Return the type of an identity whose type is not said."""
    if "@" in value:
        return "email"
    return "phone" if _PHONE.fullmatch(value) else "anonymous_id"


def _sequence(item: JsonObject, extensions: Mapping[str, AttributeValue]) -> list[FieldError]:
    given = extensions.get("sequence")
    if given is None or isinstance(given, bool) or item.get("sequence") is not None:
        return []
    text = str(given)
    if not text.isascii() or not text.isdigit() or len(text.lstrip("0")) > 15:
        return [field_error("sequence", EventFault.SEQUENCE)]
    item["sequence"] = int(text)
    return []


def _correlation(item: JsonObject, extensions: Mapping[str, AttributeValue]) -> None:
    given = extensions.get("correlationid", extensions.get("correlation"))
    if given is None or given == "":
        return
    refs = item.get("refs")
    if refs is None:
        refs = item["refs"] = {}
    if isinstance(refs, dict):
        _fill_in(refs, "correlation_id", str(given))


def _fill_in(node: JsonObject, name: str, value: Any) -> None:
    if value is not None and node.get(name) is None:
        node[name] = value
