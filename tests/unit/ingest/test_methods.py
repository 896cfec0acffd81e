"""HEAD and OPTIONS on ingest's own addresses: as GET without the body, and what may be asked."""

import asyncio

import httpx2
import pytest

from services.runtime.http.server import serving
from tests.fixtures.clock import SteppingClock
from tests.fixtures.ingest_bench import IngestBench, bench_with


@pytest.fixture
async def bench(clock: SteppingClock) -> IngestBench:
    return await bench_with(clock).started()


@pytest.mark.parametrize(
    "path", ["/inspector", "/inspector/inspector.js", "/v1/inspector", "/docs", "/openapi.json", "/livez", "/v1/none"]
)
async def test_head_is_get_without_the_body(bench: IngestBench, path: str) -> None:
    key = {"authorization": f"Bearer {bench.key.text}"}
    got, head = await bench.call("GET", [b""], key, at=path), await bench.call("HEAD", [b""], key, at=path)

    assert (head.status, head.body) == (got.status, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    assert head.headers["content-length"] == got.headers["content-length"] == str(len(got.body))


async def test_head_of_the_live_stream_ends_at_once_and_takes_no_place(bench: IngestBench) -> None:
    async with (
        serving(bench.app, "127.0.0.1", 0, drain_s=1.0) as port,
        httpx2.AsyncClient() as client,
        asyncio.timeout(5),
    ):
        headers = {"authorization": f"Bearer {bench.key.text}"}
        head = await client.head(f"http://127.0.0.1:{port}/v1/inspector/stream", headers=headers)
        bench.health.draining = True

    assert (head.status_code, head.content, bench.service.inspector.streams) == (200, b"", 0)
    assert head.headers["content-type"].startswith("text/event-stream")


async def test_head_needs_the_key_that_get_needs(bench: IngestBench) -> None:
    assert (await bench.call("HEAD", [b""], {}, at="/v1/inspector")).status == 401


@pytest.mark.parametrize(
    ("path", "allow"),
    [("/v1/inspector", "GET, HEAD, OPTIONS"), ("/v1/touchpoints", "OPTIONS, POST"), ("/docs", "GET, HEAD, OPTIONS")],
)
async def test_allow_says_what_may_be_asked(bench: IngestBench, path: str, allow: str) -> None:
    asked, refused = await bench.call("OPTIONS", [b""], {}, at=path), await bench.call("PUT", [b""], {}, at=path)

    assert (asked.status, asked.headers["allow"], asked.body) == (204, allow, b"")
    assert (refused.status, refused.headers["allow"]) == (405, allow)
