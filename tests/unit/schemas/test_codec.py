from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from schemas.codec import UndecodableError, utc_text
from schemas.documents import dead_letter, friction, touchpoint
from schemas.vocabulary import Channel, Moment, Severity

KST = timezone(timedelta(hours=9))

POSTED = (
    '{"id":"a","occurred_at":"2026-11-22T09:15:00+09:00","channel":"chat","kind":"chat_ended",'
    '"customer":{"email":"minji@example.com","phone":{"value":"+821000000000","verified":true}},"text":"안녕"}'
)


def posted(**members: str) -> bytes:
    """The posted touchpoint with raw JSON `members` added."""
    return (POSTED[:-1] + "".join(f',"{name}":{raw}' for name, raw in members.items()) + "}").encode()


def test_a_time_is_written_in_utc_with_six_digits() -> None:
    assert utc_text(datetime(2026, 11, 22, 9, 15, tzinfo=KST)) == "2026-11-22T00:15:00.000000Z"
    assert utc_text(datetime(2026, 11, 22, 9, 15, 1, 5, tzinfo=UTC)) == "2026-11-22T09:15:01.000005Z"


def test_a_time_without_an_offset_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="offset"):
        utc_text(datetime(2026, 11, 22))  # noqa: DTZ001 - the point of the test


def test_published_times_sort_as_text() -> None:
    moments = [
        datetime(2026, 11, 22, 0, 0, 0, tzinfo=UTC) + timedelta(microseconds=step) for step in (0, 1, 10, 999_999)
    ]
    assert sorted(map(utc_text, moments)) == [utc_text(moment) for moment in moments]


def test_bare_text_and_an_object_are_both_identifiers() -> None:
    customer = touchpoint.decode_posted(POSTED.encode()).customer
    assert customer == {
        "email": "minji@example.com",
        "phone": touchpoint.IdentifierValue(value="+821000000000", verified=True),
    }


def test_korean_stands_as_it_is() -> None:
    value = touchpoint.decode_posted(POSTED.encode())
    assert '"text":"안녕"'.encode() in touchpoint.encode_posted(value)


def test_members_that_say_nothing_are_left_out() -> None:
    written = touchpoint.encode_posted(touchpoint.decode_posted(POSTED.encode()))
    assert b"null" not in written
    assert b"attributes" not in written


def test_whether_an_identifier_is_verified_is_always_said() -> None:
    value = touchpoint.TouchpointDocument(
        id="a",
        occurred_at=datetime(2026, 11, 22, tzinfo=UTC),
        channel=Channel.CHAT,
        kind="chat_ended",
        customer={"email": touchpoint.IdentifierValue(value="minji@example.com")},
        source="chat",
        received_at=datetime(2026, 11, 22, tzinfo=UTC),
    )
    assert b'{"email":{"value":"minji@example.com","verified":false}}' in touchpoint.encode(value)


def test_every_time_of_a_published_touchpoint_is_written_with_six_digits() -> None:
    fields = msgspec.structs.fields(touchpoint.TouchpointDocument)
    times = {field.name for field in fields if field.type in {Moment, Moment | None}}
    moments: dict[str, Any] = dict.fromkeys(times, datetime(2026, 11, 22, tzinfo=KST))
    value = touchpoint.TouchpointDocument(
        id="a", channel=Channel.CHAT, kind="chat_ended", customer={}, source="chat", **moments
    )

    written = msgspec.json.decode(touchpoint.encode(value))

    assert times >= {"occurred_at", "received_at"}
    assert {written[name] for name in times} == {"2026-11-21T15:00:00.000000Z"}
    assert written.keys() == times | {"id", "channel", "kind", "customer", "source"}


def test_a_whole_number_may_be_written_with_a_point() -> None:
    value = touchpoint.decode_posted(posted(transfers="2.0", sequence="1e3"))
    assert (value.transfers, value.sequence) == (2, 1000)


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        pytest.param(posted(transfers="1.5"), "transfers", id="half a number"),
        pytest.param(posted(channel='"fax"'), "channel", id="unknown channel"),
        pytest.param(posted(due_at='"2026-11-22T09:15:00"'), "due_at", id="no offset"),
        pytest.param(posted(score='{"metric":"ces","value":2}'), "score.scale", id="member of a member"),
        pytest.param(POSTED.replace('"id":"a",', "").encode(), "id", id="missing"),
        pytest.param(posted(customer='{"email":1}'), "customer[...]", id="name of the sender's choice"),
        pytest.param(b"[]", "", id="no object"),
        pytest.param(b"{", "", id="no JSON"),
        pytest.param(b"\xff", "", id="no UTF-8"),
        pytest.param(b'{"attributes":' + b"[" * 100_000, "", id="nested for ever"),
    ],
)
def test_what_cannot_be_read_says_where(raw: bytes, path: str) -> None:
    with pytest.raises(UndecodableError) as caught:
        touchpoint.decode_posted(raw)
    assert caught.value.path == path


@pytest.mark.parametrize("secret", ["minji-secret@example.com", "+82-10-9999"])
def test_an_error_never_quotes_what_was_sent(secret: str) -> None:
    for raw in (posted(channel=f'"{secret}"'), posted(due_at=f'"{secret}"'), posted(transfers=f'"{secret}"')):
        with pytest.raises(UndecodableError) as caught:
            touchpoint.decode_posted(raw)
        assert secret not in str(caught.value)
        assert re.search(r"[a-z]", caught.value.message)


def test_an_unpublished_touchpoint_is_no_touchpoint_of_the_topic() -> None:
    with pytest.raises(UndecodableError):
        touchpoint.decode(POSTED.encode())


def test_a_dead_letter_keeps_the_original_bytes() -> None:
    original = b"\x00\xff not JSON"
    value, length = dead_letter.preserve(original)
    letter = dead_letter.DeadLetterDocument(
        id="x",
        stage=dead_letter.DeadLetterStage.INGEST,
        code="not_json",
        value_base64=value,
        value_bytes=length,
        first_seen=datetime(2026, 11, 22, tzinfo=UTC),
    )
    again = dead_letter.decode(dead_letter.encode(letter))
    assert again == letter
    assert again.value == original
    assert not again.truncated


def test_a_dead_letter_cuts_an_enormous_original_and_says_so() -> None:
    value, length = dead_letter.preserve(b"x" * (dead_letter.MAX_VALUE_BYTES + 1))
    letter = dead_letter.DeadLetterDocument(
        id="x",
        stage=dead_letter.DeadLetterStage.INGEST,
        code="too_large",
        value_base64=value,
        value_bytes=length,
        first_seen=datetime(2026, 11, 22, tzinfo=UTC),
    )
    assert len(letter.value) == dead_letter.MAX_VALUE_BYTES
    assert letter.truncated


def test_severities_are_ordered() -> None:
    assert sorted(Severity, key=lambda severity: severity.rank) == [
        Severity.LOW,
        Severity.MEDIUM,
        Severity.HIGH,
        Severity.CRITICAL,
    ]


def test_a_friction_without_a_time_is_refused() -> None:
    with pytest.raises(UndecodableError, match=r"rule|id"):
        friction.decode(b'{"id":"5f0c8e0e-5c1b-5b0e-9f5e-0a4a3f2c1d11"}')
