"""The request bodies and response views of issues and deliveries. Reading the data is left to the resources."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from uuid import UUID

import msgspec
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from schemas.codec import holds_half_a_pair
from services.alerts.deliver.delivery_history import AttemptRow, DeliveryRow
from services.alerts.inbox.actions import LONGEST_SNOOZE
from services.alerts.inbox.issue_details import IssueEventRow
from services.alerts.inbox.issue_list import SeverityCount
from services.alerts.issues.contract import write_issue
from services.alerts.issues.model import AlertSeverity, Issue, IssueState
from services.alerts.loop.outcomes import Gesture
from services.runtime.http.fields import Moment, PlainText

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Words = Annotated[list[Annotated[PlainText, StringConstraints(min_length=1, max_length=200)]], Field(max_length=100)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=4000, pattern=r"^[^\x00]+$")]


def refuse_half_pairs(given: object) -> object:
    """Return what a body is read from; raise ValueError if a text in it could not be kept."""
    if holds_half_a_pair(given):
        raise ValueError("a text holds half of a surrogate pair, which no database keeps; cut between characters")
    return given


class StrictRequestBody(BaseModel):
    """The base of request bodies: unknown members are refused, and half of a surrogate pair wherever it stands."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _can_be_kept(cls, given: object) -> object:
        return refuse_half_pairs(given)


class ResponseView(BaseModel):
    """The base of everything that the API returns."""

    model_config = ConfigDict(frozen=True)


class TitleView(ResponseView):
    """One sentence in English and Korean."""

    en: str
    ko: str


class TimelineStepView(ResponseView):
    """One step of the timeline excerpt."""

    occurred_at: datetime
    channel: str
    kind: str
    outcome: str | None = None
    reason: str | None = None


class MoneyView(ResponseView):
    """An amount in units of an ISO 4217 currency."""

    amount: float
    currency: str


class JourneyStepView(TimelineStepView):
    """One of the latest touchpoints of the journey."""

    direction: str | None = None


class JourneySituationView(ResponseView):
    """The journey of the issue as it is now."""

    state: str
    last_at: datetime
    effort: float = Field(description="How hard it has been so far: 0 (not at all) to 100.")
    contact_count: int = Field(description="How often the customer turned to us.")
    outcome: str | None = None
    value: MoneyView | None = Field(None, description="What was last said to be at stake.")
    since: list[JourneyStepView] = Field([], description="What happened after the last friction, oldest first.")


class ToldStepView(ResponseView):
    """What happened at one time, in a plain sentence."""

    occurred_at: datetime
    said: TitleView
    since: bool = Field(False, description="It came after the last friction.")


class PriorityFactorView(ResponseView):
    """One part of a priority."""

    factor: str
    points: int
    value: str | float | None = Field(None, description="What it saw.")


class PriorityView(ResponseView):
    """How urgent an issue is, and why."""

    score: int = Field(description="0 to 100; the sum of the points.")
    service_level: str = Field(description="The level whose deadlines count.")
    respond_by: datetime | None = Field(None, description="Until when somebody should have taken it.")
    resolve_by: datetime | None = Field(None, description="Until when it should be resolved.")
    factors: list[PriorityFactorView] = []


class OutbreakFactsView(ResponseView):
    """One cause that many customers meet at once."""

    started_at: datetime
    over_at: datetime | None = None
    segment: str | None = Field(None, description="`channel`, `queue` or `product`, if it is not everywhere.")
    value: str | None = None
    usual: float = Field(description="How many come in five minutes at this hour otherwise.")
    frictions: int
    customers: int
    lately: int | None = Field(None, description="How many came in the last fifteen minutes.")
    segments: dict[str, dict[str, int]] = Field({}, description="The most frequent values, by field.")
    rules: dict[str, int] = Field({}, description="Frictions by rule.")
    held: int | None = Field(None, description="Open issues of its customers that it holds, when it was last counted.")


class TeamShareView(ResponseView):
    """A team that has the issue, and who took it for the team."""

    id: UUID
    name: str
    assigned: bool = Field(False, description="A person or a rule of ownership gave it the issue.")
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None


class IssueView(ResponseView):
    """Issue v1, with its occurrence and whether people are notified of it."""

    id: UUID
    fingerprint: str = Field(description="What groups frictions into this issue; docs/alerts.md gives the rule.")
    occurrence: int = Field(description="1 for the first issue of this fingerprint.")
    version: int
    state: IssueState
    severity: AlertSeverity
    quiet: bool = Field(description="It has only replayed or old frictions: it is shown, and nobody is notified.")
    title: TitleView
    rules: list[str]
    customer_id: str | None = Field(None, description="Absent where the issue is an outbreak.")
    journey_id: str | None = None
    channel: str | None = None
    reason: str | None = None
    service_level: str | None = None
    team: str | None = Field(None, description="The first of `teams`.")
    teams: list[TeamShareView] = Field([], description="Who has it; it is open until each of them took it.")
    owner: str | None = Field(None, description="The person who has it.")
    refs: dict[str, str] = {}
    count: int = Field(description="Frictions that stand.")
    frictions: list[str] = []
    first_at: datetime
    last_at: datetime
    opened_at: datetime
    updated_at: datetime
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    resolution: str | None = None
    snoozed_until: datetime | None = None
    merged_into: UUID | None = None
    timeline: list[TimelineStepView] = []
    journey: JourneySituationView | None = None
    why: TitleView | None = Field(None, description="Why it is open: the numbers, and what else was found.")
    playbook: TitleView | None = Field(None, description="What to do about it, as the rule says.")
    story: list[ToldStepView] = Field([], description="What happened, before and since, oldest first.")
    priority: PriorityView | None = Field(None, description="How urgent it is, and why.")
    held_by: UUID | None = Field(None, description="The outbreak that it belongs to: nobody is notified of this one.")
    outbreak: OutbreakFactsView | None = Field(None, description="What many customers meet at once; exact counts.")

    @classmethod
    def of(cls, issue: Issue) -> Self:
        """Return the view of an issue."""
        return cls.model_validate(_members(issue))


def _members(issue: Issue) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(write_issue(issue))
    return shown | {"occurrence": issue.occurrence, "quiet": issue.quiet}


class IssuePageView(ResponseView):
    """A page of issues in the requested order."""

    issues: list[IssueView]
    told: dict[UUID, dict[str, int]] | None = Field(
        None,
        description="Notifications of each issue, alone or in a group, by state; none was made where it is absent.",
    )
    next_cursor: str | None = Field(None, description="Send it back as `cursor`; absent on the last page.")


class SeverityCountView(ResponseView):
    """The number of issues of one severity, by state."""

    severity: AlertSeverity
    open: int
    acknowledged: int
    resolved: int
    oldest_open_at: datetime | None = Field(description="When the oldest open issue was opened.")


class IssueSummaryView(ResponseView):
    """The number of issues that match a filter."""

    total: int
    oldest_open_at: datetime | None = Field(description="When the oldest open issue was opened.")
    severities: list[SeverityCountView] = Field(description="All four, the most severe first.")

    @classmethod
    def of(cls, counts: Sequence[SeverityCount]) -> Self:
        """Return the view of these counts."""
        return cls(
            total=sum(sum(count.by_state.values()) for count in counts),
            oldest_open_at=min((c.oldest_open_at for c in counts if c.oldest_open_at is not None), default=None),
            severities=[
                SeverityCountView(
                    severity=count.severity,
                    open=count.by_state[IssueState.OPEN],
                    acknowledged=count.by_state[IssueState.ACKNOWLEDGED],
                    resolved=count.by_state[IssueState.RESOLVED],
                    oldest_open_at=count.oldest_open_at,
                )
                for count in counts
            ],
        )


class IssueEventView(ResponseView):
    """One entry of the audit."""

    at: datetime
    actor: str = Field(description="Label of the key that acted, or `waymark`.")
    kind: str
    version: int
    detail: dict[str, Any]

    @classmethod
    def of(cls, event: IssueEventRow) -> Self:
        """Return the view of an audit entry."""
        return cls(at=event.at, actor=event.actor, kind=event.kind, version=event.version, detail=event.detail)


class DeliveryView(ResponseView):
    """One notification for one endpoint; `id` is the `webhook-id`, the same in every attempt and replay."""

    id: str
    issue_id: UUID | None
    endpoint_id: UUID
    endpoint: str
    type: str
    reason: str
    sequence: int
    state: Literal["pending", "delivered", "exhausted"]
    attempts: int
    next_at: datetime | None = None
    created_at: datetime
    delivered_at: datetime | None = None

    @classmethod
    def of(cls, row: DeliveryRow) -> Self:
        """Return the view of a row."""
        return cls.model_validate(row, from_attributes=True)


class AttemptView(ResponseView):
    """One attempt and its answer; `excerpt` is the receiver's own text, do not trust it."""

    attempt: int
    at: datetime
    outcome: str
    reason: str
    status: int | None
    seconds: float
    excerpt: str

    @classmethod
    def of(cls, row: AttemptRow) -> Self:
        """Return the view of a row."""
        return cls.model_validate(row, from_attributes=True)


class DeliveryDetailView(DeliveryView):
    """A delivery with its body and its attempts."""

    body: str
    tries: list[AttemptView]


class DeliveryPageView(ResponseView):
    """A page of deliveries, the latest first."""

    deliveries: list[DeliveryView]
    next_cursor: str | None = None


class OmittedCountsView(ResponseView):
    """How many older items the lists of an issue leave out."""

    evidence: int
    events: int
    deliveries: int


class IssueDetailView(IssueView):
    """An issue with its frictions, its audit and its deliveries."""

    evidence: list[dict[str, Any]] = Field(
        description="Its frictions, as friction v1, retracted ones too: the latest 100."
    )
    events: list[IssueEventView] = Field(description="The latest 500 entries of the audit, the latest first.")
    deliveries: list[DeliveryView] = Field(description="The latest 200 deliveries about it.")
    not_shown: OmittedCountsView = Field(description="How many more there are of each.")


class ActionBody(StrictRequestBody):
    """The note that an action can carry."""

    note: Text | None = Field(None, description="Kept in the audit.")


class GestureBody(StrictRequestBody):
    """What the customer was given to make up for it."""

    kind: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")] = Field(
        description="A word of your own: `voucher`, `refund`, `apology` …"
    )
    amount: Decimal | None = Field(None, ge=0, le=10**12, decimal_places=4, description="In units of `currency`.")
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] | None = Field(None, description="ISO 4217.")

    @model_validator(mode="after")
    def _amount_of_something(self) -> Self:
        if (self.amount is None) != (self.currency is None):
            raise ValueError("`amount` and `currency` go together")
        return self

    def value(self) -> Gesture:
        """Return the gesture that the body describes."""
        amount = None if self.amount is None else format(self.amount, "f")
        return Gesture(kind=self.kind, amount=amount, currency=self.currency)


class OutcomeBody(ActionBody):
    """How a resolved issue was resolved."""

    outcome: Literal["called_back", "compensated", "fixed", "false_alarm"]
    gesture: GestureBody | None = None


class ResolveBody(ActionBody):
    """The resolution of an issue, with a note."""

    resolution: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")] = Field(
        "resolved",
        description="An outcome (`called_back`, `compensated`, `fixed`, `false_alarm`), or a word of your own.",
    )
    gesture: GestureBody | None = None

    @model_validator(mode="after")
    def _not_ours(self) -> Self:
        if self.resolution in {"retracted", "merged"}:
            raise ValueError("`retracted` and `merged` are reserved for the service")
        return self


class SnoozeBody(ActionBody):
    """The end of a snooze: give exactly one of the two."""

    until: Moment | None = Field(None, description="At most a year ahead.")
    for_s: int | None = Field(None, ge=60, le=LONGEST_SNOOZE.days * 86_400, description="Seconds from now.")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.until is None) == (self.for_s is None):
            raise ValueError("give either `until` or `for_s`")
        return self


class NoteBody(StrictRequestBody):
    """A note for the next person."""

    text: Text
