"""The interface of wire forms that share `POST /v1/touchpoints`: each maps a request to native touchpoints.

For each item a form returns the JSON of a native touchpoint, or the result that rejects it, together with the bytes as
sent: dead letters and the inspector use these.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.ingest.http.exchange import Headers
from services.ingest.results.item_result import ItemResult
from services.ingest.sources.source import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class FormItems:
    """The items of one request: native JSON or a rejecting result, and the bytes as sent for each item.

    `traceparent` is the trace context inside the form, for requests that have none in their headers.
    """

    items: Sequence[bytes | ItemResult]
    originals: Sequence[bytes]
    traceparent: str = ""


class WireForm(Protocol):
    """Another form of request to `POST /v1/touchpoints`, recognised by the request's headers."""

    def claims(self, headers: Headers) -> bool:
        """Return whether a request with these headers is written in this form."""

    def open(self, headers: Headers, body: bytes, source: Source) -> FormItems:
        """Split `body` into items; raises `RequestRefusedError` when the body is not in this form."""
