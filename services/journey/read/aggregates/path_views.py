"""The answers about paths: how customers go from touchpoint to touchpoint, and where it gets hard or ends."""

from pydantic import Field

from services.journey.read.views import FrozenView, Instant

_RATE = "Of 1: how many of these led to a touchpoint at which a friction stands."
_P50 = "Seconds: half of them took no longer; less than 10 % off."
_P95 = "Seconds: 95 of 100 took no longer; less than 10 % off."


class PathEndView(FrozenView):
    """One end of a step: a kind of touchpoint on a channel, or `start`, `closed` or `dropped` without a channel."""

    channel: str | None = Field(None, description="Absent where it is no touchpoint.", examples=["phone"])
    kind: str = Field(
        description="A kind; `start`: nothing before; `closed`: an end was reached; `dropped`: it went quiet.",
        examples=["call_ended"],
    )


class PathEdgeView(FrozenView):
    """All steps between the same two ends."""

    origin: PathEndView = Field(alias="from", serialization_alias="from", description="Where they begin.")
    to: PathEndView = Field(description="Where they lead.")
    count: int = Field(description="How many steps.", examples=[1519])
    share: float | None = Field(None, description="Of 1: of all steps that begin there.", examples=[0.25])
    frictions: int = Field(description="How many of them led to a touchpoint at which a friction stands.")
    friction_rate: float = Field(description=_RATE, examples=[0.12])
    gap_mean_s: float | None = Field(None, description="Seconds they took on average, exactly.")
    gap_p50_s: float | None = Field(None, description=_P50)
    gap_p95_s: float | None = Field(None, description=_P95)


class PathNodeView(FrozenView):
    """All touchpoints of one kind on one channel."""

    channel: str = Field(description="Where.", examples=["phone"])
    kind: str = Field(description="What.", examples=["call_ended"])
    touchpoints: int = Field(description="How many.")
    begun: int = Field(description="How many journeys began with one.")
    closed: int = Field(description="How many journeys reached their end with one.")
    dropped: int = Field(description="How many journeys went quiet after one.")
    frictions: int = Field(description="At how many of them a friction stands.")
    friction_rate: float = Field(description="Of 1: at how many of them a friction stands.")


class PathsView(FrozenView):
    """The graph of paths: nodes are touchpoints, edges lead from one to the next within a journey."""

    since: Instant | None = Field(None, alias="from", serialization_alias="from", description="Included; a whole hour.")
    until: Instant | None = Field(None, alias="to", serialization_alias="to", description="Not included; a whole hour.")
    touchpoints: int = Field(description="How many touchpoints are in it.")
    nodes: list[PathNodeView] = Field(description="Most frequent first.")
    edges: list[PathEdgeView] = Field(description="Most frequent first.")
    nodes_left_out: int = Field(description="How many less frequent nodes `limit` left out.")
    edges_left_out: int = Field(description="How many less frequent edges `limit` left out.")


class PathSegmentView(FrozenView):
    """What journeys of one segment are like."""

    value: str | None = Field(None, description="What they have in common; absent: nothing is known.")
    touchpoints: int = Field(description="How many touchpoints.")
    begun: int = Field(description="How many journeys began.")
    closed: int = Field(description="How many reached their end.")
    dropped: int = Field(description="How many went quiet before.")
    drop_rate: float | None = Field(None, description="Of 1: how many of those that ended went quiet.")
    frictions: int = Field(description="At how many touchpoints a friction stands.")
    friction_rate: float = Field(description="Of 1: at how many of them a friction stands.")
    gap_p50_s: float | None = Field(None, description=_P50)
    gap_p95_s: float | None = Field(None, description=_P95)


class SegmentsView(FrozenView):
    """Segments side by side, largest first."""

    since: Instant | None = Field(None, alias="from", serialization_alias="from", description="Included; a whole hour.")
    until: Instant | None = Field(None, alias="to", serialization_alias="to", description="Not included; a whole hour.")
    by: str = Field(description="What tells the segments apart.", examples=["reason"])
    segments: list[PathSegmentView] = Field(description="Largest first.")
    segments_left_out: int = Field(description="How many smaller ones `limit` left out.")
