"""Exemplars of fast histograms: the latest trace of each bucket, told to those alone who ask for OpenMetrics."""

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from services.runtime.telemetry.histograms import FastHistogram

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_each_bucket_keeps_its_latest_trace() -> None:
    registry = CollectorRegistry()
    series = FastHistogram("waymark_test_seconds", "Seconds.", buckets=(1, 2), registry=registry).labels()
    series.observe(0.5, "0" * 32)
    series.observe(0.7, TRACE)
    series.observe(0.9)
    series.observe(1.5)

    told, plain = (
        choose_encoder(accepted)[0](registry).decode() for accepted in ("application/openmetrics-text", "text/plain")
    )

    assert f'waymark_test_seconds_bucket{{le="1.0"}} 3.0 # {{trace_id="{TRACE}"}} 0.7\n' in told
    assert 'waymark_test_seconds_bucket{le="2.0"} 4.0\n' in told
    assert "trace_id" not in plain
