"""What somebody can make ingest spend who means it no good: memory and processor time, held to numbers."""

import asyncio
import gzip
import time
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from tests.fixtures.clock import SteppingClock
from tests.fixtures.ingest_bench import IngestBench, Response, a_touchpoint, bench_with
from tests.waiting import until

MIB = 1024 * 1024
LIMIT = 16 * MIB
"""Of a body once inflated, by default."""


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "gzip": ("gzip", lambda: gzip.compress(b" " * (60 * MIB), 9)),
    "deflate": ("deflate", lambda: zlib.compress(b" " * (60 * MIB), 9)),
    "deflate without a wrapper": ("deflate", lambda: _raw_deflate(b" " * (60 * MIB))),
    "gzip members": ("gzip", lambda: gzip.compress(b" " * MIB, 9) * 40),
}


@pytest.mark.parametrize("name", BOMBS)
async def test_a_bomb_is_found_out_before_it_is_held(bench: IngestBench, name: str) -> None:
    encoding, make = BOMBS[name]
    bomb = make()
    tracemalloc.start()
    begun = time.process_time()
    try:
        answer = await bench.post(bomb, content_encoding=encoding)
        spent = time.process_time() - begun
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (answer.status, answer.json["code"]) == (413, "inflated_too_large")
    assert peak < 4 * LIMIT
    assert spent < 5.0


NESTED = {
    "lists": b"[" * 2_000_000,
    "closed lists": b"[" * 500_000 + b"]" * 500_000,
    "objects": b'{"a":' * 400_000,
    "inside a touchpoint": b'{"id":"1","attributes":' + b'{"a":' * 9_000 + b"1" + b"}" * 9_001,
    "inside many": b'{"touchpoints":[' + b",".join([b"[" * 500 + b"]" * 500] * 900) + b"]}",
}


@pytest.mark.parametrize("name", NESTED)
async def test_nesting_costs_little_and_overflows_nothing(bench: IngestBench, name: str) -> None:
    begun = time.process_time()
    answer = await bench.post(NESTED[name])

    assert answer.status in {400, 422}
    assert time.process_time() - begun < 5.0


async def test_a_million_members_are_refused_in_time(bench: IngestBench) -> None:
    members = ",".join(f'"m{number}":{number}' for number in range(4_000))
    begun = time.process_time()
    answer = await bench.post(b'{"touchpoints":[' + b",".join([b"{%b}" % members.encode()] * 50) + b"]}")

    assert answer.status == 422
    assert time.process_time() - begun < 10.0


class Slow:
    """A request whose body stops after its first piece, and does not end by itself."""

    def __init__(self, bench: IngestBench, piece: bytes, **headers: str) -> None:
        self._call = bench.call("POST", [piece], headers, ends=False)

    def start(self) -> asyncio.Task[Response]:
        return asyncio.create_task(self._call)


async def _given_up(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_strangers_with_bombs_that_stall_leave_room_for_who_is_known(clock: SteppingClock) -> None:
    bench = await bench_with(clock, max_in_flight_bytes=str(8 * MIB), body_timeout_s="60").started()
    bomb = gzip.compress(b" " * (MIB // 2), 9)
    stalled = [Slow(bench, bomb, content_encoding="gzip").start() for _ in range(40)]
    await until(lambda: bench.sample("waymark_ingest_in_flight_bytes") >= 1.5 * MIB, within=10)
    try:
        assert bench.sample("waymark_ingest_in_flight_bytes") <= 2 * MIB
        assert (await bench.post(a_touchpoint(text="x" * 5_000))).status == 202
    finally:
        await _given_up(stalled)


async def test_slow_bodies_are_given_up_and_hold_nothing_afterwards(clock: SteppingClock) -> None:
    bench = await bench_with(clock, body_timeout_s="0.2").started()
    key = {"authorization": f"Bearer {bench.key.text}"}
    answers = await asyncio.gather(*[Slow(bench, b'{"id":', **key).start() for _ in range(100)])

    assert {answer.status for answer in answers} == {408}
    assert bench.sample("waymark_ingest_in_flight_bytes") == 0
    assert bench.sample("waymark_ingest_in_flight_requests") == 0


async def test_wrong_keys_from_everywhere_are_remembered_within_bounds(clock: SteppingClock) -> None:
    bench = await bench_with(clock, trusted_proxies="127.0.0.1").started()
    tracemalloc.start()
    try:
        for number in range(400):
            address = f"198.{number // 65536}.{number // 256 % 256}.{number % 256}"
            headers = {"authorization": f"Bearer wm_src_{number:012x}_00", "x-forwarded-for": address}
            assert (await bench.call("POST", [b"{}"], headers)).status == 401
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held < 4 * MIB
    assert bench.sample("waymark_ingest_addresses_with_wrong_keys") == 400
