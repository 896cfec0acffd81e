"""What every `SuppressionListStore` does: the one in memory, and the one in PostgreSQL."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from schemas.identifiers.pseudonyms import pseudonym
from services.ingest.privacy.suppression_store import PostgresSuppressionStore
from services.ingest.privacy.suppressions import PROBE, SuppressionListStore
from services.runtime.postgres.pools import Pool, transaction
from tests.ports.real_pool import real_pool
from tests.ports.suppression_list import SECRET, ListInMemory

ONE, OTHER = ("phone", "+821012345678"), ("email", "a@b.example")


@dataclass(frozen=True)
class ListCase:
    """A store, and how an operator writes the whole list and how its database goes away."""

    store: SuppressionListStore
    write: Callable[..., Awaitable[None]]
    take_away: Callable[[], Awaitable[None]]


def in_memory() -> ListCase:
    """The fake."""
    store = ListInMemory()

    async def write(*identifiers: tuple[str, str]) -> None:
        store.write(*identifiers)

    async def take_away() -> None:
        store.away = True

    return ListCase(store, write, take_away)


def in_postgres(pool: Pool) -> ListCase:
    """The real side."""

    async def write(*identifiers: tuple[str, str]) -> None:
        rows = [(pseudonym(SECRET.encode(), *one), one[0]) for one in identifiers]
        async with transaction(pool) as connection:
            await connection.execute("UPDATE ingest.suppressions SET lifted_at = now()")
            await connection.executemany(
                "INSERT INTO ingest.suppressions (pseudonym, type) VALUES ($1, $2)"
                " ON CONFLICT (pseudonym) DO UPDATE SET lifted_at = NULL",
                rows,
            )
            await connection.execute(
                "UPDATE ingest.suppression_list SET version = version + 1, probe = $1",
                pseudonym(SECRET.encode(), *PROBE),
            )

    return ListCase(PostgresSuppressionStore(pool), write, pool.close)


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.local)])
async def case(request: pytest.FixtureRequest) -> AsyncIterator[ListCase]:
    """The fake, and the real one."""
    if request.param == "memory":
        yield in_memory()
        return
    async with real_pool(request) as pool:
        yield in_postgres(pool)


async def test_a_list_that_nobody_wrote_is_read_as_empty_once(case: ListCase) -> None:
    found = await case.store.read(-1)

    assert found is not None
    assert (found.pseudonyms, found.types) == (frozenset(), frozenset())
    assert await case.store.read(found.version) is None


async def test_the_list_has_pseudonyms_their_types_and_a_probe(case: ListCase) -> None:
    await case.write(ONE, OTHER)

    found = await case.store.read(-1)

    assert found is not None
    assert found.pseudonyms == {pseudonym(SECRET.encode(), *each) for each in (ONE, OTHER)}
    assert found.types == {"phone", "email"}
    assert found.probe == pseudonym(SECRET.encode(), *PROBE)


async def test_each_change_makes_a_version_that_is_read_whole(case: ListCase) -> None:
    await case.write(ONE)
    before = await case.store.read(-1)
    await case.write(OTHER)

    assert before is not None
    after = await case.store.read(before.version)

    assert after is not None
    assert after.version > before.version
    assert after.pseudonyms == {pseudonym(SECRET.encode(), *OTHER)}
    assert after.types == {"email"}
    assert await case.store.read(after.version) is None


async def test_a_store_that_is_away_raises_one_of_its_outages(case: ListCase) -> None:
    await case.take_away()

    with pytest.raises(case.store.outages):
        await case.store.read(-1)
