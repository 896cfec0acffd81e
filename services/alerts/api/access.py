"""Authenticates callers by bearer keys with roles, says whose a key is, and injects the parts of the service.

A key is accepted only in the Authorization header: in an address it would appear in logs and histories.
"""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Security
from fastapi.security import HTTPBearer
from pydantic import Field

from services.alerts.admin.administration import Administration
from services.alerts.admin.policy_administration import PolicyAdministration
from services.alerts.api.views import ResponseView
from services.alerts.deliver.http.target_guard import TargetGuard
from services.alerts.inbox.action_executor import ActionExecutor
from services.alerts.live.live_stream import LiveStream
from services.alerts.replies.reply_executor import ReplyExecutor
from services.runtime.clock import Clock
from services.runtime.credentials.api_keys import KeyKind, KeyRing, KeyVerdict
from services.runtime.credentials.persons import acting_name
from services.runtime.http.problems import PROBLEM_SCHEMA, PROBLEM_TYPE, Problem
from services.runtime.postgres.pools import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiParts:
    """The parts of the service that the resources use; kept in `app.state.parts`."""

    pool: Pool
    clock: Clock
    keys: KeyRing
    keys_for_people: Collection[str]
    executor: ActionExecutor
    administration: Administration
    policy: PolicyAdministration
    live: LiveStream
    guard: TargetGuard
    replies: ReplyExecutor
    console_url: str = ""
    """Where people work; `/` of this API leads there. Empty: nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks: the owner of the key, or the person whom the console signed in; the label is the actor in the audit."""

    label: str
    kind: KeyKind


def injected_parts(request: Request) -> ApiParts:
    """Return the parts that the application was built with."""
    parts = request.app.state.parts
    if not isinstance(parts, ApiParts):
        raise TypeError("the application was built without its parts")
    return parts


InjectedParts = Annotated[ApiParts, Depends(injected_parts)]

_bearer = HTTPBearer(auto_error=False, description="A key made by `waymark keys create --role …`: `wm_agent_…`.")

_REFUSALS = {
    KeyVerdict.EXPIRED: "This key has expired.",
    KeyVerdict.REVOKED: "This key was revoked.",
}


def requires(role: KeyKind) -> Callable[..., Awaitable[Caller]]:
    """Return a dependency that admits only keys whose role includes `role`."""

    async def admitted(request: Request, parts: InjectedParts, _: Annotated[object, Security(_bearer)]) -> Caller:
        scheme, _space, text = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not text.strip():
            raise _unauthorized("key_missing", "Send your key in the header `Authorization: Bearer wm_…`.")
        verdict, key = await parts.keys.check(text)
        if verdict is KeyVerdict.UNVERIFIABLE:
            raise Problem(
                503, "keys_unverifiable", "Keys cannot be checked now; try again.", headers={"retry-after": "5"}
            )
        if key is None:
            raise _unauthorized(f"key_{verdict}", _REFUSALS.get(verdict, "This key is not one of ours."))
        if not key.kind.includes(role):
            raise Problem(403, "role_insufficient", f"This needs a key of the role {role}; yours is {key.kind}.")
        return Caller(label=acting_name(key, request.headers, parts.keys_for_people), kind=key.kind)

    return admitted


def _unauthorized(code: str, message: str) -> Problem:
    return Problem(401, code, message, headers={"www-authenticate": "Bearer"})


Reader = Annotated[Caller, Depends(requires(KeyKind.READER))]
Agent = Annotated[Caller, Depends(requires(KeyKind.AGENT))]
Admin = Annotated[Caller, Depends(requires(KeyKind.ADMIN))]


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of refused requests."""
    content = {PROBLEM_TYPE: {"schema": PROBLEM_SCHEMA}}
    return {status: {"description": "A problem document (RFC 9457).", "content": content} for status in statuses}


def not_found(what: str) -> Problem:
    """Return the problem of an unknown id."""
    return Problem(404, f"{what}_unknown", f"There is no {what} with this id.")


router = APIRouter(prefix="/v1", tags=["teams"], responses=problems(401, 403, 503))


class CallerView(ResponseView):
    """The holder of a key."""

    label: str = Field(description="The label of the key: the actor in the audit.")
    role: KeyKind = Field(description="What the key opens: `reader`, `agent` or `admin`.")


@router.get("/caller", summary="Say whose key this is")
async def read_caller(caller: Reader) -> CallerView:
    """Return the label and the role of the key that is sent; the console signs people in with it."""
    return CallerView(label=caller.label, role=caller.kind)


Now = Callable[[], datetime]
