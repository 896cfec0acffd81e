"""The seam for wire forms: whatever came is taken apart and mapped to native touchpoints, then all goes one way.

A form says per item either the JSON bytes of a native touchpoint or the verdict that it cannot be one; the bytes as
sent go along, for dead letters and for whoever looks into what came.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.ingest.http.exchange import Headers
from services.ingest.results.item_result import ItemResult
from services.ingest.sources.source import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class FormItems:
    """The items of one request: native JSON or the verdict at once, and each one's bytes as sent (equally many).

    `traceparent` is the trace context that the form itself carries, for requests without one in their headers.
    """

    items: Sequence[bytes | ItemResult]
    originals: Sequence[bytes]
    traceparent: str = ""


class WireForm(Protocol):
    """Another way to write touchpoints to `POST /v1/touchpoints`, told by the request's headers."""

    def claims(self, headers: Headers) -> bool:
        """Return whether a request with these headers is written in this form."""

    def open(self, headers: Headers, body: bytes, source: Source) -> FormItems:
        """Take `body` apart; raises `Refused` when the whole is not in this form after all."""
