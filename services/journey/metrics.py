"""Declares every metric of the journey worker. Labels are closed lists, rules or partitions, never ids."""

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
AGES = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86_400)
SIZES = (1, 5, 10, 50, 100, 250, 500, 1000, 2500, 5000)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamMetrics:
    """Metrics of the way from the log to the database."""

    records: Counter
    dead_letters: Counter
    merges: Counter
    links_quarantined: Counter
    batch_retries: Counter
    partitions_fenced: Counter
    batch_seconds: Histogram
    batch_records: Histogram
    applied_age_seconds: Histogram
    waiting_records: Gauge
    partitions_claimed: Gauge
    lag_records: Gauge
    lag_seconds: Gauge

    @classmethod
    def register(cls, registry: CollectorRegistry) -> "StreamMetrics":
        """Declare the metrics in `registry`."""
        return cls(
            records=Counter(
                "waymark_journey_records",
                "Records applied, by outcome: fresh, late, duplicate or refused.",
                ("outcome",),
                registry=registry,
            ),
            dead_letters=Counter(
                "waymark_journey_dead_letters", "Records that can never be applied.", ("reason",), registry=registry
            ),
            merges=Counter("waymark_journey_merges", "Customers absorbed by another.", registry=registry),
            links_quarantined=Counter(
                "waymark_journey_links_quarantined", "Links seen and not followed.", ("reason",), registry=registry
            ),
            batch_retries=Counter(
                "waymark_journey_batch_retries", "Batches tried again.", ("reason",), registry=registry
            ),
            partitions_fenced=Counter(
                "waymark_journey_partitions_fenced", "Partitions found claimed by somebody else.", registry=registry
            ),
            batch_seconds=Histogram(
                "waymark_journey_batch_seconds", "Seconds one batch took.", buckets=SECONDS, registry=registry
            ),
            batch_records=Histogram(
                "waymark_journey_batch_records", "Records in one batch.", buckets=SIZES, registry=registry
            ),
            applied_age_seconds=Histogram(
                "waymark_journey_applied_age_seconds",
                "Seconds from the append of a record to the commit of its effects; the oldest of each batch.",
                buckets=AGES,
                registry=registry,
            ),
            waiting_records=Gauge(
                "waymark_journey_waiting_records", "Records fetched and not applied.", registry=registry
            ),
            partitions_claimed=Gauge(
                "waymark_journey_partitions_claimed", "Partitions this worker holds.", registry=registry
            ),
            lag_records=Gauge(
                "waymark_journey_lag_records", "Records in the log not applied.", ("partition",), registry=registry
            ),
            lag_seconds=Gauge(
                "waymark_journey_lag_seconds",
                "Seconds that the applied part of the log is behind the present; 0 without lag.",
                ("partition",),
                registry=registry,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FrictionMetrics:
    """Metrics of the way from the rules to Kafka."""

    contacts: Counter
    frictions: Counter
    rule_failures: Counter
    rules_failed: Gauge
    timers_fired: Counter
    horizon_age_seconds: Gauge
    horizon_blocked: Gauge
    replay_held: Gauge
    published: Counter
    publish_failures: Counter
    outbox_records: Gauge
    outbox_age_seconds: Gauge

    @classmethod
    def register(cls, registry: CollectorRegistry) -> "FrictionMetrics":
        """Declare the metrics in `registry`."""
        return cls(
            contacts=Counter(
                "waymark_journey_contacts",
                "Contacts that began, and contacts of which somebody said how they ended (resolved, unresolved, "
                "other_outcome), by channel; one conversation of many messages is one. Counted when it is applied.",
                ("channel", "event"),
                registry=registry,
            ),
            frictions=Counter(
                "waymark_journey_frictions",
                "Frictions decided, by rule, event and whether they are quiet.",
                ("rule", "event", "quiet"),
                registry=registry,
            ),
            rule_failures=Counter(
                "waymark_journey_rule_failures", "Evaluations in which a rule raised.", ("rule",), registry=registry
            ),
            rules_failed=Gauge(
                "waymark_journey_rules_failed", "Customers without an answer, by rule.", ("rule",), registry=registry
            ),
            timers_fired=Counter(
                "waymark_journey_timers_fired", "Timers that the stream has passed.", registry=registry
            ),
            horizon_age_seconds=Gauge(
                "waymark_journey_horizon_age_seconds",
                "Seconds that the slowest partition is behind the present; timers wait for it.",
                registry=registry,
            ),
            horizon_blocked=Gauge(
                "waymark_journey_horizon_blocked",
                "1 where nothing is known of a partition: it holds up all timers.",
                ("partition",),
                registry=registry,
            ),
            replay_held=Gauge(
                "waymark_journey_replay_held", "1 while an import holds up the timers it set.", registry=registry
            ),
            published=Counter(
                "waymark_journey_published", "Records that Kafka acknowledged.", ("topic",), registry=registry
            ),
            publish_failures=Counter(
                "waymark_journey_publish_failures", "Publications that failed.", ("reason",), registry=registry
            ),
            outbox_records=Gauge("waymark_journey_outbox_records", "Records to publish.", registry=registry),
            outbox_age_seconds=Gauge(
                "waymark_journey_outbox_age_seconds", "Seconds the oldest record to publish waits.", registry=registry
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyMetrics:
    """Metrics of the policies in force."""

    version: Gauge
    in_force_from_seconds: Gauge
    unknown: Gauge
    unreadable: Gauge

    @classmethod
    def register(cls, registry: CollectorRegistry) -> "PolicyMetrics":
        """Declare the metrics in `registry`."""
        kind = ("kind",)
        return cls(
            version=Gauge(
                "waymark_journey_policy_version", "The version in force, by kind of policy.", kind, registry=registry
            ),
            in_force_from_seconds=Gauge(
                "waymark_journey_policy_in_force_from_seconds",
                "Since when the version is in force, in seconds since 1970; 0 for the first version.",
                kind,
                registry=registry,
            ),
            unknown=Gauge(
                "waymark_journey_policy_unknown",
                "Parts of the version in force that this release does not know: a newer worker must judge by them.",
                kind,
                registry=registry,
            ),
            unreadable=Gauge(
                "waymark_journey_policy_unreadable",
                "Stored versions of which nothing can be read; the version before each stays in force.",
                kind,
                registry=registry,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CostMetrics:
    """Metrics of what rules cost."""

    rule_seconds: Counter
    rule_touchpoints: Counter

    @classmethod
    def register(cls, registry: CollectorRegistry) -> "CostMetrics":
        """Declare the metrics in `registry`."""
        return cls(
            rule_seconds=Counter(
                "waymark_journey_rule_seconds",
                "Seconds a rule took for the customers of the sample: one in 16 of those to whom touchpoints came.",
                ("rule",),
                registry=registry,
            ),
            rule_touchpoints=Counter(
                "waymark_journey_rule_touchpoints",
                "Touchpoints that came for the customers of that sample: what seconds of a rule are divided by.",
                registry=registry,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerMetrics:
    """All metrics of the worker."""

    stream: StreamMetrics
    friction: FrictionMetrics
    policy: PolicyMetrics
    costs: CostMetrics

    @classmethod
    def register(cls, registry: CollectorRegistry) -> "WorkerMetrics":
        """Declare all of them in `registry`."""
        return cls(
            stream=StreamMetrics.register(registry),
            friction=FrictionMetrics.register(registry),
            policy=PolicyMetrics.register(registry),
            costs=CostMetrics.register(registry),
        )
