"""Raw routes: which one a path finds, and what a handler and a wire form may count on."""

import json
from collections.abc import Mapping

import pytest
from starlette.types import Message, Scope

from services.ingest.http.raw_routes import RawRoute, RouteTable
from services.ingest.publish.intake_request import IntakeRequest
from services.ingest.reasons import ItemOutcome, TouchpointRejection
from services.ingest.results.item_result import ItemResult
from services.ingest.sources.source import Source
from tests.fixtures.ingest_bench import IngestBench, a_touchpoint


async def _nowhere(*_ignored: object) -> None:
    raise AssertionError("only looked up here")


def a_request(bench: IngestBench) -> Scope:
    headers = [(b"authorization", f"Bearer {bench.key.text}".encode())]
    return {"type": "http", "method": "POST", "path": "/v1/touchpoints", "headers": headers, "client": None}


async def a_body() -> Message:
    return {"type": "http.request", "body": json.dumps(a_touchpoint()).encode()}


TABLE = RouteTable(
    RawRoute(path, _nowhere)
    for path in ("/v1/batch", "/v1/sources/{source}/webhook", "/v1/sources/{source}/events/{event}", "/{any}/webhook")
)


@pytest.mark.parametrize(
    ("path", "found", "params"),
    [
        ("/v1/batch", "/v1/batch", {}),
        ("/v1/sources/crm/webhook", "/v1/sources/{source}/webhook", {"source": "crm"}),
        ("/v1/sources/crm/events/9", "/v1/sources/{source}/events/{event}", {"source": "crm", "event": "9"}),
        ("/x/webhook", "/{any}/webhook", {"any": "x"}),
    ],
)
def test_a_path_finds_its_route_and_parameters(path: str, found: str, params: Mapping[str, str]) -> None:
    route = TABLE.find(path)

    assert route is not None
    assert (route[0].path, route[1]) == (found, params)


@pytest.mark.parametrize("path", ["/v1/batch/", "/v1", "/v1/sources/crm", "/v1/sources/crm/webhook/x", "/v2/batch", ""])
def test_another_path_finds_none(path: str) -> None:
    assert TABLE.find(path) is None


@pytest.mark.logs_error("request failed")
async def test_a_raw_route_that_fails_is_answered_and_counted_like_all_others(
    bench: IngestBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_ignored: object, **_too: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(bench.service.intake, "take", fails)
    said: list[Message] = []

    async def send(message: Message) -> None:
        said.append(message)

    with pytest.raises(RuntimeError):  # which uvicorn logs
        await bench.app(a_request(bench), a_body, send)

    assert (said[0]["status"], json.loads(said[1]["body"])["code"]) == (500, "internal_error")
    assert bench.sample("waymark_http_requests_total", route="/v1/touchpoints", method="POST", code_class="5xx") == 1


async def test_a_raw_route_is_measured_by_its_template(bench: IngestBench) -> None:
    await bench.post(a_touchpoint())

    labels = {"route": "/v1/touchpoints", "method": "POST"}
    assert bench.sample("waymark_http_requests_total", **labels, code_class="2xx") == 1
    assert bench.sample("waymark_http_request_duration_seconds_count", **labels) == 1


async def test_what_is_no_raw_route_is_the_api_s(bench: IngestBench) -> None:
    answer = await bench.call("GET", [b""], {}, at="/livez")

    assert answer.status == 200
    assert (await bench.call("GET", [b""], {}, at="/v1/nothing")).json["code"] == "no_such_route"


async def test_a_wire_form_s_verdict_stands_and_its_dead_letter_has_the_bytes_as_sent(bench: IngestBench) -> None:
    refusal = ItemResult(outcome=ItemOutcome.REJECTED, id="m-1", reason=TouchpointRejection.NOT_AN_OBJECT)
    mapped: list[bytes | ItemResult] = [
        refusal,
        json.dumps(a_touchpoint(id="m-2", channel="fax")).encode(),
        json.dumps(a_touchpoint()).encode(),
    ]

    results = await bench.service.intake.take(
        IntakeRequest(
            items=mapped, originals=[b"first as sent", b"second as sent", b"third"], source=Source(name="ivr")
        )
    )

    assert [result.outcome for result in results] == [
        ItemOutcome.REJECTED,
        ItemOutcome.REJECTED,
        ItemOutcome.ACCEPTED,
    ]
    assert [letter.value for letter in bench.publisher.dead_letters] == [b"first as sent", b"second as sent"]
    assert [letter.code for letter in bench.publisher.dead_letters] == ["not_an_object", "invalid_field"]
