"""What is counted of contacts: conversations that begin, and what is said of how they ended, not messages."""

from collections import Counter

from services.journey.domain.contacts.contact_events import ContactEvent, contact_events
from services.journey.domain.history import CustomerHistory
from services.journey.domain.touchpoint import RecordedTouchpoint
from tests.unit.journey.domain.making import DAYS, POLICY, call, note


def counted(history: list[RecordedTouchpoint], *fresh: RecordedTouchpoint) -> Counter[tuple[str, ContactEvent]]:
    contacts = CustomerHistory([*history, *fresh], POLICY.contacts).contacts
    return contact_events(contacts, [one.touchpoint for one in fresh])


def test_three_lines_in_a_messenger_begin_one_contact() -> None:
    lines = [note("a", 0), note("b", 1), note("c", 2)]
    assert counted([], *lines) == {("messenger", "began"): 1}
    assert counted(lines[:1], *lines[1:]) == {}
    assert counted(lines, note("d", 90)) == {("messenger", "began"): 1}


def test_an_outcome_counts_once_it_is_said() -> None:
    begun, ended = call("a", 0, kind="call_started", interaction_id="1"), call("b", 5, interaction_id="1")
    assert counted([], begun) == {("phone", "began"): 1}
    assert counted([begun], ended) == {}
    for said, event in (("resolved", "resolved"), ("unresolved", "unresolved"), ("voicemail", "other_outcome")):
        ended = call("b", 5, interaction_id="1", outcome=said)
        assert counted([begun], ended) == {("phone", event): 1}
        assert counted([begun, ended], call("c", 6, interaction_id="1", kind="call_noted")) == {}


def test_what_is_replayed_or_of_the_company_begins_nothing() -> None:
    assert counted([], call("a", 0, replay=True, outcome="resolved")) == {}
    assert counted([], note("b", 0, "message_sent", direction="outbound")) == {}
    assert counted([call("a", 0, replay=True)], call("b", 2 * DAYS)) == {("phone", "began"): 1}
