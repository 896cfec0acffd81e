"""To the company's provider and back: what leaves with a browser, and what must be right when it returns.

A browser that returns is led to the page that it came for, or to the door, whose address then says what went wrong.
"""

import hmac
import os
import re
import secrets
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.console.http.access import ConsoleParts, begin_session, parts_of
from services.console.id_token import (
    ClaimReading,
    IdTokenError,
    NoRoleError,
    SignedInPerson,
    TokenTerms,
    checked_claims,
    person_of,
)
from services.console.identity_provider import (
    AuthorizationTerms,
    CodeRefusedError,
    IdentityProvider,
    ProviderUnansweredError,
)
from services.console.metrics import SignInOutcome
from services.console.sessions import SignInAttempt
from services.runtime.http.problems import Problem
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

ATTEMPT_COOKIE = "waymark_sign_in"
ATTEMPT_MINUTES = 15
_TARGET = re.compile(r"/(?![/\\])[\x21-\x7e]{0,600}|/")
_LANGUAGES = {"ko", "en"}
_MOST_CODE_CHARACTERS = 4096


class _RefusedReturnError(Exception):
    """A return that signs nobody in; `code` is what the door tells, `outcome` what is counted."""

    def __init__(self, code: str, outcome: SignInOutcome = SignInOutcome.REFUSED) -> None:
        super().__init__(code)
        self.code = code
        self.outcome = outcome


def routes() -> Iterator[Route]:
    """Yield the way there and the way back."""
    yield Route("/session/provider", depart, methods=["GET"], include_in_schema=False)
    yield Route("/session/provider/return", arrive, methods=["GET"], include_in_schema=False)


async def depart(request: Request) -> Response:
    """Lead a browser to the provider, and remember in a sealed cookie what must come back."""
    parts, provider = _parts_with_provider(request)
    target = request.query_params.get("to", "/")
    attempt = SignInAttempt(
        state=secrets.token_urlsafe(32),
        nonce=secrets.token_urlsafe(32),
        verifier=secrets.token_urlsafe(48),
        target=target if _TARGET.fullmatch(target) else "/",
        ends_at=parts.clock.now() + timedelta(minutes=ATTEMPT_MINUTES),
    )
    terms = AuthorizationTerms(state=attempt.state, nonce=attempt.nonce, verifier=attempt.verifier)
    language = request.query_params.get("lang", "")
    try:
        address = await provider.authorization_url(terms, languages=language if language in _LANGUAGES else "")
    except ProviderUnansweredError:
        return _at_the_door(parts, _RefusedReturnError("provider_unanswered", SignInOutcome.UNANSWERED))
    answer = _led_to(address)
    answer.set_cookie(
        ATTEMPT_COOKIE,
        parts.sealer.seal_attempt(attempt, nonce=os.urandom(12)),
        max_age=ATTEMPT_MINUTES * 60,
        path=_attempt_path(parts),
        secure=parts.over_tls,
        httponly=True,
        samesite="lax",  # the way back begins at the provider
    )
    return answer


async def arrive(request: Request) -> Response:
    """Sign in whoever the provider sends back, if all is as it was when they left."""
    parts, provider = _parts_with_provider(request)
    attempt = parts.sealer.open_attempt(request.cookies.get(ATTEMPT_COOKIE, ""), now=parts.clock.now())
    try:
        code = _returned_code(request, attempt, parts.settings.oidc_issuer)
        if attempt is None:
            raise _RefusedReturnError("sign_in_stale")
        person = await _person(parts, provider, attempt, code)
    except _RefusedReturnError as refused:
        return _at_the_door(parts, refused)
    answer = _led_to(_own_address(parts, attempt.target))
    _forget_attempt(parts, answer)
    begin_session(parts, answer, label=person.name, role=person.role, key="")
    return answer


def _returned_code(request: Request, attempt: SignInAttempt | None, issuer: str) -> str:
    """Return the code that came back, if it came back to the browser that left."""
    given = request.query_params
    if attempt is None or not hmac.compare_digest(given.get("state", "").encode(), attempt.state.encode()):
        raise _RefusedReturnError("sign_in_stale")
    if given.get("iss", issuer) != issuer:  # RFC 9207: another provider's answer
        raise _RefusedReturnError("provider_wrong")
    if "error" in given:
        denied = given["error"] in {"access_denied", "login_required", "consent_required", "interaction_required"}
        raise _RefusedReturnError("provider_denied" if denied else "provider_wrong")
    code = given.get("code", "")
    if not 0 < len(code) <= _MOST_CODE_CHARACTERS:
        raise _RefusedReturnError("provider_wrong")
    return code


async def _person(parts: ConsoleParts, provider: IdentityProvider, attempt: SignInAttempt, code: str) -> SignedInPerson:
    settings = parts.settings
    terms = TokenTerms(issuer=settings.oidc_issuer, client_id=settings.oidc_client_id, nonce=attempt.nonce)
    reading = ClaimReading(
        name_claim=settings.oidc_name_claim, role_claim=settings.oidc_role_claim, roles=settings.role_mapping
    )
    try:
        token = await provider.id_token(code, attempt.verifier)
        keys = await provider.keys_for(token)
        return person_of(checked_claims(token, keys, terms, now=parts.clock.now()), reading)
    except ProviderUnansweredError:
        raise _RefusedReturnError("provider_unanswered", SignInOutcome.UNANSWERED) from None
    except CodeRefusedError:
        raise _RefusedReturnError("code_refused") from None
    except IdTokenError as error:
        _log.warning("an ID token was refused", check=str(error))
        raise _RefusedReturnError("provider_wrong") from None
    except NoRoleError:
        raise _RefusedReturnError("no_role") from None


def _parts_with_provider(request: Request) -> tuple[ConsoleParts, IdentityProvider]:
    parts = parts_of(request)
    if parts.provider is None:
        raise Problem(404, "no_such_route", "There is nothing at this address.")
    return parts, parts.provider


def _at_the_door(parts: ConsoleParts, refused: _RefusedReturnError) -> Response:
    parts.metrics.signed_in(refused.outcome)
    answer = _led_to(_own_address(parts, f"/?{urlencode({'refused': refused.code})}"))
    _forget_attempt(parts, answer)
    return answer


def _led_to(address: str) -> RedirectResponse:
    return RedirectResponse(address, 303, headers={"cache-control": "no-store", "referrer-policy": "no-referrer"})


def _own_address(parts: ConsoleParts, path: str) -> str:
    return f"{parts.settings.public_url.rstrip('/')}{path}"


def _attempt_path(parts: ConsoleParts) -> str:
    return f"{parts.cookie_path.rstrip('/')}/session/provider"


def _forget_attempt(parts: ConsoleParts, answer: Response) -> None:
    answer.delete_cookie(ATTEMPT_COOKIE, path=_attempt_path(parts), httponly=True, samesite="lax")
