"""The examples in docs/sources.md work as they stand there."""

import json
import re
from pathlib import Path

from services.ingest.forms.webhooks.delivery import InboundDelivery
from services.ingest.forms.webhooks.mapping import system_files
from services.ingest.forms.webhooks.mapping.delivery_mapper import DeliveryContext
from tests.unit.ingest.webhooks.deliveries import NOW

DOCUMENT = (Path(__file__).parents[4] / "docs" / "sources.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", DOCUMENT, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_file_that_is_shown_becomes_what_it_says() -> None:
    recipe = system_files.parse(block("yaml"), "docs/sources.md", "acme_crm")
    event = {
        "id": 7,
        "at": "20261122091500",
        "member": {"no": "C-1009"},
        "type": "call",
        "state": "dropped",
        "wait_minutes": 2,
    }
    body = json.dumps({"events": [event, {"type": "note"}]}).encode()
    opened = recipe.open(InboundDelivery(headers={}, body=body), DeliveryContext(received_at=NOW), 10)

    assert opened.ignored == 1
    assert [mapped.document for mapped in opened.mapped] == [
        {
            "id": "7",
            "occurred_at": "2026-11-22T00:15:00Z",
            "customer": {"customer_id": "C-1009"},
            "kind": "call_ended",
            "channel": "phone",
            "wait_s": 120,
            "outcome": "unresolved",
        }
    ]


def test_the_trigger_that_is_shown_for_zendesk_is_one_that_its_file_knows() -> None:
    filled = re.sub(r"\{\{ticket\.updated_at_with_timestamp\}\}", "2026-11-22T00:10:07Z", block("json"))
    opened = system_files.shipped()["zendesk"].open(
        InboundDelivery(headers={}, body=filled.encode()), DeliveryContext(received_at=NOW), 10
    )

    assert [mapped.document["kind"] for mapped in opened.mapped] == ["message_received"]


def test_every_system_stands_in_the_table() -> None:
    assert {name for name in system_files.shipped() if f"`{name}`" not in DOCUMENT} == set()
