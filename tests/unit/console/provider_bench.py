"""An OpenID Connect provider that holds the console to PKCE, and whose every answer a test may spoil."""

from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs, unquote, urlsplit

import httpx2
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.runtime.http.prefix import PrefixStripper
from services.runtime.http.server import serving
from tests.unit.console.bench import NOW, ConsoleBench, a_console

PUBLIC = "https://desk.example/waymark"
CLIENT, SECRET = "desk & co", "s:é%"
OWN_KEYS = {kind: f"wm_{kind}_{'ab' * 6}_{kind}secret" for kind in ("reader", "agent", "admin")}
CLAIMS: dict[str, object] = {"sub": "u-1", "name": "김 지우", "groups": ["everyone", "desk-agents"]}
ROLES = "desk-leads=lead, desk-agents=agent, desk-data=analyst, desk-ops=operator, walls=reader"

KEY = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"})

Spoiled = Callable[[dict[str, object]], dict[str, object]]


def _as_it_is(document: dict[str, object]) -> dict[str, object]:
    return document


@dataclass
class StrictProvider:
    """The provider; `metadata`, `token` and `answer` change what it says, `claims` whom it knows."""

    issuer: str = ""
    claims: dict[str, object] = field(default_factory=lambda: dict(CLAIMS))
    key: RSAKey = field(default_factory=lambda: KEY)
    published: list[RSAKey] = field(default_factory=list)
    metadata: Spoiled = _as_it_is
    token: Spoiled = _as_it_is
    header: dict[str, object] = field(default_factory=dict)
    signed: Callable[[dict[str, object], dict[str, object]], str] | None = None
    status: int = 200
    asked: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    async def offer(self, _: Request) -> Response:
        self.asked.append("discovery")
        offered: dict[str, object] = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "end_session_endpoint": f"{self.issuer}/leave",
        }
        return JSONResponse(self.metadata(offered), status_code=self.status)

    async def keys(self, _: Request) -> Response:
        self.asked.append("keys")
        shown = [key.as_dict(private=False) for key in self.published or [self.key]]
        return JSONResponse({"keys": [*shown, {"kty": "unheard-of", "kid": "x"}, {"kty": "oct", "k": "c2VjcmV0"}]})

    def authorize(self, address: str) -> str:
        """What a browser and a person do there: return the query with which they are sent back."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert asked["client_id"] == CLIENT
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return f"code={code}&state={asked['state']}"

    async def exchange(self, request: Request) -> Response:
        self.asked.append("token")
        if self.status != 200:
            return JSONResponse({"error": "temporarily_unavailable"}, status_code=self.status)
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        asked = self.codes.pop(form["code"], None)
        pair = b64decode(request.headers["authorization"].removeprefix("Basic ")).decode().split(":")
        proven = asked is not None and (
            create_s256_code_challenge(form["code_verifier"]) == asked["code_challenge"]
            and form["redirect_uri"] == asked["redirect_uri"]
            and [unquote(one) for one in pair] == [CLIENT, SECRET]
        )
        if asked is None or not proven:
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        claims: dict[str, object] = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": int(NOW.timestamp()),
            "exp": int(NOW.timestamp()) + 300,
            "nonce": asked["nonce"],
        }
        return JSONResponse({"id_token": self._token(self.token(claims | self.claims)), "access_token": "a"})

    def _token(self, claims: dict[str, object]) -> str:
        header: dict[str, object] = {"alg": "RS256", "kid": self.key.kid, **self.header}
        return self.signed(header, claims) if self.signed else jwt.encode(header, claims, self.key)


@dataclass(frozen=True)
class ProviderBench:
    """A console that knows a provider, and the way to it and back."""

    console: ConsoleBench
    provider: StrictProvider

    async def depart(self, query: str = "") -> str:
        """Go to the provider; return its address."""
        answer = await self.console.browser.get(f"/session/provider{query}")
        assert answer.status_code == 303
        return answer.headers["location"]

    async def arrive(self, query: str) -> str:
        """Come back; return where the console leads."""
        answer = await self.console.browser.get(f"/session/provider/return?{query}")
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    async def enter(self, query: str = "") -> str:
        """All of it."""
        return await self.arrive(self.provider.authorize(await self.depart(query)))


@asynccontextmanager
async def a_console_with_provider(**settings: str) -> AsyncIterator[ProviderBench]:
    """A console that people enter through a provider."""
    provider = StrictProvider()
    routes = [
        Route("/realm/.well-known/openid-configuration", provider.offer),
        Route("/realm/keys", provider.keys),
        Route("/realm/token", provider.exchange, methods=["POST"]),
    ]
    async with serving(Starlette(routes=routes), "127.0.0.1", 0, drain_s=1.0) as port:
        provider.issuer = f"http://127.0.0.1:{port}/realm"
        given = {
            "oidc_issuer": provider.issuer,
            "oidc_name": "사내 계정",
            "oidc_client_id": CLIENT,
            "oidc_client_secret": SECRET,
            "oidc_roles": ROLES,
            "keys": ",".join(OWN_KEYS.values()),
            "public_url": PUBLIC,
        }
        async with a_console(alive=True, **(given | settings)) as console:
            transport = httpx2.ASGITransport(app=PrefixStripper(console.app, "/waymark"), raise_app_exceptions=False)
            async with httpx2.AsyncClient(transport=transport, base_url=PUBLIC) as browser:
                yield ProviderBench(console=replace(console, browser=browser), provider=provider)
