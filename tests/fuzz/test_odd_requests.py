"""Whatever is sent, ingest answers: soon, never with a bug, and without repeating what was sent.

More of the same: `FUZZ_SEED=7 FUZZ_REQUESTS=20000 pytest tests/fuzz`.
"""

import asyncio
import json
import os
import random

import pytest

from services.runtime.http.server import serving
from tests.fixtures.clock import SteppingClock
from tests.fixtures.ingest_bench import IngestBench, Response, bench_with
from tests.fuzz.requests import SECRET, Odd, odd_requests

pytestmark = pytest.mark.timeout(400)

SEED = int(os.environ.get("FUZZ_SEED", "1"))
REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "400"))
WITHIN_S = 20.0
"""For one request, on a machine that does much else: the largest are inflated to 16 MiB and parsed."""


@pytest.fixture
async def bench(clock: SteppingClock) -> IngestBench:
    return await bench_with(clock, body_timeout_s="0.5", wrong_keys_per_minute="0").started()


def wrong(answer: Response) -> str:
    """Say what is wrong with an answer, or nothing."""
    if answer.status >= 500 and not (answer.status == 503 and "retry-after" in answer.headers):
        return f"status {answer.status}"
    if SECRET.encode() in answer.body or b"gil-dong" in answer.body:
        return "the answer repeats what was sent"
    if any(SECRET in value for value in answer.headers.values()):
        return "a header repeats what was sent"
    if answer.status < 400 or not answer.body:
        return ""
    document = json.loads(answer.body)
    return "" if {"code", "message"} <= set(document) else "a problem without code and message"


async def _ask(bench: IngestBench, odd: Odd) -> Response:
    async with asyncio.timeout(WITHIN_S):
        return await bench.call(odd.method, odd.pieces, odd.headers, at=odd.path)


async def test_odd_requests_are_answered_soon_without_a_bug_and_without_an_echo(bench: IngestBench) -> None:
    findings = []
    for odd in odd_requests(SEED, REQUESTS, bench.key.text):
        answer = await _ask(bench, odd)
        if finding := wrong(answer):
            findings.append(f"seed {SEED}, request {odd.number}: {odd.method} {odd.path}: {finding}")

    assert findings == []


async def test_what_the_inspector_keeps_of_odd_requests_repeats_nothing_either(bench: IngestBench) -> None:
    for odd in odd_requests(SEED + 1, REQUESTS // 2, bench.key.text):
        await _ask(bench, odd)

    operator = bench.keys.add_operator()
    shown = await bench.inspect("limit=200&outcome=rejected,refused,duplicate,unavailable", key=operator.text)

    assert shown.status == 200
    assert len(shown.json["entries"]) > 50
    for entry in shown.json["entries"]:
        entry.pop("id", None)  # the producer's own name for it, as in the answer
        assert SECRET not in json.dumps(entry, ensure_ascii=False)


async def _raw(port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        await writer.drain()
        writer.write_eof()
        async with asyncio.timeout(WITHIN_S):
            return await reader.read(1_000_000)
    except ConnectionError:
        return b""
    finally:
        writer.close()


def _on_the_wire(odd: Odd, chance: random.Random) -> bytes:
    """The request as bytes of HTTP/1.1, some of them changed."""
    lines = [
        f"{odd.method} {odd.path} HTTP/1.1",
        "host: x",
        *(f"{name}: {value}" for name, value in odd.headers.items()),
    ]
    body = b"".join(odd.pieces)[:100_000]
    head = "\r\n".join(lines).encode("utf-8", "replace")
    if chance.random() < 0.7:
        head += b"\r\ncontent-length: %d" % len(body)
    else:
        head += b"\r\ntransfer-encoding: chunked"
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chance.random() < 0.5 else body
    raw = bytearray(head + b"\r\n\r\n" + body)
    for _ in range(chance.choice((0, 0, 1, 5, 50))):
        raw[chance.randrange(min(len(raw), 400))] = chance.randrange(256)
    return bytes(raw)


async def test_bytes_that_are_hardly_http_end_in_an_answer_or_a_closed_connection(bench: IngestBench) -> None:
    chance = random.Random(SEED)
    async with serving(bench.app, "127.0.0.1", 0, drain_s=1.0) as port:
        for odd in odd_requests(SEED + 2, min(REQUESTS, 150), bench.key.text):
            answer = await _raw(port, _on_the_wire(odd, chance))
            status = int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0
            assert status < 500 or status == 503, f"seed {SEED}, request {odd.number}: {status}"
            assert SECRET.encode() not in answer, f"seed {SEED}, request {odd.number}"
        bench.health.draining = True
