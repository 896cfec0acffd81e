"""An overview of all journeys as metrics, for the dashboard of customer experience.

It is read from the tables every half minute and shown as gauges. Counters of the worker would be wrong after a late
touchpoint, a merge or a retraction; the tables never are. Every replica shows the same numbers, so a query takes their
maximum, never their sum. An index serves each of the queries here, and none looks at touchpoints.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from prometheus_client import CollectorRegistry, Gauge

from services.journey.api.progress_figures import ProgressFigures, ProgressMetrics, read_progress
from services.runtime.clock import Clock
from services.runtime.postgres.pools import TRANSIENT, Pool, transaction
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

EVERY_S: Final = 30.0
WINDOWS: Final[Mapping[str, timedelta]] = {"1h": timedelta(hours=1), "24h": timedelta(hours=24)}
EFFORT_BANDS: Final = ("0-19", "20-39", "40-59", "60-79", "80-100")

_OPEN: Final = """
SELECT least(floor(effort / 20)::integer, 4) AS band, count(*) AS journeys
  FROM journey.journeys WHERE state = 'open' GROUP BY 1
"""
_BEGUN: Final = "SELECT count(*) FROM journey.journeys WHERE created_at > $1"
_FRICTIONS: Final = """
SELECT rule, severity, channel, count(*) AS frictions
  FROM journey.frictions WHERE detected_at > $1 AND state = 'detected' AND NOT quiet GROUP BY 1, 2, 3
"""
_CUSTOMERS: Final = """
SELECT count(DISTINCT customer_id) FROM journey.frictions WHERE detected_at > $1 AND state = 'detected' AND NOT quiet
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrictionCount:
    """How many detected frictions of one kind there are."""

    rule: str
    severity: str
    channel: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowCounts:
    """Counts of what happened within a window that ends now."""

    journeys: int
    customers: int
    frictions: tuple[FrictionCount, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyOverview:
    """One reading: open journeys by effort band, and the counts of each window."""

    open_journeys: Mapping[str, int]
    recent: Mapping[str, WindowCounts]
    progress: ProgressFigures


async def read_overview(pool: Pool, now: datetime) -> JourneyOverview:
    """Read the overview in one transaction."""
    async with transaction(pool) as connection:
        bands = {EFFORT_BANDS[row["band"]]: row["journeys"] for row in await connection.fetch(_OPEN)}
        recent = {}
        for name, window in WINDOWS.items():
            since = now - window
            rows = await connection.fetch(_FRICTIONS, since)
            recent[name] = WindowCounts(
                journeys=await connection.fetchval(_BEGUN, since),
                customers=await connection.fetchval(_CUSTOMERS, since),
                frictions=tuple(
                    FrictionCount(rule=row[0], severity=row[1], channel=row[2], count=row[3]) for row in rows
                ),
            )
        progress = await read_progress(connection, now)
    return JourneyOverview(
        open_journeys={band: bands.get(band, 0) for band in EFFORT_BANDS}, recent=recent, progress=progress
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewMetrics:
    """The gauges that show the overview."""

    open_journeys: Gauge
    recent_journeys: Gauge
    recent_customers: Gauge
    recent_frictions: Gauge
    progress: ProgressMetrics
    read_at: Gauge

    @classmethod
    def register(cls, registry: CollectorRegistry) -> "OverviewMetrics":
        """Declare the gauges in `registry`."""
        return cls(
            open_journeys=Gauge(
                "waymark_journey_open_journeys",
                "Journeys that are open, by effort score. Every replica shows the same number.",
                ("effort",),
                registry=registry,
            ),
            recent_journeys=Gauge(
                "waymark_journey_recent_journeys",
                "Journeys that began within the window. Every replica shows the same number.",
                ("window",),
                registry=registry,
            ),
            recent_customers=Gauge(
                "waymark_journey_recent_customers",
                "Customers who met friction within the window. Every replica shows the same number.",
                ("window",),
                registry=registry,
            ),
            recent_frictions=Gauge(
                "waymark_journey_recent_frictions",
                "Frictions detected within the window that still stand. Every replica shows the same number.",
                ("window", "rule", "severity", "channel"),
                registry=registry,
            ),
            progress=ProgressMetrics.register(registry),
            read_at=Gauge(
                "waymark_journey_pulse_timestamp_seconds",
                "When these numbers were read; NaN before the first time.",
                registry=registry,
            ),
        )

    def show(self, pulse: JourneyOverview, now: datetime) -> None:
        """Show a reading; labels that are no longer in it disappear."""
        for band, journeys in pulse.open_journeys.items():
            self.open_journeys.labels(band).set(journeys)
        self.recent_frictions.clear()
        for window, recent in pulse.recent.items():
            self.recent_journeys.labels(window).set(recent.journeys)
            self.recent_customers.labels(window).set(recent.customers)
            for friction in recent.frictions:
                labels = (window, friction.rule, friction.severity, friction.channel)
                self.recent_frictions.labels(*labels).set(friction.count)
        self.progress.show(pulse.progress)
        self.read_at.set(now.timestamp())


async def keep_overview(pool: Pool, metrics: OverviewMetrics, clock: Clock, *, every_s: float = EVERY_S) -> None:
    """Read and show for ever. While the database is away, the last reading stays and its time shows its age."""
    metrics.read_at.set(float("nan"))
    while True:
        now = clock.now()
        try:
            metrics.show(await read_overview(pool, now), now)
        except TRANSIENT as error:
            _log.warning("pulse not read", reason=type(error).__name__)
        await asyncio.sleep(every_s)
