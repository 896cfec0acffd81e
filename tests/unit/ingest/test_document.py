import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.reasons import RequestRefusal, RequestRefusedError, TouchpointRejection
from services.ingest.results.item_result import ItemResult
from services.ingest.touchpoint.document import ItemLimits, open_envelope, read_item

LIMITS = ItemLimits(items=3, item_bytes=200, depth=4)

anything_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text(max_size=6), anything_json, max_size=5)


@pytest.mark.parametrize(
    ("body", "items", "write_key"),
    [
        pytest.param(b'{"id":1}', [b'{"id":1}'], None, id="one"),
        pytest.param(b' \n{"id":1}\t', [b'{"id":1}'], None, id="one between blanks"),
        pytest.param(b'\xef\xbb\xbf{"id":1}', [b'{"id":1}'], None, id="one after a byte order mark"),
        pytest.param(b'[{"id":1}, {"id":2}]', [b'{"id":1}', b'{"id":2}'], None, id="a list"),
        pytest.param(b'{"touchpoints":[{"id":1},{"id":2}]}', [b'{"id":1}', b'{"id":2}'], None, id="an object of many"),
        pytest.param(b'{"touchpoints":[1,"x",null]}', [b"1", b'"x"', b"null"], None, id="items are not looked at"),
        pytest.param(b'{"touchpoints":[{}],"writeKey":"k","sentAt":3}', [b"{}"], "k", id="with a key, and more"),
        pytest.param(b'{"id":1,"writeKey":"k"}', [b'{"id":1,"writeKey":"k"}'], "k", id="one with a key"),
    ],
)
def test_an_envelope_is_opened(body: bytes, items: list[bytes], write_key: str | None) -> None:
    assert open_envelope(body, LIMITS) == (tuple(items), write_key)


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        pytest.param(b"", RequestRefusal.EMPTY_BODY, id="empty"),
        pytest.param(b" \r\n", RequestRefusal.EMPTY_BODY, id="blank"),
        pytest.param(b"\xef\xbb\xbf", RequestRefusal.EMPTY_BODY, id="a byte order mark alone"),
        pytest.param(b'{"id":1', RequestRefusal.BODY_NOT_JSON, id="cut off"),
        pytest.param(b'{"id":1} {"id":2}', RequestRefusal.BODY_NOT_JSON, id="two documents"),
        pytest.param(b'{"id":1}x', RequestRefusal.BODY_NOT_JSON, id="trailing garbage"),
        pytest.param(b"hello", RequestRefusal.BODY_NOT_JSON, id="no JSON"),
        pytest.param(b'{"touchpoints":[{"a":NaN}]}', RequestRefusal.BODY_NOT_JSON, id="NaN"),
        pytest.param('{"id":1}'.encode("utf-16"), RequestRefusal.BODY_NOT_JSON, id="UTF-16"),
        pytest.param(b"[]", RequestRefusal.NO_TOUCHPOINTS, id="an empty list"),
        pytest.param(b'{"touchpoints":[]}', RequestRefusal.NO_TOUCHPOINTS, id="an object of none"),
        pytest.param(b'{"touchpoints":{}}', RequestRefusal.INVALID_ENVELOPE, id="not a list in the object"),
        pytest.param(b'{"touchpoints":null}', RequestRefusal.INVALID_ENVELOPE, id="null in the object"),
        pytest.param(b'{"id":1,"writeKey":3}', RequestRefusal.INVALID_ENVELOPE, id="a key that is no text"),
        pytest.param(b"3", RequestRefusal.INVALID_ENVELOPE, id="a number"),
        pytest.param(b'"text"', RequestRefusal.INVALID_ENVELOPE, id="a text"),
        pytest.param(b"[1,2,3,4]", RequestRefusal.TOO_MANY_ITEMS, id="too many"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, RequestRefusal.BODY_TOO_DEEP, id="a list without end"),
        pytest.param(
            b'{"a":' * 100_000 + b"1" + b"}" * 100_000, RequestRefusal.BODY_TOO_DEEP, id="an object without end"
        ),
        pytest.param(b'"' + b"[" * 100_000, RequestRefusal.BODY_NOT_JSON, id="a text without end"),
    ],
)
def test_a_body_that_is_no_envelope_is_refused(body: bytes, refusal: RequestRefusal) -> None:
    with pytest.raises(RequestRefusedError) as raised:
        open_envelope(body, LIMITS)

    assert raised.value.refusal is refusal


def test_too_many_items_says_the_limit() -> None:
    with pytest.raises(RequestRefusedError) as raised:
        open_envelope(b"[1,2,3,4]", LIMITS)

    assert raised.value.facts == {"limit": 3}


@pytest.mark.parametrize(
    ("item", "found"),
    [
        pytest.param(b'{"a":{"b":[{"c":1}]}}', {"a": {"b": [{"c": 1}]}}, id="as deep as allowed"),
        pytest.param(b'{"a":"{{{{{{{{"}', {"a": "{{{{{{{{"}, id="brackets inside a text are no depth"),
        pytest.param(b'{"a":"\\ud83d\\ude00"}', {"a": "😀"}, id="an escaped surrogate pair"),
        pytest.param(b'{"a":"\\\\ud800"}', {"a": "\\ud800"}, id="a backslash before something like a surrogate"),
        pytest.param(b'{"a":"\\\\u0000"}', {"a": "\\u0000"}, id="a backslash before something like a NUL"),
        pytest.param(b'{"a" : "b: c", "d\\":":1}', {"a": "b: c", 'd":': 1}, id="colons that end no name"),
        pytest.param(b'{"a":{"x":1},"b":{"x":2}}', {"a": {"x": 1}, "b": {"x": 2}}, id="one name in two objects"),
        pytest.param(b'{"a":9223372036854775807}', {"a": 2**63 - 1}, id="the greatest number"),
        pytest.param(b'{"a":-9223372036854775808}', {"a": -(2**63)}, id="the least number"),
    ],
)
def test_a_touchpoint_is_read(item: bytes, found: dict[str, Any]) -> None:
    assert read_item(item, LIMITS) == found


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        pytest.param(b'{"a":"' + b"x" * 200 + b'"}', TouchpointRejection.ITEM_TOO_LARGE, id="too large"),
        pytest.param(b'{"a":{"b":{"c":{"d":{}}}}}', TouchpointRejection.TOO_DEEP, id="an object too deep"),
        pytest.param(b'{"a":[[[[]]]]}', TouchpointRejection.TOO_DEEP, id="a list too deep"),
        pytest.param(b"[]", TouchpointRejection.NOT_AN_OBJECT, id="a list"),
        pytest.param(b"null", TouchpointRejection.NOT_AN_OBJECT, id="null"),
        pytest.param(b'"x"', TouchpointRejection.NOT_AN_OBJECT, id="a text"),
        pytest.param(b'{"a":1e999}', TouchpointRejection.NUMBER_OUT_OF_RANGE, id="infinite"),
        pytest.param(b'{"a":9223372036854775808}', TouchpointRejection.NUMBER_OUT_OF_RANGE, id="one above 64 bits"),
        pytest.param(
            b'{"a":[-9223372036854775809]}', TouchpointRejection.NUMBER_OUT_OF_RANGE, id="one below 64 bits, in a list"
        ),
        pytest.param(
            b'{"a":' + b"9" * 150 + b"}", TouchpointRejection.NUMBER_OUT_OF_RANGE, id="a number of 150 digits"
        ),
        pytest.param(b'{"a":"x\\u0000"}', TouchpointRejection.TEXT_NOT_ALLOWED, id="a NUL in a text"),
        pytest.param(b'{"a\\u0000":1}', TouchpointRejection.TEXT_NOT_ALLOWED, id="a NUL in a name"),
        pytest.param(b'{"a":[{"b":"\\u0000"}]}', TouchpointRejection.TEXT_NOT_ALLOWED, id="a NUL far inside"),
        pytest.param(b'{"a":"\\ud83d"}', TouchpointRejection.TEXT_NOT_ALLOWED, id="the first half of a pair"),
        pytest.param(b'{"a":"\\ude00"}', TouchpointRejection.TEXT_NOT_ALLOWED, id="the second half of a pair"),
        pytest.param(b'{"a":"\\ude00\\ud83d"}', TouchpointRejection.TEXT_NOT_ALLOWED, id="a pair the wrong way round"),
        pytest.param(b'{"a":"\\ud83dx"}', TouchpointRejection.TEXT_NOT_ALLOWED, id="half a pair before text"),
        pytest.param(b'{"a":"\xff"}', TouchpointRejection.INVALID_JSON, id="bytes that are not UTF-8"),
        pytest.param(b'{"a":"\xed\xa0\x80"}', TouchpointRejection.INVALID_JSON, id="half a pair as bytes"),
        pytest.param(b'{"a":"\x00"}', TouchpointRejection.INVALID_JSON, id="a bare NUL"),
        pytest.param(b'{"a":1,"a":1}', TouchpointRejection.DUPLICATE_MEMBER, id="a name twice"),
        pytest.param(b'{"a":1,"\\u0061":2}', TouchpointRejection.DUPLICATE_MEMBER, id="a name twice, once escaped"),
        pytest.param(b'{"a" :1,"a"\n:1}', TouchpointRejection.DUPLICATE_MEMBER, id="a name twice before blanks"),
        pytest.param(b'{"x":[{"a":1,"a":2}]}', TouchpointRejection.DUPLICATE_MEMBER, id="a name twice inside"),
    ],
)
def test_a_touchpoint_that_cannot_be_kept_is_rejected(item: bytes, reason: TouchpointRejection) -> None:
    found = read_item(item, LIMITS)

    assert isinstance(found, ItemResult)
    assert found.reason is reason


@pytest.mark.parametrize(("item", "limit"), [(b'{"a":"' + b"x" * 200 + b'"}', 200), (b'{"a":{"b":{"c":{"d":{}}}}}', 4)])
def test_a_limit_that_was_passed_is_said(item: bytes, limit: int) -> None:
    found = read_item(item, LIMITS)

    assert isinstance(found, ItemResult)
    assert found.facts.get("limit", 0) == limit


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(b'{"text":"cut \\ud83d"}', id="half an emoji"),
        pytest.param(b'{"text":1e999}', id="an infinite number"),
        pytest.param(b'{"text":"\\u0000"}', id="a NUL"),
        pytest.param(b'{"text":"\xff"}', id="not UTF-8"),
    ],
)
def test_one_bad_touchpoint_does_not_spoil_the_list(bad: bytes) -> None:
    items, _ = open_envelope(b'[{"id":"\\ud83d\\ude00"}, ' + bad + b' , {"id":"3"}]', LIMITS)

    read = [read_item(item, LIMITS) for item in items]

    assert items[1] == bad  # the bytes that were sent, for the dead letter
    assert (read[0], type(read[1]), read[2]) == ({"id": "😀"}, ItemResult, {"id": "3"})


@given(objects)
def test_what_json_can_say_without_nul_or_depth_is_read_as_it_is(thing: dict[str, Any]) -> None:
    wide = ItemLimits(items=1, item_bytes=100_000, depth=16)
    for ascii_only in (True, False):
        read = read_item(json.dumps(thing, ensure_ascii=ascii_only).encode(), wide)
        if isinstance(read, ItemResult):
            assert read.reason is TouchpointRejection.TEXT_NOT_ALLOWED
            assert "\\u0000" in json.dumps(thing)
        else:
            assert read == thing


@given(st.lists(objects, min_size=1, max_size=4), st.sampled_from([None, 1]))
def test_the_slices_of_a_list_are_its_items(things: list[dict[str, Any]], indent: int | None) -> None:
    limits = ItemLimits(items=4, item_bytes=100_000, depth=16)
    items, _ = open_envelope(json.dumps(things, indent=indent).encode(), limits)

    assert [json.loads(item) for item in items] == things


@given(st.binary(max_size=60))
def test_any_bytes_are_an_envelope_or_refused(body: bytes) -> None:
    try:
        items, _ = open_envelope(body, LIMITS)
    except RequestRefusedError:
        return
    for item in items:
        read_item(item, LIMITS)
