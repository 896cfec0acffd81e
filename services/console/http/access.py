"""Who asks: finds the session of a request, and refuses what does not come from a page of ours.

Three locks, each enough by itself: the cookie is not sent by other sites, browsers say where a request comes from, and
whatever changes something carries a token that only our pages can read.
"""

from dataclasses import dataclass

from starlette.requests import Request

from services.console.metrics import ConsoleMetrics
from services.console.sessions import ConsoleSession, SessionSealer
from services.console.settings import ConsoleSettings
from services.console.upstream import Upstream
from services.runtime.clock import Clock
from services.runtime.http.problems import Problem

COOKIE = "waymark_session"
TOKEN_HEADER = "x-waymark-token"  # noqa: S105  the name of a header


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleParts:
    """What the routes use; kept in `app.state.parts`."""

    settings: ConsoleSettings
    sealer: SessionSealer
    upstream: Upstream
    metrics: ConsoleMetrics
    clock: Clock


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


def refuse_strangers(request: Request) -> None:
    """Raise `Problem` if a browser says that another site's page asks."""
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise Problem(403, "other_site", "This request comes from a page of another site.")


def require_token(request: Request, session: ConsoleSession) -> None:
    """Raise `Problem` unless the request carries the token of the session."""
    if not session.admits(request.headers.get(TOKEN_HEADER, "")):
        message = "This request does not come from a page of the console; load the page again."
        raise Problem(403, "token_wrong", message)
