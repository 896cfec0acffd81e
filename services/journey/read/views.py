"""The answers of the read API: one frozen, documented model with examples for each.

The models are promises to callers: fields are added, never renamed or removed. Reading them from the database is left
to `services.journey.read.queries`, sending them over HTTP to `services.journey.api.resources`.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from schemas.codec import utc_text
from schemas.documents.friction import FrictionDocumentState as FrictionState
from schemas.documents.journey import JourneyEndName
from schemas.vocabulary import Channel, Direction, SentimentOrigin, ServiceLevel, Severity, TimeQuality

Instant = Annotated[datetime, PlainSerializer(utc_text, return_type=str, when_used="json")]
"""A moment, always written in UTC with microseconds: `2026-11-22T00:15:00.000000Z`."""


class JourneyStateView(StrEnum):
    """Whether a journey still gathers touchpoints, or has reached its end or gone quiet."""

    OPEN = "open"
    CLOSED = "closed"


class FrozenView(BaseModel):
    """The base of all answers: frozen, and strict about its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TextView(FrozenView):
    """A text in the two languages that Waymark speaks."""

    en: str = Field(description="English.", examples=["Contacted us again within a day"])
    ko: str = Field(description="Korean.", examples=["하루 안에 다시 연락함"])


class TouchpointRefView(FrozenView):
    """Names one touchpoint: ids are unique within their source."""

    source: str = Field(description="The producer that sent it.", examples=["ivr"])
    id: str = Field(description="The producer's own id of it.", examples=["call-8841-end"])


class IdentifierView(FrozenView):
    """One identifier that points to the customer."""

    type: str = Field(description="Its type, an open vocabulary.", examples=["phone"])
    value: str = Field(description="Its value in normal form.", examples=["+821012345678"])
    verified: bool = Field(description="Whether a source has vouched for it at least once.")
    first_seen_at: Instant = Field(description="When it was first seen.")
    last_seen_at: Instant = Field(description="When it was last seen.")


class EffortPartView(FrozenView):
    """One share of an effort score: what made it hard, and how much it weighed."""

    factor: str = Field(description="What weighed.", examples=["repeat_contact"])
    count: int = Field(description="How often.", examples=[2])
    points: float = Field(description="Points it added to the score.", examples=[18.0])


class EffortPointView(FrozenView):
    """The effort score from a moment on."""

    occurred_at: Instant = Field(description="Event time of the touchpoint that changed it.")
    effort: float = Field(description="The score, 0 to 100.", examples=[42.5])


class FrictionView(FrozenView):
    """A detected difficulty with its evidence."""

    id: UUID = Field(description="Deterministic: the same difficulty has the same id for ever.")
    rule: str = Field(description="The rule that found it.", examples=["repeat_contact_24h"])
    rule_version: int = Field(description="The version of that rule.", examples=[1])
    state: FrictionState = Field(description="`detected`, or `retracted` by a touchpoint that came late.")
    revision: int = Field(description="Raised at every change; the highest is the latest.", examples=[1])
    severity: Severity = Field(description="How bad.")
    customer_id: UUID = Field(description="Whose difficulty it is now (merges move it).")
    journey_id: UUID | None = Field(description="The journey it belongs to.")
    title: TextView = Field(description="One line for people.")
    explanation: TextView = Field(description="Why the rule fired, with its numbers.")
    channel: Channel = Field(description="Channel of its anchor.", examples=["phone"])
    reason: str | None = Field(None, description="What the contact was about, where known.", examples=["billing"])
    refs: dict[str, str] = Field(description="Case, order and other references.", examples=[{"case_id": "T-77"}])
    touchpoints: list[TouchpointRefView] = Field(description="Evidence, oldest first, at most fifty.")
    evidence: dict[str, int | float | str | bool] = Field(description="The numbers that the rule saw.")
    quiet: bool = Field(description="Kept and shown, but nobody was told: a replay, or old news when found.")
    occurred_at: Instant = Field(description="When it happened (event time of its anchor).")
    detected_at: Instant = Field(description="When it was first found.")
    revised_at: Instant = Field(description="When this revision was made.")
    retracted_at: Instant | None = Field(None, description="When it was taken back.")


class StageVisitView(FrozenView):
    """The time that a defined journey was in a stage."""

    stage: str = Field(description="The stage, by its id in the definition.", examples=["on_the_way"])
    entered_at: Instant = Field(description="When it began (event time).")
    left_at: Instant | None = Field(None, description="When the journey went on, or ended; absent: it is there now.")
    due_at: Instant | None = Field(None, description="By when it was to be left.")
    overdue: bool = Field(False, description="Whether that passed while the journey was there.")


class JourneyProgressView(FrozenView):
    """How far the customer has come in a journey that is defined."""

    definition: str = Field(description="The definition, by its id.", examples=["delivery"])
    version: int = Field(description="The version that the definition gives itself.", examples=[1])
    entered_at: Instant = Field(description="When it was entered (event time).")
    stage: str = Field(description="The stage that it is in, or in which it ended.", examples=["on_the_way"])
    stage_since: Instant = Field(description="Since when it is there.")
    stages: list[StageVisitView] = Field(description="The latest 50 visits of stages, oldest first.")
    due_at: Instant | None = Field(None, description="By when the present stage is to be left.")
    overdue: bool = Field(False, description="Whether a stage was not left in time.")
    end: JourneyEndName | None = Field(None, description="How it ended: `reached`, `abandoned` or `timed_out`.")
    ended_at: Instant | None = Field(None, description="When it ended.")


class JourneySummaryView(FrozenView):
    """One journey, as lists show it."""

    id: UUID = Field(description="Opaque and stable.")
    customer_id: UUID = Field(description="Whose journey.")
    state: JourneyStateView = Field(description="`open` or `closed`.")
    version: int = Field(description="Raised at every change.", examples=[3])
    reason: str | None = Field(None, description="What it is about, where known.", examples=["billing"])
    refs: dict[str, str] = Field(description="The references it gathers.", examples=[{"case_id": "T-77"}])
    channels: list[Channel] = Field(description="Channels used, in order of first use.", examples=[["web", "phone"]])
    service_level: ServiceLevel | None = Field(None, description="What the customer was promised.")
    outcome: str | None = Field(None, description="How it ended, where known.", examples=["resolved"])
    touchpoint_count: int = Field(description="How many touchpoints.", examples=[7])
    contact_count: int = Field(description="How often the customer had to contact us.", examples=[3])
    friction_count: int = Field(description="How many frictions stand.", examples=[2])
    effort: float = Field(description="Effort score, 0 (easy) to 100 (as hard as it gets).", examples=[42.5])
    opened_at: Instant = Field(description="Its first touchpoint (event time).")
    last_at: Instant = Field(description="Its latest touchpoint (event time).")
    closed_at: Instant | None = Field(None, description="When it was closed (event time).")
    updated_at: Instant = Field(description="When Waymark last changed it.")
    progress: list[JourneyProgressView] = Field(
        default_factory=list, description="The defined journeys that were entered in it, in the order of their entries."
    )


class JourneyView(JourneySummaryView):
    """One journey whole: its difficulties, and why its effort is what it is."""

    merged_into: UUID | None = Field(
        None, description="Set when you asked for a journey that became part of another: the id that it has now."
    )
    aliases: list[UUID] = Field(default_factory=list, description="Ids this journey was known by before merges.")
    effort_parts: list[EffortPartView] = Field(description="The score explained, heaviest first.")
    effort_course: list[EffortPointView] = Field(
        default_factory=list,
        description="How the score came about: its first touchpoint, and each that changed it, computed anew. Empty "
        "where the journey has more than 100 touchpoints.",
    )
    frictions: list[FrictionView] = Field(description="Latest first; retracted ones too.")
    touchpoints: list["TimelineTouchpointView"] = Field(description="Its touchpoints in event order, at most 200.")


class TimelineTouchpointView(FrozenView):
    """One touchpoint as it happened, with what it became part of."""

    source: str = Field(description="The producer that sent it.", examples=["ivr"])
    id: str = Field(description="The producer's own id of it.", examples=["call-8841-end"])
    occurred_at: Instant = Field(description="When it happened.")
    received_at: Instant = Field(description="When Waymark got it.")
    reported_at: Instant | None = Field(None, description="What its producer said of the time, where that is not it.")
    time_quality: TimeQuality | None = Field(
        None, description="How its time came about; absent: as its producer said.", examples=["corrected"]
    )
    channel: Channel = Field(description="Where.", examples=["phone"])
    kind: str = Field(description="What.", examples=["call_ended"])
    direction: Direction | None = Field(None, description="`inbound` or `outbound`.", examples=["inbound"])
    outcome: str | None = Field(None, description="How it ended.", examples=["unresolved"])
    reason: str | None = Field(None, description="What it was about.", examples=["billing"])
    interaction_id: str | None = Field(None, description="The call, chat or visit it is part of.")
    queue: str | None = Field(None, description="The group that held it.", examples=["billing-ko"])
    wait_s: float | None = Field(None, description="Seconds the customer waited.", examples=[412])
    duration_s: float | None = Field(None, description="Seconds it lasted.", examples=[655])
    hold_s: float | None = Field(None, description="Seconds on hold.", examples=[90])
    transfers: int | None = Field(None, description="How often the customer was passed on.", examples=[2])
    due_at: Instant | None = Field(None, description="By when what was promised is due.")
    text: str | None = Field(None, description="What was said, where the source sends it.")
    sentiment: float | None = Field(None, description="How it feels, -1 (very bad) to 1 (very good).", examples=[-0.6])
    sentiment_by: SentimentOrigin | None = Field(
        None, description="Who says so: absent is its producer; `lexicon` and `model` are ours, computed from the text."
    )
    sealed_text: str | list[str] | None = Field(
        None, description="What was said, encrypted when it came in; `waymark privacy open` opens it."
    )
    refs: dict[str, str] = Field(description="Case, order and other references.")
    late: bool = Field(description="Came after the allowed lateness: shown, but no rule looked at it.")
    replay: bool = Field(description="Came from an import or a replay.")
    journey_id: UUID | None = Field(None, description="The journey it belongs to; a late one belongs to none.")
    friction_ids: list[UUID] = Field(description="The frictions it is evidence of.")


class IssueProvider(StrEnum):
    """Where open issues come from at present."""

    ALERTS = "alerts"
    UNREACHABLE = "unreachable"
    NOBODY = "not_set_up"


class OpenIssueView(FrozenView):
    """An issue of the customer that nobody has resolved yet; the alert service tells all of it under its id."""

    id: UUID = Field(description="`GET /v1/issues/{id}` of the alert service has the rest.")
    state: str = Field(description="`open` or `acknowledged`.", examples=["open"])
    severity: Severity = Field(description="How bad.")
    priority: int | None = Field(None, description="How urgent, 0 to 100.", examples=[72])
    title: TextView = Field(description="One line for people.")
    rules: list[str] = Field(description="The rules that found its frictions.", examples=[["repeat_contact_24h"]])
    count: int = Field(description="Frictions that stand.", examples=[2])
    journey_id: UUID | None = Field(None, description="The journey it is about.")
    team: str | None = Field(None, description="The first team that has it.", examples=["billing-ko"])
    owner: str | None = Field(None, description="The person who has it.")
    opened_at: Instant = Field(description="Since when it is open.")
    last_at: Instant = Field(description="Its latest friction (event time).")
    respond_by: Instant | None = Field(None, description="Until when somebody should have taken it.")
    resolve_by: Instant | None = Field(None, description="Until when it should be resolved.")
    snoozed_until: Instant | None = Field(None, description="Until when people are not reminded of it.")
    held_by: UUID | None = Field(None, description="The outbreak that it belongs to.")
    quiet: bool = Field(description="It has only replayed or old frictions: shown, and nobody was notified.")


class OpenIssuesView(FrozenView):
    """The open issues of one customer; `issues` is None where nobody could be asked."""

    issues: list[OpenIssueView] | None
    issues_from: IssueProvider


class CustomerView(FrozenView):
    """One customer, found by any identifier."""

    customer_id: UUID = Field(description="Opaque, stable, never derived from an identifier.")
    merged_from: list[UUID] = Field(default_factory=list, description="Customers found to be this same person.")
    service_level: ServiceLevel | None = Field(None, description="What they were promised.", examples=["premium"])
    identifiers: list[IdentifierView] = Field(description="Everything that points to them.")
    effort: float = Field(description="Effort of their hardest open journey, 0 to 100; 0 when none is open.")
    journeys: list[JourneySummaryView] = Field(description="Open journeys, latest first, at most 100.")
    frictions: list[FrictionView] = Field(description="Latest first, at most 200; retracted ones too.")
    issues: list[OpenIssueView] | None = Field(
        None, description="Open issues, the most urgent first, at most 20; absent where they are not known."
    )
    issues_from: IssueProvider | None = Field(
        None,
        description="`alerts`; or `unreachable` (it does not answer, or does not take this key) or `not_set_up`, and "
        "then `issues` is absent. Absent with `as_of`: issues are about now.",
    )
    first_seen_at: Instant | None = Field(None, description="Their first touchpoint, where one is kept.")
    last_seen_at: Instant | None = Field(None, description="Their latest touchpoint.")


class TimelinePageView(FrozenView):
    """One page of a customer's touchpoints in event order, or in its reverse."""

    customer_id: UUID = Field(description="Whose timeline.")
    touchpoints: list[TimelineTouchpointView] = Field(description="In event order, oldest or newest first as asked.")
    journeys: list[JourneySummaryView] = Field(description="The journeys that the touchpoints of this page belong to.")
    frictions: list[FrictionView] = Field(description="The frictions that they are evidence of.")
    next_cursor: str | None = Field(None, description="Ask with it for the next page; absent on the last.")


class SentimentTrendView(FrozenView):
    """How the mood of the customer's messages went in one contact, from the first half of them to the second."""

    messages: int = Field(description="Messages of the customer whose sentiment is known, two or more.", examples=[4])
    computed: int = Field(description="How many of these sentiments are ours, computed from the text.", examples=[4])
    first_half: float = Field(
        description="Mean of the first half, -1 to 1; the middle one of an odd number is in none."
    )
    second_half: float = Field(description="Mean of the second half, -1 to 1.", examples=[-0.55])
    change: float = Field(description="`second_half` - `first_half`: below 0 it soured.", examples=[-0.8])


class ContactView(FrozenView):
    """One conversation of the customer with the company: a call, a visit, a chat, messages to and fro."""

    touchpoint: TouchpointRefView = Field(description="The one in which the customer turned to us; rules anchor here.")
    channel: Channel = Field(description="Where.", examples=["messenger"])
    kind: str = Field(description="What it began with.", examples=["message_received"])
    interaction_id: str | None = Field(None, description="The call, chat or visit it is, where its source names one.")
    began_at: Instant = Field(description="Its first touchpoint; before `contacted_at` where we wrote first.")
    contacted_at: Instant = Field(description="When the customer turned to us.")
    ended_at: Instant = Field(description="Its latest touchpoint; a survey that follows does not count.")
    outcome: str | None = Field(None, description="The last one stated.", examples=["resolved"])
    reason: str | None = Field(None, description="What it was about, where known.", examples=["billing"])
    service_level: ServiceLevel | None = Field(None, description="The first one that it states.")
    refs: dict[str, str] = Field(description="Case, order and other references.", examples=[{"case_id": "T-77"}])
    message_count: int = Field(description="Touchpoints in which somebody speaks; a call has none.", examples=[5])
    turn_count: int = Field(description="How often somebody took the word: lines in a row are one.", examples=[3])
    first_reply_after_s: float | None = Field(
        None, description="Seconds from `contacted_at` until we first answered, a bot or a person.", examples=[41.5]
    )
    handed_over_at: Instant | None = Field(None, description="When a bot gave it to a person.")
    sentiment: SentimentTrendView | None = Field(
        None, description="How the mood went; absent with fewer than two messages of the customer that tell one."
    )
    wait_s: float | None = Field(None, description="Most seconds that a touchpoint of it says they waited.")
    duration_s: float | None = Field(None, description="Most seconds that a touchpoint of it says it lasted.")
    transfers: int | None = Field(None, description="How often the customer was passed on.", examples=[2])
    touchpoint_count: int = Field(description="How many touchpoints.", examples=[6])
    touchpoints: list[TouchpointRefView] = Field(description="They, oldest first, at most 200.")
    journey_id: UUID | None = Field(None, description="The journey in which it counts: that of `touchpoint`.")
    friction_ids: list[UUID] = Field(description="The standing frictions that its touchpoints are evidence of.")


class ContactPageView(FrozenView):
    """One page of a customer's contacts in the order of their touchpoints, or in its reverse."""

    customer_id: UUID = Field(description="Whose contacts.")
    contacts: list[ContactView] = Field(description="Oldest or newest first as asked.")
    frictions: list[FrictionView] = Field(description="The standing frictions of this page's contacts.")
    complete: bool = Field(
        description="False where contacts before the customer's latest 10,000 touchpoints are missing."
    )
    next_cursor: str | None = Field(None, description="Ask with it for the next page; absent on the last.")


class JourneyPageView(FrozenView):
    """One page of journeys, latest created first."""

    journeys: list[JourneySummaryView] = Field(description="The journeys.")
    next_cursor: str | None = Field(None, description="Ask with it for the next page; absent on the last.")


JourneyView.model_rebuild()


class OutcomeView(FrozenView):
    """What became of one touchpoint."""

    outcome: str = Field(
        description="`applied`, `late` (as history), `duplicate`, `conflict`, `dead_letter`, `waiting`, `unknown`.",
        examples=["applied"],
    )
    code: str | None = Field(None, description="Why, of a conflict or a dead letter.", examples=["id_conflict"])


class OutcomesView(FrozenView):
    """What became of touchpoints, in the order in which they were asked about."""

    outcomes: list[OutcomeView]
