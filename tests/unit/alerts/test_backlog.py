"""Which records overtake others, and that the order of every customer and partition stays."""

from collections.abc import Iterator
from random import Random

import pytest

from schemas.documents import friction as friction_v1
from schemas.vocabulary import Severity
from services.alerts.consume import backlog as backlog_module
from services.alerts.consume.backlog import Backlog
from services.alerts.consume.records import ConsumedRecord
from services.alerts.issues.contract import is_urgent
from services.runtime.log.batch import Batch
from services.runtime.log.claims import Claim
from tests.fixtures.alerts_service import a_friction

MOST = 3


def a_claim(partition: int) -> Claim:
    return Claim(partition=partition, epoch=1, applied=0, cursor=0)


def a_record(offset: int, key: str = "", *, partition: int = 0, value: bytes = b"calm") -> ConsumedRecord:
    return ConsumedRecord(
        partition=partition, offset=offset, timestamp=0, key=(key or f"customer-{offset}").encode(), value=value
    )


def urgent(record: ConsumedRecord) -> bool:
    return record.value == b"urgent"


def offsets(batch: Batch[ConsumedRecord]) -> list[int]:
    return [record.offset for record in batch.items]


def test_an_urgent_record_goes_ahead_with_what_its_customer_has_before_it() -> None:
    backlog = Backlog(100)
    keys = ["a", "b", "c", "a", "b", "a", "d"]
    records = [a_record(n, key, value=b"urgent" if n == 3 else b"calm") for n, key in enumerate(keys)]
    backlog.add(records, {0: a_claim(0)})

    assert offsets(backlog.overtaking(urgent, MOST)) == [0, 3]
    assert offsets(backlog.take(100)) == list(range(7))


def test_the_same_key_in_another_partition_stays() -> None:
    backlog = Backlog(100)
    records = [a_record(0, "a", partition=1), *(a_record(n, "a") for n in range(4)), a_record(4, "a", value=b"urgent")]
    backlog.add(records, {0: a_claim(0), 1: a_claim(1)})

    assert {record.partition for record in backlog.overtaking(urgent, 5).items} == {0}


def test_what_went_ahead_does_not_go_again() -> None:
    backlog, claims = Backlog(100), {0: a_claim(0)}
    backlog.add([*(a_record(n, "a") for n in range(4)), a_record(4, "a", value=b"urgent")], claims)
    first = offsets(backlog.overtaking(urgent, MOST))
    backlog.add([a_record(5, "a", value=b"urgent")], claims)

    assert (first, offsets(backlog.overtaking(urgent, MOST))) == ([0, 1, 2], [3, 4, 5])
    assert offsets(backlog.overtaking(urgent, MOST)) == []


def test_nothing_overtakes_what_is_taken_at_once() -> None:
    backlog = Backlog(100)
    backlog.add([a_record(0), a_record(1, value=b"urgent")], {0: a_claim(0)})

    assert offsets(backlog.overtaking(urgent, MOST)) == []


def test_a_record_without_a_customer_waits_for_its_turn() -> None:
    backlog = Backlog(100)
    nobody = ConsumedRecord(partition=0, offset=9, timestamp=0, key=None, value=b"urgent")
    backlog.add([*(a_record(n) for n in range(9)), nobody], {0: a_claim(0)})

    assert offsets(backlog.overtaking(urgent, MOST)) == []


def test_a_lost_partition_takes_its_records_with_it() -> None:
    backlog, kept = Backlog(100), a_claim(1)
    backlog.add([a_record(n, partition=n % 2) for n in range(8)], {0: a_claim(0), 1: kept})
    backlog.add([], {0: a_claim(0), 1: kept})  # claimed again, it is read again

    assert offsets(backlog.take(100)) == [1, 3, 5, 7]


def test_what_waits_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    backlog, claims = Backlog(10), {0: a_claim(0)}
    backlog.add((a_record(n) for n in range(4)), claims)
    by_number = backlog.room
    monkeypatch.setattr(backlog_module, "MOST_BYTES", 16)
    full = backlog.room
    backlog.take(1)

    assert (by_number, full, backlog.room) == (6, 0, 7)


@pytest.mark.parametrize("seed", range(20))
def test_every_record_has_its_turn_once_and_no_customer_is_put_out_of_order(seed: int) -> None:
    rng = Random(seed)
    backlog, claims = Backlog(60), {partition: a_claim(partition) for partition in range(3)}
    coming = _coming(rng)
    taken: list[tuple[int, int]] = []
    heard: dict[tuple[int, bytes], list[int]] = {}
    while True:
        arriving = [record for _, record in zip(range(min(backlog.room, rng.randrange(40))), coming, strict=False)]
        backlog.add(arriving, claims)
        for batch in (backlog.overtaking(urgent, 10), turn := backlog.take(10)):
            for record in batch.items:
                heard.setdefault((record.partition, record.key or b""), []).append(record.offset)
        taken += [(record.partition, record.offset) for record in turn.items]
        if len(taken) == 900:
            break

    assert len(set(taken)) == 900
    for partition in claims:
        assert [offset for at, offset in taken if at == partition] == list(range(300))
    for told in heard.values():
        first = list(dict.fromkeys(told))  # what comes again in its turn changes nothing
        assert first == sorted(first)


def _coming(rng: Random) -> Iterator[ConsumedRecord]:
    for offset in range(300):
        for partition in range(3):
            value = b"urgent" if rng.random() < 0.1 else b"calm"
            yield a_record(offset, f"c{rng.randrange(20)}", partition=partition, value=value)


@pytest.mark.parametrize(
    ("severity", "quiet", "expected"),
    [(Severity.CRITICAL, False, True), (Severity.CRITICAL, True, False), (Severity.HIGH, False, False)],
)
def test_critical_and_loud_is_urgent(severity: Severity, quiet: bool, expected: bool) -> None:
    assert is_urgent(friction_v1.encode(a_friction(severity=severity, quiet=quiet))) is expected


@pytest.mark.parametrize("value", [None, b"", b"[]", b'{"severity": 1}', b'{"severity": "\xff"}', b"{"])
def test_what_cannot_be_read_is_not_urgent(value: bytes | None) -> None:
    assert is_urgent(value) is False
