"""The resource of policies of escalation: who is told next while nobody acknowledges."""

from datetime import timedelta
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Path, Response
from pydantic import Field, model_validator

from services.alerts.admin.policy_administration import (
    EscalationDraft,
    EscalationInUseError,
    UnknownHoursError,
    UnknownPeopleError,
)
from services.alerts.api.access import Admin, InjectedParts, Reader, not_found, problems
from services.alerts.api.views import Name, ResponseView, StrictRequestBody
from services.alerts.notify import directory_store
from services.alerts.policy.escalation import Escalation, EscalationStep
from services.runtime.http.fields import PlainText
from services.runtime.http.problems import Problem
from services.runtime.postgres.pools import acquire

router = APIRouter(prefix="/v1/policies", tags=["routes"], responses=problems(400, 401, 403, 413, 422, 503))

LONGEST_STEP = timedelta(days=31)
EscalationName = Annotated[PlainText, Path(min_length=1, max_length=200)]


class EscalationStepBody(StrictRequestBody):
    """People who are told after a time without an acknowledgement."""

    after_s: float = Field(ge=0, le=LONGEST_STEP.total_seconds(), description="Seconds after the step before.")
    endpoints: list[UUID] = Field([], max_length=100)
    teams: list[UUID] = Field([], max_length=100, description="Every endpoint of these teams.")

    @model_validator(mode="after")
    def _names_people(self) -> Self:
        if not self.endpoints and not self.teams:
            raise ValueError("a step names endpoints or teams")
        return self


class EscalationBody(StrictRequestBody):
    """Steps in their order, and how often they are repeated."""

    steps: list[EscalationStepBody] = Field(min_length=1, max_length=20)
    repeat: int = Field(0, ge=0, le=10, description="Rounds after the first one.")
    active_time_interval: Name | None = Field(None, description="Name of hours outside which steps are held.")


class EscalationView(ResponseView):
    """A policy of escalation; routes name it in `escalation`."""

    name: str
    steps: list[EscalationStepBody]
    repeat: int
    active_time_interval: str | None

    @classmethod
    def of(cls, escalation: Escalation) -> Self:
        """Return the view of an escalation."""
        return cls(
            name=escalation.name,
            steps=[
                EscalationStepBody(
                    after_s=step.after.total_seconds(), endpoints=list(step.endpoints), teams=list(step.teams)
                )
                for step in escalation.steps
            ],
            repeat=escalation.repeat,
            active_time_interval=escalation.hours.name if escalation.hours else None,
        )


class EscalationListView(ResponseView):
    """The policies of escalation in force, and the version of the whole policy."""

    policies: list[EscalationView]
    version: int | None


@router.get("", summary="List policies of escalation")
async def list_escalations(parts: InjectedParts, _: Reader) -> EscalationListView:
    """List who is told next while nobody acknowledges, by the name that routes use."""
    async with acquire(parts.pool) as connection:
        directory = await directory_store.load_directory(connection)
    named = sorted(directory.escalations, key=lambda one: one.name)
    return EscalationListView(policies=[EscalationView.of(one) for one in named], version=directory.version)


@router.put("/{name}", summary="Put a policy of escalation in force")
async def put_escalation(
    parts: InjectedParts, caller: Admin, name: EscalationName, body: EscalationBody
) -> EscalationView:
    """Add the policy, or replace the one of its name, as a new version. Escalations under way keep their steps."""
    draft = EscalationDraft(
        name=name,
        steps=tuple(
            EscalationStep(
                after=timedelta(seconds=step.after_s), endpoints=tuple(step.endpoints), teams=tuple(step.teams)
            )
            for step in body.steps
        ),
        repeat=body.repeat,
        hours=body.active_time_interval,
    )
    try:
        await parts.policy.put_escalation(draft, actor=caller.label)
    except UnknownPeopleError:
        raise Problem(422, "target_unknown", "A step names an endpoint or a team that does not exist.") from None
    except UnknownHoursError:
        raise Problem(422, "hours_unknown", "The policy has no hours of this name.") from None
    return EscalationView(name=name, steps=body.steps, repeat=body.repeat, active_time_interval=draft.hours)


@router.delete("/{name}", summary="Delete a policy of escalation", status_code=204, responses=problems(404, 409))
async def remove_escalation(parts: InjectedParts, caller: Admin, name: EscalationName) -> Response:
    """Delete a policy that no route names; escalations under way go on."""
    try:
        removed = await parts.policy.remove_escalation(name, actor=caller.label)
    except EscalationInUseError:
        raise Problem(409, "escalation_in_use", "A route still names this policy.") from None
    if not removed:
        raise not_found("policy")
    return Response(status_code=204)
