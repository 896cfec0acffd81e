"""The console over an API that remembers what it was asked and answers what a test says."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx2
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.console.app import build
from services.console.settings import ConsoleSettings
from services.runtime.http.server import serving
from tests.fixtures.clock import SteppingClock

KEY = "wm_agent_abc_secret"
SEALED = "k" * 32
NOW = datetime(2026, 11, 22, 0, 15, tzinfo=UTC)
ADMIN_KEY = "wm_admin_x_y"
CALLERS = {
    KEY: {"label": "민지", "role": "agent"},
    "wm_reader_x_y": {"label": "wall", "role": "reader"},
    ADMIN_KEY: {"label": "운영", "role": "admin"},
    "wm_src_x_y": {"label": "ivr", "role": "src"},
}


@dataclass
class FakeApi:
    """All three APIs in one; `answer` may be changed at any time."""

    asked: list[Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    answer: Callable[[Request], Awaitable[Response]] | None = None

    async def handle(self, request: Request) -> Response:
        self.asked.append(request)
        self.bodies.append(await request.body())
        if request.url.path == "/v1/caller":
            found = CALLERS.get(request.headers["authorization"].removeprefix("Bearer "))
            return JSONResponse(found) if found else JSONResponse({"code": "key_unknown"}, status_code=401)
        if self.answer is not None:
            return await self.answer(request)
        return JSONResponse({"path": request.scope["raw_path"].decode(), "query": request.url.query})

    @property
    def last(self) -> Request:
        return self.asked[-1]


@dataclass(frozen=True)
class ConsoleBench:
    """A console that answers, a browser of sorts before it, and what stands behind it."""

    app: FastAPI
    browser: httpx2.AsyncClient
    api: FakeApi
    clock: SteppingClock

    async def sign_in(self, key: str = KEY) -> str:
        """Sign in, and return the token that goes with changes."""
        answer = await self.browser.post("/session", json={"key": key})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["token"])


@asynccontextmanager
async def a_console(*, alive: bool = True, **settings: str) -> AsyncIterator[ConsoleBench]:
    """A console over a fake API, or over nothing that answers."""
    api, clock = FakeApi(), SteppingClock(NOW)
    routes = [Route("/{rest:path}", api.handle, methods=["GET", "POST"])]
    async with serving(Starlette(routes=routes), "127.0.0.1", 0, drain_s=1.0) as port:
        url = f"http://127.0.0.1:{port}" if alive else "http://127.0.0.1:1"
        environ = {f"WAYMARK_CONSOLE_{name}_URL": url for name in ("INGEST", "JOURNEY", "ALERTS")}
        environ |= {"WAYMARK_CONSOLE_SESSION_KEYS": SEALED}
        environ |= {f"WAYMARK_CONSOLE_{name.upper()}": value for name, value in settings.items()}
        app = build(ConsoleSettings.load(environ), clock, CollectorRegistry())
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        async with (
            app.state.upstream,
            app.state.provider,
            httpx2.AsyncClient(transport=transport, base_url="http://console.test") as browser,
        ):
            yield ConsoleBench(app=app, browser=browser, api=api, clock=clock)


def code_of(answer: httpx2.Response) -> str:
    """The code of a problem document."""
    assert answer.headers["content-type"] == "application/problem+json"
    return str(json.loads(answer.content)["code"])
