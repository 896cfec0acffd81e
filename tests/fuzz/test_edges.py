"""At their edges all APIs answer: never with a bug, never with what was sent, and always as OpenAPI says.

More of the same: `FUZZ_SEED=7 FUZZ_REQUESTS=20000 pytest tests/fuzz`.
"""

import itertools
import json
import logging
import os
import random
from datetime import timedelta

import httpx
import pytest
import schemathesis
from structlog.testing import capture_logs

from tests.fuzz.edges import Edge, Operation, edge_requests, every_end, operations_of
from tests.fuzz.requests import SECRET
from tests.fuzz.rooms import Opening, Room, alerts_room, ingest_room, journey_room
from tests.fuzz.wire import Answer, ask

pytestmark = [pytest.mark.local, pytest.mark.timeout(3000)]

SEED = int(os.environ.get("FUZZ_SEED", "1"))
REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "150"))
PAGES = tuple(
    Operation(method="GET", path=path)
    for path in (
        *("/", "/console.css", "/console.js", "/inspector", "/inspector/inspector.js", "/docs", "/openapi.json"),
        *("/livez", "/metrics", "/static-offline-docs/swagger-ui.css", "/static-offline-docs/{name}", "/v1/nothing"),
    )
)
NOT_HTTP = b"Invalid HTTP request received."
FOR_PEOPLE = "/v1/replies/"
"""Links in messages: people open them, so a refusal is a page too."""


def wrong(edge: Edge, answer: Answer) -> str:
    """Say what is wrong with an answer, or nothing; a closed connection is right where the request did not end."""
    if answer.status == 0:
        return "no answer" if edge.ends else ""
    if any(SECRET in value for name, value in answer.headers.items() if name != "location"):  # that leads back there
        return "a header repeats what was sent"
    if edge.method == "HEAD" and answer.body:
        return "a body behind HEAD"
    return _wrong_refusal(edge, answer) if answer.status >= 400 and answer.body != NOT_HTTP else ""


def _wrong_refusal(edge: Edge, answer: Answer) -> str:
    if answer.status >= 500 and not (answer.status == 503 and _deliberate(edge, answer)):
        return f"status {answer.status}"
    if answer.status == 405 and "allow" not in answer.headers:
        return "405 without Allow"
    if edge.method == "HEAD":
        return ""
    if SECRET.encode() in answer.body or b"gil-dong" in answer.body:
        return "the answer repeats what was sent"
    if FOR_PEOPLE in edge.target and answer.media_type == "text/html":
        return ""
    named = answer.media_type == "application/problem+json" and {"code", "message"} <= set(json.loads(answer.body))
    return "" if named else f"status {answer.status} as {answer.media_type}, no problem with code and message"


def _deliberate(edge: Edge, answer: Answer) -> bool:
    """Nothing is away here: a 503 that speaks of a database is a bug that hides."""
    meant = b'"webhook_not_ready"' in answer.body or b'"stream_full"' in answer.body
    return "retry-after" in answer.headers and (meant or edge.method == "HEAD")


def undocumented(edge: Edge, answer: Answer, schema: schemathesis.schemas.BaseSchema) -> str:
    """Say where an answer of an operation is not as documented, or nothing; 404 and 405 are of other addresses."""
    operation = edge.operation
    plain = edge.target.partition("?")[0].count("/") == operation.path.count("/") and "#" not in edge.target
    if operation in PAGES or edge.method != operation.method or not plain or answer.body == NOT_HTTP:
        return ""
    if answer.status in {0, 404, 405, 307} or answer.media_type == "text/event-stream":
        return ""
    documented = schema[operation.path][operation.method.lower()]
    if str(answer.status) not in documented.definition.raw["responses"]:
        return f"status {answer.status} is not documented"
    request = httpx.Request(edge.method, "http://api.example" + operation.path)
    found = httpx.Response(answer.status, headers=answer.headers, content=answer.body, request=request)
    found.elapsed = timedelta()
    try:
        documented.validate_response(found)
    except Exception as error:  # noqa: BLE001  schemathesis raises groups of its own failures
        return f"not as documented: {str(error)[:600]}"
    return ""


@pytest.mark.parametrize("opening", [journey_room, alerts_room, ingest_room])
async def test_requests_at_the_edges_are_answered_as_documented_without_a_bug_and_without_an_echo(
    opening: Opening, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    findings: list[str] = []
    with capture_logs() as logs:
        async with opening(database) as room:
            schema = schemathesis.openapi.from_dict(room.document)
            documented = operations_of(room.document)
            swept = every_end(documented, room.known, room.values, random.Random(SEED))
            seeded = edge_requests(SEED, REQUESTS, [*documented, *documented, *PAGES], room.known)
            for edge in itertools.chain(swept, seeded):
                findings += await _judged(room, edge, schema)

    assert findings == []
    assert [entry for entry in logs if entry["log_level"] in {"error", "critical"}] == []
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


async def _judged(room: Room, edge: Edge, schema: schemathesis.schemas.BaseSchema) -> list[str]:
    answer = await ask(room.port, edge)
    finding = wrong(edge, answer) or undocumented(edge, answer, schema)
    place = f"seed {SEED}, request {edge.number}: {edge.method} {edge.target[:300]}"
    return [f"{place} {edge.body[:200]!r} {edge.headers}: {finding}"] if finding else []
