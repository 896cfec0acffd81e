"""The route `/v1/sources/{source}/webhook`: verifies a channel system's delivery, maps it, publishes and answers it.

A vendor waits two to fifteen seconds, and some disable an address after a few failures. So the content of a delivery
with a valid signature never causes a refusal: what is no touchpoint becomes a dead letter, and the vendor gets 200.
What cannot be written in time gets 503 with Retry-After, and the vendor sends it again.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

import msgspec

from services.ingest.forms.webhooks.bindings import BindingProblem, WebhookBinding, WebhookBindings
from services.ingest.forms.webhooks.delivery import InboundDelivery, MalformedDeliveryError, keepable_body
from services.ingest.forms.webhooks.mapping.compiler import VendorAnswer
from services.ingest.forms.webhooks.mapping.delivery_mapper import DeliveryContext, MappedDelivery, TooManyEventsError
from services.ingest.forms.webhooks.signatures import SignatureFinding, is_allowed, verify
from services.ingest.http.exchange import HttpRequest, HttpResponse
from services.ingest.metrics import IngestMetrics
from services.ingest.publish.intake import TouchpointIntake
from services.ingest.publish.intake_request import IntakeRequest
from services.ingest.reasons import ItemOutcome, RequestRefusal, RequestRefusedError, TouchpointRejection
from services.ingest.results.item_result import ItemResult, reject
from services.runtime.clock import Clock
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

_REFUSALS = {
    SignatureFinding.NO_SECRET: RequestRefusal.WEBHOOK_NOT_READY,
    SignatureFinding.NO_PUBLIC_URL: RequestRefusal.WEBHOOK_NOT_READY,
    SignatureFinding.ADDRESS_NOT_ALLOWED: RequestRefusal.ADDRESS_NOT_ALLOWED,
    SignatureFinding.MISSING: RequestRefusal.SIGNATURE_MISSING,
    SignatureFinding.WRONG: RequestRefusal.SIGNATURE_WRONG,
    SignatureFinding.STALE: RequestRefusal.SIGNATURE_STALE,
}


class InboundOutcome(StrEnum):
    """What happened to one delivery; a label of the metrics."""

    TAKEN = "taken"
    IGNORED = "ignored"
    MALFORMED = "malformed"
    HANDSHAKE = "handshake"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"


class _CountsView(msgspec.Struct, frozen=True, kw_only=True):
    """The response to a vendor that expects no particular body."""

    accepted: int
    duplicate: int
    rejected: int
    ignored: int


class WebhookLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The most events in a delivery, the seconds to write them in, and the seconds to wait before a retry."""

    most: int
    within_s: float
    retry_after_s: int


class PostWebhook:
    """The handler behind every channel system's webhook."""

    methods = ("POST", "GET", "HEAD")

    def __init__(
        self,
        bindings: WebhookBindings,
        intake: TouchpointIntake,
        metrics: IngestMetrics,
        clock: Clock,
        limits: WebhookLimits,
    ) -> None:
        self._bindings = bindings
        self._intake = intake
        self._metrics = metrics
        self._clock = clock
        self._limits = limits

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """Verify, map and publish one delivery, and answer it."""
        binding = self._binding(request)
        system = binding.mapper.system.name
        try:
            reply, became = await self._deliver(binding, request)
        except RequestRefusedError:
            self._metrics.webhooks.labels(system, InboundOutcome.REFUSED).inc()
            raise
        self._metrics.webhooks.labels(system, became).inc()
        return reply

    def _binding(self, request: HttpRequest) -> WebhookBinding:
        found = self._bindings.find(request.params["source"])
        if isinstance(found, BindingProblem) or not self._bindings.read:
            raise self._not_now(RequestRefusal.WEBHOOK_NOT_READY)
        if found is None:
            raise RequestRefusedError(RequestRefusal.WEBHOOK_UNKNOWN)
        request.source = found.source  # whose refusals these are, so that its people can look them up
        if found.source.disabled:
            raise RequestRefusedError(RequestRefusal.SOURCE_DISABLED)
        if not is_allowed(request.address, found.addresses):
            raise RequestRefusedError(RequestRefusal.ADDRESS_NOT_ALLOWED)
        return found

    async def _deliver(self, binding: WebhookBinding, request: HttpRequest) -> tuple[HttpResponse, InboundOutcome]:
        now = self._clock.now()
        delivery = _delivery(binding, request, await request.body())
        facts = DeliveryContext(received_at=now, options=binding.options)
        handshake = binding.mapper.handshake(delivery, facts, proven=False)
        if handshake is None:
            if request.method not in binding.mapper.system.methods:
                raise RequestRefusedError(
                    RequestRefusal.METHOD_NOT_ALLOWED, headers={"allow": ", ".join(binding.mapper.system.methods)}
                )
            self._prove(binding, delivery)
            request.admit(binding.source)
            handshake = binding.mapper.handshake(delivery, facts, proven=True)
        if handshake is not None:
            return _reply(handshake, request.method), InboundOutcome.HANDSHAKE
        return await self._take(binding, delivery, facts, request)

    def _prove(self, binding: WebhookBinding, delivery: InboundDelivery) -> None:
        finding = verify(binding.mapper.system.signature, delivery, binding.secrets, self._clock.now())
        if finding is SignatureFinding.VERIFIED:
            return
        if _REFUSALS[finding] is RequestRefusal.WEBHOOK_NOT_READY:
            _log.error("a webhook is not set up completely", source=binding.source.name, finding=str(finding))
            raise self._not_now(RequestRefusal.WEBHOOK_NOT_READY)
        raise RequestRefusedError(_REFUSALS[finding])

    async def _take(
        self, binding: WebhookBinding, delivery: InboundDelivery, facts: DeliveryContext, request: HttpRequest
    ) -> tuple[HttpResponse, InboundOutcome]:
        opened = self._opened(binding, delivery, facts)
        intake_request = _intake_request(binding, delivery, opened, request.header(b"traceparent"))
        if not intake_request.items:
            return _answered(opened, (), request.method), InboundOutcome.IGNORED
        try:
            async with asyncio.timeout(self._limits.within_s):
                results = await self._intake.take(intake_request)
        except TimeoutError:
            raise self._not_now(RequestRefusal.WEBHOOK_TIMEOUT) from None
        if any(result.outcome is ItemOutcome.UNAVAILABLE for result in results):
            raise self._not_now(RequestRefusal.WEBHOOK_TIMEOUT)
        became = InboundOutcome.MALFORMED if opened is None else InboundOutcome.TAKEN
        return _answered(opened, results, request.method), became

    def _opened(
        self, binding: WebhookBinding, delivery: InboundDelivery, facts: DeliveryContext
    ) -> MappedDelivery | None:
        """Return the mapped delivery, or None when its body is not in the form that its system sends."""
        try:
            return binding.mapper.open(delivery, facts, self._limits.most)
        except MalformedDeliveryError:
            return None
        except TooManyEventsError as error:
            raise RequestRefusedError(RequestRefusal.TOO_MANY_ITEMS, limit=error.most) from None

    def _not_now(self, refusal: RequestRefusal) -> RequestRefusedError:
        after = self._limits.retry_after_s
        return RequestRefusedError(refusal, headers={"retry-after": str(after)}, retry_after=after)


def _delivery(binding: WebhookBinding, request: HttpRequest, body: bytes) -> InboundDelivery:
    query = request.query.decode("latin-1")
    url = f"{binding.url}?{query}" if binding.url and query else binding.url
    return InboundDelivery(
        method=request.method,
        url=url,
        query=query,
        headers={name.decode("latin-1"): value.decode("latin-1").strip() for name, value in request.headers.items()},
        body=body,
        address=request.address,
        tail=request.params.get("token", ""),
    )


def _intake_request(
    binding: WebhookBinding, delivery: InboundDelivery, opened: MappedDelivery | None, trace: str
) -> IntakeRequest:
    if opened is None:
        return IntakeRequest(
            items=(reject(TouchpointRejection.NOT_OF_SYSTEM),),
            originals=(keepable_body(delivery),),
            source=binding.source,
            traceparent=trace,
        )
    return IntakeRequest(
        items=[msgspec.json.encode(mapped.document) for mapped in opened.mapped],
        originals=[mapped.raw for mapped in opened.mapped],
        source=binding.source,
        traceparent=trace,
        untimed=frozenset(at for at, mapped in enumerate(opened.mapped) if mapped.untimed),
        allows_repairs=True,
    )


def _answered(opened: MappedDelivery | None, results: Sequence[ItemResult], method: str) -> HttpResponse:
    if opened is not None and opened.answer is not None:
        return _reply(opened.answer, method)
    counts = Counter(result.outcome for result in results)
    view = _CountsView(
        accepted=counts[ItemOutcome.ACCEPTED],
        duplicate=counts[ItemOutcome.DUPLICATE],
        rejected=counts[ItemOutcome.REJECTED],
        ignored=opened.ignored if opened is not None else 0,
    )
    return _reply(VendorAnswer(content_type="application/json", body=msgspec.json.encode(view)), method)


def _reply(given: VendorAnswer, method: str) -> HttpResponse:
    headers = [(b"content-length", b"%d" % len(given.body)), (b"x-content-type-options", b"nosniff")]
    if given.content_type:
        headers.append((b"content-type", given.content_type.encode("latin-1")))
    return HttpResponse(status=given.status, body=b"" if method == "HEAD" else given.body, headers=tuple(headers))
