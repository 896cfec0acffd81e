"""Spans by OpenTelemetry's SDK, sent by OTLP over HTTP in the background; imported only where tracing is on.

A collector that is away costs spans, never a touchpoint: the queue is bounded, and what does not fit is dropped.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.runtime.telemetry.tracing import SpanRole

CLOSED_WITHIN_MS: Final = 3_000
LINKS_AT_MOST: Final = 128
"""OpenTelemetry's own limit of links: what a batch has beyond it is in its own trace alone."""

_HEADER: Final = "traceparent"
_KINDS: Final = {
    SpanRole.SERVER: SpanKind.SERVER,
    SpanRole.PRODUCER: SpanKind.PRODUCER,
    SpanRole.CONSUMER: SpanKind.CONSUMER,
    SpanRole.CLIENT: SpanKind.CLIENT,
}
_PROPAGATOR: Final = TraceContextTextMapPropagator()


class _RunningSpan:
    """A span of the SDK, with its context as text."""

    def __init__(self, span: Span) -> None:
        self._span = span

    @property
    def traceparent(self) -> str | None:
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier, trace.set_span_in_context(self._span))
        return carrier.get(_HEADER)

    def describe(self, facts: Mapping[str, str | int]) -> None:
        self._span.set_attributes(dict(facts))

    def failed(self, reason: str) -> None:
        self._span.set_status(Status(StatusCode.ERROR, reason))


class _RunningBatch:
    """The span of a batch, and those of its records so far."""

    def __init__(self, tracer: trace.Tracer, span: Span, item: str, kind: SpanKind) -> None:
        self._tracer, self._span, self._item, self._kind = tracer, span, item, kind
        self.items: dict[str, Span] = {}

    def follow(self, traceparent: str | None) -> str | None:
        context = _context_of(traceparent)
        if traceparent is None or context is None or not context.trace_flags.sampled:
            return traceparent
        found = self.items.get(traceparent)
        if found is None:
            whole = self._span.get_span_context()
            links = [Link(whole)] if whole.trace_flags.sampled else []
            found = self._tracer.start_span(self._item, _parent(traceparent), self._kind, links=links)
            self.items[traceparent] = found
            if len(self.items) <= LINKS_AT_MOST:
                self._span.add_link(context)
        return _RunningSpan(found).traceparent


class OpenTelemetryRecorder:
    """Makes spans and sends them. What began elsewhere is sampled as it says; of new traces a share is."""

    on = True

    def __init__(self, service: str, endpoint: str, sampled: float) -> None:
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(sampled)),
            resource=Resource.create({SERVICE_NAME: f"waymark-{service}"}),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
        self._tracer = self._provider.get_tracer("waymark")

    @contextmanager
    def span(self, name: str, role: SpanRole, parent: str | None) -> Iterator[_RunningSpan]:
        """Open a span for the length of a block, whose log lines name its trace."""
        with self._running(self._tracer.start_span(name, _parent(parent), _KINDS[role])) as span:
            yield _RunningSpan(span)

    @contextmanager
    def batch(self, name: str, item: str, role: SpanRole) -> Iterator[_RunningBatch]:
        """Open the span of a batch for the length of a block; the spans of its records end with it."""
        with self._running(self._tracer.start_span(name, trace.set_span_in_context(trace.INVALID_SPAN))) as span:
            batch = _RunningBatch(self._tracer, span, item, _KINDS[role])
            try:
                yield batch
            except Exception as error:
                for one in batch.items.values():
                    one.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise
            finally:
                for one in batch.items.values():
                    one.end()
                span.set_attribute("messaging.batch.message_count", len(batch.items))

    def close(self) -> None:
        """Send what is left, and stop."""
        self._provider.force_flush(CLOSED_WITHIN_MS)
        self._provider.shutdown()

    @contextmanager
    def _running(self, span: Span) -> Iterator[Span]:
        """End the span with the block; a failure is told by its kind, for its text may quote what was sent."""
        sampled = span.get_span_context().trace_flags.sampled
        facts = {"trace_id": f"{span.get_span_context().trace_id:032x}"} if sampled else {}
        with structlog.contextvars.bound_contextvars(**facts):
            try:
                yield span
            except BaseException as error:
                span.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise
            finally:
                span.end()


def _parent(traceparent: str | None) -> Context:
    return _PROPAGATOR.extract({_HEADER: traceparent} if traceparent else {}, Context())


def _context_of(traceparent: str | None) -> SpanContext | None:
    found = trace.get_current_span(_parent(traceparent)).get_span_context()
    return found if found.is_valid else None
