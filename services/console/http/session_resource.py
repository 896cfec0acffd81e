"""Signing in and out: a key is sent once and exchanged for a cookie that scripts cannot read."""

import os
import secrets
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec
from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from starlette.requests import Request

from services.console.forwarded import ApiName
from services.console.http.access import (
    COOKIE,
    ConsoleParts,
    parts_of,
    refuse_strangers,
    require_token,
    session_of,
)
from services.console.metrics import SignInOutcome
from services.console.sessions import ConsoleSession
from services.console.upstream import UnansweredError
from services.runtime.credentials.api_keys import KeyKind
from services.runtime.http.problems import PROBLEM_SCHEMA, PROBLEM_TYPE, Problem

_REFUSED = {"description": "A problem document (RFC 9457).", "content": {PROBLEM_TYPE: {"schema": PROBLEM_SCHEMA}}}
router = APIRouter(prefix="/session", tags=["session"])

_TOKEN_BYTES = 24


class SignInBody(BaseModel):
    """The key of whoever signs in."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    key: SecretStr = Field(max_length=400, description="A key made by `waymark keys create --role …`: `wm_agent_…`.")


class SessionView(BaseModel):
    """Who is signed in."""

    model_config = ConfigDict(frozen=True)

    label: str = Field(description="The label of the key: the name in the audit.")
    role: KeyKind = Field(description="What the key opens: `reader`, `agent` or `admin`.")
    token: str = Field(description="Goes with every change, in the header `X-Waymark-Token`.")
    ends_at: datetime = Field(description="When people sign in again.")


class _Caller(msgspec.Struct, frozen=True):
    label: str
    role: KeyKind


_NOBODY: dict[int | str, dict[str, Any]] = {204: {"description": "Nobody is signed in."}}


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
    now = parts.clock.now()
    session = ConsoleSession(
        label=caller.label,
        role=caller.role,
        key=key,
        token=secrets.token_urlsafe(_TOKEN_BYTES),
        ends_at=now + timedelta(hours=parts.settings.session_hours),
    )
    parts.metrics.signed_in(SignInOutcome.SIGNED_IN)
    response.set_cookie(
        COOKIE,
        parts.sealer.seal(session, nonce=os.urandom(12)),
        max_age=int(parts.settings.session_hours * 3600),
        path=cookie_path(parts),
        secure=parts.settings.public_url.startswith("https:"),
        httponly=True,
        samesite="strict",
    )
    response.headers["cache-control"] = "no-store"
    return _view(session)


@router.delete("", status_code=204, summary="Sign out", responses={403: _REFUSED})
async def sign_out(request: Request) -> Response:
    """Take the cookie back."""
    refuse_strangers(request)
    session = session_of(request)
    if session is not None:
        require_token(request, session)
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE, path=cookie_path(parts_of(request)), httponly=True, samesite="strict")
    return answer


def cookie_path(parts: ConsoleParts) -> str:
    """Return below which path browsers send the cookie."""
    return (urlsplit(parts.settings.public_url).path.rstrip("/") or parts.settings.path_prefix) or "/"


async def _caller(parts: ConsoleParts, key: str) -> _Caller:
    """Ask alerts whose key this is; raise `Problem` if it is nobody's."""
    if not key.isascii() or not key.isprintable() or not key:
        parts.metrics.signed_in(SignInOutcome.REFUSED)
        raise Problem(401, "key_invalid", "This key is not one of ours.")
    try:
        status, answer = await parts.upstream.read(ApiName.ALERTS, "/v1/caller", key=key)
        if status == 200:
            return msgspec.json.decode(answer, type=_Caller)
    except (UnansweredError, msgspec.DecodeError):
        status = 503
    if status in {401, 403}:
        parts.metrics.signed_in(SignInOutcome.REFUSED)
        raise Problem(401, "key_invalid", "This key is not one of ours, or does not open the console any more.")
    parts.metrics.signed_in(SignInOutcome.UNANSWERED)
    message = "Keys cannot be checked now, because alerts does not answer; try again."
    raise Problem(503, "keys_unverifiable", message, headers={"retry-after": "5"})


def _view(session: ConsoleSession) -> SessionView:
    return SessionView(label=session.label, role=session.role, token=session.token, ends_at=session.ends_at)
