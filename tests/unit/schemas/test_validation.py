from __future__ import annotations

import re
from typing import Any

import jsonschema_rs
import pytest

from schemas import validation
from schemas.field_errors import to_field_errors
from schemas.validation import ErrorCode

LEAST: dict[str, Any] = {
    "id": "pv-1",
    "occurred_at": "2026-11-22T00:15:00Z",
    "channel": "web",
    "kind": "page_viewed",
    "customer": {"cookie": "c-7f3a"},
}


def errors(**members: Any) -> list[validation.FieldError]:
    """The errors of a small touchpoint with `members`."""
    return validation.errors("touchpoint.v1", LEAST | members)


def nested(depth: int) -> dict[str, Any]:
    """An object in an object, `depth` times."""
    inner: dict[str, Any] = {}
    for _ in range(depth):
        inner = {"a": inner}
    return inner


def test_a_valid_touchpoint_has_no_errors() -> None:
    assert errors() == []


def test_nesting_within_reason_is_fine() -> None:
    assert errors(attributes=nested(40)) == []


@pytest.mark.parametrize(
    ("members", "path", "code", "fix"),
    [
        ({"id": ""}, "id", ErrorCode.TOO_SHORT, "Send at least 1 character"),
        ({"id": "x" * 256}, "id", ErrorCode.TOO_LONG, "at most 255 characters"),
        ({"text": "가" * 8193}, "text", ErrorCode.TOO_LONG, "at most 8192 characters"),
        ({"id": 7}, "id", ErrorCode.TYPE, "Send text."),
        ({"customer": {"email": 7}}, "customer.email", ErrorCode.TYPE, "Send text or an object."),
        ({"transfers": 1.5}, "transfers", ErrorCode.TYPE, "Send a whole number."),
        ({"replay": "yes"}, "replay", ErrorCode.TYPE, "Send true or false."),
        ({"reason": None}, "reason", ErrorCode.TYPE, "null"),
        ({"wait_s": -1}, "wait_s", ErrorCode.RANGE, "from 0 to 2678400"),
        ({"wait_s": float("inf")}, "wait_s", ErrorCode.TYPE, "null"),  # JSON has no infinity
        ({"channel": "fax"}, "channel", ErrorCode.NOT_ALLOWED, "Use one of: web, app, phone"),
        ({"occurred_at": "22.11.2026"}, "occurred_at", ErrorCode.FORMAT, "RFC 3339 with an offset"),
        ({"customer": {}}, "customer", ErrorCode.TOO_FEW, "Send at least 1."),
        ({"refs": {f"r{number}": "x" for number in range(21)}}, "refs", ErrorCode.TOO_MANY, "at most 20"),
        ({"occured_at": "x"}, "occured_at", ErrorCode.UNKNOWN_FIELD, "Did you mean occurred_at?"),
        ({"colour": "x"}, "colour", ErrorCode.UNKNOWN_FIELD, "Move it into attributes"),
        ({"value": {"amount": 1}}, "value.currency", ErrorCode.MISSING, "required"),
        ({"attributes": {"a": [{"b": "\x00"}]}}, "attributes.a[0].b", ErrorCode.FORMAT, "NUL"),
        ({"text": "\ud83d"}, "", ErrorCode.NOT_JSON, "plain JSON"),
        ({"text": b"x"}, "", ErrorCode.NOT_JSON, "plain JSON"),
        ({"attributes": nested(validation.MAX_DEPTH)}, "", ErrorCode.NOT_JSON, "not nested too deeply"),
        ({"transfers": 10**400}, "transfers", ErrorCode.RANGE, "from 0 to 1000"),
    ],
)
def test_an_error_says_where_what_and_how_to_fix_it(
    members: dict[str, Any], path: str, code: ErrorCode, fix: str
) -> None:
    [error] = errors(**members)
    assert (error.path, error.code) == (path, code)
    assert fix in error.message
    assert re.search("[가-힣]", error.message_ko)


def test_a_million_levels_are_too_many() -> None:
    # Made here: among the parameters above it would live, 200 MB large, as long as the test process.
    test_an_error_says_where_what_and_how_to_fix_it(
        {"attributes": nested(1_000_000)}, "", ErrorCode.NOT_JSON, "not nested too deeply"
    )


def test_whoever_knows_a_document_to_be_shallow_may_say_so() -> None:
    assert validation.errors("touchpoint.v1", {"id": ""}, shallow=True) == validation.errors(
        "touchpoint.v1", {"id": ""}
    )


def test_a_bad_date_is_one_mistake() -> None:
    """It fails its pattern and its format."""
    assert len(errors(occurred_at="2026-11-22")) == 1


def test_every_mistake_is_reported_at_once() -> None:
    found = {(error.path, error.code) for error in errors(id="", kind="X Y", due_at="soon", transfers=-1)}
    assert found == {
        ("id", ErrorCode.TOO_SHORT),
        ("kind", ErrorCode.FORMAT),
        ("due_at", ErrorCode.FORMAT),
        ("transfers", ErrorCode.RANGE),
    }


def test_a_thousand_mistakes_are_twenty_errors() -> None:
    assert len(errors(**{f"unknown_{number}": 1 for number in range(1000)})) == validation.MAX_ERRORS
    assert len(errors(attributes={f"a{number}": "\x00" for number in range(100)})) == validation.MAX_ERRORS


def test_the_path_of_an_item_in_a_batch_begins_with_its_place() -> None:
    found = validation.errors("touchpoint.v1", LEAST | {"customer": {"phone": 1}}, at="touchpoints[3]")
    assert [error.path for error in found] == ["touchpoints[3].customer.phone"]
    assert [error.path for error in validation.errors("touchpoint.v1", 1, at="touchpoints[3]")] == ["touchpoints[3]"]
    assert [error.path for error in validation.errors("touchpoint.v1", b"", at="touchpoints[3]")] == ["touchpoints[3]"]


@pytest.mark.parametrize("secret", ["minji@example.com", "010-1234-5678", "고객이름"])
def test_an_error_never_repeats_a_value_nor_a_name_that_may_be_one(secret: str) -> None:
    found = errors(
        occurred_at=secret,
        channel=secret,
        kind=secret,
        transfers=secret,
        currency=secret,
        value={"amount": 1, "currency": secret},
        attributes={secret: "\x00"},
        refs={secret: 1},
        customer={secret: 1},
        **{secret: 1},
    )
    assert len(found) >= 9
    assert secret not in str(found)


def test_errors_of_one_document_come_in_the_same_order_every_time() -> None:
    document = LEAST | {"z": 1, "a": 1, "id": "", "kind": "", "refs": {"X": "", "b": ""}}
    first = validation.errors("touchpoint.v1", document)
    assert all(validation.errors("touchpoint.v1", document) == first for _ in range(5))


def test_the_published_form_asks_for_more() -> None:
    found = {(error.path, error.code) for error in validation.errors("touchpoint.v1#published", LEAST)}
    assert found == {
        ("source", ErrorCode.MISSING),
        ("received_at", ErrorCode.MISSING),
        ("customer.cookie", ErrorCode.TYPE),
        ("occurred_at", ErrorCode.FORMAT),
    }


@pytest.mark.parametrize(
    ("bounds", "fix"),
    [
        ({"minimum": 1}, "from 1 to ∞."),
        ({"maximum": 9}, "from -∞ to 9."),
        ({"exclusiveMinimum": 0, "maximum": 9}, "from 0 to 9, but not 0."),
        ({"exclusiveMinimum": 0, "exclusiveMaximum": 9}, "from 0 to 9, but not 0 or 9."),
    ],
)
def test_a_range_says_where_it_ends_and_whether_the_end_is_in_it(bounds: dict[str, Any], fix: str) -> None:
    [violation] = jsonschema_rs.validator_for(bounds).iter_errors(-1 if bounds != {"maximum": 9} else 10)
    [error] = to_field_errors(violation, bounds, "")
    assert (error.code, error.message) == (ErrorCode.RANGE, f"Send a number {fix}")
    assert [bound for bound in bounds.values() if str(bound) not in error.message_ko] == []


@pytest.mark.parametrize("name", ["touchpoint", "touchpoint.v2", "touchpoint.v1#nothing", "../pyproject"])
def test_an_unknown_schema_is_a_bug_of_the_caller(name: str) -> None:
    with pytest.raises(validation.UnknownSchemaError):
        validation.errors(name, {})
