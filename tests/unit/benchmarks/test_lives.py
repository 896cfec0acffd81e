"""Long lives: as many touchpoints as were asked for, in order, of the kinds and in the time that were promised."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import orjson
import pytest

from benchmarks import lives
from benchmarks.history import QUICK, USUAL, Size
from benchmarks.traffic import Keyed
from services.journey.consume.decoding import DecodedRecord, decode_record
from tests.fixtures.journey_bench import LoggedRecord

ENDS = datetime(2026, 11, 1, tzinfo=UTC)


def _said(records: list[Keyed]) -> list[dict[str, Any]]:
    return [orjson.loads(record.value) for record in records]


@pytest.mark.parametrize("dense", [False, True])
def test_a_life_has_its_length_and_ends_in_time(dense: bool) -> None:
    said = _said(lives.past([1, 2], 500, ENDS, dense=dense, seed=1))
    times = [datetime.fromisoformat(one["occurred_at"]) for one in said]
    assert times == sorted(times)
    assert times[-1] <= ENDS
    assert times[0] >= ENDS - lives.YEAR
    assert len({one["id"] for one in said}) == 1000
    assert {one["customer"]["customer_id"]["value"] for one in said} == {"C-n00000001", "C-n00000002"}
    assert sum(one["customer"]["customer_id"]["value"] == "C-n00000001" for one in said) == 500


def test_nine_tenths_of_a_dense_life_lie_in_a_week() -> None:
    said = _said(lives.past([1], 4000, ENDS, dense=True, seed=1))
    late = sum(datetime.fromisoformat(one["occurred_at"]) > ENDS - timedelta(days=7) for one in said)
    assert 0.85 < late / 4000 < 0.95


def test_about_one_touchpoint_in_ten_is_part_of_a_contact() -> None:
    said = _said(lives.past([1], 4000, ENDS, dense=False, seed=1))
    contacts = sum(one["channel"] in {"phone", "chat", "email"} for one in said)
    assert 0.05 < contacts / 4000 < 0.2


def test_the_same_seed_gives_the_same_life_and_another_one_another() -> None:
    once, again, other = (lives.past([1], 50, ENDS, dense=False, seed=seed) for seed in (1, 1, 2))
    assert once == again
    assert once != other


def test_every_touchpoint_is_one_that_the_worker_takes() -> None:
    records = lives.past([1], 400, ENDS, dense=False, seed=1)
    records += [lives.record(1, f"d-{n}", ENDS, fields) for n, fields in enumerate(islice(lives.days(1, 1), 400))]
    for offset, one in enumerate(records):
        logged = LoggedRecord(offset=offset, timestamp=int(ENDS.timestamp() * 1000), value=one.value)
        decoded = decode_record(0, logged, timedelta(hours=72))
        assert isinstance(decoded, DecodedRecord), decoded
        assert not decoded.late


@pytest.mark.parametrize("size", [*QUICK, *USUAL])
def test_customers_are_whole_copies_of_the_sample(size: Size) -> None:
    assert size.customers % size.sample == 0
    numbers = [size.number(index) for index in range(size.customers)]
    assert len(set(numbers)) == size.customers
    assert numbers[: size.sample] == list(range(size.sample))
