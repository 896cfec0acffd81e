"""Every example of a vendor's payload becomes the touchpoints that stand beside it, and every system has examples."""

import json

import pytest

from schemas import kinds, validation
from services.ingest.forms.webhooks.mapping import system_files
from services.ingest.forms.webhooks.mapping.delivery_mapper import DeliveryContext
from tests.unit.ingest.webhooks.deliveries import NOW, Example, examples

EXAMPLES = [pytest.param(each, id=str(each)) for each in examples()]
FACTS = DeliveryContext(received_at=NOW)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_becomes_what_stands_beside_it(example: Example) -> None:
    recipe = system_files.shipped()[example.system]
    greeting = recipe.handshake(example.delivery, FACTS, proven=True)

    if greeting is not None:
        assert {"handshake": greeting.body.decode()} == example.expected
        return
    opened = recipe.open(example.delivery, FACTS, 1000)

    assert [mapped.document for mapped in opened.mapped] == example.expected
    assert [mapped.unread for mapped in opened.mapped if mapped.unread] == []


@pytest.mark.parametrize("example", EXAMPLES)
def test_what_is_expected_keeps_the_contract_and_uses_known_kinds(example: Example) -> None:
    documents = example.expected if isinstance(example.expected, list) else []
    timed = [{"occurred_at": NOW.isoformat(), **document} for document in documents]  # without a time: at its receipt

    assert [validation.errors("touchpoint.v1", document) for document in timed] == [[]] * len(documents)
    for document in documents:
        assert "." in document["kind"] or kinds.load().get(document["kind"]) is not None


def test_every_system_has_examples_of_its_events_and_each_entry_of_it_is_in_one() -> None:
    used: dict[str, set[int]] = {name: set() for name in system_files.shipped()}
    for each in examples():
        recipe = system_files.shipped()[each.system]
        if recipe.handshake(each.delivery, FACTS, proven=True) is None:
            used[each.system] |= {mapped.entry for mapped in recipe.open(each.delivery, FACTS, 1000).mapped}
    unused = {
        f"{name}: touchpoints[{number}]"
        for name, recipe in system_files.shipped().items()
        for number in range(len(recipe.system.touchpoints))
        if number not in used[name]
    }

    assert unused == set()


def test_examples_show_korean_as_people_write_it() -> None:
    text = "".join(json.dumps(each.expected, ensure_ascii=False) for each in examples())

    assert sum("가" <= character <= "힣" for character in text) > 100
