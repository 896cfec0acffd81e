"""All metrics of the alert service. Labels are values of closed lists, never ids."""

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

LATENCY = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
"""Buckets around the objective of the push latency, which is 30 s."""
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0)
PATIENCE = (60, 300, 900, 1800, 3600, 4 * 3600, 12 * 3600, 86_400, 3 * 86_400)


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowingMetrics:
    """Metrics of following one topic."""

    processing_seconds: Histogram
    lag: Gauge
    refused_partitions: Gauge
    unclaimed_partitions: Gauge
    followed: Gauge
    rebalances: Counter

    @classmethod
    def register(cls, registry: CollectorRegistry, prefix: str, of: str) -> "FollowingMetrics":
        """Declare these metrics in `registry`: their names begin with `prefix`, their help speaks `of` the records."""
        return cls(
            processing_seconds=Histogram(
                f"{prefix}_intake_seconds",
                f"Seconds that a batch of {of} took, from Kafka to the commit.",
                buckets=SECONDS,
                registry=registry,
            ),
            lag=Gauge(
                f"{prefix}_lag_records",
                f"{of.capitalize()} in the partitions of this process that are not applied.",
                registry=registry,
            ),
            refused_partitions=Gauge(
                f"{prefix}_refused_partitions",
                f"Partitions of {of} that are not read, because their log is not the one that was read before.",
                registry=registry,
            ),
            unclaimed_partitions=Gauge(
                f"{prefix}_unclaimed_partitions",
                f"Partitions of {of} that this process was given and has not taken up: broker or database keep it "
                "from that.",
                registry=registry,
            ),
            followed=Gauge(
                f"{prefix}_followed_timestamp_seconds",
                f"When the log of {of} was last followed: the loop turned, and Kafka answered for every partition of "
                "ours.",
                registry=registry,
            ),
            rebalances=Counter(
                f"{prefix}_rebalances", f"Times that this process got other partitions of {of}.", registry=registry
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeMetrics:
    """Metrics of applying frictions and journeys."""

    frictions: Counter
    journeys: Counter
    dead_lettered: Counter
    issues_opened: Counter

    @classmethod
    def register(cls, registry: CollectorRegistry) -> "IntakeMetrics":
        """Declare these metrics in `registry`."""
        return cls(
            frictions=Counter(
                "waymark_alerts_frictions", "Frictions read, by what became of them.", ("fate",), registry=registry
            ),
            journeys=Counter(
                "waymark_alerts_journeys",
                "Journeys read: kept, or passed over (older than what is known, or without friction).",
                ("fate",),
                registry=registry,
            ),
            dead_lettered=Counter(
                "waymark_alerts_dead_letters", "Records that can never be applied.", ("code",), registry=registry
            ),
            issues_opened=Counter(
                "waymark_alerts_issues_opened", "Issues opened, by severity.", ("severity",), registry=registry
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseMetrics:
    """Metrics of what service levels promise."""

    service_targets: Counter

    @classmethod
    def register(cls, registry: CollectorRegistry) -> "PromiseMetrics":
        """Declare these metrics in `registry`."""
        return cls(
            service_targets=Counter(
                "waymark_alerts_service_targets",
                "Issues taken (respond) and resolved (resolve), by service level, and whether in time (met).",
                ("target", "level", "met"),
                registry=registry,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryMetrics:
    """Metrics of notifications and their deliveries."""

    notifications: Counter
    suppressed: Counter
    caught: Counter
    attempts: Counter
    failures: Counter
    attempt_seconds: Histogram
    push_latency: Histogram
    in_flight: Gauge
    late_results: Counter
    disabled: Counter

    @classmethod
    def register(cls, registry: CollectorRegistry) -> "DeliveryMetrics":
        """Declare these metrics in `registry`."""
        return cls(
            notifications=Counter(
                "waymark_alerts_notifications", "Notifications decided, by reason.", ("reason",), registry=registry
            ),
            suppressed=Counter(
                "waymark_alerts_notifications_suppressed",
                "Changes of issues that nobody was notified of, by reason.",
                ("reason",),
                registry=registry,
            ),
            caught=Counter(
                "waymark_alerts_notifications_caught", "Notifications without a working route.", registry=registry
            ),
            attempts=Counter(
                "waymark_alerts_delivery_attempts", "Delivery attempts, by outcome.", ("outcome",), registry=registry
            ),
            failures=Counter(
                "waymark_alerts_delivery_failures",
                "Delivery attempts that failed, by reason.",
                ("reason",),
                registry=registry,
            ),
            attempt_seconds=Histogram(
                "waymark_alerts_delivery_attempt_seconds",
                "Seconds that an attempt took.",
                ("kind",),
                buckets=SECONDS,
                registry=registry,
            ),
            push_latency=Histogram(
                "waymark_alerts_push_latency_seconds",
                "Seconds from the revision of a friction to the first 2xx of an endpoint that is notified of it.",
                buckets=LATENCY,
                registry=registry,
            ),
            in_flight=Gauge("waymark_alerts_deliveries_in_flight", "Webhooks under way now.", registry=registry),
            late_results=Counter(
                "waymark_alerts_late_results",
                "Results that did not count, because the lease had passed to another process.",
                registry=registry,
            ),
            disabled=Counter(
                "waymark_alerts_endpoints_disabled",
                "Endpoints that were disabled because of their answers, by reason.",
                ("reason",),
                registry=registry,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StateMetrics:
    """Metrics of the state of the database and of the live stream."""

    issues: Gauge
    outbreaks: Gauge
    oldest_unacknowledged: Gauge
    time_to_acknowledge: Histogram
    deliveries: Gauge
    oldest_due: Gauge
    endpoints: Gauge
    unpublished: Gauge
    live_clients: Gauge
    live_clients_dropped: Counter

    @classmethod
    def register(cls, registry: CollectorRegistry) -> "StateMetrics":
        """Declare these metrics in `registry`."""
        return cls(
            outbreaks=Gauge("waymark_alerts_outbreaks", "Outbreaks that are not over.", registry=registry),
            issues=Gauge(
                "waymark_alerts_issues",
                "Unresolved issues, by state and severity.",
                ("state", "severity"),
                registry=registry,
            ),
            oldest_unacknowledged=Gauge(
                "waymark_alerts_oldest_unacknowledged_timestamp_seconds",
                "When the oldest issue that is still open was opened, by severity; NaN where there is none.",
                ("severity",),
                registry=registry,
            ),
            time_to_acknowledge=Histogram(
                "waymark_alerts_time_to_acknowledge_seconds",
                "Seconds from the opening of an issue to its acknowledgement.",
                buckets=PATIENCE,
                registry=registry,
            ),
            deliveries=Gauge(
                "waymark_alerts_deliveries",
                "Deliveries not done: due, scheduled (later, or after an older one), in_flight, parked, exhausted.",
                ("state",),
                registry=registry,
            ),
            oldest_due=Gauge(
                "waymark_alerts_oldest_due_timestamp_seconds",
                "`next_at` of the delivery that has been due longest; NaN where none is due.",
                registry=registry,
            ),
            endpoints=Gauge(
                "waymark_alerts_endpoints", "Endpoints: active, paused, disabled.", ("state",), registry=registry
            ),
            unpublished=Gauge(
                "waymark_alerts_unpublished_changes", "Changes of issues that the topic lacks.", registry=registry
            ),
            live_clients=Gauge("waymark_alerts_live_clients", "Clients of the live stream.", registry=registry),
            live_clients_dropped=Counter(
                "waymark_alerts_live_clients_dropped",
                "Clients of the live stream that were let go, by reason.",
                ("reason",),
                registry=registry,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldingMetrics:
    """Metrics of what is held on its way to people, and of what goes to further people by itself."""

    silences: Gauge
    waiting: Gauge
    escalations: Gauge

    @classmethod
    def register(cls, registry: CollectorRegistry) -> "HoldingMetrics":
        """Declare these metrics in `registry`."""
        return cls(
            silences=Gauge(
                "waymark_alerts_silences",
                "Silences that are not over: active, or pending (they begin later).",
                ("state",),
                registry=registry,
            ),
            waiting=Gauge(
                "waymark_alerts_waiting_notifications",
                "Notifications that wait, by what for: hours, silence, inhibition, outbreak (held by it), repeat (the "
                "next one), reroute.",
                ("kind",),
                registry=registry,
            ),
            escalations=Gauge(
                "waymark_alerts_escalations",
                "Escalations under way: issues, by route, that go to further people unless somebody takes them.",
                registry=registry,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopMetrics:
    """Metrics of what came of resolutions."""

    watches: Gauge
    feedback: Gauge

    @classmethod
    def register(cls, registry: CollectorRegistry) -> "LoopMetrics":
        """Declare these metrics in `registry`."""
        return cls(
            watches=Gauge(
                "waymark_alerts_watches",
                "Resolutions of the last 28 days, by outcome and by what became of them: watching, held (the customer "
                "did not come back), recontacted, void.",
                ("outcome", "state"),
                registry=registry,
            ),
            feedback=Gauge(
                "waymark_alerts_feedback",
                "Issues of which people said so in the last 28 days, by rule and by what they said: useful or noise.",
                ("rule", "feedback"),
                registry=registry,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachabilityMetrics:
    """Metrics of reachability: silent endpoints, ways, and issues that nobody was notified of."""

    dead_endpoints: Gauge
    living_endpoints: Gauge
    dead_since: Gauge
    oldest_waiting: Gauge
    ways: Gauge
    unheard_issues: Gauge
    looked: Gauge

    @classmethod
    def register(cls, registry: CollectorRegistry) -> "ReachabilityMetrics":
        """Declare these metrics in `registry`."""
        return cls(
            dead_endpoints=Gauge(
                "waymark_alerts_dead_endpoints",
                "Endpoints that notify nobody: by_hand, gone, failing (disabled), unreachable, holding (take nothing).",
                ("reason",),
                registry=registry,
            ),
            living_endpoints=Gauge(
                "waymark_alerts_living_endpoints",
                "Endpoints that are enabled and take what is sent, by whether they catch all: yes, no.",
                ("catch_all",),
                registry=registry,
            ),
            dead_since=Gauge(
                "waymark_alerts_dead_since_timestamp_seconds",
                "Since when the enabled endpoint that has been silent longest takes nothing; NaN where none is.",
                registry=registry,
            ),
            oldest_waiting=Gauge(
                "waymark_alerts_oldest_waiting_timestamp_seconds",
                "`created_at` of the oldest delivery that is not done, whatever it waits for; NaN where all are done.",
                registry=registry,
            ),
            ways=Gauge(
                "waymark_alerts_ways",
                "Routes, and the way of issues that no route takes, by whom they reach: heard, caught, muted, unheard.",
                ("reached",),
                registry=registry,
            ),
            unheard_issues=Gauge(
                "waymark_alerts_unheard_issues",
                "Open issues that wait for an endpoint that they could go to.",
                registry=registry,
            ),
            looked=Gauge(
                "waymark_alerts_looked_timestamp_seconds",
                "When the gauges of what stands in the database were last set.",
                registry=registry,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsMetrics:
    """All metrics of the alert service."""

    intake: IntakeMetrics
    following_frictions: FollowingMetrics
    following_journeys: FollowingMetrics
    promises: PromiseMetrics
    delivery: DeliveryMetrics
    state: StateMetrics
    reachability: ReachabilityMetrics
    holding: HoldingMetrics
    loop: LoopMetrics

    @classmethod
    def register(cls, registry: CollectorRegistry) -> "AlertsMetrics":
        """Declare all metrics in `registry`."""
        return cls(
            intake=IntakeMetrics.register(registry),
            following_frictions=FollowingMetrics.register(registry, "waymark_alerts", "frictions"),
            following_journeys=FollowingMetrics.register(registry, "waymark_alerts_journeys", "journeys"),
            promises=PromiseMetrics.register(registry),
            delivery=DeliveryMetrics.register(registry),
            state=StateMetrics.register(registry),
            reachability=ReachabilityMetrics.register(registry),
            holding=HoldingMetrics.register(registry),
            loop=LoopMetrics.register(registry),
        )
