"""The reader of CloudEvents, judged by the HTTP binding and the JSON event format (1.0.2): one vector for each rule."""

import base64
import json
from typing import Any

import pytest

from services.ingest.forms.cloudevents import binary_mode, structured_mode
from services.ingest.forms.cloudevents.event import BinaryData, JsonData, TextData
from services.ingest.results.item_result import ItemResult
from tests.unit.ingest.event_vectors import LIMITS, event_of, faults_of, read_headers, read_json, the_event

# --- HTTP 3.1.3.2 "HTTP Header Values" ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        pytest.param(b"plain", "plain", id="as it is"),
        pytest.param(b"Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀", id="percent-encoded UTF-8"),
        pytest.param(b"%eb%af%bc%ec%9b%90", "민원", id="lower-case hexadecimal"),
        pytest.param(b"%41%42C", "ABC", id="needlessly encoded"),
        pytest.param(b"100%2525", "100%25", id="one round only"),
        pytest.param(b'"a quoted text"', "a quoted text", id="quoted"),
        pytest.param(b'"a \\"quoted\\" \\\\ text"', 'a "quoted" \\ text', id="quoted, with escapes"),
        pytest.param(b'"caf%C3%A9"', "café", id="quotes off first, then decoded"),
        pytest.param(b'"100\\%2525"', "100%25", id="an escaped percent sign is one all the same"),
        pytest.param(b"%22not%20quoted%22", '"not quoted"', id="encoded quotes are text"),
        pytest.param(b'half "quoted"', 'half "quoted"', id="a quote inside"),
        pytest.param(b"  padded\t", "padded", id="white space around"),
        pytest.param("민원".encode(), "민원", id="UTF-8 that was not encoded"),
    ],
)
def test_a_header_is_unquoted_and_then_decoded_once(raw: bytes, value: str) -> None:
    assert binary_mode.header_value(raw) == value
    assert event_of(read_headers({"ce-subject": raw})).subject == value


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"%C0%A0", id="overlong"),
        pytest.param(b"%ED%A0%80", id="a surrogate"),
        pytest.param(b"%FF", id="no UTF-8 at all"),
        pytest.param(b"%E2%82", id="cut off"),
        pytest.param(b"\xb9\xce\xbf\xf8", id="EUC-KR"),
        pytest.param(b"100%", id="a percent sign alone"),
        pytest.param(b"%2", id="half an escape"),
        pytest.param(b"%zz", id="no hexadecimal"),
    ],
)
def test_a_header_that_is_no_percent_encoded_utf8_is_refused(raw: bytes) -> None:
    assert faults_of(read_headers({"ce-subject": raw})) == [("ce-subject", "format")]


def test_a_decoded_header_is_held_to_the_characters_of_a_text() -> None:
    assert faults_of(read_headers({"ce-subject": "a%0Ab"})) == [("ce-subject", "format")]


# --- HTTP 3.1 "Binary Content Mode" ------------------------------------------------------------------------------


def test_content_type_says_what_the_data_is_and_nothing_else_may() -> None:
    found = read_headers({"ce-datacontenttype": "application/json", "content-type": "application/json"}, b"{}")

    assert faults_of(found) == [("ce-datacontenttype", "conflict")]


@pytest.mark.parametrize(
    ("content_type", "body", "data"),
    [
        pytest.param("application/json", b'{"a": [1]}', JsonData(value={"a": [1]}), id="an object"),
        pytest.param("application/json", b"1.5", JsonData(value=1.5), id="a number"),
        pytest.param("application/json", b'"a string"', JsonData(value="a string"), id="a string"),
        pytest.param("application/json", b"null", JsonData(value=None), id="null"),
        pytest.param("application/json", b"", None, id="nothing"),
        pytest.param("application/problem+json", b"[]", JsonData(value=[]), id="+json"),
        pytest.param("text/plain", "안녕".encode(), TextData(value="안녕"), id="text"),
        pytest.param("application/octet-stream", b"\xff\x00", BinaryData(), id="bytes"),
        pytest.param(..., b'{ "xyz": 123 }', TextData(value='{ "xyz": 123 }'), id="nothing is assumed of untyped data"),
    ],
)
def test_the_body_is_the_data(content_type: Any, body: bytes, data: Any) -> None:
    assert event_of(read_headers({"content-type": content_type}, body)).data == data


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "invalid_json"),
        (b"1}, {2", "invalid_json"),
        (b'1,"data":2', "duplicate_member"),
        (b'1,"other":2', "invalid_json"),
        (b'{"a":1,"a":2}', "duplicate_member"),
        (b'{"a":"\\u0000"}', "text_not_allowed"),
        (b"[" * 17 + b"]" * 17, "too_deep"),
        (b'"' + b"x" * 65_536 + b'"', "item_too_large"),
        ('{"a":"안'.encode("euc-kr") + b'"}', "invalid_json"),
    ],
)
def test_data_that_cannot_be_kept_is_refused(body: bytes, reason: str) -> None:
    found = read_headers({"content-type": "application/json"}, body)

    assert isinstance(found, ItemResult)
    assert str(found.reason) == reason


# --- JSON 2.2, 3.1 "Handling of data" ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "data"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({"data": {"a": 1}}, JsonData(value={"a": 1}), id="JSON is assumed"),
        pytest.param({"data": None}, JsonData(value=None), id="an explicit null"),
        pytest.param({"data": '{"a": 1}'}, JsonData(value='{"a": 1}'), id="a string is a string, not a document"),
        pytest.param({"data": "<x/>", "datacontenttype": "application/xml"}, TextData(value="<x/>"), id="XML as text"),
        pytest.param(
            {"data_base64": base64.b64encode(b'{"a": 1}').decode(), "datacontenttype": "application/json"},
            JsonData(value={"a": 1}),
            id="JSON in base64",
        ),
        pytest.param(
            {"data_base64": "eyAieHl6IjogMTIzIH0="},
            TextData(value='{ "xyz": 123 }'),
            id="base64 without a type is no JSON",
        ),
        pytest.param({"data_base64": "/wA="}, BinaryData(), id="bytes"),
        pytest.param({"data_base64": None, "data": 1}, JsonData(value=1), id="a null data_base64"),
    ],
)
def test_data_is_what_its_content_type_says(members: dict[str, Any], data: Any) -> None:
    assert event_of(read_json(**members)).data == data


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"data": 1, "data_base64": "AA=="}, ("data_base64", "conflict")),
        ({"data": None, "data_base64": "AA=="}, ("data_base64", "conflict")),
        ({"data_base64": "A"}, ("data_base64", "format")),
        ({"data_base64": "AA=="[:-1]}, ("data_base64", "format")),
        ({"data_base64": "A A=="}, ("data_base64", "format")),
        ({"data_base64": "_-=="}, ("data_base64", "format")),
        ({"data_base64": 5}, ("data_base64", "type")),
        ({"data": {"a": 1}, "datacontenttype": "application/xml"}, ("data", "type")),
    ],
)
def test_data_that_contradicts_itself_is_refused(members: dict[str, Any], expected: tuple[str, str]) -> None:
    assert faults_of(read_json(**members)) == [expected]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"[]", "not_an_object"),
        (b"3", "not_an_object"),
        (b'{"id":1,}', "invalid_json"),
        (b'{"id":"a","id":"b"}', "duplicate_member"),
        (b'{"id":"\\ud800"}', "text_not_allowed"),
    ],
)
def test_an_event_that_is_no_plain_json_object_is_refused(raw: bytes, reason: str) -> None:
    found = structured_mode.read(raw, LIMITS)

    assert isinstance(found, ItemResult)
    assert str(found.reason) == reason


def test_an_event_of_64_kib_is_taken() -> None:
    empty = len(json.dumps(the_event(data={"a": ""})))
    assert event_of(read_json(data={"a": "x" * (64 * 1024 - empty)}))


def test_data_may_be_as_deep_as_a_bare_touchpoint() -> None:
    deepest: Any = {}
    for _ in range(15):
        deepest = {"a": deepest}
    assert event_of(read_json(data=deepest))
    assert isinstance(read_json(data={"a": deepest}), ItemResult)


# --- both modes say the same -------------------------------------------------------------------------------------


def test_an_event_is_the_same_in_both_modes() -> None:
    attributes = {"time": "2026-11-22T09:15:00+09:00", "subject": "민원 접수", "identity": "a@b.example", "n": "1"}
    data = {"text": "안녕"}
    encoded = {f"ce-{name}": "".join(f"%{byte:02X}" for byte in value.encode()) for name, value in attributes.items()}
    in_headers = read_headers({**encoded, "content-type": "application/json"}, json.dumps(data).encode())

    assert in_headers == read_json(**attributes, data=data)


def test_a_request_in_binary_mode_can_be_kept_as_one_document() -> None:
    headers = {
        b"ce-specversion": b"1.0",
        b"ce-id": b"e-1",
        b"ce-source": b"/crm",
        b"ce-type": b"acme.contact",
        b"ce-subject": b"%EB%AF%BC%EC%9B%90",
        b"content-type": b"application/json",
        b"authorization": b"Bearer secret",
    }
    kept = binary_mode.structured_bytes(headers, b'{"a": 1}')

    assert b"secret" not in kept
    assert structured_mode.read(kept, LIMITS) == binary_mode.read(headers, b'{"a": 1}', LIMITS)


def test_no_complaint_quotes_what_was_sent() -> None:
    found = read_json(
        source="/marked value", time="marked", dataschema="marked", datacontenttype="marked", ext=["marked"], 표시="x"
    )
    assert isinstance(found, ItemResult)
    assert found.errors
    for error in found.errors:
        assert "marked" not in f"{error.path} {error.message} {error.message_ko}"
        assert error.message.isascii()
        assert not error.message_ko.isascii()
