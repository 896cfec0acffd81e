"""What goes through the console to the three APIs, what does not, and how it arrives."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from services.console.forwarded import forwarded_routes
from services.runtime.http.server import serving
from tests.unit.console.bench import ADMIN_KEY, KEY, a_console, code_of
from tests.waiting import until

UUID = "01a22a65-c57e-7b06-bf5e-8b3d84a0e7b5"


async def test_a_request_arrives_with_the_key_of_the_session_and_its_answer_comes_back() -> None:
    async with a_console() as bench:
        await bench.sign_in()
        answer = await bench.browser.get(
            "/api/journey/v1/customers/phone:%2B821012345678/timeline?from=2026-11-22T00:00:00%2B09:00&limit=5",
            headers={"accept-language": "ko", "x-forwarded-for": "1.2.3.4", "authorization": "Bearer other"},
        )

        assert answer.json() == {
            "path": "/v1/customers/phone:%2B821012345678/timeline",
            "query": "from=2026-11-22T00:00:00%2B09:00&limit=5",
        }
        assert answer.headers["cache-control"] == "no-store"
        heard = bench.api.last.headers
        assert (heard["authorization"], heard["accept-language"]) == (f"Bearer {KEY}", "ko")
        assert not {"cookie", "x-forwarded-for", "x-waymark-token"} & set(heard)


async def test_a_change_needs_the_token_of_the_session() -> None:
    async with a_console() as bench:
        token = await bench.sign_in()
        target = f"/api/alerts/v1/issues/{UUID}/note"
        asked = len(bench.api.asked)
        for headers in ({}, {"x-waymark-token": "x"}, {"x-waymark-token": token, "sec-fetch-site": "cross-site"}):
            refused = await bench.browser.post(target, json={"text": "x"}, headers=headers)
            assert refused.status_code == 403
        assert len(bench.api.asked) == asked
        done = await bench.browser.post(target, json={"text": "메모"}, headers={"x-waymark-token": token})
        assert done.status_code == 200
        assert bench.api.bodies[-1] == '{"text":"메모"}'.encode()


@pytest.mark.parametrize(
    "target",
    [
        "/api/alerts/v1/routes",
        "/api/alerts/v1/teams",
        "/api/alerts/metrics",
        "/api/journey/v1/touchpoints/outcomes",
        "/api/ingest/v1/touchpoints",
        "/api/alerts/v1/issues/..",
        "/api/alerts/v1/issues/%2e%2e",
        "/api/alerts/v1/issues/%2e%2e/explain",
        "/api/alerts/v1/issues/a%2Fb",
        "/api/alerts//v1/issues",
        "/api/other/v1/issues",
        "/api/alerts/v1/issues/../routes",
    ],
)
async def test_what_is_not_on_the_list_is_not_there(target: str) -> None:
    async with a_console() as bench:
        await bench.sign_in()
        asked = len(bench.api.asked)
        answer = await bench.browser.get(target)

        assert answer.status_code == 404
        assert len(bench.api.asked) == asked


async def test_nothing_is_forwarded_for_nobody() -> None:
    async with a_console() as bench:
        for route in forwarded_routes():
            answer = await bench.browser.request(route.method, f"/api/{route.api}{route.path}")
            assert (answer.status_code, code_of(answer)) == (401, "not_signed_in"), route
        assert bench.api.asked == []


async def test_every_entry_of_the_list_leads_where_it_says() -> None:
    async with a_console() as bench:
        token = await bench.sign_in(ADMIN_KEY)
        for route in forwarded_routes():
            if route.streams or route.path == "/v1/caller":
                continue
            target = f"/api/{route.api}{route.path}".replace("{", "").replace("}", "")
            answer = await bench.browser.request(route.method, target, headers={"x-waymark-token": token})
            assert answer.json()["path"] == route.path.replace("{", "").replace("}", ""), route


async def test_a_refusal_of_the_api_is_passed_on_as_it_came() -> None:
    async def refuse(_: Request) -> Response:
        headers = {"retry-after": "7", "set-cookie": "a=b", "server": "x"}
        return JSONResponse({"code": "conflict"}, 409, headers, "application/problem+json")

    async with a_console() as bench:
        await bench.sign_in()
        bench.api.answer = refuse
        answer = await bench.browser.get("/api/alerts/v1/issues")

        assert (answer.status_code, code_of(answer), answer.headers["retry-after"]) == (409, "conflict", "7")
        assert not {"set-cookie", "server"} & set(answer.headers)


async def test_a_key_that_was_revoked_ends_the_session() -> None:
    async def refuse(_: Request) -> Response:
        return JSONResponse({"code": "key_revoked"}, 401)

    async with a_console() as bench:
        await bench.sign_in()
        bench.api.answer = refuse

        assert code_of(await bench.browser.get("/api/alerts/v1/issues")) == "session_over"


async def test_an_api_that_is_away_is_named() -> None:
    async with a_console() as bench:
        await bench.sign_in()
        bench.app.state.upstream._urls = dict.fromkeys(bench.app.state.upstream._urls, "http://127.0.0.1:1")
        answer = await bench.browser.get("/api/journey/v1/paths")

        assert (answer.status_code, code_of(answer)) == (503, "journey_unanswered")
        metrics = (await bench.browser.get("/metrics")).text
        assert 'waymark_console_unanswered_total{api="journey"} 1.0' in metrics


async def test_a_body_that_is_too_large_is_refused_before_it_is_read() -> None:
    async with a_console() as bench:
        token = await bench.sign_in()
        answer = await bench.browser.post(
            f"/api/alerts/v1/issues/{UUID}/note", content=b"x" * (1024 * 1024 + 1), headers={"x-waymark-token": token}
        )
        assert (answer.status_code, code_of(answer)) == (413, "body_too_large")


async def test_a_stream_passes_piece_by_piece_and_says_goodbye_when_the_console_stops() -> None:
    """Over real connections, since a stream that has no end never comes back from a transport in memory."""
    going = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"id: 7-1\nevent: ready\ndata: {}\n\n"
        await going.wait()

    async def stream(_: Request) -> Response:
        return StreamingResponse(pieces(), media_type="text/event-stream")

    async with a_console() as bench, serving(bench.app, "127.0.0.1", 0, drain_s=2.0) as port:
        await bench.sign_in()
        bench.api.answer = stream
        cookie = "; ".join(f"{name}={value}" for name, value in bench.browser.cookies.items())
        got = bytearray()

        async def read() -> None:
            headers = {"cookie": cookie, "last-event-id": "7-0"}
            async with (
                httpx2.AsyncClient() as client,
                client.stream("GET", f"http://127.0.0.1:{port}/api/alerts/v1/stream", headers=headers) as answer,
            ):
                assert answer.headers["content-type"].startswith("text/event-stream")
                assert answer.headers["x-accel-buffering"] == "no"
                async for piece in answer.aiter_raw():
                    got.extend(piece)

        reading = asyncio.create_task(read())
        await until(lambda: b"event: ready" in got)
        assert bench.api.last.headers["last-event-id"] == "7-0"
        bench.app.state.desk.close()
        await reading
        assert got.endswith(b'event: bye\ndata: {"reason":"restart"}\n\n')
        going.set()


async def test_streams_have_a_limit() -> None:
    async with a_console(stream_clients="1") as bench:
        await bench.sign_in()
        bench.app.state.desk._open = 1

        assert code_of(await bench.browser.get("/api/alerts/v1/stream")) == "stream_full"


async def test_the_console_is_ready_and_says_which_api_is_not() -> None:
    async with a_console(alive=False) as bench:
        answer = await bench.browser.get("/readyz?verbose")

        assert answer.status_code == 200
        assert "[~] alerts: does not answer" in answer.text


async def test_a_trial_is_passed_on_as_it_goes_and_ends_without_a_word_when_the_console_stops() -> None:
    """Its lines are JSON: a goodbye as streams of events have it would be none."""
    going = asyncio.Event()

    async def lines() -> AsyncIterator[bytes]:
        yield b'{"progress":{"customers":1}}\n'
        await going.wait()

    async def trial(_: Request) -> Response:
        return StreamingResponse(lines(), media_type="application/x-ndjson")

    async with a_console() as bench, serving(bench.app, "127.0.0.1", 0, drain_s=2.0) as port:
        token = await bench.sign_in(ADMIN_KEY)
        bench.api.answer = trial
        cookie = "; ".join(f"{name}={value}" for name, value in bench.browser.cookies.items())
        got = bytearray()

        async def read() -> None:
            headers = {"cookie": cookie, "x-waymark-token": token}
            target = f"http://127.0.0.1:{port}/api/journey/v1/rules/backtest"
            async with (
                httpx2.AsyncClient() as client,
                client.stream("POST", target, headers=headers, json={"since": "2026-11-22T00:00:00Z"}) as answer,
            ):
                assert answer.headers["content-type"].startswith("application/x-ndjson")
                async for piece in answer.aiter_raw():
                    got.extend(piece)

        reading = asyncio.create_task(read())
        await until(lambda: b"progress" in got)
        bench.app.state.desk.close()
        await reading
        assert got == b'{"progress":{"customers":1}}\n'
        assert bench.api.bodies[-1] == b'{"since":"2026-11-22T00:00:00Z"}'
        going.set()
