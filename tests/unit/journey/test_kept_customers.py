"""What a worker remembers: bounded, used once, and only while nobody has changed the customer."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from services.journey.consume.decoding import DecodedRecord
from services.journey.domain.comparison.changes import StoredCustomer
from services.journey.domain.comparison.memory import history_bytes, stored_bytes
from services.journey.domain.friction import FrictionState, StoredFriction
from services.journey.domain.names import CustomerId, FrictionId
from services.journey.domain.projection import SegmentedHistory
from services.journey.domain.touchpoint import RecordedTouchpoint
from services.journey.renew.customer_update import CustomerUpdate
from services.journey.renew.kept_customers import FOR_AT_MOST, KeptCustomer, KeptCustomers, continued
from services.journey.store.customers import CustomerStanding
from tests.unit.journey.domain.making import POLICY, at, seen
from tests.unit.journey.records import records

ONE, OTHER, THIRD = UUID(int=1), UUID(int=2), UUID(int=3)

FRICTION = StoredFriction(
    id=FrictionId(UUID(int=9)),
    rule="repeat_contact",
    customer_id=CustomerId(ONE),
    state=FrictionState.DETECTED,
    revision=1,
    quiet=False,
    detected_at=at(0),
    digest=b"",
    payload=b"{}",
)


def record(one: RecordedTouchpoint) -> DecodedRecord:
    (consumed,) = records(0, 1)
    return DecodedRecord(
        partition=0,
        record=consumed,
        touchpoint=one.touchpoint,
        fingerprint=b"",
        payload="",
        appended_at=one.appended_at,
        late=one.late,
    )


def kept(touchpoints: int = 3, version: int = 1) -> KeptCustomer:
    recorded = [seen(f"t{number}", number) for number in range(touchpoints)]
    return KeptCustomer(
        version=version,
        recorded=recorded,
        stored=StoredCustomer(frictions=[FRICTION]),
        since=None,
        read_at=at(0),
        history_bytes=1_000 * touchpoints,
        segmented=SegmentedHistory(recorded, POLICY),
    )


ROWS = stored_bytes(StoredCustomer(frictions=[FRICTION]))


def test_what_is_taken_is_there_once() -> None:
    known = KeptCustomers(10_000, worth=1)
    known.put({ONE: kept()})
    assert known.has(ONE)
    assert known.take(ONE) == kept()
    assert not known.has(ONE)
    assert known.take(ONE) is None
    assert known.bytes == 0


def test_who_came_least_is_forgotten() -> None:
    known = KeptCustomers(7_000 + 2 * ROWS, worth=1)
    known.put({ONE: kept(), OTHER: kept()})
    known.put({ONE: kept(version=2)})
    known.put({THIRD: kept()})
    assert [known.has(one) for one in (ONE, OTHER, THIRD)] == [True, False, True]
    assert known.bytes == 6_000 + 2 * ROWS
    known.put({OTHER: kept(touchpoints=7)})
    assert [known.has(one) for one in (ONE, OTHER, THIRD)] == [False, True, False]
    assert known.bytes == 7_000 + ROWS


def test_a_customer_that_does_not_fit_alone_is_forgotten_and_no_other() -> None:
    known = KeptCustomers(7_000 + ROWS, worth=1)
    known.put({ONE: kept(), OTHER: kept()})
    known.put({OTHER: kept(touchpoints=8)})
    assert [known.has(one) for one in (ONE, OTHER)] == [True, False]
    assert known.bytes == 3_000 + ROWS


def test_only_long_histories_are_worth_it() -> None:
    known = KeptCustomers(7_000, worth=3)
    assert [known.is_worth(touchpoints) for touchpoints in (2, 3, 8)] == [False, True, True]
    assert not KeptCustomers(0).is_worth(200)


def test_the_bytes_of_a_history_follow_what_came_and_what_was_cut() -> None:
    before = [seen("first", 0, text="x" * 500), seen("second", 5), seen("third", 9)]
    came = [seen("old", -1, text="x" * 900), seen("new", 7, text="x" * 40)]
    history = [before[1], came[1], before[2]]
    remembered = KeptCustomer(
        version=1,
        recorded=before,
        stored=StoredCustomer(),
        since=None,
        read_at=at(0),
        history_bytes=history_bytes(before),
        segmented=SegmentedHistory(before, POLICY),
    )
    assert remembered.bytes_after(came, history) == history_bytes(history)


@pytest.mark.parametrize(
    ("version", "frictions", "later", "is_of"),
    [
        (1, 1, timedelta(0), True),
        (1, 1, FOR_AT_MOST, True),
        (2, 1, timedelta(0), False),
        (1, 0, timedelta(0), False),
        (1, 1, FOR_AT_MOST + timedelta(seconds=1), False),
    ],
    ids=["unchanged", "old", "changed", "another customer took a friction", "too old"],
)
def test_what_is_remembered_must_be_what_is_stored(
    version: int, frictions: int, later: timedelta, *, is_of: bool
) -> None:
    assert kept().is_of(CustomerStanding(version=version, frictions=frictions), at(0) + later) is is_of


def test_what_comes_before_a_cut_has_everything_read_again() -> None:
    cut = replace(kept(), stored=StoredCustomer(truncated=True))
    early, later = CustomerUpdate(fresh=[record(seen("e", -5))]), CustomerUpdate(fresh=[record(seen("l", 1.5))])
    assert cut.is_enough_for(later)
    assert not cut.is_enough_for(early)
    assert kept().is_enough_for(early)
    assert not kept().is_enough_for(replace(later, absorbed=[OTHER]))


def test_what_came_is_put_where_it_belongs() -> None:
    before = list(kept().recorded)
    last, between = seen("l", 9), seen("b", 1.5)
    assert continued(before, [last]) == [*before, last]
    assert continued(before, [last, between]) == [*before[:2], between, before[2], last]
