"""`/v1/sources/{source}/webhook`: a channel system's own webhook, verified, mapped, published, answered as it wants.

A vendor waits two to fifteen seconds, and some take an address away after a few failures. So a delivery whose signature
is right is never refused for what it says: what is no touchpoint goes to the dead letters, and the vendor hears 200.
What was not written within the budget is 503 with Retry-After, and the vendor's own repetition brings it again.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

import msgspec

from services.ingest.forms.webhooks.bindings import Binding, Bindings, Trouble
from services.ingest.forms.webhooks.delivery import Delivery, MalformedError, kept
from services.ingest.forms.webhooks.mapping.compiler import Given
from services.ingest.forms.webhooks.mapping.delivery_mapper import Facts, Opened, TooManyError
from services.ingest.forms.webhooks.signatures import Finding, allowed, verify
from services.ingest.http.exchange import Call, Inlet, Reply
from services.ingest.metrics import Metrics
from services.ingest.publish.intake import Intake, Request
from services.ingest.reasons import Outcome, Refusal, Refused, Rejection
from services.ingest.results.verdict import Verdict
from services.runtime.clock import Clock
from services.runtime.logs import get_logger

_log = get_logger(__name__)

_REFUSALS = {
    Finding.NO_SECRET: Refusal.WEBHOOK_NOT_READY,
    Finding.NO_PUBLIC_URL: Refusal.WEBHOOK_NOT_READY,
    Finding.ADDRESS_NOT_ALLOWED: Refusal.ADDRESS_NOT_ALLOWED,
    Finding.MISSING: Refusal.SIGNATURE_MISSING,
    Finding.WRONG: Refusal.SIGNATURE_WRONG,
    Finding.STALE: Refusal.SIGNATURE_STALE,
}


class Delivered(StrEnum):
    """What became of a delivery."""

    TAKEN = "taken"
    IGNORED = "ignored"
    MALFORMED = "malformed"
    HANDSHAKE = "handshake"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"


class _Heard(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a vendor that reads none."""

    accepted: int
    duplicate: int
    rejected: int
    ignored: int


class WebhookLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Most events in a delivery, seconds for writing them, seconds after which to come again."""

    most: int
    within_s: float
    retry_after_s: int


class Webhook:
    """The handler behind every channel system's webhook."""

    methods = ("POST", "GET", "HEAD")

    def __init__(
        self,
        bindings: Bindings,
        intake: Intake,
        metrics: Metrics,
        clock: Clock,
        limits: WebhookLimits,
    ) -> None:
        self._bindings = bindings
        self._intake = intake
        self._metrics = metrics
        self._clock = clock
        self._limits = limits

    async def answer(self, call: Call, inlet: Inlet) -> Reply:
        """Answer one delivery."""
        binding = self._binding(call)
        system = binding.recipe.system.name
        try:
            reply, became = await self._deliver(binding, call, inlet)
        except Refused:
            self._metrics.webhooks.labels(system, Delivered.REFUSED).inc()
            raise
        self._metrics.webhooks.labels(system, became).inc()
        return reply

    def _binding(self, call: Call) -> Binding:
        found = self._bindings.find(call.params["source"])
        if isinstance(found, Trouble) or not self._bindings.read:
            raise self._not_now(Refusal.WEBHOOK_NOT_READY)
        if found is None:
            raise Refused(Refusal.WEBHOOK_UNKNOWN)
        call.source = found.source  # whose refusals these are, so that its people can look them up
        if found.source.disabled:
            raise Refused(Refusal.SOURCE_DISABLED)
        if not allowed(call.address, found.addresses):
            raise Refused(Refusal.ADDRESS_NOT_ALLOWED)
        return found

    async def _deliver(self, binding: Binding, call: Call, inlet: Inlet) -> tuple[Reply, Delivered]:
        now = self._clock.now()
        delivery = _delivery(binding, call, await inlet.read())
        facts = Facts(received_at=now, options=binding.options)
        greeting = binding.recipe.handshake(delivery, facts, proven=False)
        if greeting is None:
            if call.method not in binding.recipe.system.methods:
                raise Refused(Refusal.METHOD_NOT_ALLOWED, headers={"allow": ", ".join(binding.recipe.system.methods)})
            self._prove(binding, delivery)
            call.admit(binding.source)
            greeting = binding.recipe.handshake(delivery, facts, proven=True)
        if greeting is not None:
            return _reply(greeting, call.method), Delivered.HANDSHAKE
        return await self._take(binding, delivery, facts, call)

    def _prove(self, binding: Binding, delivery: Delivery) -> None:
        finding = verify(binding.recipe.system.signature, delivery, binding.secrets, self._clock.now())
        if finding is Finding.VERIFIED:
            return
        if _REFUSALS[finding] is Refusal.WEBHOOK_NOT_READY:
            _log.error("a webhook is not set up completely", source=binding.source.name, finding=str(finding))
            raise self._not_now(Refusal.WEBHOOK_NOT_READY)
        raise Refused(_REFUSALS[finding])

    async def _take(self, binding: Binding, delivery: Delivery, facts: Facts, call: Call) -> tuple[Reply, Delivered]:
        opened = self._opened(binding, delivery, facts)
        request = _request(binding, delivery, opened, call.header(b"traceparent"))
        if not request.items:
            return _answered(opened, (), call.method), Delivered.IGNORED
        try:
            async with asyncio.timeout(self._limits.within_s):
                verdicts = await self._intake.take(request)
        except TimeoutError:
            raise self._not_now(Refusal.WEBHOOK_TIMEOUT) from None
        if any(verdict.outcome is Outcome.UNAVAILABLE for verdict in verdicts):
            raise self._not_now(Refusal.WEBHOOK_TIMEOUT)
        became = Delivered.MALFORMED if opened is None else Delivered.TAKEN
        return _answered(opened, verdicts, call.method), became

    def _opened(self, binding: Binding, delivery: Delivery, facts: Facts) -> Opened | None:
        """Return what the delivery holds, None when it is not what its system sends."""
        try:
            return binding.recipe.open(delivery, facts, self._limits.most)
        except MalformedError:
            return None
        except TooManyError as error:
            raise Refused(Refusal.TOO_MANY_ITEMS, limit=error.most) from None

    def _not_now(self, refusal: Refusal) -> Refused:
        after = self._limits.retry_after_s
        return Refused(refusal, headers={"retry-after": str(after)}, retry_after=after)


def _delivery(binding: Binding, call: Call, body: bytes) -> Delivery:
    query = call.query.decode("latin-1")
    url = f"{binding.url}?{query}" if binding.url and query else binding.url
    return Delivery(
        method=call.method,
        url=url,
        query=query,
        headers={name.decode("latin-1"): value.decode("latin-1").strip() for name, value in call.headers.items()},
        body=body,
        address=call.address,
        tail=call.params.get("token", ""),
    )


def _request(binding: Binding, delivery: Delivery, opened: Opened | None, trace: str) -> Request:
    if opened is None:
        refused = Verdict(outcome=Outcome.REJECTED, reason=Rejection.NOT_OF_SYSTEM)
        return Request(items=(refused,), originals=(kept(delivery),), source=binding.source, traceparent=trace)
    return Request(
        items=[msgspec.json.encode(mapped.document) for mapped in opened.mapped],
        originals=[mapped.raw for mapped in opened.mapped],
        source=binding.source,
        traceparent=trace,
        untimed=frozenset(at for at, mapped in enumerate(opened.mapped) if mapped.untimed),
        mends=True,
    )


def _answered(opened: Opened | None, verdicts: Sequence[Verdict], method: str) -> Reply:
    if opened is not None and opened.answer is not None:
        return _reply(opened.answer, method)
    counts = Counter(verdict.outcome for verdict in verdicts)
    heard = _Heard(
        accepted=counts[Outcome.ACCEPTED],
        duplicate=counts[Outcome.DUPLICATE],
        rejected=counts[Outcome.REJECTED],
        ignored=opened.ignored if opened is not None else 0,
    )
    return _reply(Given(content_type="application/json", body=msgspec.json.encode(heard)), method)


def _reply(given: Given, method: str) -> Reply:
    headers = [(b"content-length", b"%d" % len(given.body)), (b"x-content-type-options", b"nosniff")]
    if given.content_type:
        headers.append((b"content-type", given.content_type.encode("latin-1")))
    return Reply(status=given.status, body=b"" if method == "HEAD" else given.body, headers=tuple(headers))
