"""Switches tracing on for the life of a process, where an address is set."""

from collections.abc import Iterator
from contextlib import contextmanager

from services.runtime.telemetry.tracing import NO_TRACING, SpanRecorder


@contextmanager
def traced(service: str, endpoint: str, sampled: float) -> Iterator[SpanRecorder]:
    """Trace for the length of a block: to the OTLP/HTTP address `endpoint`, `sampled` of the traces that begin here.

    Without an address nothing is traced.
    """
    if not endpoint:
        yield NO_TRACING
        return
    from services.runtime.telemetry.opentelemetry_spans import OpenTelemetryRecorder

    tracing = OpenTelemetryRecorder(service, endpoint, sampled)
    try:
        yield tracing
    finally:
        tracing.close()
