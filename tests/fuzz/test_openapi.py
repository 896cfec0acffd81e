"""What `/openapi.json` says is what ingest does: schemathesis makes requests of it and judges the answers.

Light on purpose: a few requests for each operation, always the same ones. More: `FUZZ_EXAMPLES=500 pytest tests/fuzz`.
"""

import asyncio
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from services.runtime.http import serving
from tests.conftest import SteppingClock
from tests.unit.ingest.fakes import bench_with

pytestmark = [pytest.mark.local, pytest.mark.timeout(400)]

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "5"))
ENDLESS = "/v1/inspector/stream"
CHECKS: Any = (
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)


class Served:
    """Ingest over fakes on a port of its own, in a thread: schemathesis calls and waits."""

    def __init__(self) -> None:
        self.port = 0
        self.key = ""
        self._up = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def __enter__(self) -> "Served":
        self._thread.start()
        assert self._up.wait(30), "the service did not start"
        return self

    def __exit__(self, *_: object) -> None:
        assert self._loop is not None
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)

    async def _serve(self) -> None:
        clock = SteppingClock(datetime(2026, 11, 22, 0, 15, tzinfo=UTC))
        bench = await bench_with(clock, wrong_keys_per_minute="0", requests_per_s="0").started()
        self._loop, self._stop, self.key = asyncio.get_running_loop(), asyncio.Event(), bench.key.text
        async with serving(bench.app, "127.0.0.1", 0, drain_s=1.0) as self.port:
            self._up.set()
            await self._stop.wait()
            bench.health.draining = True


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with Served() as found:
        yield found


def test_every_operation_does_what_it_is_documented_to_do(served: Served) -> None:
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{served.port}/openapi.json")
    judged = []
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found.err()
        operation = found.ok()
        if operation.path != ENDLESS:
            _judge(operation, served.key)
            judged.append(operation.path)

    assert {"/v1/touchpoints", "/v1/inspector", "/v1/batch"} <= set(judged)


def _judge(operation: Any, key: str) -> None:
    @seed(1)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def holds(case: Any) -> None:
        answer = case.call(headers={"Authorization": f"Bearer {key}"}, timeout=30)
        case.validate_response(answer, checks=CHECKS)

    holds()
