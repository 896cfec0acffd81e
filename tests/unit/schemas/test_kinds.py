from __future__ import annotations

import re

from schemas import kinds
from schemas.kinds import Speaker
from schemas.vocabulary import Direction

CATALOGUE = kinds.load()

CONTACTS = {
    "call_started",
    "call_ended",
    "chat_started",
    "chat_ended",
    "email_received",
    "message_received",
    "store_visited",
    "case_opened",
}

OF_THE_FIRST_RULES = CONTACTS | {
    "case_worked",
    "case_waiting",
    "case_resolved",
    "case_closed",
    "callback_promised",
    "callback_made",
    "checkout_started",
    "order_placed",
    "payment_declined",
    "survey_answered",
}


def test_exactly_these_kinds_are_contacts() -> None:
    assert CATALOGUE.contacts == CONTACTS
    assert CATALOGUE.is_contact("call_ended")
    assert not CATALOGUE.is_contact("callback_made")
    assert not CATALOGUE.is_contact("acme.loan_offered")


def test_only_kinds_that_cannot_be_otherwise_imply_a_direction() -> None:
    implied = {name: CATALOGUE.implied_direction(name) for name in CATALOGUE if CATALOGUE.implied_direction(name)}
    assert implied == dict.fromkeys(("email_received", "message_received", "store_visited"), Direction.INBOUND)
    assert CATALOGUE.implied_direction("acme.loan_offered") is None


def test_the_catalogue_says_who_speaks() -> None:
    speakers = CATALOGUE.speakers
    assert {name for name, who in speakers.items() if who is Speaker.CUSTOMER} == {
        *("case_opened", "chat_started", "email_received", "message_received")
    }
    assert {name for name, who in speakers.items() if who is Speaker.COMPANY} == {"message_sent"}
    assert {name for name, who in speakers.items() if who is Speaker.BOT} == {
        *("bot_escalated", "bot_no_match", "bot_replied")
    }


def test_a_kind_in_which_the_customer_speaks_is_a_contact() -> None:
    for name, who in CATALOGUE.speakers.items():
        assert CATALOGUE.is_contact(name) == (who is Speaker.CUSTOMER), name


def test_the_kinds_that_the_first_rules_rest_on_are_known() -> None:
    assert set(CATALOGUE) >= OF_THE_FIRST_RULES


def test_a_kind_that_takes_a_direction_from_the_sender_asks_for_it() -> None:
    for name in CONTACTS:
        assert CATALOGUE.implied_direction(name) or "direction" in CATALOGUE[name].fields, name


def test_every_kind_has_titles_in_two_languages_and_a_description() -> None:
    for name, kind in CATALOGUE.items():
        assert re.search("[가-힣]", kind.title.ko), name
        assert not re.search("[가-힣]", kind.title.en), name
        assert kind.description.endswith("."), name
        assert kind.channels, name


def test_titles_are_not_used_twice() -> None:
    for titles in ([kind.title.en for kind in CATALOGUE.values()], [kind.title.ko for kind in CATALOGUE.values()]):
        assert len(set(titles)) == len(titles)
