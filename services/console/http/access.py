"""Who asks: finds the session of a request, and refuses what does not come from a page of ours.

Three locks, each enough by itself: the cookie is not sent by other sites, browsers say where a request comes from, and
whatever changes something carries a token that only our pages can read.
"""

import os
import secrets
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from services.console.identity_provider import IdentityProvider
from services.console.metrics import ConsoleMetrics, SignInOutcome
from services.console.roles import PersonRole, Right
from services.console.sessions import ConsoleSession, SessionSealer
from services.console.settings import ConsoleSettings
from services.console.upstream import Upstream
from services.runtime.clock import Clock
from services.runtime.http.problems import Problem

COOKIE = "waymark_session"
TOKEN_HEADER = "x-waymark-token"  # noqa: S105  the name of a header
_TOKEN_BYTES = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleParts:
    """What the routes use; kept in `app.state.parts`."""

    settings: ConsoleSettings
    sealer: SessionSealer
    upstream: Upstream
    metrics: ConsoleMetrics
    clock: Clock
    provider: IdentityProvider | None = None

    @property
    def cookie_path(self) -> str:
        """Below which path browsers send the cookie."""
        return (urlsplit(self.settings.public_url).path.rstrip("/") or self.settings.path_prefix) or "/"

    @property
    def over_tls(self) -> bool:
        """Whether browsers reach us over TLS, so that cookies go no other way."""
        return self.settings.public_url.startswith("https:")


def parts_of(request: Request) -> ConsoleParts:
    """Return the parts that the application was built with."""
    parts = request.app.state.parts
    if not isinstance(parts, ConsoleParts):
        raise TypeError("the application was built without its parts")
    return parts


def session_of(request: Request) -> ConsoleSession | None:
    """Return who is signed in, if anybody is."""
    parts = parts_of(request)
    return parts.sealer.open(request.cookies.get(COOKIE, ""), now=parts.clock.now())


def require_session(request: Request) -> ConsoleSession:
    """Return who is signed in; raise `Problem` if nobody is."""
    session = session_of(request)
    if session is None:
        raise Problem(401, "not_signed_in", "Sign in first.")
    return session


def require_right(session: ConsoleSession, right: Right) -> None:
    """Raise `Problem` unless this person's role has the right."""
    if right not in session.rights:
        raise Problem(403, "role_insufficient", f"This needs the right {right}, which your role does not have.")


def begin_session(parts: ConsoleParts, response: Response, *, label: str, role: PersonRole, key: str) -> ConsoleSession:
    """Give the browser the cookie of a new session, and return it."""
    hours = parts.settings.session_hours
    session = ConsoleSession(
        label=label,
        role=role,
        key=key,
        token=secrets.token_urlsafe(_TOKEN_BYTES),
        ends_at=parts.clock.now() + timedelta(hours=hours),
    )
    parts.metrics.signed_in(SignInOutcome.SIGNED_IN)
    response.set_cookie(
        COOKIE,
        parts.sealer.seal(session, nonce=os.urandom(12)),
        max_age=int(hours * 3600),
        path=parts.cookie_path,
        secure=parts.over_tls,
        httponly=True,
        samesite="strict",
    )
    response.headers["cache-control"] = "no-store"
    return session


def refuse_strangers(request: Request) -> None:
    """Raise `Problem` if a browser says that another site's page asks."""
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise Problem(403, "other_site", "This request comes from a page of another site.")


def require_token(request: Request, session: ConsoleSession) -> None:
    """Raise `Problem` unless the request carries the token of the session."""
    if not session.admits(request.headers.get(TOKEN_HEADER, "")):
        message = "This request does not come from a page of the console; load the page again."
        raise Problem(403, "token_wrong", message)
