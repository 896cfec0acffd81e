"""What there is to say about a contact (docs/semantics.md, Contacts)."""

from datetime import timedelta

from services.journey.domain.contacts.contact_summary import ContactSummary, summarize
from services.journey.domain.history import CustomerHistory
from services.journey.domain.touchpoint import RecordedTouchpoint
from tests.unit.journey.domain.making import DAYS, POLICY, at, call, note, seen

CHAT = {"channel": "chat"}


def summary(*history: RecordedTouchpoint) -> ContactSummary:
    (contact,) = CustomerHistory(history, POLICY.contacts).contacts
    return summarize(contact, POLICY.contacts)


def sent(id_: str, minutes: float = 0, **fields: object) -> RecordedTouchpoint:
    return note(id_, minutes, "message_sent", **{"direction": "outbound", **fields})


def bot(id_: str, minutes: float = 0, **fields: object) -> RecordedTouchpoint:
    return note(id_, minutes, "bot_replied", **{"direction": "outbound", **fields})


def test_a_conversation_with_a_bot_and_a_person() -> None:
    told = summary(
        note("a", 0, "chat_started", **CHAT),
        note("b", 1, **CHAT),
        bot("c", 2, **CHAT),
        note("d", 3, **CHAT),
        sent("e", 6, **CHAT),
        sent("f", 7, **CHAT),
        note("g", 8, "chat_ended", outcome="resolved", **CHAT),
    )
    assert told == ContactSummary(
        touchpoint=("test", "a"),
        interaction_id=None,
        channel="chat",
        began_at=at(0),
        anchored_at=at(0),
        ended_at=at(8),
        outcome="resolved",
        messages=6,
        turns=4,
        first_reply_after=timedelta(minutes=2),
        handed_over_at=at(6),
    )


def test_a_contact_that_we_began_begins_before_its_time() -> None:
    told = summary(sent("a"), note("b", 5))
    assert (told.began_at, told.anchored_at, told.ended_at) == (at(0), at(5), at(5))
    assert (told.first_reply_after, told.turns) == (None, 2)


def test_a_call_has_no_turns() -> None:
    told = summary(
        call("a", 0, kind="call_started", interaction_id="i"),
        call("b", 9, interaction_id="i", outcome="resolved"),
        seen("c", 2 * DAYS, "survey_answered", interaction_id="i"),
    )
    assert (told.began_at, told.ended_at, told.outcome) == (at(0), at(9), "resolved")
    assert (told.messages, told.turns, told.first_reply_after, told.handed_over_at) == (0, 0, None, None)
    assert told.interaction_id == "i"


def test_a_survey_alone_before_does_not_hide_the_end() -> None:
    told = summary(seen("a", 0, "survey_answered", interaction_id="i"), call("b", 9, interaction_id="i"))
    assert (told.began_at, told.ended_at) == (at(0), at(9))


def test_a_bot_that_says_so_hands_over_before_anybody_answers() -> None:
    escalated = note("b", 1, "bot_escalated", direction=None)
    assert summary(note("a"), escalated).handed_over_at == at(1)
    assert summary(note("a"), bot("c", 0.5), escalated, sent("d", 9)).handed_over_at == at(1)
    assert summary(note("a"), bot("c", 0.5), sent("d", 0.7), escalated).handed_over_at == at(0.7)


def test_a_bot_after_a_person_is_no_handover() -> None:
    assert summary(note("a"), sent("b", 1), bot("c", 2)).handed_over_at is None
    assert summary(note("a"), sent("b", 1), bot("c", 2), sent("d", 3)).handed_over_at == at(3)


def test_the_first_reply_may_be_of_a_bot_and_comes_after_the_customer() -> None:
    assert summary(sent("x"), note("a", 1), bot("b", 2), sent("c", 3)).first_reply_after == timedelta(minutes=1)
    assert summary(note("a"), sent("b")).first_reply_after == timedelta()
