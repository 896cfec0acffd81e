"""What `/openapi.json` says is what our APIs do: schemathesis makes requests of it and judges the answers.

Light on purpose: a few requests for each operation, always the same ones. More: `FUZZ_EXAMPLES=500 pytest tests/fuzz`.
"""

import asyncio
import os
import threading
from concurrent.futures import Future
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.fuzz.rooms import Opening, Room, alerts_room, ingest_room, journey_room

pytestmark = [pytest.mark.local, pytest.mark.timeout(400)]

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "5"))
ENDLESS = frozenset({"/v1/customers/{reference}/stream", "/v1/inspector/stream", "/v1/stream"})
CHECKS: Any = (
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)


class Served:
    """A room on a port of its own, in a thread: schemathesis calls and waits."""

    def __init__(self, opening: Opening, database: str) -> None:
        self._opening = opening
        self._database = database
        self._found: Future[Room] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def __enter__(self) -> Room:
        self._thread.start()
        return self._found.result(60)

    def __exit__(self, *_: object) -> None:
        assert self._loop is not None
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            async with self._opening(self._database) as room:
                self._found.set_result(room)
                await self._stop.wait()
        except Exception as error:
            if self._found.done():
                raise
            self._found.set_exception(error)


@pytest.mark.parametrize(
    ("opening", "among"),
    [
        pytest.param(ingest_room, {"/v1/touchpoints", "/v1/inspector", "/v1/batch"}, id="ingest"),
        pytest.param(journey_room, {"/v1/customers/{reference}/contacts", "/v1/journeys", "/v1/paths"}, id="journey"),
        pytest.param(alerts_room, {"/v1/issues", "/v1/endpoints/{endpoint_id}/deliveries"}, id="alerts"),
    ],
)
def test_every_operation_does_what_it_is_documented_to_do(opening: Opening, among: set[str], database: str) -> None:
    with Served(opening, database) as room:
        schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{room.port}/openapi.json")
        judged = []
        for found in schema.get_all_operations():
            assert isinstance(found, Ok), found.err()
            operation = found.ok()
            if operation.path not in ENDLESS:
                _judge(operation, room)
                judged.append(operation.path)

    assert among <= set(judged)


def _judge(operation: Any, room: Room) -> None:
    """Ask with what schemathesis makes up, and the same with the address of something that is there."""

    @seed(1)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), real=st.booleans())
    def holds(case: Any, real: bool) -> None:
        if real and case.path_parameters:
            case.path_parameters |= {name: v[0] for name, v in room.values.items() if name in case.path_parameters}
        answer = case.call(headers={"Authorization": f"Bearer {room.known.key}"}, timeout=30)
        case.validate_response(answer, checks=CHECKS)

    holds()
