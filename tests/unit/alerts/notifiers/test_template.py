"""Templates of one's own: always JSON, never out of bounds, and every mistake named with its leaf."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alerts.deliver.notifiers.documents.template import (
    TemplateOptions,
    TemplateRefusedError,
    check,
    fill_in,
    template_values,
)
from services.alerts.deliver.notifiers.samples import sample_messages
from tests.unit.alerts.notifiers.test_words_and_limits import a_message

OPENED = template_values(sample_messages()["opened"])


def test_an_expression_becomes_its_value_and_everything_else_a_text() -> None:
    template = {"n": "{{ issue.count }}", "t": "{{ issue.count }} times", "l": "{{ issue.rules }}", "x": 1, "y": None}

    assert fill_in(template, OPENED) == {
        "n": 2,
        "t": "2 times",
        "l": ["repeat_contact_24h", "fcr_failed"],
        "x": 1,
        "y": None,
    }


@given(text=st.text(max_size=30))
def test_no_text_can_leave_its_leaf(text: str) -> None:
    values = template_values(a_message(text + '", "admin": true', "opened"))

    filled = fill_in({"text": "by {{ issue.reason }}", "all": "{{ issue.reason }}"}, values)

    assert msgspec.json.decode(msgspec.json.encode(filled)) == filled
    assert set(filled) == {"text", "all"}


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'a' * 1000000000 }}",
        "{{ 9 ** 99999999 }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '%1000000000d' | format(1) }}",
        "{{ 'a'.ljust(1000000000) }}",
        "{{ 'a' | center(1000000000) }}",
        "{% for i in range(1000000000) %}x{% endfor %}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ issue.__class__ }}x",
        "{{ lipsum() }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ nothing }}",
        "{{ issue.nothing }}",
        "{{ issue.count",
        "{% if %}",
    ],
)
def test_what_a_template_may_not_do_is_refused_with_its_place(source: str) -> None:
    with pytest.raises(TemplateRefusedError) as refused:
        fill_in({"fields": [{"value": source}]}, OPENED)

    assert refused.value.path == "body.fields[0].value"


def test_loops_over_the_journey_are_allowed() -> None:
    source = "{% for step in issue.timeline %}{{ step.kind }};{% endfor %}"

    assert fill_in(source, OPENED) == "page_viewed;call_ended;call_ended;"


def test_a_template_is_tried_on_every_kind_of_message_when_it_is_saved() -> None:
    wrong: dict[str, Any] = {"title": "{{ issue.title.ko }}", "ok": "{{ type }}"}

    found = list(check(TemplateOptions(body=wrong)))

    assert found == [("options.body.title", "'None' has no attribute 'title' (for the message 'group')")]
    assert list(check(TemplateOptions(body={"title": "{{ issue.title.ko if issue else type }}"}))) == []


@pytest.mark.parametrize("header", ["Host", "webhook-signature", "x y", "a\r\nb", ""])
def test_a_header_that_is_not_yours_to_set_is_refused(header: str) -> None:
    [(path, _)] = check(TemplateOptions(body={}, auth_header=header))

    assert path == "options.auth_header"
