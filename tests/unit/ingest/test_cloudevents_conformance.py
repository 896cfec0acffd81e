"""The reader of CloudEvents, judged by the specification (1.0.2): one vector for each rule of the attributes (spec.md).

test_cloudevents_modes.py has the rules of the HTTP binding and of the JSON event format.
"""

from typing import Any

import pytest

from services.ingest.forms.cloudevents.event import CloudEvent, JsonData
from tests.unit.ingest.event_vectors import event_of, faults_of, read_headers, read_json

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
    assert isinstance(found, CloudEvent) if valid else faults_of(found) == [("dataschema", "format")]


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
        assert event_of(found).data == JsonData(value={"a": 1})


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
