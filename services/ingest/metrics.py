"""Every metric of ingest, declared once. Labels are values of closed lists, never ids."""

from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge

from services.runtime.telemetry.histograms import FastHistogram, HistogramSeries

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BYTES = (256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216)


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestMetrics:
    """The metrics of the ingest process."""

    touchpoints: Counter
    refused: Counter
    identifiers_dropped: Counter
    dead_letters: Counter
    publish_seconds: HistogramSeries
    publish_failures: Counter
    body_bytes: HistogramSeries
    in_flight_requests: Gauge
    in_flight_bytes: Gauge
    received_age_seconds: HistogramSeries
    inspector_bytes: Gauge
    inspector_streams: Gauge
    throttled_addresses: Gauge
    suppressions: Gauge
    times: Counter
    ignored: Counter
    model_texts: Counter
    model_seconds: HistogramSeries
    webhooks: Counter

    @classmethod
    def register(cls, registry: CollectorRegistry) -> "IngestMetrics":
        """Declare all of them in `registry`."""
        return cls(**_counters(registry), **_gauges(registry), **_histograms(registry), **_model(registry))


class CachedCounter:
    """A counter that caches its children by their labels, because the lookup costs more than counting."""

    __slots__ = ("_counter", "_found")

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._found: dict[tuple[str, ...], Counter] = {}

    def add(self, labels: tuple[str, ...], count: int) -> None:
        """Count `count` more under these labels, of which there are few."""
        found = self._found.get(labels)
        if found is None:
            found = self._found[labels] = self._counter.labels(*labels)
        found.inc(count)


def _counters(registry: CollectorRegistry) -> dict[str, Any]:
    return {
        "touchpoints": Counter(
            "waymark_ingest_touchpoints",
            "Touchpoints answered, by outcome and, where there is one, reason.",
            ("outcome", "reason"),
            registry=registry,
        ),
        "refused": Counter(
            "waymark_ingest_requests_refused",
            "Requests refused as a whole, by reason.",
            ("reason",),
            registry=registry,
        ),
        "identifiers_dropped": Counter(
            "waymark_ingest_identifiers_dropped",
            "Identifiers left out of touchpoints, by reason.",
            ("reason",),
            registry=registry,
        ),
        "times": Counter(
            "waymark_ingest_times",
            "Touchpoints of whose time more is known than what the producer said, by its quality.",
            ("quality",),
            registry=registry,
        ),
        "webhooks": Counter(
            "waymark_ingest_webhooks",
            "Deliveries of channel systems, by system and what became of them.",
            ("system", "outcome"),
            registry=registry,
        ),
        "ignored": Counter(
            "waymark_ingest_messages_ignored",
            "Messages that the mapping of their source leaves out, by dialect.",
            ("dialect",),
            registry=registry,
        ),
        "dead_letters": Counter(
            "waymark_ingest_dead_letters",
            "Dead letters of rejected touchpoints: written, or lost because Kafka did not take them in time.",
            ("outcome",),
            registry=registry,
        ),
        "publish_failures": Counter(
            "waymark_ingest_publish_failures", "Requests of which Kafka did not take all.", registry=registry
        ),
    }


def _gauges(registry: CollectorRegistry) -> dict[str, Any]:
    return {
        "in_flight_requests": Gauge("waymark_ingest_in_flight_requests", "Requests served now.", registry=registry),
        "in_flight_bytes": Gauge(
            "waymark_ingest_in_flight_bytes", "Bytes of bodies held now, inflated.", registry=registry
        ),
        "suppressions": Gauge(
            "waymark_ingest_suppressions_held",
            "Identifiers of people of whom nothing may be kept, as this replica knows them.",
            registry=registry,
        ),
        "inspector_bytes": Gauge(
            "waymark_ingest_inspector_bytes", "Bytes that the inspector keeps alive, about.", registry=registry
        ),
        "inspector_streams": Gauge(
            "waymark_ingest_inspector_streams", "People who follow the inspector live.", registry=registry
        ),
        "throttled_addresses": Gauge(
            "waymark_ingest_addresses_with_wrong_keys",
            "Addresses that presented a wrong key lately and are remembered for it.",
            registry=registry,
        ),
    }


def _histograms(registry: CollectorRegistry) -> dict[str, Any]:
    return {
        "publish_seconds": FastHistogram(
            "waymark_ingest_publish_seconds",
            "Seconds that Kafka took to acknowledge the touchpoints of one request, or to fail.",
            buckets=SECONDS,
            registry=registry,
        ).labels(),
        "body_bytes": FastHistogram(
            "waymark_ingest_body_bytes", "Bytes of a request's body, inflated.", buckets=BYTES, registry=registry
        ).labels(),
        "received_age_seconds": FastHistogram(
            "waymark_ingest_received_age_seconds",
            "Seconds from when a touchpoint happened to when it arrived; replays are left out.",
            buckets=(1, 5, 30, 60, 300, 900, 3600, 21_600, 86_400, 259_200, 604_800),
            registry=registry,
        ).labels(),
    }


def _model(registry: CollectorRegistry) -> dict[str, Any]:
    return {
        "model_texts": Counter(
            "waymark_ingest_sentiment_model_texts",
            "Texts for the sentiment model of the house: told by it, or why the word lists stood in.",
            ("outcome",),
            registry=registry,
        ),
        "model_seconds": FastHistogram(
            "waymark_ingest_sentiment_model_seconds",
            "Seconds that a request waited for the sentiment model of the house.",
            buckets=SECONDS,
            registry=registry,
        ).labels(),
    }
