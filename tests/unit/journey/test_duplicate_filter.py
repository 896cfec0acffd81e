"""Which records of a batch are new touchpoints, which repeat one, and which can never be applied."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from services.journey.apply.duplicate_filter import (
    FilteredBatch,
    bury_batch,
    count_equal,
    first_of_each,
    judge_others,
)
from services.journey.consume.decoding import PoisonCode
from services.journey.domain.touchpoint import Touchpoint
from tests.unit.journey.log_records import a_batch, decoded, document

KEY = ("crm", "call-1")


def test_the_first_record_of_a_touchpoint_is_fresh_and_the_next_ones_repeat_it() -> None:
    filtered, again = first_of_each(a_batch(document(), document("call-2"), document(), document(text="other")))

    assert [one.offset for one in filtered.fresh.values()] == [0, 1]
    assert [one.offset for one in again] == [2, 3]
    assert filtered.letters == []


def test_a_record_that_is_no_touchpoint_stays_a_dead_letter_with_its_place_and_time() -> None:
    filtered, again = first_of_each(a_batch(b"nonsense", document()))

    (letter,) = filtered.letters
    assert (letter.partition, letter.offset, letter.source) == (3, 0, None)
    assert letter.appended_at == datetime(2026, 11, 22, 9, tzinfo=UTC)
    assert (list(filtered.fresh), again) == ([KEY], [])


def test_a_repeat_with_the_fingerprint_that_was_applied_is_a_duplicate() -> None:
    filtered, again = first_of_each(a_batch(document(), document()))

    assert count_equal(filtered, again, {KEY: again[0].fingerprint}) == []
    assert (filtered.duplicates, filtered.letters) == (1, [])


def test_other_content_under_a_known_id_is_a_conflict_that_names_the_touchpoint() -> None:
    filtered, again = first_of_each(a_batch(document(), document(text="changed")))
    known = {KEY: decoded(document()).fingerprint}

    others = count_equal(filtered, again, known)
    judge_others(filtered, others, known, stored={})

    (letter,) = filtered.letters
    assert (letter.code, letter.source, letter.touchpoint_id) == (PoisonCode.ID_CONFLICT, "crm", "call-1")
    assert [fault.path for fault in letter.faults] == ["id"]
    assert filtered.duplicates == 0


def test_a_touchpoint_that_an_earlier_release_spelt_otherwise_is_a_duplicate() -> None:
    """The fingerprints differ, and the stored touchpoint has the same content."""
    given = decoded(document(customer={"phone": {"value": "+82212345678;ext=9"}}))
    stored = msgspec.structs.replace(given.touchpoint, customer=_without_extension(given.touchpoint))
    filtered, known = FilteredBatch(), {KEY: b"of an earlier release"}

    others = count_equal(filtered, [given], known)
    judge_others(filtered, others, known, {KEY: stored})

    assert (filtered.duplicates, filtered.letters) == (1, [])


def test_what_is_fresh_in_the_batch_is_compared_before_what_is_stored() -> None:
    filtered, again = first_of_each(a_batch(document(), document(text="changed")))

    judge_others(filtered, again, {KEY: b"another"}, stored={KEY: again[0].touchpoint})

    assert [letter.code for letter in filtered.letters] == [PoisonCode.ID_CONFLICT]


def test_a_batch_that_the_database_refuses_is_buried_whole() -> None:
    buried = bury_batch(a_batch(document(), b"nonsense", document("call-2")))

    codes = [letter.code for letter in buried.letters]
    assert codes[0] == codes[2] == PoisonCode.NOT_STORABLE
    assert codes[1] != PoisonCode.NOT_STORABLE
    assert (buried.fresh, buried.duplicates) == ({}, 0)


def _without_extension(touchpoint: Touchpoint) -> Any:
    phone = touchpoint.customer["phone"]
    return {"phone": msgspec.structs.replace(phone, value=phone.value.partition(";")[0])}
