from typing import Any

import jsonschema_rs
import pytest

from services.ingest.inspector import inspector_openapi
from services.ingest.reasons import STATUS, RequestRefusal
from tests.fixtures.ingest_bench import IngestBench, a_touchpoint

EXAMPLES = [
    pytest.param(status, content["schema"], example["value"], id=f"{operation['operationId']} {status} {name}")
    for operation in (inspector_openapi.LISTING, inspector_openapi.STREAM)
    for status, response in operation["responses"].items()
    for content in response["content"].values()
    for name, example in content["examples"].items()
]


@pytest.mark.parametrize(("status", "schema", "example"), EXAMPLES)
def test_every_example_keeps_its_schema(status: int, schema: dict[str, Any], example: Any) -> None:
    jsonschema_rs.validate(schema, example)
    if status != 200:
        assert (example["status"], STATUS[RequestRefusal(example["code"])]) == (status, status)


async def test_both_operations_are_documented_as_get(bench: IngestBench) -> None:
    paths = (await bench.call("GET", [b""], {}, at="/openapi.json")).json["paths"]

    assert list(paths["/v1/inspector"]) == list(paths["/v1/inspector/stream"]) == ["get"]
    assert not any(path.startswith("/inspector") for path in paths)


async def test_a_real_answer_keeps_the_documented_schema(bench: IngestBench) -> None:
    await bench.post([a_touchpoint(), a_touchpoint(id="2", channel="fax", customer={"phone": "114"}), 7])
    await bench.post(b"")

    answer = await bench.inspect()

    assert len(answer.json["entries"]) == 4
    jsonschema_rs.validate(inspector_openapi.ANSWER, answer.json)
    known = set(inspector_openapi.ANSWER["properties"]["entries"]["items"]["properties"])
    assert {name for entry in answer.json["entries"] for name in entry} <= known
