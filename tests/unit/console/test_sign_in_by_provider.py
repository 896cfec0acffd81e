"""Signing in at the company's provider: the way there and back, what is checked, and who somebody is then."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.unit.console.bench import KEY, a_console, code_of
from tests.unit.console.provider_bench import CLAIMS, OWN_KEYS, PUBLIC, a_console_with_provider


async def test_somebody_goes_to_the_provider_and_comes_back_signed_in_to_the_page_they_came_for() -> None:
    async with a_console_with_provider() as bench:
        address = await bench.depart("?to=/issues/7?x=1&lang=ko")
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}

        assert address.startswith(f"{bench.provider.issuer}/authorize?")
        assert asked["redirect_uri"] == f"{PUBLIC}/session/provider/return"
        assert (asked["scope"], asked["ui_locales"]) == ("openid profile email", "ko")
        assert min(len(asked[name]) for name in ("state", "nonce", "code_challenge")) >= 43
        assert await bench.arrive(bench.provider.authorize(address)) == f"{PUBLIC}/issues/7?x=1"
        found = (await bench.console.browser.get("/session")).json()
        assert (found["label"], found["role"]) == ("김 지우", "agent")
        assert found["rights"] == ["act", "look", "reveal"]


async def test_the_cookies_are_for_the_browser_alone_and_the_one_of_the_way_is_gone_after_it() -> None:
    async with a_console_with_provider() as bench:
        left = await bench.console.browser.get("/session/provider")
        way = set(left.headers["set-cookie"].split("; "))
        back = bench.provider.authorize(left.headers["location"])
        came = await bench.console.browser.get(f"/session/provider/return?{back}")
        gone, session = came.headers.get_list("set-cookie")

        assert {"HttpOnly", "SameSite=lax", "Secure", "Path=/waymark/session/provider"} <= way
        assert {"HttpOnly", "SameSite=strict", "Secure", "Path=/waymark"} <= set(session.split("; "))
        assert gone.startswith('waymark_sign_in=""')
        assert not any(name in session for name in ("wm_", "지우"))


async def test_what_is_asked_carries_a_key_of_the_console_and_the_persons_name() -> None:
    async with a_console_with_provider() as bench:
        await bench.enter()
        answer = await bench.console.browser.get("/api/alerts/v1/issues", headers={"x-waymark-person": "somebody"})

        assert answer.status_code == 200
        heard = bench.console.api.last.headers
        assert heard["authorization"] == f"Bearer {OWN_KEYS['reader']}", "the least that does"
        assert heard.getlist("x-waymark-person") == ["%EA%B9%80%20%EC%A7%80%EC%9A%B0"]


async def test_who_signs_in_with_a_key_speaks_for_nobody_else() -> None:
    async with a_console_with_provider() as bench:
        await bench.console.sign_in()
        await bench.console.browser.get("/api/alerts/v1/issues", headers={"x-waymark-person": "somebody"})

        assert bench.console.api.last.headers["authorization"] == f"Bearer {KEY}"
        assert "x-waymark-person" not in bench.console.api.last.headers


@pytest.mark.parametrize("target", ["//evil.example", "/\\evil.example", "https://evil.example", "x", "/a b", "/" * 9])
async def test_nobody_is_led_to_another_site(target: str) -> None:
    async with a_console_with_provider() as bench:
        left = await bench.console.browser.get("/session/provider", params={"to": target})

        assert await bench.arrive(bench.provider.authorize(left.headers["location"])) == f"{PUBLIC}/"


async def test_an_answer_without_the_way_there_signs_nobody_in() -> None:
    async with a_console_with_provider() as bench:
        mine = bench.provider.authorize(await bench.depart())
        bench.console.browser.cookies.clear()
        assert await bench.arrive(mine) == refused("sign_in_stale"), "another browser's answer"
        await bench.depart()
        assert await bench.arrive("code=x&state=y") == refused("sign_in_stale"), "another attempt's answer"
        assert await bench.arrive("") == refused("sign_in_stale")
        assert "token" not in bench.provider.asked
        late = bench.provider.authorize(await bench.depart())
        bench.console.clock.advance(timedelta(minutes=16))
        assert await bench.arrive(late) == refused("sign_in_stale")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("error=access_denied", "provider_denied"),
        ("error=server_error", "provider_wrong"),
        ("code=", "provider_wrong"),
        ("code=" + "x" * 4097, "provider_wrong"),
        ("code=made-up", "code_refused"),
        ("code=x&iss=https://other.example", "provider_wrong"),
    ],
)
async def test_an_answer_that_is_no_permission_is_told_at_the_door(query: str, code: str) -> None:
    async with a_console_with_provider() as bench:
        state = parse_qs(urlsplit(await bench.depart()).query)["state"][0]

        assert await bench.arrive(f"{query}&state={state}") == refused(code)
        assert (await bench.console.browser.get("/session")).status_code == 204


async def test_a_code_is_taken_once() -> None:
    async with a_console_with_provider() as bench:
        back = bench.provider.authorize(await bench.depart())
        cookies = {"cookie": f"waymark_sign_in={bench.console.browser.cookies['waymark_sign_in']}"}
        await bench.arrive(back)
        again = await bench.console.browser.get(f"/session/provider/return?{back}", headers=cookies)

        assert again.headers["location"] == refused("code_refused")


SPOILED: dict[str, Callable[[dict[str, object]], dict[str, object]]] = {
    "another issuer": lambda claims: claims | {"iss": "https://other.example"},
    "another audience": lambda claims: claims | {"aud": "another client"},
    "several audiences and no party": lambda claims: claims | {"aud": [claims["aud"], "another"]},
    "another party": lambda claims: claims | {"azp": "another client"},
    "over": lambda claims: claims | {"exp": int(str(claims["iat"])) - 61},
    "endless": lambda claims: {name: value for name, value in claims.items() if name != "exp"},
    "of tomorrow": lambda claims: claims | {"iat": int(str(claims["iat"])) + 86_400},
    "another nonce": lambda claims: claims | {"nonce": "n"},
    "no nonce": lambda claims: {name: value for name, value in claims.items() if name != "nonce"},
    "nobody": lambda claims: {name: value for name, value in claims.items() if name != "sub"},
    "no times": lambda claims: claims | {"exp": "later"},
}


@pytest.mark.parametrize("spoiled", SPOILED.values(), ids=SPOILED.keys())
async def test_a_token_that_was_not_made_for_us_now_signs_nobody_in(
    spoiled: Callable[[dict[str, object]], dict[str, object]],
) -> None:
    async with a_console_with_provider() as bench:
        assert await bench.enter() == f"{PUBLIC}/", "the same without the fault"
        bench.provider.token = spoiled
        bench.console.browser.cookies.clear()

        assert await bench.enter() == refused("provider_wrong")
        assert "waymark_session" not in bench.console.browser.cookies


async def test_a_token_that_the_provider_did_not_sign_signs_nobody_in() -> None:
    stranger = RSAKey.generate_key(2048, {"kid": "k1"})
    async with a_console_with_provider() as bench:
        signing: list[Callable[[dict[str, object], dict[str, object]], str]] = [
            lambda header, claims: jwt.encode(header, claims, stranger),
            lambda header, claims: f"{_part(header | {'alg': 'none'})}.{_part(claims)}.",
            lambda header, claims: _by_secret(bench.provider.key.as_pem(private=False), header, claims),
            lambda header, claims: "not.a.token",
            lambda header, claims: "",
            lambda header, claims: "x" * 70_000,
        ]
        for signed in signing:
            bench.provider.signed = signed
            assert await bench.enter() == refused("provider_wrong")
        bench.provider.signed = None
        assert await bench.enter() == f"{PUBLIC}/"


async def test_a_key_that_the_provider_changed_is_read_again_but_not_at_every_strangers_wish() -> None:
    async with a_console_with_provider() as bench:
        await bench.enter()
        bench.provider.key = RSAKey.generate_key(2048, {"kid": "k2"})
        assert await bench.enter() == refused("provider_wrong"), "within the minute the old ones serve"
        assert bench.provider.asked.count("keys") == 1
        bench.console.clock.advance(timedelta(seconds=61))
        assert await bench.enter() == f"{PUBLIC}/"
        assert bench.provider.asked.count("keys") == 2
        assert bench.provider.asked.count("discovery") == 1


@pytest.mark.parametrize(
    "spoiled",
    [
        lambda offered: offered | {"issuer": "https://other.example"},
        lambda offered: offered | {"token_endpoint": "file:///etc/passwd"},
        lambda offered: {},
        lambda offered: offered | {"x": "x" * 300_000},
    ],
)
async def test_a_provider_that_offers_something_else_is_told_at_the_door(
    spoiled: Callable[[dict[str, object]], dict[str, object]],
) -> None:
    async with a_console_with_provider() as bench:
        bench.provider.metadata = spoiled

        assert await bench.depart() == refused("provider_unanswered")


async def test_while_the_provider_is_away_keys_still_open() -> None:
    async with a_console_with_provider() as bench:
        bench.provider.status = 503
        assert (await bench.depart()).endswith("/?refused=provider_unanswered")
        await bench.console.sign_in()
        bench.provider.status = 200
        back = bench.provider.authorize(await bench.depart())
        bench.provider.status = 503
        assert (await bench.arrive(back)).endswith("/?refused=provider_unanswered")


@pytest.mark.parametrize(
    ("claims", "settings", "name", "role"),
    [
        ({"groups": ["desk-agents", "desk-leads"]}, {}, "김 지우", "lead"),
        ({"groups": "desk-data"}, {}, "김 지우", "analyst"),
        (
            {"realm_access": {"roles": ["desk-ops"]}},
            {"oidc_role_claim": "realm_access.roles"},
            "김 지우",
            "operator",
        ),
        ({"https://x.example/roles": ["walls"]}, {"oidc_role_claim": "https://x.example/roles"}, "김 지우", "reader"),
        ({"nick": "  Z\n \u202e  "}, {"oidc_name_claim": "nick"}, "Z", "agent"),
        ({"name": "", "email": "a@b.example"}, {}, "a@b.example", "agent"),
        ({"name": "n" * 200}, {}, "n" * 80, "agent"),
        (
            {"email": "a@b.example", "email_verified": True},
            {"oidc_role_claim": "email", "oidc_roles": "a@b.example=lead"},
            "김 지우",
            "lead",
        ),
        ({"groups": []}, {"oidc_roles": "desk-leads=lead,*=reader"}, "김 지우", "reader"),
    ],
)
async def test_name_and_role_are_what_the_claims_say(
    claims: dict[str, object], settings: dict[str, str], name: str, role: str
) -> None:
    async with a_console_with_provider(**settings) as bench:
        bench.provider.claims = CLAIMS | claims
        await bench.enter()

        found = (await bench.console.browser.get("/session")).json()
        assert (found["label"], found["role"]) == (name, role)


@pytest.mark.parametrize(
    ("claims", "settings"),
    [
        ({"groups": ["everyone"]}, {}),
        ({"groups": [["desk-agents"], 7, None]}, {}),
        ({"groups": {"desk-agents": True}}, {}),
        (
            {"email": "a@b.example", "email_verified": "true"},
            {"oidc_role_claim": "email", "oidc_roles": "a@b.example=lead"},
        ),
        ({"email": "a@b.example"}, {"oidc_role_claim": "email", "oidc_roles": "a@b.example=lead"}),
    ],
)
async def test_nobody_enters_without_a_role(claims: dict[str, object], settings: dict[str, str]) -> None:
    async with a_console_with_provider(**settings) as bench:
        bench.provider.claims = CLAIMS | claims

        assert await bench.enter() == refused("no_role")


async def test_signing_out_leads_to_the_providers_own_end_where_there_is_one() -> None:
    async with a_console_with_provider() as bench:
        for offers in (True, False):
            if not offers:
                bench.provider.metadata = lambda offered: offered | {"end_session_endpoint": ""}
                bench.console.clock.advance(timedelta(hours=2))
                bench.provider.token = lambda claims: claims | {"exp": int(str(claims["exp"])) + 7200}
            await bench.enter()
            token = (await bench.console.browser.get("/session")).json()["token"]
            left = await bench.console.browser.delete("/session", headers={"x-waymark-token": token})
            assert left.status_code == (200 if offers else 204)
            assert left.headers["set-cookie"].startswith('waymark_session=""')
            if offers:
                address = urlsplit(left.json()["leads_to"])
                assert address.path == "/realm/leave"
                assert parse_qs(address.query) == {
                    "client_id": ["desk & co"],
                    "post_logout_redirect_uri": [f"{PUBLIC}/"],
                }


async def test_a_key_of_the_console_that_is_not_valid_any_more_does_not_sign_people_out() -> None:
    async with a_console_with_provider() as bench:
        await bench.enter()

        async def unknown(_: Request) -> Response:
            return JSONResponse({"code": "key_revoked"}, status_code=401)

        bench.console.api.answer = unknown
        answer = await bench.console.browser.get("/api/alerts/v1/issues")

        assert (answer.status_code, code_of(answer)) == (503, "console_key_invalid")


async def test_without_a_provider_there_is_no_way_to_one() -> None:
    async with a_console() as bench:
        assert (await bench.browser.get("/session/ways")).json() == {"provider": None}
        for path in ("/session/provider", "/session/provider/return?code=x&state=y"):
            answer = await bench.browser.get(path)
            assert (answer.status_code, code_of(answer)) == (404, "no_such_route")
    async with a_console_with_provider() as with_one:
        assert (await with_one.console.browser.get("/session/ways")).json() == {"provider": "사내 계정"}


def _part(document: dict[str, object]) -> str:
    return urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


def _by_secret(secret: bytes, header: dict[str, object], claims: dict[str, object]) -> str:
    """Sign with the public key as if it were a secret that both sides know."""
    text = f"{_part(header | {'alg': 'HS256'})}.{_part(claims)}"
    return f"{text}.{urlsafe_b64encode(hmac.digest(secret, text.encode(), 'sha256')).decode().rstrip('=')}"


def refused(code: str) -> str:
    return f"{PUBLIC}/?refused={code}"
