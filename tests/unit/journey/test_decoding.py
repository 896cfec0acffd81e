"""Records as touchpoints: what is read, and what is refused with which reason."""

import json
from datetime import UTC, datetime
from typing import get_args

import msgspec
import pytest

from services.journey.consume.dead_letters import DeadLetter
from services.journey.consume.decoding import BatchRecord, DecodedRecord, PoisonCode, appended_at, decode_record
from services.journey.domain.touchpoint import ALLOWED_LATENESS, Touchpoint
from tests.unit.journey.records import FakeRecord

GOOD = (
    b'{"id":"a","source":"ivr","occurred_at":"2026-11-22T00:15:00.000000Z","received_at":"2026-11-22T00:15:01.000000Z",'
    b'"channel":"phone","kind":"call_started","direction":"inbound","customer":{"phone":{"value":"+821012345678"}}}'
)


def changed(old: bytes, new: bytes) -> bytes:
    assert old in GOOD
    return GOOD.replace(old, new)


def decoded(value: bytes | None) -> BatchRecord:
    return decode_record(3, FakeRecord(offset=7, value=value), ALLOWED_LATENESS)


def refused(value: bytes | None) -> DeadLetter:
    found = decoded(value)
    assert isinstance(found, DeadLetter)
    assert (found.partition, found.offset) == (3, 7)
    return found


def test_a_touchpoint_is_read_and_its_text_is_kept() -> None:
    found = decoded(GOOD)
    assert isinstance(found, DecodedRecord)
    assert found.touchpoint.key == ("ivr", "a")
    assert found.touchpoint.occurred_at == datetime(2026, 11, 22, 0, 15, tzinfo=UTC)
    assert found.payload.encode() == GOOD
    assert (found.partition, found.offset, found.late) == (3, 7, False)


def test_what_was_received_long_after_it_happened_is_late() -> None:
    found = decoded(changed(b'"received_at":"2026-11-22T', b'"received_at":"2026-11-26T'))
    assert isinstance(found, DecodedRecord)
    assert found.late
    assert found.recorded.late


def test_a_whole_number_may_be_written_with_a_point() -> None:
    found = decoded(changed(b'"kind"', b'"transfers":2.0,"kind"'))
    assert isinstance(found, DecodedRecord)
    assert found.touchpoint.transfers == 2


def test_what_transport_adds_does_not_change_the_fingerprint() -> None:
    later = changed(b"00:15:01", b"07:00:00")
    one, other = (decoded(value) for value in (GOOD, later))
    assert isinstance(one, DecodedRecord)
    assert isinstance(other, DecodedRecord)
    assert one.fingerprint == other.fingerprint


@pytest.mark.parametrize(
    ("value", "code"),
    [
        pytest.param(None, PoisonCode.EMPTY, id="a tombstone"),
        pytest.param(b"", PoisonCode.EMPTY, id="nothing"),
        pytest.param(b"{", PoisonCode.NOT_A_TOUCHPOINT, id="cut off"),
        pytest.param(b"[]", PoisonCode.NOT_A_TOUCHPOINT, id="another document"),
        pytest.param(GOOD + b"{}", PoisonCode.NOT_A_TOUCHPOINT, id="something after it"),
        pytest.param(changed(b'"phone",', b'"pigeon",'), PoisonCode.NOT_A_TOUCHPOINT, id="an unknown channel"),
        pytest.param(changed(b'"source":"ivr",', b""), PoisonCode.NOT_A_TOUCHPOINT, id="no source"),
        pytest.param(changed(b'"ivr"', b'""'), PoisonCode.NAMELESS, id="an empty source"),
        pytest.param(changed(b'"a"', b'"\\u0000"'), PoisonCode.NUL, id="a NUL"),
        pytest.param(changed(b"call_started", b"call_\xff"), PoisonCode.NOT_UTF8, id="not UTF-8"),
        pytest.param(
            changed(b"2026-11-22T00:15:00", b"1066-10-14T00:15:00"), PoisonCode.TIME_OUT_OF_RANGE, id="long ago"
        ),
        pytest.param(changed(b'000000Z","received', b'000000","received'), PoisonCode.NOT_A_TOUCHPOINT, id="no offset"),
        pytest.param(b'{"attributes":' + b"[" * 100_000, PoisonCode.NOT_A_TOUCHPOINT, id="too deep"),
        pytest.param(b"x" * 1_100_000, PoisonCode.TOO_LARGE, id="too long"),
    ],
)
def test_poison_is_named(value: bytes | None, code: PoisonCode) -> None:
    assert refused(value).code is code


TOO_MUCH = 2**63
WITH_NUMBERS = {
    "wait_s": TOO_MUCH,
    "duration_s": 1e30,
    "hold_s": TOO_MUCH,
    "transfers": TOO_MUCH,
    "sequence": -TOO_MUCH - 1,
    "sentiment": TOO_MUCH,
    "score": {"metric": "ces", "value": 1, "scale": TOO_MUCH},
    "value": {"amount": TOO_MUCH, "currency": "KRW"},
    "attributes": {"lines": [{"count": TOO_MUCH}]},
}


def holds_numbers(kind: object) -> bool:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return any(holds_numbers(field.type) for field in msgspec.structs.fields(kind))
    return kind in {int, float} or any(holds_numbers(part) for part in get_args(kind))


@pytest.mark.parametrize("name", WITH_NUMBERS)
def test_a_number_of_more_than_64_bits_is_poison_wherever_it_stands(name: str) -> None:
    member = json.dumps({name: WITH_NUMBERS[name]})[1:-1].encode()
    assert refused(changed(b'"kind"', member + b',"kind"')).code is PoisonCode.NUMBER_OUT_OF_RANGE


def test_the_longest_numbers_are_read() -> None:
    members = b'"wait_s":9223372036854775807,"attributes":{"n":[-9223372036854775808,1e15,true,null]},"kind"'
    assert isinstance(decoded(changed(b'"kind"', members)), DecodedRecord)


def test_every_member_that_may_hold_a_number_is_looked_at() -> None:
    numeric = {field.name for field in msgspec.structs.fields(Touchpoint) if holds_numbers(field.type)}
    assert numeric | {"attributes"} == WITH_NUMBERS.keys()


def test_poison_says_where_and_whose_but_never_quotes() -> None:
    found = refused(changed(b'"customer":{"phone":{"value":"+821012345678"}}', b'"customer":"secret"'))
    assert (found.source, found.touchpoint_id) == ("ivr", "a")
    assert [fault.path for fault in found.faults] == ["customer"]
    assert "secret" not in found.faults[0].message


def test_a_backslash_before_u0000_is_text_and_no_nul() -> None:
    assert isinstance(decoded(changed(b'"a"', b'"\\\\u0000"')), DecodedRecord)


def test_a_record_without_a_time_was_appended_long_ago() -> None:
    assert appended_at(FakeRecord(offset=0, timestamp=-1)).year == 1970
