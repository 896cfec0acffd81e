"""Spans: nothing at all while tracing is off; contexts, links, failures and log lines while it is on."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
import structlog

from services.runtime.telemetry.span_export import traced
from services.runtime.telemetry.tracing import NO_TRACING, SpanRecorder, SpanRole, trace_id, traceparent_of
from tests.fixtures.trace_collector import TraceCollector, trace_collector

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = f"00-{TRACE}-00f067aa0ba902b7-01"
UNSAMPLED = f"00-{TRACE}-00f067aa0ba902b7-00"


@pytest.fixture
def collector() -> Iterator[TraceCollector]:
    with trace_collector() as running:
        yield running


def test_nothing_is_imported_and_nothing_begins_while_no_address_is_set() -> None:
    program = (
        "import sys, services.ingest.app, services.journey.worker, services.alerts.app\n"
        "from services.runtime.telemetry.span_export import traced\n"
        "with traced('ingest', '', 1.0) as tracing: assert not tracing.on\n"
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))])"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "[]"


def test_what_is_handed_in_is_handed_on_while_tracing_is_off() -> None:
    with (
        NO_TRACING.batch("batch", "item", SpanRole.CONSUMER) as batch,
        NO_TRACING.span("s", SpanRole.CLIENT, CALLER) as one,
    ):
        assert (batch.follow(CALLER), batch.follow(None), one.traceparent) == (CALLER, None, None)


def test_a_span_goes_on_with_the_trace_of_its_caller(collector: TraceCollector) -> None:
    with traced("ingest", collector.endpoint, 0.0) as tracing, tracing.span("outer", SpanRole.SERVER, CALLER) as outer:
        handed_on = outer.traceparent
        outer.describe({"waymark.source": "ivr"})
        with tracing.span("inner", SpanRole.PRODUCER, handed_on):
            pass
    found = collector.of(TRACE)

    assert (found["outer"].parent, found["inner"].parent) == ("00f067aa0ba902b7", found["outer"].id)
    assert handed_on == f"00-{TRACE}-{found['outer'].id}-01"
    assert (found["outer"].service, found["outer"].attributes) == ("waymark-ingest", {"waymark.source": "ivr"})
    assert not found["outer"].failed


@pytest.mark.parametrize(("share", "spans"), [(0.0, 0), (1.0, 1)])
def test_a_share_of_what_begins_here_is_sampled(collector: TraceCollector, share: float, spans: int) -> None:
    with traced("ingest", collector.endpoint, share) as tracing, tracing.span("new", SpanRole.SERVER, None) as span:
        handed_on = span.traceparent

    assert len(collector.spans) == spans
    assert (trace_id(handed_on) is not None) is bool(spans)


def test_a_batch_links_to_its_records_and_each_has_a_span_in_its_own_trace(collector: TraceCollector) -> None:
    other = CALLER.replace("4bf9", "aaaa")
    with (
        traced("journey", collector.endpoint, 1.0) as tracing,
        tracing.batch("apply touchpoints", "apply touchpoint", SpanRole.CONSUMER) as batch,
    ):
        handed_on = [batch.follow(one) for one in (CALLER, other, CALLER, UNSAMPLED, None, "no context")]
    (whole,) = collector.named("apply touchpoints")
    items = collector.named("apply touchpoint")

    assert set(whole.links) == {TRACE, TRACE.replace("4bf9", "aaaa")}
    assert {(one.trace, one.links) for one in items} == {(trace, (whole.trace,)) for trace in whole.links}
    assert handed_on[0] == handed_on[2] == f"00-{TRACE}-{collector.of(TRACE)['apply touchpoint'].id}-01"
    assert handed_on[3:] == [UNSAMPLED, None, "no context"]


def _fail(tracing: SpanRecorder) -> None:
    with tracing.batch("apply", "apply one", SpanRole.CONSUMER) as batch:
        batch.follow(CALLER)
        raise ValueError("010-1234-5678 is no number")


def test_a_failure_is_told_by_its_kind_and_nothing_of_what_was_sent(collector: TraceCollector) -> None:
    with traced("journey", collector.endpoint, 1.0) as tracing, pytest.raises(ValueError, match="no number"):
        _fail(tracing)

    assert [span.failed for span in collector.spans] == [True, True]
    assert "010-1234" not in repr(collector.spans)


def test_lines_of_the_log_name_the_trace_within_a_span(collector: TraceCollector) -> None:
    with traced("ingest", collector.endpoint, 0.0) as tracing:
        with tracing.span("outer", SpanRole.SERVER, CALLER):
            inside = structlog.contextvars.get_contextvars()
        with tracing.span("unsampled", SpanRole.SERVER, None):
            unsampled = structlog.contextvars.get_contextvars()

    assert (inside, unsampled, structlog.contextvars.get_contextvars()) == ({"trace_id": TRACE}, {}, {})


@pytest.mark.may_log_error("opentelemetry")
def test_a_collector_that_is_away_costs_spans_alone() -> None:
    nowhere = "http://127.0.0.1:9/v1/traces"
    with traced("ingest", nowhere, 1.0) as tracing, tracing.span("lost", SpanRole.SERVER, CALLER) as span:
        assert span.traceparent is not None


@pytest.mark.parametrize(
    ("given", "expected"), [(CALLER, TRACE), (UNSAMPLED, None), (None, None), ("", None), ("00-short-01", None)]
)
def test_only_what_is_sampled_becomes_an_exemplar(given: str | None, expected: str | None) -> None:
    assert trace_id(given) == expected


def test_the_context_of_a_record_is_found_among_its_headers() -> None:
    assert traceparent_of([("ce_id", b"1"), ("traceparent", CALLER.encode())]) == CALLER
    assert traceparent_of([]) is None
