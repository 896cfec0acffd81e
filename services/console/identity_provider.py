"""Speaks to the company's OpenID Connect provider: what it offers, its keys, the exchange of a code for an ID token.

The issuer is one that the operator sets. What it offers is read again each hour, its keys also when a token names one
that is not known, once a minute at most. Answers are bounded.
"""

import asyncio
from base64 import b64encode
from dataclasses import dataclass
from typing import Self, TypeVar
from urllib.parse import quote, urlsplit

import httpx2
import msgspec
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet, import_key
from joserfc.jws import extract_compact

from services.console.id_token import IdTokenError
from services.console.settings import ConsoleSettings
from services.runtime.clock import Clock
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

FRESH_S = 3600.0
KEYS_AGAIN_S = 60.0
MOST_BYTES = 262_144
_CONNECT_S = 3.0

_T = TypeVar("_T")


class ProviderUnansweredError(Exception):
    """The provider does not answer, or not with what the standard has; the text says which step, never what came."""


class CodeRefusedError(Exception):
    """The provider does not take the code: it was used, is too old, or the client's secret is wrong."""


class _Metadata(msgspec.Struct, frozen=True):
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str = ""
    token_endpoint_auth_methods_supported: list[str] = msgspec.field(default_factory=lambda: ["client_secret_basic"])


class _TokenAnswer(msgspec.Struct, frozen=True):
    id_token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationTerms:
    """What goes with somebody to the provider, and must come back or be shown again."""

    state: str
    nonce: str
    verifier: str


class IdentityProvider:
    """The provider, inside `async with`."""

    def __init__(self, settings: ConsoleSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._redirect_uri = f"{settings.public_url.rstrip('/')}/session/provider/return"
        self._client = httpx2.AsyncClient(
            trust_env=False,
            follow_redirects=False,
            timeout=httpx2.Timeout(settings.answer_within_s, connect=_CONNECT_S),
        )
        self._reading = asyncio.Lock()
        self._metadata: _Metadata | None = None
        self._metadata_at = 0.0
        self._keys: KeySet | None = None
        self._keys_at = 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def authorization_url(self, terms: AuthorizationTerms, *, languages: str) -> str:
        """Return where a browser goes to sign in; `languages` are those that the person reads, as `ko en`.

        Raises:
            ProviderUnansweredError: what it offers is not known and cannot be read.
        """
        metadata = await self._offered()
        return str(
            prepare_grant_uri(
                metadata.authorization_endpoint,
                self._settings.oidc_client_id,
                "code",
                redirect_uri=self._redirect_uri,
                scope=self._settings.oidc_scopes,
                state=terms.state,
                nonce=terms.nonce,
                code_challenge=create_s256_code_challenge(terms.verifier),
                code_challenge_method="S256",
                ui_locales=languages or None,
            )
        )

    async def id_token(self, code: str, verifier: str) -> str:
        """Exchange a code for an ID token, which is still to be checked.

        Raises:
            CodeRefusedError: the provider does not take it.
            ProviderUnansweredError: it does not answer, or without a token.
        """
        metadata = await self._offered()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": verifier,
        }
        headers = {"accept": "application/json"}
        client_id, secret = self._settings.oidc_client_id, self._settings.oidc_client_secret.get_secret_value()
        if secret and "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
            pair = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"  # RFC 6749, 2.3.1: each is encoded first
            headers["authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": client_id} | ({"client_secret": secret} if secret else {})
        status, body = await self._asked("POST", metadata.token_endpoint, "token", headers=headers, form=form)
        if 400 <= status < 500:
            raise CodeRefusedError
        return self._decoded(status, body, _TokenAnswer, "token").id_token

    async def keys_for(self, token: str) -> KeySet:
        """Return the provider's keys, read again if the token names one that is not among them.

        Raises:
            IdTokenError: it is no token.
            ProviderUnansweredError: the keys cannot be read.
        """
        try:
            wanted = extract_compact(token.encode()).headers().get("kid")
        except (JoseError, ValueError) as error:
            raise IdTokenError(type(error).__name__) from None
        metadata = await self._offered()
        async with self._reading:
            age = self._clock.monotonic() - self._keys_at
            known = self._keys is not None and (wanted is None or any(key.kid == wanted for key in self._keys.keys))
            if self._keys is None or age > FRESH_S or (not known and age > KEYS_AGAIN_S):
                self._keys = await self._read_keys(metadata)
                self._keys_at = self._clock.monotonic()
            return self._keys

    async def sign_out_url(self) -> str | None:
        """Return where a browser goes to end the provider's session too; None if it offers that nowhere."""
        try:
            endpoint = (await self._offered()).end_session_endpoint
        except ProviderUnansweredError:
            return None
        back = f"{self._settings.public_url.rstrip('/')}/"
        query = (
            f"client_id={quote(self._settings.oidc_client_id, safe='')}&post_logout_redirect_uri={quote(back, safe='')}"
        )
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{query}" if endpoint else None

    async def _offered(self) -> _Metadata:
        async with self._reading:
            held = self._metadata
            if held is not None and self._clock.monotonic() - self._metadata_at < FRESH_S:
                return held
            try:
                self._metadata = await self._read_metadata()
            except ProviderUnansweredError:
                if held is None:
                    raise
                return held
            self._metadata_at = self._clock.monotonic()
            return self._metadata

    async def _read_metadata(self) -> _Metadata:
        issuer = self._settings.oidc_issuer
        address = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
        found = self._decoded(*await self._asked("GET", address, "discovery"), _Metadata, "discovery")
        if found.issuer != issuer:
            raise self._unanswered("issuer", "another issuer than the one that is set")
        schemes = {"https"} if issuer.startswith("https:") else {"https", "http"}
        for url in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri, found.end_session_endpoint):
            if url and urlsplit(url).scheme not in schemes:
                raise self._unanswered("discovery", "an address without TLS")
        return found

    async def _read_keys(self, metadata: _Metadata) -> KeySet:
        document = self._decoded(*await self._asked("GET", metadata.jwks_uri, "keys"), dict[str, object], "keys")
        offered = document.get("keys")
        keys = [key for one in offered if (key := _key(one)) is not None] if isinstance(offered, list) else []
        if not keys:
            raise self._unanswered("keys", "no key that can be used")
        return KeySet(keys)

    async def _asked(
        self,
        method: str,
        url: str,
        step: str,
        *,
        headers: dict[str, str] | None = None,
        form: dict[str, str] | None = None,
    ) -> tuple[int, bytes]:
        try:
            async with self._client.stream(method, url, headers=headers, data=form) as answer:
                body = bytearray()
                async for piece in answer.aiter_bytes():
                    body += piece
                    if len(body) > MOST_BYTES:
                        raise self._unanswered(step, "too long an answer")
                return answer.status_code, bytes(body)
        except (httpx2.TransportError, httpx2.InvalidURL, httpx2.DecodingError) as error:
            raise self._unanswered(step, type(error).__name__) from None

    def _decoded(self, status: int, body: bytes, form: type[_T], step: str) -> _T:
        if status != httpx2.codes.OK:
            raise self._unanswered(step, f"status {status}")
        try:
            return msgspec.json.decode(body, type=form)
        except msgspec.DecodeError as error:
            raise self._unanswered(step, type(error).__name__) from None

    def _unanswered(self, step: str, reason: str) -> ProviderUnansweredError:
        _log.warning("the identity provider does not answer as it should", step=step, reason=reason)
        return ProviderUnansweredError(step)


def _key(document: object) -> Key | None:
    """Return a key; None if it is of a kind that is not known here, a secret, or not for signatures."""
    if not isinstance(document, dict) or document.get("use", "sig") != "sig" or document.get("kty") == "oct":
        return None
    try:
        return import_key(document)
    except (JoseError, ValueError, TypeError):
        return None
