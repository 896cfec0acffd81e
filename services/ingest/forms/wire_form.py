"""The interface of wire forms that share `POST /v1/touchpoints`: each maps a request to native touchpoints."""

from typing import Protocol

from services.ingest.http.exchange import Headers, HttpRequest
from services.ingest.publish.intake_request import IntakeRequest


class WireForm(Protocol):
    """Another form of request to `POST /v1/touchpoints`, recognised by the request's headers."""

    def claims(self, headers: Headers) -> bool:
        """Return whether a request with these headers is written in this form."""

    async def open(self, request: HttpRequest) -> IntakeRequest:
        """Authenticate the request and split its body into items.

        Raises:
            RequestRefusedError: the key is not valid, or the body is not in this form.
        """
