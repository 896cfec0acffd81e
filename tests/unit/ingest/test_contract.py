from typing import Any

import pytest

from schemas.documents.touchpoint import IdentifierValue, PostedTouchpoint
from services.ingest.results.item_result import ItemResult
from services.ingest.touchpoint.contract import read
from tests.fixtures.ingest_bench import a_touchpoint


def posted(defaults: dict[str, Any] | None = None, /, **members: Any) -> PostedTouchpoint:
    found = read(a_touchpoint(**members), defaults or {}, composed=False)
    assert isinstance(found, PostedTouchpoint), found
    return found


def problems(**members: Any) -> list[tuple[str, str]]:
    found = read(a_touchpoint(**members), {}, composed=False)
    assert isinstance(found, ItemResult), found
    return [(error.path, str(error.code)) for error in found.errors]


def test_a_valid_touchpoint_gets_its_type() -> None:
    found = posted(customer={"phone": "010-1234-5678", "customer_id": {"value": "C-1", "verified": True}})

    assert (found.id, found.channel, found.kind) == ("call-1", "phone", "call_ended")
    assert found.customer == {"phone": "010-1234-5678", "customer_id": IdentifierValue(value="C-1", verified=True)}


@pytest.mark.parametrize("name", ["reason", "text", "direction", "score", "due_at", "attributes", "refs", "wait_s"])
def test_a_member_that_is_null_counts_as_absent(name: str) -> None:
    assert posted(**{name: None}) == posted(None, **{name: ...})


def test_identifiers_and_refs_that_are_null_count_as_absent() -> None:
    found = posted(customer={"email": None, "cookie": "abc"}, refs={"case_id": None, "order_id": "A-1"})

    assert (found.customer, found.refs) == ({"cookie": "abc"}, {"order_id": "A-1"})


def test_null_in_attributes_is_a_value() -> None:
    assert posted(attributes={"coupon": None}).attributes == {"coupon": None}


@pytest.mark.parametrize("name", ["id", "occurred_at", "channel", "kind", "customer"])
@pytest.mark.parametrize("member", [..., None], ids=["absent", "null"])
def test_a_required_member_is_missed(name: str, member: Any) -> None:
    assert problems(**{name: member}) == [(name, "missing")]


def test_every_wrong_member_is_named() -> None:
    found = problems(channel="fax", kind="Call Ended", sentiment=2, colour="red", customer={"Phone": "1"})

    assert sorted(found) == [
        ("channel", "not_allowed"),
        ("colour", "unknown_field"),
        ("customer", "format"),
        ("kind", "format"),
        ("sentiment", "range"),
    ]


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param("2026-11-22T09:15:00", id="without an offset"),
        pytest.param("2026-11-22", id="a day"),
        pytest.param("1999-12-31T23:59:59Z", id="before 2000"),
        pytest.param("2000-01-01T00:00:00+09:00", id="2000 in Seoul, 1999 in UTC"),
        pytest.param("2026-02-30T00:00:00Z", id="a day that is not"),
        pytest.param("2026-11-22T09:15:60Z", id="a leap second"),
        pytest.param(1_763_770_500, id="a number"),
    ],
)
def test_a_time_that_is_none_is_refused(moment: Any) -> None:
    assert [path for path, _ in problems(occurred_at=moment)] == ["occurred_at"]


def test_a_whole_number_may_be_written_with_a_point() -> None:
    assert posted(transfers=2.0, sequence=7.0).transfers == 2


def test_defaults_fill_in_what_is_absent() -> None:
    found = posted(
        {"channel": "ivr", "queue": "billing", "service_level": "basic"}, channel=..., queue="sales", service_level=None
    )

    assert (found.channel, found.queue, found.service_level) == ("ivr", "sales", "basic")


def test_defaults_of_attributes_and_refs_fill_in_one_by_one() -> None:
    defaults = {"attributes": {"site": "kr", "version": 1}, "refs": {"shop_id": "S-1"}}
    found = posted(defaults, attributes={"version": 2}, refs=...)

    assert (found.attributes, found.refs) == ({"site": "kr", "version": 2}, {"shop_id": "S-1"})
    assert defaults == {"attributes": {"site": "kr", "version": 1}, "refs": {"shop_id": "S-1"}}


def test_defaults_are_held_to_the_contract_as_well() -> None:
    found = read(a_touchpoint(channel=...), {"channel": "fax"}, composed=True)

    assert isinstance(found, ItemResult)
    assert [error.path for error in found.errors] == ["channel"]


def test_text_is_composed_before_its_length_is_looked_at() -> None:
    jamo = "\u1112\u1161\u11ab"  # three characters that compose to one

    assert posted(reason=jamo * 128).reason == "한" * 128


def test_an_id_is_left_to_the_byte() -> None:
    assert posted(id="\u1112\u1161").id == "\u1112\u1161"
