"""What a replica of ingest remembers of acknowledged touchpoints."""

from services.ingest.publish.duplicates import DuplicateMemory, payload_digest

PAYLOAD = payload_digest(b'{"id":"1","kind":"call_ended"}')


def test_an_acknowledged_touchpoint_is_known_again() -> None:
    known = DuplicateMemory(2)
    known.remember("calls", "1", PAYLOAD)
    assert known.holds("calls", "1", PAYLOAD)


def test_another_payload_source_or_id_is_not_known() -> None:
    known = DuplicateMemory(2)
    known.remember("calls", "1", PAYLOAD)
    assert not known.holds("calls", "1", payload_digest(b"{}"))
    assert not known.holds("chats", "1", PAYLOAD)
    assert not known.holds("calls", "2", PAYLOAD)


def test_the_oldest_is_forgotten_first_and_what_comes_twice_counts_once() -> None:
    known = DuplicateMemory(2)
    for id_ in ("1", "1", "2", "3"):
        known.remember("calls", id_, PAYLOAD)
    assert [known.holds("calls", id_, PAYLOAD) for id_ in ("1", "2", "3")] == [False, True, True]
    assert len(known) == 2


def test_without_capacity_nothing_is_remembered() -> None:
    known = DuplicateMemory(0)
    known.remember("calls", "1", PAYLOAD)
    assert not known.holds("calls", "1", PAYLOAD)
