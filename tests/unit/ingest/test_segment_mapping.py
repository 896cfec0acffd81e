"""What a call becomes: by default, and as a source's mapping says."""

import json
from typing import Any

import pytest

from schemas import kinds, validation
from schemas.documents import touchpoint
from schemas.vocabulary import Channel
from services.ingest.forms.mapping.faults import MappingFileError
from services.ingest.forms.segment import call_conversion, segment_mapping
from services.ingest.forms.segment.call_conversion import CallSender, NoTouchpointReason
from services.ingest.forms.segment.segment_mapping import CallType
from services.ingest.forms.segment.segment_openapi import MESSAGES

PLAIN = CallSender(mapping=segment_mapping.DEFAULT)


def a_message(**members: Any) -> dict[str, Any]:
    """A track call as a library sends it, with `members` put over it; a member that is `...` is left out."""
    whole = {**MESSAGES[CallType.TRACK], **members}
    return {name: member for name, member in whole.items() if member is not ...}


def mapped(found: dict[str, Any], /, **rules: Any) -> dict[str, Any]:
    """The one touchpoint that a message becomes."""
    made = all_mapped(found, **rules)
    assert isinstance(made, list)
    (only,) = made
    return only


def all_mapped(found: dict[str, Any], /, **rules: Any) -> list[dict[str, Any]] | NoTouchpointReason:
    """All that a message becomes."""
    sender = CallSender(mapping=segment_mapping.read(rules)) if rules else PLAIN
    return call_conversion.touchpoints(found, call_conversion.call_type(found, None), sender)


def test_a_track_call_becomes_a_touchpoint() -> None:
    assert mapped(a_message()) == {
        "id": "ajs-1",
        "occurred_at": "2026-11-22T00:14:30.000Z",
        "channel": "web",
        "kind": "order_placed",
        "customer": {"customer_id": "C-1009", "anonymous_id": "a-7f3a"},
        "refs": {"order_id": "A-5512"},
        "value": {"amount": 129000, "currency": "KRW"},
        "attributes": {"event": "Order Completed"},
    }


@pytest.mark.parametrize("call", [call for call in CallType if call is not CallType.GROUP])
def test_the_documented_message_of_every_call_fits_the_contract(call: CallType) -> None:
    assert validation.errors(touchpoint.SCHEMA, mapped(dict(MESSAGES[call]))) == []


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        ({"type": "identify"}, "identified"),
        ({"type": "alias"}, "identified"),
        ({"type": "page"}, "page_viewed"),
        ({"type": "Screen"}, "page_viewed"),
        ({"event": "Checkout Started"}, "checkout_started"),
        ({"event": "payment_declined"}, "payment_declined"),
        ({"event": "paymentDeclined"}, "payment_declined"),
        ({"event": "Order Refunded"}, "refund_paid"),
        ({"event": "Product Viewed"}, "track.product_viewed"),
        ({"event": "2nd Try!"}, "track.nd_try"),
        ({"event": "결제 완료"}, "track.event"),
        ({"event": ...}, "track.event"),
        ({"event": 7}, "track.event"),
        ({"event": "x" * 99}, "track." + "x" * 58),
    ],
)
def test_the_kind_comes_from_the_call_and_the_event(found: dict[str, Any], kind: str) -> None:
    assert mapped(a_message(**found))["kind"] == kind


def test_every_kind_that_is_meant_is_in_the_catalogue() -> None:
    meant = {*segment_mapping.KINDS.values(), *call_conversion._WELL_KNOWN.values()}
    assert meant <= set(kinds.load())


@pytest.mark.parametrize(
    ("found", "channel"),
    [
        ({"properties": {"channel": "kiosk"}}, "kiosk"),
        ({"properties": {"channel": "google-ads"}, "channel": "server", "context": {"channel": "mobile"}}, "api"),
        ({"properties": {}, "type": "page"}, "web"),
        ({"properties": {}, "type": "screen"}, "app"),
        ({"properties": {}, "context": {"page": {"path": "/"}}}, "web"),
        ({"properties": {}, "context": {"device": {"id": "d"}}}, "app"),
    ],
)
def test_the_channel_is_the_customer_s_and_never_how_the_library_runs(found: dict[str, Any], channel: str) -> None:
    assert mapped(a_message(**found))["channel"] == channel


@pytest.mark.parametrize(
    ("sender", "channel"),
    [
        (CallSender(mapping=segment_mapping.read({"channel": "app"}), only_channel=Channel.KIOSK), "app"),
        (CallSender(mapping=segment_mapping.DEFAULT, only_channel=Channel.KIOSK), "kiosk"),
        (CallSender(mapping=segment_mapping.DEFAULT, has_default_channel=True), None),
    ],
)
def test_the_source_may_say_its_channel(sender: CallSender, channel: str | None) -> None:
    (made,) = call_conversion.touchpoints(a_message(properties={}), CallType.TRACK, sender)
    assert isinstance(made, dict)
    assert made.get("channel") == channel


@pytest.mark.parametrize(
    ("found", "customer"),
    [
        ({"userId": 1009, "anonymousId": None}, {"customer_id": "1009"}),
        ({"userId": 1009.0, "anonymousId": ...}, {"customer_id": "1009"}),
        ({"userId": True, "anonymousId": {"a": 1}}, {}),
        ({"userId": "", "context": {"traits": {"email": "a@example.com"}}}, {"email": "a@example.com"}),
        (
            {"traits": {"email": "a@example.com"}, "context": {"traits": {"email": "b@example.com", "phone": 1}}},
            {"customer_id": "C-1009", "email": "a@example.com", "phone": "1"},
        ),
        ({"context": {"device": {"id": "d", "token": "t"}}}, {"device_id": "d", "push_token": "t"}),
        ({"context": "text", "traits": [1]}, {}),
    ],
)
def test_identifiers_are_found_wherever_libraries_put_them(found: dict[str, Any], customer: dict[str, Any]) -> None:
    assert mapped(a_message(**found))["customer"].items() >= customer.items()


def test_traits_of_a_company_identify_nobody() -> None:
    group = a_message(type="group", traits={"email": "info@example.com"})
    assert mapped(group, calls={"group": {"kind": "acme.joined"}})["customer"].get("email") is None


def test_traits_are_used_for_identifiers_and_forgotten() -> None:
    made = mapped({**MESSAGES[CallType.IDENTIFY], "traits": {"email": "a@example.com", "address": "서울"}})
    assert "서울" not in str(made)


@pytest.mark.parametrize(
    ("properties", "members"),
    [
        ({"reason": "billing", "wait_s": 12, "transfers": 2}, {"reason": "billing", "wait_s": 12, "transfers": 2}),
        ({"direction": "inbound", "agent": 31}, {"direction": "inbound", "agent": "31"}),
        ({"direction": "left", "wait_s": "long", "transfers": 1.5}, {"attributes": {"direction": "left"}}),
        ({"ticket_id": 77}, {"refs": {"case_id": "77"}}),
        ({"order_id": ["a"]}, {"attributes": {"order_id": ["a"]}}),
        ({"revenue": 5.5, "currency": "krw"}, {"value": {"amount": 5.5, "currency": "KRW"}}),
        ({"revenue": 5.5}, {"attributes": {"revenue": 5.5}}),
        ({"value": 3, "currency": "원"}, {"attributes": {"value": 3}}),
    ],
)
def test_properties_with_a_touchpoint_s_names_become_its_members_if_they_fit(
    properties: dict[str, Any], members: dict[str, Any]
) -> None:
    made = mapped(a_message(properties=properties, event=...))
    assert validation.errors(touchpoint.SCHEMA, made) == []
    for name, member in members.items():
        assert made[name] if not isinstance(member, dict) else made[name].items() >= member.items()


def test_a_source_s_mapping_says_what_its_events_become() -> None:
    made = mapped(
        a_message(event="Support Call Ended", properties={"topic": "배송", "ticket": 4, "seconds": "61.5", "line": 1}),
        events={
            "Support Call Ended": {
                "kind": "call_ended",
                "channel": "phone",
                "direction": "inbound",
                "attributes": False,
                "fields": {
                    "reason": ["$.properties.none", "$.properties.topic", "other"],
                    "refs.case_id": "$.properties.ticket",
                    "duration_s": "$.properties.seconds",
                    "outcome": ["$.properties.outcome", "unresolved"],
                    "attributes.line": "$.properties.line",
                    "customer.loyalty_id": "$.properties.ticket",
                },
            }
        },
    )

    assert validation.errors(touchpoint.SCHEMA, made) == []
    assert made["kind"] == "call_ended"
    assert (made["channel"], made["direction"]) == ("phone", "inbound")
    assert (made["reason"], made["outcome"], made["duration_s"]) == ("배송", "unresolved", 61.5)
    assert made["refs"] == {"case_id": "4"}
    assert made["customer"]["loyalty_id"] == "4"
    assert made["attributes"] == {"line": 1}


@pytest.mark.parametrize(
    ("found", "rules"),
    [
        ({"event": "Noise"}, {"events": {"Noise": None}}),
        ({"event": "some noise"}, {"events": {"Some Noise": None}}),
        ({"event": "Anything"}, {"other_events": None}),
        ({"type": "page"}, {"calls": {"page": None}}),
        ({"type": "group"}, {}),
    ],
)
def test_calls_can_be_left_out(found: dict[str, Any], rules: dict[str, Any]) -> None:
    assert all_mapped(a_message(**found), **rules) is NoTouchpointReason.LEFT_OUT


@pytest.mark.parametrize("type_", [..., "order", 7, None])
def test_a_call_that_does_not_exist_is_reported(type_: Any) -> None:
    assert all_mapped(a_message(type=type_)) is NoTouchpointReason.UNKNOWN_CALL


def test_an_identifier_can_be_renamed_proved_or_left_out() -> None:
    made = mapped(
        a_message(traits={"card": "L-1"}),
        identifiers={
            "userId": {"type": "account_id", "verified": True},
            "anonymousId": None,
            "traits.card": "loyalty_id",
        },
    )
    assert made["customer"] == {"account_id": {"value": "C-1009", "verified": True}, "loyalty_id": "L-1"}


def test_an_alias_links_the_earlier_id_with_the_new_one() -> None:
    made = mapped(dict(MESSAGES[CallType.ALIAS]))
    assert made["customer"] == {"customer_id": "C-1009", "anonymous_id": "a-7f3a"}


def test_an_alias_of_two_numbers_of_one_type_links_them_over_a_third() -> None:
    made = all_mapped({**MESSAGES[CallType.ALIAS], "previousId": "C-7"}, previous_id=["anonymous_id", "customer_id"])
    assert isinstance(made, list)
    new, old = (one["customer"] for one in made)
    assert (new["customer_id"], new["anonymous_id"], old["customer_id"]) == ("C-1009", "C-7", "C-7")
    assert new["alias_id"] == old["alias_id"]
    assert len({one["id"] for one in made}) == 2
    assert all(validation.errors(touchpoint.SCHEMA, one) == [] for one in made)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"messageId": "node-next-1-2"}, "node-next-1-2"),
        ({"messageId": 17}, "17"),
    ],
)
def test_the_message_id_is_taken_as_it_is(given: dict[str, Any], expected: str) -> None:
    assert call_conversion.message_id(a_message(**given)) == expected


def test_a_message_without_id_gets_the_same_one_whenever_it_is_sent_again() -> None:
    bare = a_message(messageId=...)
    again = call_conversion.message_id({**bare, "sentAt": "2026-11-22T00:20:00Z", "receivedAt": "x", "writeKey": "k"})

    assert call_conversion.message_id(bare) == again
    assert call_conversion.message_id({**bare, "event": "Other"}) != again
    assert call_conversion.message_id({**bare, "timestamp": "2026-11-22T00:14:31Z"}) != again


def test_two_messages_without_id_and_time_are_told_apart_by_when_they_were_sent() -> None:
    bare = a_message(messageId=..., timestamp=...)
    assert call_conversion.message_id({**bare, "sentAt": "1"}) != call_conversion.message_id({**bare, "sentAt": "2"})


@pytest.mark.parametrize(
    ("found", "times"),
    [
        ({"sentAt": "S"}, {"occurred_at": "2026-11-22T00:14:30.000Z", "sent_at": "S"}),
        ({"originalTimestamp": "O", "timestamp": "T"}, {"occurred_at": "O"}),
        ({"originalTimestamp": "O", "timestamp": ...}, {"occurred_at": "O"}),
        ({"timestamp": ..., "sentAt": 17}, {}),
    ],
)
def test_times_are_those_of_the_producer(found: dict[str, Any], times: dict[str, Any]) -> None:
    made = mapped(a_message(**found))
    assert {name: made[name] for name in ("occurred_at", "sent_at") if name in made} == times


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        ({"chanel": "web"}, "chanel"),
        ({"channel": "fax"}, "fax"),
        ({"calls": {"track": {"kind": "x"}}}, "mapped by `events`"),
        ({"calls": {"group": {}}}, "say its kind"),
        ({"events": {"A": {"kind": "Not A Kind"}}}, "is no kind"),
        ({"events": {"A": {"fields": {"reson": "x"}}}}, "no member 'reson'"),
        ({"events": {"A": {"fields": {"id": "x"}}}}, "no member 'id'"),
        ({"events": {"A": {"fields": {"refs.Case Id": "x"}}}}, "is no name"),
        ({"identifiers": {"userId": "Customer"}}, "is no name"),
        ({"previous_id": ["A B"]}, "is no name"),
        ({"other_events": {"fields": {"score": 3}}}, "no member 'score'"),
        ([], "Expected `object`"),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused_with_the_reason(rules: Any, problem: str) -> None:
    with pytest.raises(MappingFileError, match=problem):
        segment_mapping.read(rules)


def test_the_mapping_in_the_documentation_is_one() -> None:
    text = (segment_mapping.__doc__ or "").split("\n\n")[1]
    assert segment_mapping.read(json.loads(text)).events.keys() == {"Support Call Ended", "Button Hovered"}
