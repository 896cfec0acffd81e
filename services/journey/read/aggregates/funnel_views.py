"""The answers about funnels: how many enter a kind of journey, how far they come, how long it takes, how it ends."""

from pydantic import Field

from services.journey.read.views import FrozenView, Instant, TextView

_OF_ENTERED = "Of 1: of all that entered."


class DurationView(FrozenView):
    """How long something took, of all of which that is known."""

    mean_s: float = Field(description="Seconds on average, exactly.")
    p50_s: float = Field(description="Seconds: half of them took no longer; less than 10 % off.")
    p95_s: float = Field(description="Seconds: 95 of 100 took no longer; less than 10 % off.")


class FunnelCountsView(FrozenView):
    """How many journeys entered, and what became of them."""

    entered: int = Field(description="How many journeys were entered.", examples=[1200])
    reached: int = Field(description="How many came to their aim.", examples=[930])
    reached_rate: float = Field(description=_OF_ENTERED, examples=[0.775])
    abandoned: int = Field(description="How many were given up, or went quiet.")
    timed_out: int = Field(description="How many ended because a deadline passed.")
    open: int = Field(description="How many are under way.")
    time_to_reach: DurationView | None = Field(None, description="From the entry to the aim, of those that reached it.")


class FunnelStageView(FrozenView):
    """One stage: who came to it, how long they stayed, and who was lost there."""

    stage: str = Field(description="The stage, by its id in the definition.", examples=["on_the_way"])
    title: TextView | None = Field(None, description="Its name for people; absent: no definition has it any more.")
    journeys: int = Field(description="How many journeys were ever in it.", examples=[1100])
    share: float = Field(description=_OF_ENTERED, examples=[0.9167])
    went_on: int = Field(description="How many of them went on to another stage.")
    reached: int = Field(description="How many reached the aim from here.")
    abandoned: int = Field(description="How many were given up here, or went quiet here.")
    timed_out: int = Field(description="How many ended here because a deadline passed.")
    open: int = Field(description="How many are here now.")
    drop_off_rate: float = Field(description="Of 1: of those that were in it, how many ended here without the aim.")
    overdue: int = Field(description="How many were not out of it in time.")
    time: DurationView | None = Field(
        None, description="How long a visit lasted, of those that went on or reached the aim."
    )


class FunnelSegmentView(FunnelCountsView):
    """The journeys of one segment."""

    value: str | None = Field(None, description="What they have in common; absent: nothing is known.")


class FunnelSummaryView(FunnelCountsView):
    """One kind of journey, as the list of funnels shows it."""

    journey: str = Field(description="The definition, by its id.", examples=["delivery"])
    title: TextView | None = Field(None, description="Its name for people.")


class FunnelListView(FrozenView):
    """All kinds of journeys, in the order of their definitions."""

    since: Instant | None = Field(None, alias="from", serialization_alias="from", description="Included; a whole hour.")
    until: Instant | None = Field(None, alias="to", serialization_alias="to", description="Not included; a whole hour.")
    funnels: list[FunnelSummaryView] = Field(description="Each kind of journey that is defined.")


class FunnelView(FunnelSummaryView):
    """The funnel of one kind of journey, stage by stage."""

    since: Instant | None = Field(None, alias="from", serialization_alias="from", description="Included; a whole hour.")
    until: Instant | None = Field(None, alias="to", serialization_alias="to", description="Not included; a whole hour.")
    stages: list[FunnelStageView] = Field(description="In the order of the definition.")
    by: str | None = Field(None, description="What tells the segments apart.", examples=["channel"])
    segments: list[FunnelSegmentView] | None = Field(None, description="Largest first, where `by` asks for them.")
    segments_left_out: int | None = Field(None, description="How many smaller ones `limit` left out.")
