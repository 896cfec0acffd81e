"""Declares the metrics of the read API, besides those of requests that every HTTP process has."""

from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge


class LookupOutcome(StrEnum):
    """How the look-up of a customer ended."""

    FOUND = "found"
    UNKNOWN = "unknown"
    OF_MANY = "of_many"
    BLOCKED = "blocked"
    MALFORMED = "malformed"


class ApiMetrics:
    """The metrics of the read API, made once in each process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._lookups = Counter(
            "waymark_journey_api_lookups",
            "Look-ups of a customer by identifier or id, by how they ended.",
            ("outcome",),
            registry=registry,
        )
        for outcome in LookupOutcome:
            self._lookups.labels(outcome)
        self.live_clients = Gauge(
            "waymark_journey_api_live_clients", "Clients of the live streams in this process.", registry=registry
        )
        self.live_clients_dropped = Counter(
            "waymark_journey_api_live_clients_dropped",
            "Clients of the live streams that were disconnected, by why: too slow, or this process stopped.",
            ("reason",),
            registry=registry,
        )

    def looked_up(self, outcome: LookupOutcome) -> None:
        """Count one look-up of a customer."""
        self._lookups.labels(outcome).inc()
