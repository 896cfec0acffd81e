"""The resources of silences and inhibition, and the explanation of an issue: why, and what comes next."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field, model_validator

from services.alerts.api.access import Admin, Agent, InjectedParts, Reader, not_found, problems
from services.alerts.api.views import IssueView, Name, ResponseView, StrictRequestBody, Text, TitleView
from services.alerts.hold.waits import WaitKind
from services.alerts.inbox.explanation import explain_issue, explanation_document
from services.alerts.notify import directory_store
from services.alerts.policy.file.policy_bodies import MatcherTexts, matchers_of
from services.alerts.policy.file.policy_file import is_label
from services.alerts.policy.inhibition import InhibitRule
from services.alerts.policy.silences import Silence, SilenceError, SilenceState
from services.alerts.policy.tree import LABELS, RouteMatch
from services.runtime.http.fields import Moment
from services.runtime.http.problems import Problem
from services.runtime.postgres.pools import acquire

router = APIRouter(prefix="/v1", responses=problems(400, 401, 403, 413, 422, 503))

Matchers = Annotated[MatcherTexts, Field(min_length=1)]
LONGEST_SILENCE = timedelta(days=366)


def _known_labels(texts: list[str]) -> list[str]:
    for matcher in matchers_of(texts):
        if not is_label(matcher.name):
            raise ValueError(f"no issue has this label; there are {', '.join(LABELS)} and ref_NAME")
    return texts


class SilenceBody(StrictRequestBody):
    """A silence: what it holds, for how long, and why. `for_s` counts from its start."""

    matchers: Matchers = Field(description="All must match; one must need a label.")
    starts_at: Moment | None = Field(None, description="Now, if left out.")
    ends_at: Moment | None = None
    for_s: float | None = Field(None, gt=0, le=LONGEST_SILENCE.total_seconds())
    during: list[Name] = Field([], max_length=20, description="Named hours inside its time: it recurs with them.")
    issue_id: UUID | None = Field(None, description="It ends with this issue.")
    comment: Text
    warn_before_s: float | None = Field(None, gt=0, description="Tell catch-all endpoints this long before its end.")

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        if (self.ends_at is None) == (self.for_s is None):
            raise ValueError("say when it ends: ends_at or for_s, one of them")
        _known_labels(self.matchers)
        return self


class SilencePatchBody(StrictRequestBody):
    """The members to change; others stay. If it then holds something else, it goes on under a new id."""

    matchers: Matchers | None = None
    ends_at: Moment | None = None
    comment: Text | None = None
    warn_before_s: float | None = Field(None, gt=0)


class PreviewBody(StrictRequestBody):
    """The matchers of a silence that there is not yet."""

    matchers: Matchers


class SilenceView(ResponseView):
    """A silence with its state."""

    id: UUID
    state: SilenceState
    matchers: list[str]
    starts_at: datetime
    ends_at: datetime
    during: list[str]
    issue_id: UUID | None
    comment: str
    created_by: str
    updated_at: datetime
    warn_before_s: float | None
    warned_at: datetime | None

    @classmethod
    def of(cls, silence: Silence, now: datetime) -> Self:
        """Return the view of a silence at `now`."""
        names = ("id", "starts_at", "ends_at", "issue_id", "comment", "created_by", "updated_at", "warned_at")
        return cls(
            **{name: getattr(silence, name) for name in names},
            state=silence.state(now),
            matchers=[str(matcher) for matcher in silence.matchers],
            during=list(silence.during),
            warn_before_s=silence.warn_before.total_seconds() if silence.warn_before else None,
        )


class SilencePreviewView(ResponseView):
    """What a silence would hold now."""

    count: int = Field(description="Open and acknowledged issues that match.")
    issues: list[IssueView] = Field(description="Some of them.")


@router.get("/silences", summary="List silences", tags=["silences"])
async def list_silences(parts: InjectedParts, _: Reader) -> list[SilenceView]:
    """List the silences that are pending or active, or ended within a day; those that end first come first."""
    now = parts.clock.now()
    return [SilenceView.of(silence, now) for silence in await parts.policy.list_silences()]


@router.post("/silences", summary="Add a silence", tags=["silences"], status_code=201)
async def add_silence(parts: InjectedParts, caller: Agent, body: SilenceBody) -> SilenceView:
    """Hold what matches for a time; it is told when the silence ends, if it is still open."""
    now = parts.clock.now()
    starts_at = body.starts_at or now
    silence = Silence(
        id=parts.policy.new_id(),
        matchers=matchers_of(body.matchers),
        starts_at=starts_at,
        ends_at=body.ends_at or starts_at + timedelta(seconds=body.for_s or 0),
        comment=body.comment,
        created_by=caller.label,
        updated_at=now,
        during=tuple(body.during),
        issue_id=body.issue_id,
        warn_before=timedelta(seconds=body.warn_before_s) if body.warn_before_s else None,
    )
    try:
        await parts.policy.add_silence(silence)
    except SilenceError as error:
        raise Problem(422, "silence_wrong", f"{error}.") from None
    return SilenceView.of(silence, now)


@router.post("/silences/preview", summary="Show what a silence would hold", tags=["silences"])
async def preview_silence(parts: InjectedParts, _: Reader, body: PreviewBody) -> SilencePreviewView:
    """Count the open issues that match, and show some; nothing is silenced."""
    found = await parts.policy.preview(matchers_of(_checked(body.matchers)))
    return SilencePreviewView(count=found.count, issues=[IssueView.of(issue) for issue in found.issues])


@router.patch("/silences/{silence_id}", summary="Change a silence", tags=["silences"], responses=problems(404))
async def change_silence(parts: InjectedParts, _: Agent, silence_id: UUID, body: SilencePatchBody) -> SilenceView:
    """Change the given members; what it holds no more is told."""

    def change(before: Silence) -> Silence:
        given: dict[str, Any] = {
            "matchers": matchers_of(_checked(body.matchers)) if body.matchers else None,
            "ends_at": body.ends_at,
            "comment": body.comment,
            "warn_before": timedelta(seconds=body.warn_before_s) if body.warn_before_s else None,
        }
        members = {name: getattr(before, name) for name in Silence.__dataclass_fields__}
        return Silence(**members | {name: value for name, value in given.items() if value is not None})

    try:
        changed = await parts.policy.change_silence(silence_id, change)
    except SilenceError as error:
        raise Problem(422, "silence_wrong", f"{error}.") from None
    if changed is None:
        raise not_found("silence")
    return SilenceView.of(changed, parts.clock.now())


@router.delete(
    "/silences/{silence_id}", summary="End a silence", tags=["silences"], status_code=204, responses=problems(404)
)
async def end_silence(parts: InjectedParts, _: Agent, silence_id: UUID) -> Response:
    """End a silence now; what it held is told. Ending it twice changes nothing."""
    if await parts.policy.end_silence(silence_id) is None:
        raise not_found("silence")
    return Response(status_code=204)


def _checked(texts: list[str]) -> list[str]:
    try:
        return _known_labels(texts)
    except ValueError as error:
        raise Problem(422, "label_unknown", f"{error}.") from None


class InhibitionBody(StrictRequestBody):
    """While an issue matches the source, those that match the target notify nobody."""

    name: Name
    source_matchers: Matchers
    target_matchers: Matchers
    equal: list[Name] = Field([], max_length=20, description="Labels that must have the same values on both.")


class InhibitionView(InhibitionBody):
    """A rule of inhibition."""

    id: UUID

    @classmethod
    def of(cls, rule: InhibitRule) -> Self:
        """Return the view of a rule."""
        return cls(
            id=rule.id,
            name=rule.name,
            source_matchers=[str(matcher) for matcher in rule.source_matchers],
            target_matchers=[str(matcher) for matcher in rule.target_matchers],
            equal=list(rule.equal),
        )


@router.get("/inhibitions", summary="List rules of inhibition", tags=["routes"])
async def list_inhibitions(parts: InjectedParts, _: Reader) -> list[InhibitionView]:
    """List the rules of inhibition in force."""
    async with acquire(parts.pool) as connection:
        directory = await directory_store.load_directory(connection)
    return [InhibitionView.of(rule) for rule in directory.inhibit_rules]


@router.post("/inhibitions", summary="Add a rule of inhibition", tags=["routes"], status_code=201)
async def add_inhibition(parts: InjectedParts, caller: Admin, body: InhibitionBody) -> InhibitionView:
    """Add a rule; the policy gets a new version."""
    rule = InhibitRule(
        id=parts.policy.new_id(),
        name=body.name,
        source_matchers=matchers_of(_checked(body.source_matchers)),
        target_matchers=matchers_of(_checked(body.target_matchers)),
        equal=tuple(body.equal),
    )
    await parts.policy.edit_inhibitions(lambda rules: [*rules, rule], actor=caller.label)
    return InhibitionView.of(rule)


@router.delete(
    "/inhibitions/{rule_id}", summary="Delete a rule", tags=["routes"], status_code=204, responses=problems(404)
)
async def remove_inhibition(parts: InjectedParts, caller: Admin, rule_id: UUID) -> Response:
    """Delete a rule of inhibition; what it held is told."""

    def edit(rules: Any) -> Any:
        left = [rule for rule in rules if rule.id != rule_id]
        return left if len(left) < len(rules) else None

    if not await parts.policy.edit_inhibitions(edit, actor=caller.label):
        raise not_found("inhibition")
    return Response(status_code=204)


class LaneView(ResponseView):
    """One way to people, and what holds it now."""

    route: str | None = Field(description="Null: the catch-all endpoints.")
    endpoints: list[str]
    grouped: bool
    held_by: WaitKind | None
    held_until: datetime | None
    waits_since: datetime | None
    due_at: datetime | None


class PathStepView(ResponseView):
    """A route of the tree, how deep it stands, and whether it matched."""

    route: str
    depth: int
    match: RouteMatch


class TeamStandingView(ResponseView):
    """A team that has the issue, and who took it for the team."""

    team: str
    assigned: bool
    acknowledged_at: datetime | None
    acknowledged_by: str | None


class ExplanationView(ResponseView):
    """Why people were notified of an issue or were not, and what comes next."""

    issue_id: UUID
    summary: list[TitleView]
    path: list[PathStepView]
    lanes: list[LaneView]
    caught: bool
    muted: bool
    why_not: str | None = Field(description="Why nobody was notified of the last change, if so.")
    told_at: datetime | None
    told: int = Field(description="How many notifications there were of it alone.")
    owner: str | None
    teams: list[TeamStandingView] = Field(description="Who has it, and who of them took it.")
    deliveries_pending: int


@router.get("/issues/{issue_id}/explain", summary="Explain notifications", tags=["issues"], responses=problems(404))
async def explain(parts: InjectedParts, _: Reader, issue_id: UUID) -> ExplanationView:
    """Say why people were notified of an issue or were not, what holds the rest, and what comes next."""
    async with acquire(parts.pool) as connection:
        found = await explain_issue(connection, issue_id, parts.clock.now())
    if found is None:
        raise not_found("issue")
    return ExplanationView.model_validate(explanation_document(found))
