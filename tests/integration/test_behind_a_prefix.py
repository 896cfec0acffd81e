"""Behind a reverse proxy that shows an API below a path: its pages, what they ask for, and where it leads."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from urllib.parse import urljoin

import aiohttp
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from services.alerts.api import console
from services.console.app import build as build_console
from services.console.settings import ConsoleSettings
from services.ingest.inspector.routes import PAGES
from services.runtime.clock import SystemClock
from services.runtime.http.application import build_api
from services.runtime.http.server import serving
from services.runtime.telemetry.health import HealthChecks
from tests.fixtures.clock import SteppingClock
from tests.fixtures.ingest_bench import bench_with

pytestmark = pytest.mark.local

PREFIX = "/desk/waymark"


@asynccontextmanager
async def a_proxy(port: int, *, strips: bool) -> AsyncIterator[str]:
    """A reverse proxy that passes on what stands below `PREFIX`, with or without it, and yields its own address."""
    async with aiohttp.ClientSession(auto_decompress=False) as session:

        async def forward(request: web.Request) -> web.Response:
            if not request.path.startswith(PREFIX):
                return web.Response(status=418, text="not below the prefix")
            path = request.raw_path.removeprefix(PREFIX) if strips else request.raw_path
            headers = {
                "host": "inner.example",
                **{n: request.headers[n] for n in ("authorization",) if n in request.headers},
            }
            url = f"http://127.0.0.1:{port}{path}"
            async with session.request(request.method, url, headers=headers, allow_redirects=False) as answer:
                kept = {n: answer.headers[n] for n in ("content-type", "location") if n in answer.headers}
                return web.Response(status=answer.status, body=await answer.read(), headers=kept)

        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", forward)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


@asynccontextmanager
async def behind(app: ASGIApp, *, strips: bool) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    """A browser of sorts, and the address of `app` as people know it."""
    prefix = "" if strips else PREFIX
    async with (
        serving(app, "127.0.0.1", 0, drain_s=1.0, prefix=prefix) as port,
        a_proxy(port, strips=strips) as outside,
        aiohttp.ClientSession() as session,
    ):
        yield session, outside + PREFIX


async def _assets(session: aiohttp.ClientSession, page: str) -> dict[str, int]:
    """What the page at an address refers to, as a browser would ask for it, and the status of each."""
    async with session.get(page) as answer:
        assert answer.status == 200
        text, here = await answer.text(), str(answer.url)
    found = re.findall(r'(?:href|src)="([^"]+)"|url: \'([^\']+)\'', text)
    wanted = {urljoin(here, one or other) for one, other in found if not one.startswith("data:")}
    statuses = {}
    for address in wanted:
        async with session.get(address) as answer:
            statuses[address] = answer.status
    return statuses


def _a_console() -> ASGIApp:
    app = build_api(title="Sample", description="S", version="1", health=HealthChecks(registry=CollectorRegistry()))
    app.include_router(console.router)
    return app


@pytest.mark.parametrize("strips", [True, False], ids=["the proxy takes the prefix off", "the proxy leaves it on"])
async def test_the_console_and_the_docs_find_everything_below_a_prefix(strips: bool) -> None:
    async with behind(_a_console(), strips=strips) as (session, outside):
        for page, count in (("/", 2), ("/docs", 4), ("/docs/", 4)):
            statuses = await _assets(session, outside + page)
            assert set(statuses.values()) == {200}, statuses
            assert len(statuses) == count
        async with session.get(f"{outside}/openapi.json") as answer:
            [server] = (await answer.json())["servers"]
        assert urljoin(f"{outside}/openapi.json", server["url"]) == f"{outside}/"


@pytest.mark.parametrize("strips", [True, False], ids=["the proxy takes the prefix off", "the proxy leaves it on"])
async def test_the_inspector_finds_everything_below_a_prefix(strips: bool, clock: SteppingClock) -> None:
    bench = await bench_with(clock).started()
    async with behind(bench.app, strips=strips) as (session, outside):
        for page in ("/inspector", "/inspector/"):
            statuses = await _assets(session, outside + page)
            assert set(statuses) == {outside + path for path in PAGES if path != "/inspector"}
            assert set(statuses.values()) == {200}
        headers = {"authorization": f"Bearer {bench.key.text}"}
        async with session.get(urljoin(f"{outside}/inspector", "v1/inspector"), headers=headers) as answer:
            assert answer.status == 200
        bench.health.draining = True


async def test_the_bare_prefix_leads_to_itself_with_a_slash(clock: SteppingClock) -> None:
    async with behind(_a_console(), strips=False) as (session, outside), session.get(outside) as answer:
        assert (answer.status, str(answer.url)) == (200, f"{outside}/")


async def test_what_is_asked_without_the_prefix_is_answered_too() -> None:
    """Probes of an orchestrator do not come through the proxy."""
    async with serving(_a_console(), "127.0.0.1", 0, prefix=PREFIX) as port, aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/livez") as answer:
            assert answer.status == 200
        async with session.get(f"http://127.0.0.1:{port}{PREFIX}ish/livez") as answer:
            assert answer.status == 404


@pytest.mark.parametrize("strips", [True, False], ids=["the proxy takes the prefix off", "the proxy leaves it on"])
async def test_the_pages_of_the_console_find_everything_below_a_prefix_at_any_depth(strips: bool) -> None:
    app = build_console(ConsoleSettings.load({}), SystemClock(), CollectorRegistry())
    async with behind(app, strips=strips) as (session, outside):
        for page in ("/", "/issues/01a22a65-c57e-7b06-bf5e-8b3d84a0e7b5"):
            async with session.get(outside + page) as answer:
                text, here = await answer.text(), str(answer.url)
            found = re.search(r'<base href="([^"]+)">', text)
            assert found is not None
            base = urljoin(here, found[1])
            assert base == f"{outside}/"
            for name in set(re.findall(r"static/[a-z_./-]+", text)) | {"session"}:
                async with session.get(urljoin(base, name)) as answer:
                    assert answer.status in {200, 204}, name


def test_pages_ask_for_no_absolute_address() -> None:
    for script in (console._PAGES["console.js"].decode(), _inspector_script()):
        assert not re.search(r"""fetch\(\s*[`"']/|[`"']/v1/""", script)


def _inspector_script() -> str:
    return (files("services.ingest.inspector") / "page" / "inspector.js").read_text()
