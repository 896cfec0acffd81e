"""What holds for any event: nothing makes the reader raise, and what the specification writes it reads."""

import json
import time
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ingest.forms.cloudevents import attribute_types, binary_mode, event_conversion, structured_mode
from services.ingest.forms.cloudevents.event import CloudEvent
from services.ingest.forms.cloudevents.event_faults import EventFault
from services.ingest.forms.cloudevents.event_rules import EventRules
from services.ingest.results.item_result import ItemResult
from tests.unit.ingest.event_vectors import LIMITS

_NAMES = st.sampled_from(["specversion", "id", "source", "type", "time", "subject", "data", "data_base64", "identity"])
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
_LEGAL = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), min_size=1).filter(
    lambda text: attribute_types.text(text) is None and text == text.strip(" \t")
)
_HEADER = st.binary(max_size=20).map(bytes.lower) | _NAMES.map(lambda name: b"ce-" + name.encode())
_TIMES = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9:]{5,8}(\.[0-9]+)?([Zz]|[+-][0-9:]{4,5})"
quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
_RULES = EventRules({"types": {"*.x": {"fields": {"text": "data.a.0.b", "customer.email": "subject"}}}})


def _encoded(text: str) -> bytes:
    """Percent-encode as section 3.1.3.2 asks, one character after the other."""
    plain = set(range(0x21, 0x7F)) - {ord('"'), ord("%")}
    return b"".join(bytes((octet,)) if octet in plain else b"%%%02X" % octet for octet in text.encode())


@quick
@given(_LEGAL)
def test_what_is_encoded_by_the_specification_is_read_back(text: str) -> None:
    assert binary_mode.header_value(_encoded(text)) == text


@quick
@given(_LEGAL)
def test_what_is_quoted_by_its_older_version_is_read_back(text: str) -> None:
    escaped = text.replace("%", "%25").replace("\\", "\\\\").replace('"', '\\"')

    assert binary_mode.header_value(f'"{escaped}"'.encode()) == text


@quick
@given(st.dictionaries(_HEADER, st.binary(max_size=60)), st.binary(max_size=80))
def test_any_headers_and_any_body_are_read_or_refused(headers: dict[bytes, bytes], body: bytes) -> None:
    found = binary_mode.read(headers, body, LIMITS)

    assert isinstance(found, CloudEvent | ItemResult)
    assert isinstance(json.loads(binary_mode.structured_bytes(headers, body)), dict)


@quick
@given(st.dictionaries(_NAMES | st.text(max_size=8), _ANYTHING, max_size=9))
def test_any_json_is_read_or_refused_and_what_is_read_becomes_json(members: dict[str, Any]) -> None:
    whole = {"specversion": "1.0", "id": "1", "source": "/a", "type": "b.x", **members}
    found = structured_mode.read(json.dumps(whole).encode("utf-8", "surrogatepass"), LIMITS)

    assert isinstance(found, CloudEvent | ItemResult)
    if isinstance(found, CloudEvent):
        mapped = event_conversion.convert(found, _RULES)
        assert mapped
        assert msgspec.json.decode(msgspec.json.encode(mapped))


@quick
@given(st.text(max_size=40) | st.from_regex(_TIMES))
def test_a_time_that_is_read_keeps_to_the_grammar(text: str) -> None:
    read = attribute_types.timestamp(text)

    if not isinstance(read, EventFault):
        assert attribute_types.timestamp(read) == read
        assert len(read) <= 35


@quick
@given(st.sampled_from(["a", "%", "/", "a/", "[", "a@", ":", "?", "a=b;", '"', " ;", "\\"]), st.integers(1, 4000))
def test_no_value_takes_long_to_judge(piece: str, times: int) -> None:
    began = time.process_time()
    for judge in (attribute_types.uri_reference, attribute_types.uri, attribute_types.media_type, attribute_types.text):
        judge("a/b" + piece * times + "\x00")
        judge("http://" + piece * times + "\x00")
    assert time.process_time() - began < 1.0  # a pattern that goes back and forth takes hours
