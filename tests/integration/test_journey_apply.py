"""Batches on a real database: applied once, whatever comes twice, comes broken, or comes between."""

import asyncio
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field, fields, replace
from typing import Any

import asyncpg
import msgspec
import pytest
import pytest_asyncio
from msgspec import structs

from schemas.documents import touchpoint as touchpoint_v1
from services.journey.apply.transaction import BatchTransaction
from services.journey.consume.decoding import BatchRecord, PoisonCode
from services.journey.consume.intake import Chunk
from services.journey.consume.progress import SCHEMA
from services.journey.domain.identity.facts import IdentifierKey
from services.journey.domain.touchpoint import Touchpoint, first_fingerprint
from services.journey.failpoints import WorkerFailpoint
from services.runtime.log.batch import Batch, HoleInProgressError
from services.runtime.log.dead_letters import DeadLetterLimit, DeadLetterLimitError, trailing
from services.runtime.postgres.pools import acquire
from tests.fixtures.journey_bench import JourneyBench, open_bench, touchpoint

pytestmark = [pytest.mark.local, pytest.mark.may_log_error("batch failed")]


@pytest_asyncio.fixture
async def bench(database: str) -> AsyncIterator[JourneyBench]:
    async with open_bench(database) as opened:
        yield opened


STATE = """
SELECT (SELECT count(*) FROM journey.touchpoints) AS touchpoints,
       (SELECT count(*) FROM journey.customers WHERE merged_into IS NULL) AS customers,
       (SELECT count(*) FROM journey.frictions WHERE state = 'detected') AS frictions,
       (SELECT count(*) FROM journey.dead_letters) AS dead_letters,
       (SELECT count(*) FROM journey.outbox WHERE topic = 'frictions') AS outgoing
"""


async def state(bench: JourneyBench) -> dict[str, int]:
    return dict((await bench.rows(STATE))[0])


async def test_a_second_call_within_a_day_becomes_a_friction_on_its_way_out(bench: JourneyBench) -> None:
    bench.log.append(0, touchpoint("a", 0, reason="billing"))
    bench.log.append(0, touchpoint("b", 30, reason="billing"))
    await bench.apply()
    rules = [row["rule"] for row in await bench.rows("SELECT rule FROM journey.frictions ORDER BY rule")]
    assert rules == ["repeat_contact_24h", "repeat_contact_7d"]
    assert await state(bench) == {
        "touchpoints": 2, "customers": 1, "frictions": 2, "dead_letters": 0, "outgoing": 2,
    }  # fmt: skip


async def test_the_same_touchpoint_again_changes_nothing(bench: JourneyBench) -> None:
    bench.log.append(0, touchpoint("a", 0))
    bench.log.append(0, touchpoint("b", 30))
    await bench.apply()
    before = await state(bench)
    for partition in (0, 1):
        bench.log.append(partition, touchpoint("a", 0))
        bench.log.append(partition, touchpoint("b", 30))
    await bench.apply()
    assert await state(bench) == before
    assert bench.registry.get_sample_value("waymark_journey_records_total", {"outcome": "duplicate"}) == 4


async def test_transport_details_do_not_make_a_duplicate_a_conflict(bench: JourneyBench) -> None:
    bench.log.append(0, touchpoint("a", 0))
    bench.log.append(0, touchpoint("a", 0, received_at=touchpoint("x", 5).received_at, replay=True))
    await bench.apply()
    assert (await state(bench))["dead_letters"] == 0


@pytest.mark.parametrize("batches", [1, 2], ids=["in one batch", "in two"])
async def test_a_number_written_otherwise_is_the_same_content(bench: JourneyBench, batches: int) -> None:
    bench.log.append(0, touchpoint("a", 0, duration_s=1, attributes={"n": [100]}))
    if batches == 2:
        await bench.apply()
    bench.log.append(0, touchpoint("a", 0, duration_s=1.0, attributes={"n": [1e2]}))
    await bench.apply()
    assert (await state(bench))["dead_letters"] == 0


async def stored_by_the_first_release(bench: JourneyBench, *points: touchpoint_v1.TouchpointDocument) -> None:
    for point in points:
        bench.log.append(0, point)
    await bench.apply()
    for point in points:
        print_ = first_fingerprint(msgspec.json.decode(touchpoint_v1.encode(point), type=Touchpoint))
        await bench.execute("UPDATE journey.seen SET fingerprint = $2 WHERE id = $1", point.id, print_)


async def test_a_duplicate_of_what_an_earlier_release_stored_is_no_conflict(bench: JourneyBench) -> None:
    await stored_by_the_first_release(
        bench,
        touchpoint("number", 0, duration_s=1.0),
        touchpoint("extension", 1, customer={"phone": "+82271350410"}),
        touchpoint("domain", 2, customer={"email": "q@strasse.example"}),
        touchpoint(
            "constant",
            3,
            customer={"customer_id": "C-1", "device_id": "02:00:00:00:00:00"},
        ),
        touchpoint("sealed", 4, attributes={"a": "sealed:v1:k:AAAA", "b": ["sealed:v1:k:AAAA", "BB"]}),
    )
    bench.log.append(0, touchpoint("number", 0, duration_s=1))
    bench.log.append(0, touchpoint("number", 0, duration_s=1.0))
    bench.log.append(0, touchpoint("extension", 1, customer={"phone": "+82271350410;ext=12"}))
    bench.log.append(0, touchpoint("domain", 2, customer={"email": "q@straße.example"}))
    bench.log.append(0, touchpoint("constant", 3, customer={"customer_id": "C-1"}))
    bench.log.append(0, touchpoint("sealed", 4, attributes={"a": "sealed:v1:k:BBBB", "b": ["sealed:v1:k:CCCC"]}))
    await bench.apply()
    assert (await state(bench))["dead_letters"] == 0


async def test_other_content_stays_a_conflict_with_what_an_earlier_release_stored(bench: JourneyBench) -> None:
    await stored_by_the_first_release(
        bench,
        touchpoint("number", 0, duration_s=1.0),
        touchpoint("extension", 1, customer={"phone": "+82271350410;ext=34"}),
    )
    bench.log.append(0, touchpoint("number", 0, duration_s=2))
    bench.log.append(0, touchpoint("extension", 1, customer={"phone": "+82271350410;ext=12"}))
    await bench.apply()
    assert (await state(bench))["dead_letters"] == 2


async def test_a_repeat_of_what_names_nobody_is_a_duplicate_under_an_earlier_fingerprint(bench: JourneyBench) -> None:
    point = touchpoint("a", 0, wait_s=1.0, customer={"device_id": "02:00:00:00:00:00"})
    await stored_by_the_first_release(bench, point)
    bench.log.append(0, point)
    await bench.apply()
    codes = [row["code"] for row in await bench.rows("SELECT code FROM journey.dead_letters")]
    assert codes == ["no_usable_identifier"]


async def test_the_same_id_with_other_content_is_a_conflict_and_the_first_stands(bench: JourneyBench) -> None:
    bench.log.append(0, touchpoint("a", 0, reason="billing"))
    offset = bench.log.append(0, touchpoint("a", 0, reason="delivery"))
    await bench.apply()
    letters = await bench.rows('SELECT "offset", code, source, touchpoint_id, value FROM journey.dead_letters')
    assert [tuple(row)[:4] for row in letters] == [(offset, "id_conflict", "ivr", "a")]
    assert letters[0]["value"] == bench.log.records[0][offset].value
    assert (await state(bench))["touchpoints"] == 1


POISON = {
    "empty": None,
    "not_a_touchpoint": b"{",
    "not_utf8": b'{"id": "\xff"}',
    "nul": b'{"id":"n","source":"s","occurred_at":"2026-11-22T00:00:00Z","received_at":"2026-11-22T00:00:00Z",'
    b'"channel":"web","kind":"page_viewed","customer":{"customer_id":{"value":"a\\u0000b"}}}',
    "time_out_of_range": b'{"id":"t","source":"s","occurred_at":"1826-11-22T00:00:00Z",'
    b'"received_at":"2026-11-22T00:00:00Z","channel":"web","kind":"page_viewed",'
    b'"customer":{"customer_id":{"value":"C-1"}}}',
    "nameless": b'{"id":"","source":"s","occurred_at":"2026-11-22T00:00:00Z","received_at":"2026-11-22T00:00:00Z",'
    b'"channel":"web","kind":"page_viewed","customer":{"customer_id":{"value":"C-1"}}}',
    "no_usable_identifier": b'{"id":"u","source":"s","occurred_at":"2026-11-22T00:00:00Z",'
    b'"received_at":"2026-11-22T00:00:00Z","channel":"web","kind":"page_viewed",'
    b'"customer":{"email":{"value":"null"}}}',
    "too_large": b'{"id": "' + b"x" * 1_100_000 + b'"}',
}


@pytest.mark.parametrize("code", POISON)
async def test_poison_is_buried_in_its_place_and_its_neighbours_live(bench: JourneyBench, code: str) -> None:
    bench.log.append(0, touchpoint("before", 0))
    offset = bench.log.append(0, POISON[code])
    bench.log.append(0, touchpoint("after", 1))
    await bench.apply()
    letters = await bench.rows('SELECT partition, "offset", code FROM journey.dead_letters')
    assert [tuple(row) for row in letters] == [(0, offset, code)]
    assert (await state(bench))["touchpoints"] == 2


async def test_deep_nesting_is_buried_and_not_a_crash(bench: JourneyBench) -> None:
    bench.log.append(0, b'{"attributes":' + b'{"a":' * 20_000 + b"1" + b"}" * 20_000 + b"}")
    bench.log.append(0, touchpoint("after", 1))
    await bench.apply()
    assert (await state(bench))["dead_letters"] == 1


async def test_what_only_the_database_refuses_is_found_among_many(bench: JourneyBench) -> None:
    long = "x" * 200_000  # a value that no index takes
    for number in range(40):
        customer = {
            "customer_id": f"C-{number}"
            if number != 17
            else "".join(chr(33 + (i * 7919) % 9000) for i in range(len(long) // 20))
        }
        bench.log.append(number % 2, touchpoint(f"t{number}", number, customer=customer))
    await bench.apply()
    letters = await bench.rows("SELECT code, touchpoint_id FROM journey.dead_letters")
    assert [tuple(row) for row in letters] == [("not_storable", "t17")]
    assert (await state(bench))["touchpoints"] == 39


async def test_too_many_dead_letters_in_a_row_stop_the_worker_and_nothing_is_buried(database: str) -> None:
    async with open_bench(database, limit=DeadLetterLimit(ratio=1.0, run=10)) as bench:
        for _ in range(10):
            bench.log.append(0, b"{")
        with pytest.raises(DeadLetterLimitError):
            await bench.apply()
        assert (await state(bench))["dead_letters"] == 0
        assert await bench.value("SELECT next_offset FROM journey.progress WHERE partition = 0") == 0


async def test_a_restart_does_not_make_room_for_as_many_dead_letters_again(database: str) -> None:
    async with open_bench(database, limit=DeadLetterLimit(ratio=1.0, run=10)) as bench:
        for offset in range(9):
            bench.log.append(offset % 2, b"{")
        await bench.apply()
    async with open_bench(database, limit=DeadLetterLimit(ratio=1.0, run=10)) as again:
        again.log.records = bench.log.records
        again.limit.remember(await trailing_letters(again))
        again.log.append(1, b"{")
        with pytest.raises(DeadLetterLimitError):
            await again.apply()
        again.log.records[1][-1:] = []
        again.log.append(1, touchpoint("sound", 0))
        again.log.append(1, b"{")
        await again.apply()
        assert (await state(again))["dead_letters"] == 10


async def test_only_an_unbroken_row_at_the_end_is_remembered(bench: JourneyBench) -> None:
    for value in (b"{", touchpoint("a", 0), b"{", b"{", touchpoint("a", 0, reason="delivery"), b"{"):
        bench.log.append(0, value)
    bench.log.append(1, b"{")
    await bench.apply()
    assert (await state(bench))["dead_letters"] == 6
    assert await trailing_letters(bench) == 2  # the conflict of the partition 0 breaks its row


async def trailing_letters(bench: JourneyBench) -> int:
    async with acquire(bench.pool) as connection:
        return await trailing(connection, SCHEMA, bench.line, besides={PoisonCode.ID_CONFLICT}, most=10)


async def test_identifiers_that_arrive_on_different_partitions_become_one_customer(bench: JourneyBench) -> None:
    bench.log.append(0, touchpoint("web", 0, customer={"cookie": "k-1"}, channel="web"))
    bench.log.append(1, touchpoint("call", 10, customer={"phone": "+821012345678"}))
    await bench.apply()
    assert (await state(bench))["customers"] == 2
    assert (await state(bench))["frictions"] == 0
    bench.log.append(0, touchpoint("login", 20, kind="signed_in", customer={"cookie": "k-1", "phone": "+821012345678"}))
    await bench.apply()
    seen = await state(bench)
    assert (seen["customers"], seen["frictions"]) == (1, 2)
    owners = await bench.value("SELECT count(DISTINCT customer_id) FROM journey.touchpoints")
    merges = await bench.rows("SELECT source, touchpoint_id FROM journey.merges")
    assert owners == 1
    assert [tuple(row) for row in merges] == [("ivr", "login")]


async def test_a_link_is_written_when_it_is_new_and_when_it_becomes_proved_and_not_again(bench: JourneyBench) -> None:
    who = {"customer_id": "C-7", "phone": "+821012345678"}
    rows: list[tuple[Any, ...]] = []
    for minute, (id_, proved) in enumerate((("new", False), ("again", False), ("proved", True), ("less", False))):
        seen = touchpoint(id_, minute, customer=who)
        claims = {kind: structs.replace(one, verified=proved) for kind, one in seen.customer.items()}
        bench.log.append(0, structs.replace(seen, customer=claims))
        await bench.apply()
        rows += [tuple(row) for row in await bench.rows("SELECT verified, ctid, xmax FROM journey.links")]
    assert rows[1] == rows[0], "neither another version of the row nor a lock on it"
    assert [row[0] for row in rows] == [False, False, True, True]
    assert rows[3] == rows[2]


async def test_a_merge_sends_open_frictions_again_under_the_survivor(bench: JourneyBench) -> None:
    bench.log.append(0, touchpoint("old", 0, customer={"customer_id": "C-0"}))
    await bench.apply()
    bench.log.append(1, touchpoint("a", 1, customer={"phone": "+821012345678"}))
    bench.log.append(1, touchpoint("b", 2, customer={"phone": "+821012345678"}))
    await bench.apply()
    bench.log.append(
        0, touchpoint("link", 3, kind="signed_in", customer={"customer_id": "C-0", "phone": "+821012345678"})
    )
    await bench.apply()
    rows = await bench.rows(
        "SELECT f.revision, f.payload ->> 'previous_customer_id' AS previous, c.merged_into "
        "FROM journey.frictions f JOIN journey.customers c USING (customer_id) WHERE f.rule = 'repeat_contact_24h'"
        " AND f.payload -> 'anchor' ->> 'touchpoint_id' = 'b'"
    )
    assert [(row["revision"], row["previous"] is not None, row["merged_into"]) for row in rows] == [(2, True, None)]


async def test_a_claim_by_somebody_else_fences_us_out(bench: JourneyBench) -> None:
    bench.log.append(0, touchpoint("a", 0))
    bench.log.append(1, touchpoint("b", 0, customer={"customer_id": "C-2"}))
    claims = await bench.claim()
    await bench.execute("UPDATE journey.progress SET epoch = epoch + 1, owner = 'other' WHERE partition = 0")
    await bench.applier.apply([Chunk(claim=claims[p], records=bench.log.records[p]) for p in (0, 1)])
    offsets = await bench.rows("SELECT next_offset FROM journey.progress ORDER BY partition")
    assert [row["next_offset"] for row in offsets] == [0, 1]
    assert (bench.intake.holds(claims[0]), bench.intake.holds(claims[1])) == (False, True)


async def test_a_batch_that_was_committed_before_is_passed_over(bench: JourneyBench) -> None:
    bench.log.append(0, touchpoint("a", 0))
    claims = await bench.claim()
    chunk = Chunk(claim=claims[0], records=bench.log.records[0])
    await bench.applier.apply([chunk])
    await bench.applier.apply([chunk])
    assert (await state(bench))["touchpoints"] == 1
    assert claims[0].applied == 1


async def test_records_beyond_a_hole_are_never_applied(bench: JourneyBench) -> None:
    for number in range(3):
        bench.log.append(0, touchpoint(f"t{number}", number))
    claims = await bench.claim()
    with pytest.raises(HoleInProgressError):
        await bench.applier.apply([Chunk(claim=claims[0], records=bench.log.records[0][1:])])
    assert (await state(bench))["touchpoints"] == 0


class CutConnections:
    """Ends every connection of the bench, once, at one failpoint."""

    def __init__(self, point: WorkerFailpoint) -> None:
        self.point = point
        self.bench: JourneyBench | None = None
        self.cuts = 0

    async def reached(self, point: WorkerFailpoint) -> None:
        if point is self.point and self.bench is not None and self.cuts == 0:
            self.cuts += 1
            await self.bench.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'bench' AND pid <> pg_backend_pid()"
            )


@pytest.mark.parametrize(
    "point", [WorkerFailpoint.MID_TRANSACTION, WorkerFailpoint.BEFORE_COMMIT, WorkerFailpoint.BEFORE_TRANSACTION]
)
async def test_a_lost_connection_is_tried_again_and_counts_once(database: str, point: WorkerFailpoint) -> None:
    cut = CutConnections(point)
    async with open_bench(database, failpoints=cut) as bench:
        cut.bench = bench
        for number in range(10):
            bench.log.append(0, touchpoint(f"t{number}", number))
        await bench.apply()
        assert cut.cuts == 1
        assert (await state(bench))["touchpoints"] == 10
        assert await bench.value("SELECT next_offset FROM journey.progress WHERE partition = 0") == 10


async def test_two_workers_that_meet_the_same_people_agree(database: str) -> None:
    async with open_bench(database) as one, open_bench(database) as other:
        for number in range(120):
            customer = {"customer_id": f"C-{number % 12}", "email": f"c{number % 12}@example.com"}
            other.log.append(1, touchpoint(f"b{number}", number, customer={"email": customer["email"]}))
            one.log.append(0, touchpoint(f"a{number}", number, customer=customer))
        claims, more = await one.claim(), await other.claim()
        claims[0].epoch = more[0].epoch
        ones = [Chunk(claim=claims[0], records=one.log.records[0][n : n + 10]) for n in range(0, 120, 10)]
        others = [Chunk(claim=more[1], records=other.log.records[1][n : n + 10]) for n in range(0, 120, 10)]

        async def work(bench: JourneyBench, chunks: list[Chunk]) -> None:
            for chunk in chunks:
                await bench.applier.apply([chunk])

        await asyncio.gather(work(one, ones), work(other, others))
        assert await one.value("SELECT count(*) FROM journey.customers WHERE merged_into IS NULL") == 12
        assert await one.value("SELECT count(DISTINCT customer_id) FROM journey.touchpoints") == 12
        assert await one.value("SELECT count(*) FROM journey.touchpoints") == 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowded(BatchTransaction):
    """A database too busy for more than 150 records at a time; `tried` holds the sizes."""

    tried: list[int] = field(default_factory=list)

    async def apply(self, batch: Batch[BatchRecord], *, bury: bool, widened: Collection[IdentifierKey] = ()) -> None:
        self.tried.append(batch.size)
        if batch.size > 150:
            raise asyncpg.LockNotAvailableError("canceling statement due to lock timeout")
        await super(Crowded, self).apply(batch, bury=bury, widened=widened)


async def test_what_takes_too_long_for_others_is_applied_in_halves(bench: JourneyBench) -> None:
    for number in range(500):
        bench.log.append(number % 2, touchpoint(f"t{number}", number / 100, customer={"cookie": f"c-{number % 50}"}))
    members = {one.name: getattr(bench.applier.attempt, one.name) for one in fields(BatchTransaction)}
    crowded = Crowded(**members)
    bench.applier = replace(bench.applier, attempt=crowded)

    await bench.apply()

    assert crowded.tried == [500, 250, 125, 125, 250, 125, 125]
    assert (await state(bench))["touchpoints"] == 500
