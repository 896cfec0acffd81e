"""Signing in and out: a key is sent once and exchanged for a cookie that scripts cannot read."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from starlette.requests import Request

from services.console.forwarded import ApiName
from services.console.http.access import (
    COOKIE,
    ConsoleParts,
    begin_session,
    parts_of,
    refuse_strangers,
    require_token,
    session_of,
)
from services.console.metrics import SignInOutcome
from services.console.roles import PersonRole, Right, role_of_key
from services.console.sessions import ConsoleSession
from services.console.upstream import UnansweredError
from services.runtime.credentials.api_keys import KeyKind
from services.runtime.http.problems import PROBLEM_SCHEMA, PROBLEM_TYPE, Problem

_REFUSED = {"description": "A problem document (RFC 9457).", "content": {PROBLEM_TYPE: {"schema": PROBLEM_SCHEMA}}}
router = APIRouter(prefix="/session", tags=["session"])


class SignInBody(BaseModel):
    """The key of whoever signs in."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    key: SecretStr = Field(max_length=400, description="A key made by `waymark keys create --role …`: `wm_agent_…`.")


class SessionView(BaseModel):
    """Who is signed in."""

    model_config = ConfigDict(frozen=True)

    label: str = Field(description="The person's name, or the label of the key: the name in the audit.")
    role: PersonRole = Field(description="What this person is.")
    rights: list[Right] = Field(description="What this person may do; the console forwards nothing else.")
    token: str = Field(description="Goes with every change, in the header `X-Waymark-Token`.")
    ends_at: datetime = Field(description="When people sign in again.")


class SignedOutView(BaseModel):
    """Where else to sign out."""

    model_config = ConfigDict(frozen=True)

    leads_to: str = Field(description="Address of the provider that ends its own session, and leads back.")


class WaysView(BaseModel):
    """How people may sign in, besides with a key."""

    model_config = ConfigDict(frozen=True)

    provider: str | None = Field(description="What the company's provider is called; null where there is none.")


class _Caller(msgspec.Struct, frozen=True):
    label: str
    role: KeyKind


@dataclass(frozen=True, slots=True)
class _KeyHolder:
    label: str
    role: PersonRole


_NOBODY: dict[int | str, dict[str, Any]] = {204: {"description": "Nobody is signed in."}}


@router.get("/ways", summary="Say how people sign in")
async def read_ways(request: Request) -> WaysView:
    """Return what stands at the door besides the field for a key."""
    parts = parts_of(request)
    return WaysView(provider=None if parts.provider is None else parts.settings.oidc_name)


@router.get("", summary="Say who is signed in", responses=_NOBODY, response_model=SessionView)
async def read_session(request: Request, response: Response) -> SessionView | Response:
    """Return who is signed in, and the token that goes with changes."""
    session = session_of(request)
    if session is None:
        return Response(status_code=204, headers={"cache-control": "no-store"})
    response.headers["cache-control"] = "no-store"
    return _view(session)


@router.post("", summary="Sign in with a key", responses={401: _REFUSED, 403: _REFUSED, 422: _REFUSED, 503: _REFUSED})
async def sign_in(request: Request, response: Response, body: SignInBody) -> SessionView:
    """Exchange a key for a session, whose cookie scripts cannot read and other sites do not send."""
    refuse_strangers(request)
    parts = parts_of(request)
    key = body.key.get_secret_value().strip()
    caller = await _caller(parts, key)
    session = begin_session(parts, response, label=caller.label, role=caller.role, key=key)
    return _view(session)


@router.delete("", status_code=204, summary="Sign out", responses={200: {"model": SignedOutView}, 403: _REFUSED})
async def sign_out(request: Request) -> Response:
    """Take the cookie back; say where the provider's own session ends, if it began there."""
    refuse_strangers(request)
    parts, session = parts_of(request), session_of(request)
    if session is not None:
        require_token(request, session)
    leads = None
    if session is not None and not session.key and parts.provider is not None:
        leads = await parts.provider.sign_out_url()
    answer = JSONResponse({"leads_to": leads}) if leads else Response(status_code=204)
    answer.delete_cookie(COOKIE, path=parts.cookie_path, httponly=True, samesite="strict")
    return answer


async def _caller(parts: ConsoleParts, key: str) -> _KeyHolder:
    """Ask alerts whose key this is; raise `Problem` if it is nobody's."""
    if not key.isascii() or not key.isprintable() or not key:
        parts.metrics.signed_in(SignInOutcome.REFUSED)
        raise Problem(401, "key_invalid", "This key is not one of ours.")
    try:
        status, answer = await parts.upstream.read(ApiName.ALERTS, "/v1/caller", key=key)
        if status == 200:
            caller = msgspec.json.decode(answer, type=_Caller)
            role = role_of_key(caller.role)
            if role is not None:
                return _KeyHolder(caller.label, role)
            status = 403
    except (UnansweredError, msgspec.DecodeError):
        status = 503
    if status in {401, 403}:
        parts.metrics.signed_in(SignInOutcome.REFUSED)
        raise Problem(401, "key_invalid", "This key is not one of ours, or does not open the console any more.")
    parts.metrics.signed_in(SignInOutcome.UNANSWERED)
    message = "Keys cannot be checked now, because alerts does not answer; try again."
    raise Problem(503, "keys_unverifiable", message, headers={"retry-after": "5"})


def _view(session: ConsoleSession) -> SessionView:
    return SessionView(
        label=session.label,
        role=session.role,
        rights=sorted(session.rights),
        token=session.token,
        ends_at=session.ends_at,
    )
