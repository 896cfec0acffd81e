"""The reader of CloudEvents, judged by the specification (1.0.2): one vector for each rule, by section.

CORE is spec.md, HTTP its binding to HTTP, JSON the JSON event format.
"""

import base64
import json
from typing import Any

import pytest

from schemas.validation import FieldError
from services.ingest.cloudevents import binary, structured
from services.ingest.cloudevents.binary import Found
from services.ingest.cloudevents.event import Event, Json, Opaque, Text
from services.ingest.document import ItemLimits, Unreadable

LIMITS = ItemLimits(items=10, item_bytes=64 * 1024, depth=16)


def the_event(**members: Any) -> dict[str, Any]:
    """Return a valid event in JSON with `members` put over it; one that is `...` is left out."""
    whole = {"specversion": "1.0", "id": "e-1", "source": "/crm", "type": "acme.contact", **members}
    return {name: value for name, value in whole.items() if value is not ...}


def read_json(**members: Any) -> Found:
    """Read an event in structured mode."""
    return structured.read(json.dumps(the_event(**members)).encode(), LIMITS)


def read_headers(headers: dict[str, str | bytes], body: bytes = b"") -> Found:
    """Read an event in binary mode, `headers` put over those of a valid one; one that is `...` is left out."""
    whole: dict[str, Any] = {
        "ce-specversion": "1.0",
        "ce-id": "e-1",
        "ce-source": "/crm",
        "ce-type": "acme.contact",
        **headers,
    }
    raw = {
        name.encode(): value if isinstance(value, bytes) else value.encode("latin-1")
        for name, value in whole.items()
        if value is not ...
    }
    return binary.read(raw, body, LIMITS)


def event_of(found: Found) -> Event:
    assert isinstance(found, Event), found
    return found


def faults_of(found: Found) -> list[tuple[str, str]]:
    assert isinstance(found, list), found
    return [(error.path, str(error.code)) for error in found]


# --- CORE "REQUIRED Attributes" ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["id", "source", "type", "specversion"])
@pytest.mark.parametrize("value", [..., None, ""])
def test_a_required_attribute_is_there_and_not_empty(name: str, value: Any) -> None:
    expected = [(name, "not_allowed" if (name, value) == ("specversion", "") else "missing")]
    assert faults_of(read_json(**{name: value})) == expected
    if value is not None:
        assert faults_of(read_headers({f"ce-{name}": value})) == [(f"ce-{expected[0][0]}", expected[0][1])]


@pytest.mark.parametrize("version", ["0.3", "1.0.2", "1.1", "2.0", "1", "1.0 x"])
def test_no_other_version_is_read_and_the_rest_is_not_judged_then(version: str) -> None:
    assert faults_of(read_json(specversion=version, id="", time="late")) == [("specversion", "not_allowed")]
    assert faults_of(read_headers({"ce-specversion": version})) == [("ce-specversion", "not_allowed")]


def test_every_wrong_attribute_is_named_at_once() -> None:
    found = faults_of(read_json(id=..., source="a b", time="yesterday"))

    assert found == [("id", "missing"), ("source", "format"), ("time", "format")]


# --- CORE "source", "dataschema": URI-reference and URI by RFC 3986 ----------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "https://crm.example/seoul?x=1#top",
        "mailto:desk@crm.example",
        "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66",
        "/crm/seoul/123",
        "1-555-123-4567",
        "../up",
        "//host:8080/x",
        "http://[2001:db8::1]:80/",
        "?q",
        "#part",
        "/caf%C3%A9",
        "a/b:c",
    ],
)
def test_a_source_may_be_any_uri_reference(source: str) -> None:
    assert event_of(read_json(source=source)).source == source


@pytest.mark.parametrize(
    "source", ["/a b", "/고객", "/a%2", "/a%zz", "1a:b", "/a|b", "/<x>", "/a^b", "http://[x", "/a[1]"]
)
def test_a_source_that_is_no_uri_reference_is_refused(source: str) -> None:
    assert faults_of(read_json(source=source)) == [("source", "format")]


@pytest.mark.parametrize(
    ("schema", "valid"),
    [
        ("https://schemas.example/contact/1?v=2", True),
        ("urn:acme:contact:1", True),
        ("/contact/1", False),
        ("contact", False),
        ("https://schemas.example/contact#1", False),
    ],
)
def test_a_dataschema_is_an_absolute_uri(schema: str, valid: bool) -> None:
    found = read_json(dataschema=schema)
    assert isinstance(found, Event) if valid else faults_of(found) == [("dataschema", "format")]


# --- CORE "time": Timestamp by RFC 3339 --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("time", "read"),
    [
        pytest.param("2026-11-22T09:15:00Z", "2026-11-22T09:15:00Z", id="UTC"),
        pytest.param("2026-11-22T09:15:00+09:00", "2026-11-22T09:15:00+09:00", id="an offset"),
        pytest.param("2026-11-22t09:15:00z", "2026-11-22T09:15:00Z", id="lower case"),
        pytest.param("2026-11-22T09:15:00-00:00", "2026-11-22T09:15:00-00:00", id="an unknown offset"),
        pytest.param("2026-11-22T09:15:00.5Z", "2026-11-22T09:15:00.5Z", id="a fraction"),
        pytest.param("2026-11-22T09:15:00.1234567891234Z", "2026-11-22T09:15:00.123456789Z", id="a long fraction"),
        pytest.param("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z", id="a leap day"),
        pytest.param("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z", id="a leap second"),
        pytest.param("2017-01-01T08:59:60.25+09:00", "2017-01-01T09:00:00.25+09:00", id="a leap second in Seoul"),
    ],
)
def test_a_time_is_read_as_the_contract_spells_it(time: str, read: str) -> None:
    assert event_of(read_json(time=time)).time == read
    assert event_of(read_headers({"ce-time": time})).time == read


@pytest.mark.parametrize(
    "time",
    [
        pytest.param("2026-11-22T09:15Z", id="no seconds"),
        pytest.param("2026-11-22T09:15:00+09", id="an offset of hours only"),
        pytest.param("2026-11-22T09:15:00+0900", id="an offset without a colon"),
        pytest.param("2026-11-22T09:15:00", id="no offset"),
        pytest.param("2026-11-22 09:15:00Z", id="a space"),
        pytest.param("2026-11-22", id="a date"),
        pytest.param("20261122T091500Z", id="the basic format"),
        pytest.param("2026-11-22T24:00:00Z", id="24 o'clock"),
        pytest.param("2026-11-22T09:60:00Z", id="minute 60"),
        pytest.param("2026-11-22T09:15:61Z", id="second 61"),
        pytest.param("2026-11-22T09:15:60Z", id="a leap second at no midnight"),
        pytest.param("2026-11-22T23:59:60Z", id="a leap second inside a month"),
        pytest.param("2026-13-01T00:00:00Z", id="month 13"),
        pytest.param("2026-02-29T00:00:00Z", id="no leap year"),
        pytest.param("2026-11-22T09:15:00+24:00", id="an offset of a day"),
        pytest.param("2026-11-22T09:15:00+09:60", id="an offset of 60 minutes"),
        pytest.param("2026-11-22T09:15:00.Z", id="a fraction of nothing"),
        pytest.param("2026-11-22T09:15:00,5Z", id="a comma"),
        pytest.param("٢٠٢٦-11-22T09:15:00Z", id="other digits"),
        pytest.param("2026-11-22T09:15:00Z\n", id="a line end"),
        pytest.param("1763770500", id="seconds since 1970"),
        pytest.param("", id="empty"),
    ],
)
def test_a_time_that_is_not_rfc_3339_is_refused(time: str) -> None:
    expected = "too_short" if not time else "format"
    assert faults_of(read_json(time=time)) == [("time", expected)]
    assert faults_of(read_json(recordedtime=time or "x")) == [("recordedtime", "format")]


# --- CORE "OPTIONAL Attributes" ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["time", "subject", "dataschema", "datacontenttype", "anyextension"])
def test_null_is_the_same_as_absent(name: str) -> None:
    assert read_json(**{name: None}) == read_json()


@pytest.mark.parametrize("name", ["subject", "dataschema", "datacontenttype", "time"])
def test_an_optional_attribute_that_is_there_is_not_empty(name: str) -> None:
    assert faults_of(read_json(**{name: ""})) == [(name, "too_short")]


@pytest.mark.parametrize(
    "content_type", ["json", "application/", "/json", "application/json; charset", "a/b c", "a b/c"]
)
def test_a_datacontenttype_is_a_media_type(content_type: str) -> None:
    assert faults_of(read_json(datacontenttype=content_type)) == [("datacontenttype", "format")]
    assert faults_of(read_headers({"content-type": content_type})) == [("Content-Type", "format")]


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "APPLICATION/JSON",
        "application/json;charset=utf-8",
        'Application/Vnd.X+JSON; Charset="UTF-8"',
    ],
)
def test_a_media_type_is_read_in_any_case(content_type: str) -> None:
    for found in (
        read_json(datacontenttype=content_type, data={"a": 1}),
        read_headers({"content-type": content_type}, b'{"a": 1}'),
    ):
        assert event_of(found).data == Json(value={"a": 1})


# --- CORE "Naming Conventions" and "Type System" -----------------------------------------------------------------


@pytest.mark.parametrize("name", ["a", "comexampleextension1", "1st", "averyveryverylongextensionname"])
def test_an_extension_has_a_name_of_lower_case_letters_and_digits(name: str) -> None:
    assert event_of(read_json(**{name: "x"})).extensions == {name: "x"}


@pytest.mark.parametrize("name", ["Upper", "with_underscore", "with-hyphen", "dot.ted", "사용자"])
def test_any_other_name_is_refused_and_shown_only_when_plain(name: str) -> None:
    shown = name if name.isascii() and "." not in name else "*"
    assert faults_of(read_json(**{name: "x"})) == [(shown, "unknown_field")]


def test_data_is_no_attribute() -> None:
    assert faults_of(read_headers({"ce-data": "x"})) == [("ce-data", "unknown_field")]


@pytest.mark.parametrize("value", [True, False, 0, -5, 2**31 - 1, -(2**31), "text", "고객"])
def test_an_extension_is_text_a_boolean_or_an_integer(value: Any) -> None:
    assert event_of(read_json(ext=value)).extensions == {"ext": value}


@pytest.mark.parametrize(
    ("value", "code"), [(1.5, "type"), (2**31, "range"), (-(2**31) - 1, "range"), ([], "type"), ({}, "type")]
)
def test_an_extension_of_any_other_type_is_refused(value: Any, code: str) -> None:
    assert faults_of(read_json(ext=value)) == [("ext", code)]


@pytest.mark.parametrize("name", ["id", "source", "type", "subject", "time", "datacontenttype", "dataschema"])
@pytest.mark.parametrize("value", [1, True, {}, ["x"]])
def test_an_attribute_of_the_core_is_text(name: str, value: Any) -> None:
    assert faults_of(read_json(**{name: value})) == [(name, "type")]


@pytest.mark.parametrize("text", ["a\tb", "a\nb", "\x7f", "\x85", "\ufdd0", "\uffff", "\U0001fffe"])
def test_text_holds_no_control_and_no_noncharacter(text: str) -> None:
    assert faults_of(read_json(subject=text)) == [("subject", "format")]


@pytest.mark.parametrize("text", ["민원 접수", "😀", "Euro €", "\ufffd", "\ue000"])
def test_text_may_hold_any_other_character(text: str) -> None:
    assert event_of(read_json(subject=text)).subject == text


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
    assert binary.header_value(raw) == value
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
        pytest.param("application/json", b'{"a": [1]}', Json(value={"a": [1]}), id="an object"),
        pytest.param("application/json", b"1.5", Json(value=1.5), id="a number"),
        pytest.param("application/json", b'"a string"', Json(value="a string"), id="a string"),
        pytest.param("application/json", b"null", Json(value=None), id="null"),
        pytest.param("application/json", b"", None, id="nothing"),
        pytest.param("application/problem+json", b"[]", Json(value=[]), id="+json"),
        pytest.param("text/plain", "안녕".encode(), Text(value="안녕"), id="text"),
        pytest.param("application/octet-stream", b"\xff\x00", Opaque(), id="bytes"),
        pytest.param(..., b'{ "xyz": 123 }', Text(value='{ "xyz": 123 }'), id="nothing is assumed of untyped data"),
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

    assert isinstance(found, Unreadable)
    assert str(found.reason) == reason


# --- JSON 2.2, 3.1 "Handling of data" ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "data"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({"data": {"a": 1}}, Json(value={"a": 1}), id="JSON is assumed"),
        pytest.param({"data": None}, Json(value=None), id="an explicit null"),
        pytest.param({"data": '{"a": 1}'}, Json(value='{"a": 1}'), id="a string is a string, not a document"),
        pytest.param({"data": "<x/>", "datacontenttype": "application/xml"}, Text(value="<x/>"), id="XML as text"),
        pytest.param(
            {"data_base64": base64.b64encode(b'{"a": 1}').decode(), "datacontenttype": "application/json"},
            Json(value={"a": 1}),
            id="JSON in base64",
        ),
        pytest.param(
            {"data_base64": "eyAieHl6IjogMTIzIH0="}, Text(value='{ "xyz": 123 }'), id="base64 without a type is no JSON"
        ),
        pytest.param({"data_base64": "/wA="}, Opaque(), id="bytes"),
        pytest.param({"data_base64": None, "data": 1}, Json(value=1), id="a null data_base64"),
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
    found = structured.read(raw, LIMITS)

    assert isinstance(found, Unreadable)
    assert str(found.reason) == reason


def test_an_event_of_64_kib_is_taken() -> None:
    empty = len(json.dumps(the_event(data={"a": ""})))
    assert event_of(read_json(data={"a": "x" * (64 * 1024 - empty)}))


def test_data_may_be_as_deep_as_a_bare_touchpoint() -> None:
    deepest: Any = {}
    for _ in range(15):
        deepest = {"a": deepest}
    assert event_of(read_json(data=deepest))
    assert isinstance(read_json(data={"a": deepest}), Unreadable)


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
    kept = binary.whole(headers, b'{"a": 1}')

    assert b"secret" not in kept
    assert structured.read(kept, LIMITS) == binary.read(headers, b'{"a": 1}', LIMITS)


def test_no_complaint_quotes_what_was_sent() -> None:
    found = read_json(
        source="/marked value", time="marked", dataschema="marked", datacontenttype="marked", ext=["marked"], 표시="x"
    )
    assert isinstance(found, list)
    for error in found:
        assert isinstance(error, FieldError)
        assert "marked" not in f"{error.path} {error.message} {error.message_ko}"
        assert error.message.isascii()
        assert not error.message_ko.isascii()
