"""Signing in and out: one exchange of a key for a cookie that scripts cannot read and other sites do not send."""

from datetime import timedelta

import pytest

from tests.unit.console.bench import KEY, a_console, code_of


async def test_a_key_is_exchanged_for_a_cookie_and_never_seen_again() -> None:
    async with a_console() as bench:
        answer = await bench.browser.post("/session", json={"key": f" {KEY}\n"})
        cookie = answer.headers["set-cookie"]

        assert (answer.json()["label"], answer.json()["role"]) == ("민지", "agent")
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
        assert "Secure" not in cookie
        assert KEY not in cookie + answer.text
        assert answer.headers["cache-control"] == "no-store"
        again = await bench.browser.get("/session")
        assert again.json() == answer.json()


async def test_with_https_the_cookie_goes_over_tls_alone_and_below_the_path_alone() -> None:
    async with a_console(public_url="https://desk.example/waymark") as bench:
        cookie = (await bench.browser.post("/session", json={"key": KEY})).headers["set-cookie"]

        assert {"Secure", "Path=/waymark"} <= set(cookie.split("; "))


@pytest.mark.parametrize("key", ["wm_agent_no_body", "wm_src_x_y", "", " ", "비밀번호", "a\r\nb", "\x00"])
async def test_a_key_that_is_nobodys_opens_nothing(key: str) -> None:
    async with a_console() as bench:
        answer = await bench.browser.post("/session", json={"key": key})

        assert (answer.status_code, code_of(answer)) == (401, "key_invalid")
        assert "set-cookie" not in answer.headers


async def test_a_wrong_form_is_refused_without_quoting_the_key() -> None:
    async with a_console() as bench:
        bodies: tuple[object, ...] = ({"key": "x" * 401}, {"key": 7}, {"key": KEY, "more": KEY}, {}, [])
        for body in bodies:
            answer = await bench.browser.post("/session", json=body)
            assert (answer.status_code, code_of(answer)) == (422, "invalid_request")
            assert KEY not in answer.text
            assert "xxx" not in answer.text


async def test_while_alerts_does_not_answer_nobody_is_called_a_stranger() -> None:
    async with a_console(alive=False) as bench:
        answer = await bench.browser.post("/session", json={"key": KEY})

        assert (answer.status_code, code_of(answer)) == (503, "keys_unverifiable")
        assert answer.headers["retry-after"] == "5"


async def test_another_site_can_neither_sign_somebody_in_nor_out() -> None:
    async with a_console() as bench:
        for site in ("cross-site", "same-site"):
            answer = await bench.browser.post("/session", json={"key": KEY}, headers={"sec-fetch-site": site})
            assert code_of(answer) == "other_site"
        await bench.sign_in()
        assert code_of(await bench.browser.delete("/session")) == "token_wrong"


async def test_signing_out_takes_the_cookie_back() -> None:
    async with a_console() as bench:
        token = await bench.sign_in()
        gone = await bench.browser.delete("/session", headers={"x-waymark-token": token})

        assert gone.status_code == 204
        assert (await bench.browser.get("/session")).status_code == 204
        assert (await bench.browser.delete("/session")).status_code == 204, "again does no harm"


async def test_a_session_is_over_after_its_hours() -> None:
    async with a_console(session_hours="2") as bench:
        await bench.sign_in()
        bench.clock.advance(timedelta(hours=1, minutes=59))
        assert (await bench.browser.get("/session")).status_code == 200
        bench.clock.advance(timedelta(minutes=2))
        assert (await bench.browser.get("/session")).status_code == 204
        assert code_of(await bench.browser.get("/api/alerts/v1/issues")) == "not_signed_in"
