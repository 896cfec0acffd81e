"""One delivery of a webhook as it came over the wire, and what its body says.

The bytes are kept as they were: signatures are made over bytes, and dead letters show them. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl

import msgspec

_MOST_FIELDS = 1000
"""Of a form; the longest that a channel system sends has about fifty."""


class BodyForm(StrEnum):
    """How a body is written. `auto` goes by the media type, and takes the query of a GET for a form."""

    JSON = "json"
    FORM = "form"
    AUTO = "auto"


class MalformedError(Exception):
    """The body is not what its system sends; says which of the two it is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A request to a webhook. Header names are lower case; `url` is the configured public one, empty without it.

    `tail` is the segment of the path after `webhook/`, where a vendor that signs nothing carries its secret.
    """

    method: str = "POST"
    url: str = ""
    query: str = ""
    headers: Mapping[str, str]
    body: bytes
    address: str = ""
    tail: str = ""

    def header(self, name: str) -> str:
        """Return a header's value, empty when it did not come."""
        return self.headers.get(name.lower(), "")


def parameters(text: str) -> dict[str, list[str]]:
    """Return the fields of a form or a query, each with its values in order; raises ValueError beyond 1,000."""
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS):
        found.setdefault(name, []).append(value)
    return found


def document(delivery: Delivery, form: BodyForm, unwrap: str = "") -> Any:
    """Return what the body says; `unwrap` names the field of a form that holds JSON.

    Raises:
        MalformedError: it cannot be read so.
    """
    if _is_form(delivery, form):
        fields = _form(delivery)
        if not unwrap:
            return fields
        return _json(fields.get(unwrap, "").encode())
    return _json(delivery.body)


def slices(body: bytes, members: Sequence[str]) -> list[bytes]:
    """Return the elements of the array at `members` of a JSON body, each with the bytes it was sent with.

    Raises:
        MalformedError: there is no array at that place.
    """
    raw: bytes | msgspec.Raw = body
    try:
        for name in members:
            raw = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])[name]
        return [bytes(element) for element in msgspec.json.decode(raw, type=list[msgspec.Raw])]
    except (KeyError, RecursionError, UnicodeDecodeError, msgspec.MsgspecError):
        raise MalformedError("json") from None


def _is_form(delivery: Delivery, form: BodyForm) -> bool:
    if form is not BodyForm.AUTO:
        return form is BodyForm.FORM
    if delivery.method == "GET":
        return True
    return delivery.header("content-type").lower().startswith("application/x-www-form-urlencoded")


def _form(delivery: Delivery) -> dict[str, str]:
    text = delivery.query.encode() if delivery.method == "GET" else delivery.body
    try:
        fields = parameters(text.decode("utf-8"))
    except (UnicodeDecodeError, ValueError):
        raise MalformedError("form") from None
    if not fields:
        raise MalformedError("form")
    return {name: values[0] for name, values in fields.items()}


def _json(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except (RecursionError, UnicodeDecodeError, msgspec.MsgspecError):
        raise MalformedError("json") from None
