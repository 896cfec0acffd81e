"""Workers share one policy of identity: a version comes into force in all at once, whoever dies, whatever they ship."""

import asyncio
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from schemas.documents import touchpoint as touchpoint_v1
from services.journey.rulebook import identity_file
from services.journey.versions import storing
from services.runtime.postgres.pools import transaction
from tests.fixtures.journey_bench import touchpoint
from tests.fixtures.journey_workers import WorkerStage, open_stage
from tests.integration.test_policies_worker import shows
from tests.oracle.constrained_identity import resolve
from tests.oracle.identity_terms import Sighting
from tests.waiting import until

pytestmark = [pytest.mark.local, pytest.mark.timeout(240)]

HOUSEHOLDS = 20
ONE_CARD = "extends: default\ntypes: {loyalty_id: {unique: true}}\n"
LOOKED_AT_S = 10.0
"""They look every second and with every batch; a machine that does much besides may take longer to be asked."""

AHEAD = 6
"""Rounds that may wait for the workers."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest_asyncio.fixture
async def stage(broker: str, database: str, tmp_path: Path) -> AsyncIterator[WorkerStage]:
    async with open_stage(broker, database, tmp_path, idempotent=False) as opened:
        yield opened


def visits(round_: int) -> list[touchpoint_v1.TouchpointDocument]:
    """In each household two people with a card each use one telephone; every third round shows only the telephone."""
    now = datetime.now(UTC)
    points = []
    for number in range(HOUSEHOLDS):
        phone = {"phone": f"+82101{round_ // 4:03}{number:04}"}  # new households as time goes by
        card = {} if round_ % 3 == 2 else {"loyalty_id": f"L-{round_ // 4}-{number}-{round_ % 2}"}
        points.append(
            touchpoint(
                f"r{round_:03}-{number:02}",
                customer=card | phone,
                occurred_at=now + timedelta(milliseconds=number),
                received_at=now,
                kind="page_viewed",
                channel="web",
                direction=None,
            )
        )
    return points


async def keep_sending(stage: WorkerStage, done: asyncio.Event) -> int:
    """Send round after round until it is enough, some rounds ahead of the workers; return how many there were."""
    round_ = 0
    while not done.is_set():
        await stage.send(visits(round_))
        round_ += 1
        behind = stage.sent - AHEAD * HOUSEHOLDS
        await stage.until("SELECT coalesce(sum(next_offset), 0) >= $1 FROM journey.progress", behind, within=90)
    return round_


async def apply(stage: WorkerStage, text: str) -> int:
    async with transaction(stage.pool) as connection:
        new = storing.of_identity(identity_file.read(text, name="mine.yaml"), author="kim", note="")
        return (await storing.apply_identity(connection, new)).version.version


async def found_and_expected(stage: WorkerStage) -> tuple[Any, Any, set[int]]:
    """Touchpoints by customer, what the oracle makes of them, and by which versions they were judged."""
    since = [row[0] for row in await _rows(stage, "SELECT in_force_from FROM journey.policies WHERE kind = 'identity'")]
    found: dict[Any, set[tuple[str, str]]] = {}
    homes: dict[tuple[int, int], list[Sighting]] = {}
    for source, id_, customer, occurred_at, sequence, appended_at in await _rows(
        stage, "SELECT source, id, customer_id, occurred_at, sequence, appended_at FROM journey.touchpoints"
    ):
        found.setdefault(customer, set()).add((source, id_))
        round_, number = int(id_[1:4]), int(id_[5:])
        carried = next(one for one in visits(round_) if one.id == id_).customer
        homes.setdefault((round_ // 4, number), []).append(
            Sighting(
                source=source,
                id=id_,
                occurred_at=(occurred_at - EPOCH) // timedelta(microseconds=1),
                sequence=sequence,
                customer={type_: (one.value, one.verified) for type_, one in carried.items()},
                judge=max(1, sum(moment <= appended_at for moment in since)),
            )
        )
    later = [{"loyalty_id": {"unique": True}}] * (len(since) - 1)
    owners: dict[Any, set[tuple[str, str]]] = {}
    for sightings in homes.values():
        for key, owner in resolve(sightings, (), {}, later=later).owners.items():
            owners.setdefault(owner, set()).add(key)
    judges = {one.judge for sightings in homes.values() for one in sightings}
    return set(map(frozenset, found.values())), set(map(frozenset, owners.values())), judges


async def _rows(stage: WorkerStage, query: str) -> list[Any]:
    async with transaction(stage.pool) as connection:
        return list(await connection.fetch(query))


async def test_both_take_a_version_on_under_load_while_one_of_them_dies(stage: WorkerStage) -> None:
    await take_on_while_one_dies(stage)


async def take_on_while_one_dies(stage: WorkerStage) -> None:
    """Put a version in force under load, see it in both workers, and kill one of them."""
    workers = [await stage.start(group=stage.topic) for _ in range(2)]
    ports = [await worker.port() for worker in workers]
    await stage.until("SELECT count(DISTINCT owner) = 2 FROM journey.progress", within=60)
    enough = asyncio.Event()
    sending = asyncio.create_task(keep_sending(stage, enough))
    await stage.until("SELECT count(*) > $1 FROM journey.touchpoints", 10 * HOUSEHOLDS, within=60)
    assert await apply(stage, ONE_CARD) == 2
    for port in ports:
        await until(partial(shows, port, "identity version 2, in force from"), within=LOOKED_AT_S)
    workers[0].signal(signal.SIGKILL)
    before = stage.sent
    await until(lambda: stage.sent > before + 12 * HOUSEHOLDS, within=60)
    enough.set()
    await sending
    await stage.all_applied(within=90)
    found, expected, judges = await found_and_expected(stage)
    assert judges == {1, 2}, "some came before the version, some after it"
    assert found == expected


async def test_a_worker_of_a_release_that_ships_another_policy_judges_by_the_stored_one(stage: WorkerStage) -> None:
    await (await stage.start(group=stage.topic)).port()
    other = await stage.start("--ships", ONE_CARD, group=stage.topic)
    await other.port()
    await stage.until("SELECT count(DISTINCT owner) = 2 FROM journey.progress", within=60)
    for round_ in range(8):
        await stage.send(visits(round_))
    await stage.all_applied(within=60)
    found, expected, judges = await found_and_expected(stage)
    assert judges == {1}
    assert found == expected
    assert len(found) == 2 * HOUSEHOLDS, "a telephone makes two cards one customer, as the first worker ships it"
