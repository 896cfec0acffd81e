"""What every `SourceKeyStore` does: the one in memory, and the one in PostgreSQL."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest

from services.ingest.sources.source import Source
from services.ingest.sources.source_keys import SourceKeyStore
from services.ingest.sources.source_store import SourceStore
from services.runtime.credentials.api_keys import KeyKind, MintedKey, mint
from services.runtime.postgres.pools import Pool
from tests.fixtures.ingest_bench import KeysInMemory
from tests.ports.real_pool import real_pool

LATER = datetime(2027, 1, 1, tzinfo=UTC)


class KeyTable(Protocol):
    """A store of keys, and how an operator changes it."""

    @property
    def store(self) -> SourceKeyStore: ...

    async def add(self, source: Source, expires_at: datetime | None = None) -> MintedKey: ...

    async def add_operator(self) -> MintedKey: ...

    async def revoke(self, minted: MintedKey) -> None: ...

    async def used_at(self, minted: MintedKey) -> datetime | None: ...

    async def take_away(self) -> None: ...


class MemoryTable:
    """The fake."""

    def __init__(self) -> None:
        self.store = self._keys = KeysInMemory()

    async def add(self, source: Source, expires_at: datetime | None = None) -> MintedKey:
        return self._keys.add(source, expires_at=expires_at)

    async def add_operator(self) -> MintedKey:
        return self._keys.add_operator()

    async def revoke(self, minted: MintedKey) -> None:
        self._keys.revoke(minted)

    async def used_at(self, minted: MintedKey) -> datetime | None:
        return self._keys.used.get(minted.key_id)

    async def take_away(self) -> None:
        self._keys.away = True


class PostgresTable:
    """The real side."""

    def __init__(self, pool: Pool) -> None:
        self.store = SourceStore(pool)
        self._pool = pool

    async def add(self, source: Source, expires_at: datetime | None = None) -> MintedKey:
        minted = mint(KeyKind.SOURCE)
        await self._pool.execute("INSERT INTO ingest.sources (name) VALUES ($1) ON CONFLICT DO NOTHING", source.name)
        await self._pool.execute(
            "INSERT INTO ingest.source_keys (key_id, source, secret_hash, expires_at) VALUES ($1, $2, $3, $4)",
            *(minted.key_id, source.name, minted.secret_hash, expires_at),
        )
        return minted

    async def add_operator(self) -> MintedKey:
        minted = mint(KeyKind.READER)
        await self._pool.execute(
            "INSERT INTO ingest.api_keys (key_id, kind, secret_hash, label) VALUES ($1, $2, $3, 'support')",
            *(minted.key_id, KeyKind.READER.value, minted.secret_hash),
        )
        return minted

    async def revoke(self, minted: MintedKey) -> None:
        await self._pool.execute("UPDATE ingest.source_keys SET revoked_at = now() WHERE key_id = $1", minted.key_id)

    async def used_at(self, minted: MintedKey) -> datetime | None:
        found: datetime | None = await self._pool.fetchval(
            "SELECT last_used_at FROM ingest.source_keys WHERE key_id = $1", minted.key_id
        )
        return found

    async def take_away(self) -> None:
        await self._pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await self._pool.close()


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.local)])
async def table(request: pytest.FixtureRequest) -> AsyncIterator[KeyTable]:
    """The fake, and the real one."""
    if request.param == "memory":
        yield MemoryTable()
        return
    async with real_pool(request, size=2) as pool:
        yield PostgresTable(pool)


async def test_a_key_is_found_with_its_source(table: KeyTable) -> None:
    minted = await table.add(Source(name="ivr"), expires_at=LATER)

    found = await table.store.one_key(minted.key_id)

    assert found is not None
    assert (found.source.name, found.key.subject, found.key.kind) == ("ivr", "ivr", KeyKind.SOURCE)
    assert (found.key.secret_hash, found.key.expires_at, found.key.revoked) == (minted.secret_hash, LATER, False)


async def test_an_unknown_key_is_nothing(table: KeyTable) -> None:
    await table.add(Source(name="ivr"))

    assert await table.store.one_key("nobody") is None
    assert await table.store.one_operator("nobody") is None


async def test_a_revoked_key_is_found_by_its_id_and_is_not_among_all(table: KeyTable) -> None:
    kept, revoked = await table.add(Source(name="ivr")), await table.add(Source(name="ivr"))
    await table.revoke(revoked)

    found = await table.store.one_key(revoked.key_id)

    assert [each.key.key_id for each in await table.store.all_keys()] == [kept.key_id]
    assert found is not None
    assert found.key.revoked


async def test_a_key_that_has_expired_is_still_read(table: KeyTable) -> None:
    """Whoever holds the keys judges by a clock of its own."""
    minted = await table.add(Source(name="ivr"), expires_at=datetime(2020, 1, 1, tzinfo=UTC))

    assert [each.key.key_id for each in await table.store.all_keys()] == [minted.key_id]


async def test_keys_of_operators_and_of_sources_are_apart(table: KeyTable) -> None:
    source, operator = await table.add(Source(name="ivr")), await table.add_operator()

    found = await table.store.one_operator(operator.key_id)

    assert found is not None
    assert (found.kind, found.secret_hash) == (KeyKind.READER, operator.secret_hash)
    assert await table.store.one_operator(source.key_id) is None
    assert await table.store.one_key(operator.key_id) is None


async def test_the_last_use_of_several_keys_is_noted(table: KeyTable) -> None:
    used, unused = await table.add(Source(name="ivr")), await table.add(Source(name="web"))

    await table.store.mark_used(frozenset({used.key_id, "nobody"}), LATER - timedelta(days=1))
    await table.store.mark_used(frozenset({used.key_id}), LATER)

    assert await table.used_at(used) == LATER
    assert await table.used_at(unused) is None


async def test_a_store_that_is_away_raises_one_of_its_outages(table: KeyTable) -> None:
    minted = await table.add(Source(name="ivr"))
    await table.take_away()

    for reading in (table.store.all_keys(), table.store.one_key(minted.key_id), table.store.one_operator("nobody")):
        with pytest.raises(table.store.outages):
            await reading
    assert issubclass(TimeoutError, table.store.outages)
