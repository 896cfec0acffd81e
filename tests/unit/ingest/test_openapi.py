from typing import Any

import jsonschema_rs
import pytest

from schemas.languages import Language
from services.ingest.forms.native import native_openapi
from services.ingest.reasons import STATUS, RequestRefusal
from services.ingest.results.messages import say
from tests.fixtures.ingest_bench import IngestBench

RESPONSES: dict[int, Any] = native_openapi.OPERATION["responses"]
EXAMPLES = [
    pytest.param(status, content["schema"], example["value"], id=f"{status} {name}")
    for status, response in RESPONSES.items()
    for content in response["content"].values()
    for name, example in content["examples"].items()
]


async def test_the_operation_is_documented_and_the_docs_stand(bench: IngestBench) -> None:
    document = (await bench.call("GET", [b""], {}, at="/openapi.json")).json
    operation = document["paths"]["/v1/touchpoints"]["post"]

    assert {int(status) for status in operation["responses"]} == set(RESPONSES)
    assert operation["security"] == [{"bearer": []}, {"basic": []}, {"write_key": []}]
    assert set(document["components"]["securitySchemes"]) == {"bearer", "basic", "write_key"}
    assert (await bench.call("GET", [b""], {}, at="/docs")).status == 200


@pytest.mark.parametrize(("status", "schema", "example"), EXAMPLES)
def test_every_example_keeps_its_schema(status: int, schema: dict[str, Any], example: dict[str, Any]) -> None:
    jsonschema_rs.validate(schema, example)
    assert example.get("status", status) == status


def test_every_status_of_a_refusal_is_documented() -> None:
    # 404 is of addresses that name a webhook; 405 is documented by this one's being POST.
    assert set(STATUS.values()) - set(RESPONSES) == {404, 405}


@pytest.mark.parametrize("name", ["one", "many"])
async def test_the_examples_of_requests_are_accepted(bench: IngestBench, name: str) -> None:
    content = native_openapi.OPERATION["requestBody"]["content"]["application/json"]
    answer = await bench.post(content["examples"][name]["value"])

    assert answer.status == 202
    jsonschema_rs.validate(RESPONSES[202]["content"]["application/json"]["schema"], answer.json)


@pytest.mark.parametrize(
    ("content_type", "name"),
    [("application/cloudevents+json", "event"), ("application/cloudevents-batch+json", "batch")],
)
async def test_the_examples_of_cloudevents_are_accepted_and_keep_their_schema(
    bench: IngestBench, content_type: str, name: str
) -> None:
    content = native_openapi.OPERATION["requestBody"]["content"][content_type]
    example = content["examples"][name]["value"]
    answer = await bench.post(example, content_type=content_type)

    assert answer.status == 202
    jsonschema_rs.validate(content["schema"], example)


async def test_the_example_of_a_refused_batch_is_the_services_own_answer(bench: IngestBench) -> None:
    answer = await bench.post({}, content_type="application/cloudevents-batch+json")

    assert answer.json == RESPONSES[400]["content"]["application/problem+json"]["examples"]["batch"]["value"]


async def test_a_real_mixed_answer_keeps_the_documented_schema(bench: IngestBench) -> None:
    bench.publisher.refuse = {"touchpoints"}
    answer = await bench.post([native_openapi.EXAMPLE, {**native_openapi.EXAMPLE, "customer": {"phone": "114"}}, 3])

    jsonschema_rs.validate(RESPONSES[503]["content"]["application/problem+json"]["schema"], answer.json)


def test_the_messages_of_the_examples_are_the_services_own() -> None:
    shown = RESPONSES[401]["content"]["application/problem+json"]["examples"]["unknown"]["value"]

    assert shown["message"] == say(RequestRefusal.KEY_INVALID, Language.EN)


def test_the_schema_of_a_touchpoint_stands_by_itself() -> None:
    schema = native_openapi.touchpoint_schema()

    assert "$ref" not in str(schema)
    jsonschema_rs.validate(schema, native_openapi.EXAMPLE)
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.validate(schema, {**native_openapi.EXAMPLE, "channel": "fax"})
