"""The route `POST /v1/touchpoints`: native touchpoints, and any other form that claims a request by its headers.

Leaves the touchpoints to `services.ingest.publish.intake`, and what every request shares to `services.ingest.http`.
"""

from collections.abc import Sequence

from services.ingest.forms.native import native_response
from services.ingest.forms.wire_form import WireForm
from services.ingest.http.exchange import Headers, HttpRequest, HttpResponse
from services.ingest.http.presented_key import presented_key
from services.ingest.publish.intake import TouchpointIntake
from services.ingest.publish.intake_request import IntakeRequest
from services.ingest.reasons import RequestRefusal, RequestRefusedError
from services.ingest.touchpoint import document
from services.ingest.touchpoint.document import ItemLimits

_JSON = b"application/json"
_UTF8 = frozenset({b"utf-8", b"utf8"})


class PostTouchpoints:
    """The handler behind `POST /v1/touchpoints`."""

    methods = ("POST",)

    def __init__(
        self, intake: TouchpointIntake, limits: ItemLimits, retry_after_s: int, forms: Sequence[WireForm] = ()
    ) -> None:
        self._intake = intake
        self._limits = limits
        self._retry_after_s = retry_after_s
        self._forms = forms

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """Answer with one result per touchpoint."""
        form = next((form for form in self._forms if form.claims(request.headers)), None)
        opened = await (self._open(request) if form is None else form.open(request))
        dry_run = request.header(b"waymark-dry-run").lower() == "true"
        results = await self._intake.take(opened, dry_run=dry_run)
        return native_response.respond(results, request.language, self._retry_after_s, dry_run=dry_run)

    async def _open(self, request: HttpRequest) -> IntakeRequest:
        """Authenticate a native request, by the key in its headers or in its body, and split it into touchpoints."""
        key = presented_key(request.headers)
        source = await request.authenticate(key) if key is not None else None
        _check_media_type(request.headers)
        items, write_key = document.open_envelope(await request.body(), self._limits)
        return IntakeRequest(
            items=items,
            source=source if source is not None else await request.authenticate(write_key),
            traceparent=request.header(b"traceparent"),
            carries_key=write_key is not None,
        )


def _check_media_type(headers: Headers) -> None:
    """Accept JSON in UTF-8, or no Content-Type at all: many producers forget the header."""
    declared = headers.get(b"content-type", b"")
    if declared == _JSON:
        return
    media_type, _, parameters = declared.lower().partition(b";")
    if not media_type.strip():
        return
    charset = _UTF8
    for parameter in parameters.split(b";"):
        name, _, value = parameter.partition(b"=")
        if name.strip() == b"charset":
            charset = frozenset({value.strip().strip(b'"')})
    if media_type.strip() != _JSON or not charset <= _UTF8:
        raise RequestRefusedError(RequestRefusal.UNSUPPORTED_MEDIA_TYPE, headers={"accept": "application/json"})
