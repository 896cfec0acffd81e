"""Four kinds of file, one language: the page about it shows one rule in each, and each makes the same of it."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.ingest.forms.cloudevents import event_conversion
from services.ingest.forms.cloudevents.event import CloudEvent, JsonData
from services.ingest.forms.cloudevents.event_rules import EventRules
from services.ingest.forms.mapping.members import is_member, merged, put, unknown
from services.ingest.forms.mapping.rules import MappingRule
from services.ingest.forms.segment import call_conversion, segment_mapping
from services.ingest.forms.segment.call_conversion import CallSender
from services.ingest.forms.segment.segment_mapping import CallType
from services.ingest.forms.webhooks.delivery import InboundDelivery
from services.ingest.forms.webhooks.mapping.compiler import compile_member
from services.ingest.forms.webhooks.mapping.event_paths import EventContext
from waymark.imports.mapping.mapping_file import parse
from waymark.imports.mapping.recipe import RowRecipe

PAGE = Path(__file__).parents[3] / "docs" / "mapping.md"
MESSAGE = {"topic": "billing", "order": "A-5512"}
MADE = {"reason": "billing", "refs": {"order_id": "A-5512"}}
NOW = datetime(2026, 11, 22, 0, 15, tzinfo=UTC)


def by_webhook(fields: dict[str, Any]) -> dict[str, Any]:
    members = {
        "reason": compile_member(fields["reason"], "reason"),
        "refs.order_id": compile_member(fields["refs"]["order_id"], "refs.order_id"),
    }
    document: dict[str, Any] = {}
    view = EventContext(
        event=MESSAGE, whole=MESSAGE, delivery=InboundDelivery(headers={}, body=b"{}", query=""), received_at=NOW
    )
    assert MappingRule(members=members).fill(document, view) == []
    return document


def by_segment(fields: dict[str, Any]) -> dict[str, Any]:
    mapping = segment_mapping.read({"other_events": {"kind": "call_ended", "fields": fields}})
    call = {"type": "track", "event": "x", "messageId": "m-1", "properties": MESSAGE}
    made = call_conversion.touchpoints(call, CallType.TRACK, CallSender(mapping=mapping))
    assert isinstance(made, list)
    return made[0]


def by_cloudevents(fields: dict[str, Any]) -> dict[str, Any]:
    rules = EventRules({"types": {"t": {"fields": fields}}})
    made = event_conversion.convert(CloudEvent(id="1", source="s", type="t", data=JsonData(value=MESSAGE)), rules)
    assert isinstance(made, dict)
    return made


def by_import(fields: dict[str, Any]) -> dict[str, Any]:
    needed = {
        "id": "1",
        "occurred_at": "at",
        "channel": "phone",
        "kind": "call_ended",
        "customer": {"customer_id": "C"},
    }
    recipe = RowRecipe(parse({"touchpoints": [{"fields": {**needed, **fields}}]}))
    documents, problems = recipe.touchpoints(1, {"at": "2026-11-22T00:15:00Z", **MESSAGE})
    assert problems == []
    return documents[0]


@pytest.mark.parametrize(("number", "front"), [(0, by_webhook), (1, by_segment), (2, by_cloudevents), (3, by_import)])
def test_the_rule_of_the_page_makes_the_same_in_every_file(
    number: int, front: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    made = front(yaml.safe_load(blocks[number]))

    assert len(blocks) == 4
    assert {name: made[name] for name in MADE} == MADE


@pytest.mark.parametrize(
    ("name", "settable"),
    [
        ("wait_s", True),
        ("customer.phone", True),
        ("attributes.a.b", True),
        ("score.value", True),
        ("customer", False),
        ("attributes.", False),
        ("score.best", False),
        ("wait_s.x", False),
        ("reported_at", False),
        ("source", False),
    ],
)
def test_what_a_mapping_may_set_is_a_member_or_one_of_an_open_member(name: str, settable: bool) -> None:
    assert is_member(name) is settable


def test_a_value_goes_into_its_member_beside_what_is_there() -> None:
    document: dict[str, Any] = {"refs": {"case_id": "1"}}
    put(document, "refs.order_id", "2")
    put(document, "attributes.a.b", 3)

    assert document == {"refs": {"case_id": "1", "order_id": "2"}, "attributes": {"a.b": 3}}


def test_what_is_given_lies_over_the_defaults_member_by_member() -> None:
    defaults = {"channel": "web", "refs": {"a": "1", "b": "2"}, "wait_s": {"column": "w"}}
    given = {"refs": {"b": "3"}, "wait_s": {"template": "{w}"}}

    assert merged(defaults, given) == {
        "channel": "web",
        "refs": {"a": "1", "b": "3"},
        "wait_s": {"template": "{w}"},
    }


def test_an_unknown_member_comes_with_the_one_that_may_be_meant() -> None:
    assert list(unknown({"wait_s", "wait", "zzz"})) == [("wait", "; did you mean `wait_s`?"), ("zzz", "")]
