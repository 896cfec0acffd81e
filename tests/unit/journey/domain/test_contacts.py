"""Which touchpoints are one contact (docs/semantics.md, Contacts); the fields of a contact are in test_history."""

from datetime import timedelta
from itertools import permutations
from random import Random
from typing import Any

import msgspec
import pytest

from services.journey import policies
from services.journey.domain.comparison.revision import FrictionEvent
from services.journey.domain.contacts.contact import Contact
from services.journey.domain.contacts.contact_policy import ContactSpeaker
from services.journey.domain.friction import RuleFinding
from services.journey.domain.history import CustomerHistory
from services.journey.domain.projection import ProjectionPolicy, project
from services.journey.domain.touchpoint import RecordedTouchpoint
from tests.unit.journey.domain.making import (
    DAYS,
    HOURS,
    POLICY,
    REPEAT,
    SECOND,
    Shelf,
    anchors,
    at,
    call,
    events,
    found,
    mail,
    note,
    seen,
    step,
    told,
)

TICK = 1e-6 / 60
QUIET = {"chat": 10, "messenger": 30, "sms": 30, "email": 12 * HOURS, "social": 12 * HOURS}


Fields = dict[str, Any]


def refs(**values: str) -> Fields:
    return {"refs": values}


def contacts(*history: RecordedTouchpoint) -> list[Contact]:
    return CustomerHistory(history, POLICY.contacts).contacts


def gathered(*history: RecordedTouchpoint) -> list[str]:
    """The touchpoints of each contact, as one word."""
    return ["".join(one.id for one in contact.everything) for contact in contacts(*history)]


def sent(id_: str, minutes: float = 0, **fields: object) -> RecordedTouchpoint:
    return note(id_, minutes, "message_sent", **{"direction": "outbound", **fields})


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([note("a"), note("b", 9 * SECOND), note("c", 20 * SECOND)], id="three lines"),
        pytest.param([note(x, 13 * SECOND * n, channel="sms") for n, x in enumerate("abcd")], id="four texts"),
    ],
)
def test_lines_that_follow_one_another_are_one_contact_without_friction(lines: list[RecordedTouchpoint]) -> None:
    (contact,) = contacts(*lines)
    said = told(*lines)
    assert (contact.at.id, len(contact.everything)) == ("a", len(lines))
    assert said.findings == []
    assert sum(journey.contact_count for journey in said.journeys) == 1
    assert [journey.effort.score for journey in said.journeys] == [0]


@pytest.mark.parametrize(("channel", "minutes"), QUIET.items())
def test_the_quiet_time_includes_its_end(channel: str, minutes: float) -> None:
    assert POLICY.contacts.quiet_for[channel] == timedelta(minutes=minutes)
    assert gathered(note("a", channel=channel), note("b", minutes, channel=channel)) == ["ab"]
    assert gathered(note("a", channel=channel), note("b", minutes + TICK, channel=channel)) == ["a", "b"]


@pytest.mark.parametrize("channel", ["phone", "web", "app", "store", "api"])
def test_on_other_channels_nothing_follows_from_time(channel: str) -> None:
    assert gathered(note("a", channel=channel), note("b", SECOND, channel=channel)) == ["a", "b"]


def test_the_quiet_time_runs_from_the_last_message_whoever_wrote_it() -> None:
    assert gathered(note("a"), note("b", 30), note("c", 60)) == ["abc"]
    assert gathered(note("a"), sent("b", 30), note("c", 60)) == ["abc"]
    assert gathered(note("a"), note("b", 30, "bot_replied", direction="outbound"), note("c", 60)) == ["abc"]
    assert gathered(note("a"), seen("b", 30, channel="messenger"), note("c", 60)) == ["a", "c"]


def test_what_we_write_begins_no_contact_and_belongs_to_the_next() -> None:
    assert contacts(sent("a"), sent("b", 5)) == []
    (contact,) = contacts(sent("a"), note("b", 5), sent("c", 6))
    assert (contact.at.id, contact.time) == ("b", at(5))
    assert [one.id for one in contact.everything] == ["a", "b", "c"]


def test_a_contact_is_of_one_channel() -> None:
    assert gathered(note("a"), note("b", 1, channel="sms"), note("c", 2), note("d", 3, channel="sms")) == ["ac", "bd"]


def line(id_: str, minutes: float = 0) -> RecordedTouchpoint:
    return note(id_, minutes, source="line")


def kakao(id_: str, minutes: float = 0) -> RecordedTouchpoint:
    return note(id_, minutes, source="kakao")


def crm(id_: str, minutes: float = 0) -> RecordedTouchpoint:
    return sent(id_, minutes, source="crm")


def test_two_messengers_are_two_contacts_and_neither_prolongs_the_other() -> None:
    assert gathered(line("a"), kakao("b", 1), line("c", 2), kakao("d", 3)) == ["ac", "bd"]
    assert gathered(line("a"), kakao("b", 20), line("c", 40)) == ["a", "b", "c"]
    assert anchors("repeat_contact_24h", line("a"), kakao("b", 1)) == ["b"]


def test_the_answer_may_come_from_another_system_than_the_question() -> None:
    assert gathered(line("a"), crm("b", 20), line("c", 40)) == ["abc"]
    assert gathered(line("a"), kakao("b", 10), crm("c", 11), line("d", 12), kakao("e", 40)) == ["ad", "bce"]
    assert gathered(line("a"), kakao("b", 10), crm("c", 31), line("d", 32)) == ["a", "bc", "d"]


def test_where_we_wrote_first_the_first_messenger_answers_and_keeps_the_conversation() -> None:
    assert gathered(crm("a"), line("b", 5), kakao("c", 6), crm("d", 7), line("e", 8)) == ["abde", "c"]
    assert gathered(crm("a"), crm("b", 31), line("c", 32)) == ["bc"]


def test_a_newsletter_is_part_of_no_contact() -> None:
    many = refs(campaign_id="spring")
    for writes in ("message_sent", "bot_replied"):
        news = note("n", 10 * HOURS, writes, channel="email", direction="outbound", **many)
        assert gathered(mail("a"), news, mail("b", 13 * HOURS)) == ["a", "b"]
    news = sent("n", 1, channel="email", refs={"campaign_id": "spring", "thread_id": "t"})
    assert gathered(mail("a", **refs(thread_id="t")), news) == ["a"]
    assert gathered(note("a", interaction_id="i"), sent("b", 1, interaction_id="i", outcome="failed", **many)) == ["a"]


def test_who_answers_a_campaign_turns_to_us() -> None:
    many = refs(campaign_id="spring")
    assert gathered(sent("a", **many), note("b", 1, **many), note("c", 2, **many)) == ["bc"]


def test_what_was_appended_before_conversations_is_gathered_as_it_was_then() -> None:
    policy = msgspec.structs.replace(POLICY.contacts, since=at(10))
    thread = refs(thread_id="t")
    history = [
        *(note("a"), sent("b", 1), note("c", 2), note("d", 9.99), note("e", 10), note("f", 11)),
        *(mail("g", 3, **thread), mail("h", 4, **thread), mail("i", 12, **thread), mail("j", 13, **thread)),
        *(call("k", 5, interaction_id="1"), sent("l", 6, interaction_id="1", outcome="failed")),
        *(call("m", 14, interaction_id="2"), sent("n", 15, interaction_id="2", outcome="failed")),
    ]
    said = CustomerHistory(history, policy).contacts
    assert ["".join(each.id for each in one.everything) for one in said] == [
        *("a", "c", "g", "h", "kl", "d", "ef", "ij", "mn")
    ]
    assert [one.view.outcome for one in said if len(one.everything) == 2] == ["failed", None, None, None]


def found_as(policy: ProjectionPolicy, *history: RecordedTouchpoint) -> list[RuleFinding]:
    return project(history, rulebook=REPEAT, policy=policy).findings


def test_no_friction_of_the_past_is_retracted_when_contacts_become_conversations() -> None:
    lines, more = [note("a"), note("b", 1), note("c", 2)], [note("d", 10), note("e", 11)]
    before, after = policies.projection(at(DAYS)), policies.projection(at(10))
    shelf = Shelf()
    step(shelf, *lines, policy=before)
    assert [one.evidence["count"] for one in found_as(before, *lines)] == [2, 3]
    assert events(step(shelf, *lines, *more, policy=after)) == [(FrictionEvent.DETECTED, 1)]
    assert (FrictionEvent.RETRACTED, 2) in events(step(shelf, *lines, *more, policy=POLICY)), "the control"


def test_an_interaction_id_parts_and_joins_whatever_the_time() -> None:
    with_id: Fields = {"interaction_id": "i"}
    assert gathered(note("a", **with_id), note("b", 30 * DAYS, **with_id)) == ["ab"]
    assert gathered(note("a"), note("b", 1, **with_id), note("c", 2), sent("d", 40, **with_id)) == ["ac", "bd"]
    assert gathered(note("a"), note("b", 25, **with_id), note("c", 40)) == ["a", "b", "c"]


def test_mails_of_one_thread_are_one_contact_whatever_the_time() -> None:
    thread, other = refs(thread_id="t"), refs(thread_id="u")
    assert gathered(mail("a", **thread), mail("b", 1, **other), mail("c", 30 * DAYS, **thread)) == ["ac", "b"]
    assert gathered(mail("a", **thread), mail("b", 1), mail("c", 2, **thread), mail("d", 12 * HOURS)) == ["ac", "bd"]


def test_a_case_is_the_thread_of_mails_that_have_none() -> None:
    case = refs(case_id="T-1")
    assert gathered(mail("a", **case), mail("b", 1, refs={"case_id": "T-2"}), mail("c", 2 * DAYS, **case)) == [
        "ac",
        "b",
    ]
    both = mail("b", 1, refs={"case_id": "T-1", "thread_id": "t"})
    assert gathered(mail("a", **case), both, mail("c", 2, refs={"thread_id": "T-1"})) == ["a", "b", "c"]


def test_elsewhere_a_thread_says_nothing() -> None:
    same, other = refs(thread_id="t"), refs(case_id="T-2")
    assert gathered(note("a", **same), note("b", 1, **other), note("c", 2 * HOURS, **same)) == ["ab", "c"]


def test_a_case_that_the_customer_opened_by_mail_is_the_beginning_of_its_thread() -> None:
    case: Fields = {"refs": {"case_id": "T-1"}, "channel": "email"}
    opened = note("a", 0, "case_opened", **case)
    assert gathered(opened, mail("b", 5, refs={"case_id": "T-1"})) == ["ab"]
    assert gathered(note("a", 0, "case_opened", **{**case, "direction": None}), mail("b", 5, refs={})) == ["b"]


def test_the_start_and_the_end_of_a_chat_without_id_are_one_contact() -> None:
    chat = {"channel": "chat"}
    assert gathered(note("a", 0, "chat_started", **chat), sent("b", 5, **chat), note("c", 9, "chat_ended", **chat)) == [
        "abc"
    ]


@pytest.mark.parametrize(
    ("kind", "direction", "speaker"),
    [
        ("message_received", "inbound", ContactSpeaker.CUSTOMER),
        ("chat_started", "outbound", ContactSpeaker.COMPANY),
        ("case_opened", None, None),
        ("message_sent", "outbound", ContactSpeaker.COMPANY),
        ("message_sent", None, ContactSpeaker.COMPANY),
        ("bot_no_match", "inbound", ContactSpeaker.BOT),
        ("bot_replied", "outbound", ContactSpeaker.BOT),
        ("call_ended", "inbound", None),
        ("acme.own", "inbound", None),
    ],
)
def test_who_speaks(kind: str, direction: str | None, speaker: ContactSpeaker | None) -> None:
    assert POLICY.contacts.speaker_of(seen("a", 0, kind, direction=direction).touchpoint) is speaker


def test_what_became_of_our_message_is_no_outcome_of_the_contact() -> None:
    (contact,) = contacts(note("a", outcome="resolved"), sent("b", 1, outcome="failed"))
    assert contact.view.outcome == "resolved"
    assert told(note("a"), sent("b", 1, outcome="failed")).journeys[0].effort.parts == ()


def test_a_friction_of_messages_hangs_on_the_first_of_the_second_contact() -> None:
    history = [note("a"), note("b", 1), note("c", HOURS), note("d", HOURS + 1)]
    (friction,) = found("repeat_contact_24h", *history)
    assert (friction.at.id, friction.anchor.touchpoint_id, friction.anchor.interaction_id) == ("c", "c", None)
    assert friction.touchpoints == (("test", "a"), ("test", "c"))
    assert friction.evidence["count"] == 2


def test_the_friction_of_a_contact_with_an_interaction_id_keeps_its_id() -> None:
    (friction,) = found("repeat_contact_24h", call("a", interaction_id="1"), call("b", 60, interaction_id="2"))
    assert str(friction.id) == "ebcdb4f2-2dfd-55db-9b16-c428e743eabc"


def test_the_order_of_arrival_does_not_matter() -> None:
    history = [note("a"), sent("b", 29), note("c", 58), note("d", 88 + TICK), mail("e", 5), call("f", 6)]
    whole = gathered(*history)
    assert whole == ["abc", "e", "f", "d"]
    assert all(gathered(*some) == whole for some in permutations(history))


def test_a_reply_that_comes_late_joins_two_contacts_and_takes_the_friction_back() -> None:
    two = [note("a"), note("b", 50)]
    assert anchors("repeat_contact_24h", *two) == ["b"]
    assert anchors("repeat_contact_24h", *two, sent("r", 25)) == []


def test_contacts_come_in_the_order_of_their_touchpoints_and_share_none() -> None:
    random = Random(5)
    kinds = ["message_received", "message_sent", "email_received", "call_ended", "bot_replied", "page_viewed"]
    channels = [*QUIET, "phone"]
    history = [
        note(
            f"t{n}",
            random.uniform(0, 3 * DAYS),
            random.choice(kinds),
            channel=random.choice(channels),
            direction=random.choice(["inbound", "outbound"]),
            interaction_id=random.choice([None, None, "i", "j"]),
        )
        for n in range(400)
    ]
    everyone = contacts(*history)
    assert [one.order for one in everyone] == sorted(one.order for one in everyone)
    ids = [touchpoint.id for one in everyone for touchpoint in one.everything]
    assert len(ids) == len(set(ids))
    assert all(one.at in one.everything and one.at.direction == "inbound" for one in everyone)
