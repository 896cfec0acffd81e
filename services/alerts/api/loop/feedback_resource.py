"""The resource of feedback: whether an issue was of use, and what was said of each rule and version."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from services.alerts.api.access import Agent, InjectedParts, Reader, not_found, problems
from services.alerts.api.views import ResponseView, StrictRequestBody
from services.alerts.feedback import feedback_store
from services.alerts.feedback.said_feedback import FeedbackCount, IssueFeedback, SaidFeedback
from services.runtime.http.fields import Moment, PlainText
from services.runtime.postgres.pools import acquire, transaction

router = APIRouter(prefix="/v1", tags=["loop"], responses=problems(400, 401, 403, 413, 422, 503))


class FeedbackBody(StrictRequestBody):
    """Whether it was of use to be told of an issue."""

    feedback: IssueFeedback


class FeedbackView(ResponseView):
    """What was said last about an issue; everything is null where nothing was."""

    feedback: IssueFeedback | None
    implied: bool | None = Field(description="Whether it follows from the outcome `false_alarm`.")
    said_by: str | None
    said_at: datetime | None

    @classmethod
    def of(cls, said: SaidFeedback | None) -> Self:
        """Return the view of what was said, or of nothing."""
        if said is None:
            return cls(feedback=None, implied=None, said_by=None, said_at=None)
        return cls(feedback=said.said, implied=said.implied, said_by=said.said_by, said_at=said.said_at)


class FeedbackQuery(BaseModel):
    """What is counted; a parameter that is left out does not restrict it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    since: Moment | None = Field(None, description="Said at this time or later.")
    rule: PlainText | None = Field(None, max_length=200)


class FeedbackCountView(ResponseView):
    """How many issues of one version of a rule were called useful, and how many noise."""

    rule: str
    rule_version: int
    useful: int
    noise: int

    @classmethod
    def of(cls, counted: FeedbackCount) -> Self:
        """Return the view of a count."""
        return cls(rule=counted.rule, rule_version=counted.rule_version, useful=counted.useful, noise=counted.noise)


class FeedbackCountsView(ResponseView):
    """Counts by rule and version of the rule; an issue counts for every rule that it stood on."""

    counts: list[FeedbackCountView]


@router.post("/issues/{issue_id}/feedback", summary="Say whether an issue was of use", responses=problems(404))
async def say_feedback(parts: InjectedParts, caller: Agent, issue_id: UUID, body: FeedbackBody) -> FeedbackView:
    """Say whether it was of use to be told of this. It counts for its rules, in the versions that found it.

    The last word counts, also over the outcome `false_alarm`, which counts as noise by itself.
    """
    said = SaidFeedback(said=body.feedback, implied=False, said_by=caller.label, said_at=parts.clock.now())
    async with transaction(parts.pool) as connection:
        if not await feedback_store.say(connection, issue_id, said):
            raise not_found("issue")
    return FeedbackView.of(said)


@router.get("/issues/{issue_id}/feedback", summary="Read what was said about an issue")
async def read_feedback(parts: InjectedParts, _: Reader, issue_id: UUID) -> FeedbackView:
    """Read what was said last about an issue, and by whom."""
    async with acquire(parts.pool) as connection:
        return FeedbackView.of(await feedback_store.of_issue(connection, issue_id))


@router.get("/feedback", summary="Count what was said of each rule")
async def count_feedback(
    parts: InjectedParts, _: Reader, query: Annotated[FeedbackQuery, Query()]
) -> FeedbackCountsView:
    """Count by rule and version how many issues were called useful, and how many noise."""
    async with acquire(parts.pool) as connection:
        counts = await feedback_store.count(connection, since=query.since, rule=query.rule)
    return FeedbackCountsView(counts=[FeedbackCountView.of(one) for one in counts])
