"""How far customers come, as metrics: defined journeys by stage, self-service, contacts, identifiers of nobody.

Part of the overview, read with it; sums that are kept by hour, and one partial index, serve it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from prometheus_client import CollectorRegistry, Gauge

from services.journey.contact_catalogue import contact_policy
from services.journey.domain.funnels import FunnelMeasure
from services.journey.read.aggregates.funnel_reading import StageCounts, stage_counts
from services.journey.read.aggregates.self_service import ChannelUse, read_channel_use
from services.runtime.postgres.pools import Connection

ENTERED_WITHIN: Final = timedelta(days=7)
USED_WITHIN: Final = timedelta(hours=24)
STANDINGS: Final = ("between", "shared")

_BECAME: Final[Mapping[str, str]] = {
    FunnelMeasure.THERE: "under_way",
    FunnelMeasure.REACHED: "reached",
    FunnelMeasure.ABANDONED: "abandoned",
    FunnelMeasure.TIMED_OUT: "timed_out",
}
_UNOWNED: Final = "SELECT standing, count(*) FROM journey.identifiers WHERE standing <> 'owned' GROUP BY 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressFigures:
    """One reading: stages of a week's defined journeys, a day's use of channels, identifiers by standing."""

    stages: StageCounts
    channels: ChannelUse
    unowned: Mapping[str, int]


async def read_progress(connection: Connection, now: datetime) -> ProgressFigures:
    """Read the figures that end at `now`."""
    kinds = [kind for kind, role in contact_policy().roles.items() if role.contact]
    return ProgressFigures(
        stages=await stage_counts(connection, now - ENTERED_WITHIN),
        channels=await read_channel_use(connection, now - USED_WITHIN, kinds),
        unowned={row[0]: row[1] for row in await connection.fetch(_UNOWNED)},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressMetrics:
    """The gauges that show the figures; every replica shows the same numbers."""

    defined: Gauge
    overdue: Gauge
    self_service: Gauge
    contacts: Gauge
    unowned: Gauge

    @classmethod
    def register(cls, registry: CollectorRegistry) -> "ProgressMetrics":
        """Declare the gauges in `registry`."""
        return cls(
            defined=Gauge(
                "waymark_journey_defined_journeys",
                "Defined journeys entered within 7 days, by definition, the stage they are or ended in, and what "
                "became of them: under_way, reached, abandoned, timed_out. Every replica shows the same number.",
                ("definition", "stage", "became"),
                registry=registry,
            ),
            overdue=Gauge(
                "waymark_journey_overdue_stages",
                "Visits of stages that took too long, of defined journeys entered within 7 days. Every replica "
                "shows the same number.",
                ("definition", "stage"),
                registry=registry,
            ),
            self_service=Gauge(
                "waymark_journey_self_service",
                "Journeys that within 24 h entered a channel of self-service, and that went on from it to a contact "
                "elsewhere (handed_over). Every replica shows the same number.",
                ("channel", "event"),
                registry=registry,
            ),
            contacts=Gauge(
                "waymark_journey_contact_touchpoints",
                "Touchpoints within 24 h whose kind is a contact, by channel and whether a friction stands at them "
                "(yes, no). Every replica shows the same number.",
                ("channel", "friction"),
                registry=registry,
            ),
            unowned=Gauge(
                "waymark_journey_unresolved_identifiers",
                "Identifiers that lead to no one customer: between several, or shared. Every replica shows the same "
                "number.",
                ("standing",),
                registry=registry,
            ),
        )

    def show(self, figures: ProgressFigures) -> None:
        """Show a reading; labels that are no longer in it disappear."""
        self._show_stages(figures.stages)
        for channel, entered in figures.channels.entered.items():
            self.self_service.labels(channel, "entered").set(entered)
            self.self_service.labels(channel, "handed_over").set(figures.channels.handed_over[channel])
        self.contacts.clear()
        for channel, contacts in figures.channels.contacts.items():
            self.contacts.labels(channel, "yes").set(contacts.hard)
            self.contacts.labels(channel, "no").set(contacts.touchpoints - contacts.hard)
        for standing in STANDINGS:
            self.unowned.labels(standing).set(figures.unowned.get(standing, 0))

    def _show_stages(self, stages: StageCounts) -> None:
        self.defined.clear()
        self.overdue.clear()
        for (definition, stage, measure), journeys in stages.items():
            if became := _BECAME.get(measure):
                self.defined.labels(definition, stage, became).set(journeys)
            elif measure == FunnelMeasure.OVERDUE:
                self.overdue.labels(definition, stage).set(journeys)
