"""What `/docs` says of the webhooks is what the service says."""

from typing import Any

import jsonschema_rs
import pytest

from schemas.languages import Language
from services.ingest.forms.webhooks.webhook_openapi import OPERATION, ROUTES
from services.ingest.reasons import STATUS, RequestRefusal
from services.ingest.results.messages import say

RESPONSES: dict[int, Any] = OPERATION["responses"]
PROBLEMS = [
    pytest.param(status, name, example["value"], id=name)
    for status, response in RESPONSES.items()
    for kind, content in response["content"].items()
    for name, example in content["examples"].items()
    if kind == "application/problem+json"
]


@pytest.mark.parametrize(("status", "code", "example"), PROBLEMS)
def test_an_example_of_a_refusal_is_in_the_service_s_own_words(status: int, code: str, example: dict[str, Any]) -> None:
    refusal = RequestRefusal(code)

    assert STATUS[refusal] == example["status"] == status
    assert example["message"] == say(refusal, Language.EN, retry_after=5)
    jsonschema_rs.validate(RESPONSES[status]["content"]["application/problem+json"]["schema"], example)


def test_the_example_of_an_answer_keeps_its_schema() -> None:
    content = RESPONSES[200]["content"]["application/json"]

    jsonschema_rs.validate(content["schema"], content["examples"]["counts"]["value"])


def test_every_address_names_its_parameters() -> None:
    for path, operation in ROUTES:
        named = [part.strip("{}") for part in path.split("/") if part.startswith("{")]

        assert [parameter["name"] for parameter in operation["parameters"]] == named


def test_operations_have_ids_of_their_own() -> None:
    ids = [operation["operationId"] for _, operation in ROUTES]

    assert len(set(ids)) == len(ids)
