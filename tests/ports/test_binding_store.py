"""What every `BindingStore` does: the one in memory, and the one in PostgreSQL."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from services.ingest.forms.webhooks.binding_store import PostgresBindingStore
from services.ingest.forms.webhooks.bindings import DIALECT, BindingStore
from services.ingest.sources.source import Source
from services.runtime.postgres.pools import Pool
from tests.ports.real_pool import real_pool
from tests.unit.ingest.webhooks.bench import BindingsInMemory

SETUP = {"system": "zendesk"}


@dataclass(frozen=True)
class BindingCase:
    """A store; `add` binds a source by its set-up with secrets, the newest first, and `take_away` ends access."""

    store: BindingStore
    add: Callable[..., Awaitable[None]]
    take_away: Callable[[], Awaitable[None]]


def in_memory() -> BindingCase:
    """The fake."""
    store = BindingsInMemory()

    async def add(source: Source, setup: Mapping[str, Any], *secrets: str) -> None:
        store.add(source, setup, *secrets)

    async def take_away() -> None:
        store.away = True

    return BindingCase(store, add, take_away)


def in_postgres(pool: Pool) -> BindingCase:
    """The real side."""

    async def add(source: Source, setup: Mapping[str, Any], *secrets: str) -> None:
        await pool.execute(
            "INSERT INTO ingest.sources (name, dialects, disabled_at) VALUES ($1, $2, CASE WHEN $3 THEN now() END)",
            *(source.name, json.dumps({DIALECT: setup}), source.disabled),
        )
        for secret in reversed(secrets):
            await pool.execute(
                "INSERT INTO ingest.source_secrets (source, material) VALUES ($1, $2)", source.name, secret.encode()
            )

    return BindingCase(PostgresBindingStore(pool), add, pool.close)


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.local)])
async def case(request: pytest.FixtureRequest) -> AsyncIterator[BindingCase]:
    """The fake, and the real one."""
    if request.param == "memory":
        yield in_memory()
        return
    async with real_pool(request) as pool:
        yield in_postgres(pool)


async def test_without_bindings_there_is_an_empty_list(case: BindingCase) -> None:
    assert await case.store.all_bindings() == []


async def test_a_binding_has_its_source_its_set_up_and_its_secrets_the_newest_first(case: BindingCase) -> None:
    await case.add(Source(name="help-desk"), SETUP, "newer", "older")
    await case.add(Source(name="no-secret"), SETUP)

    found = {each.source.name: each for each in await case.store.all_bindings()}

    assert {name: each.setup for name, each in found.items()} == {"help-desk": SETUP, "no-secret": SETUP}
    assert found["help-desk"].source.dialects == {DIALECT: SETUP}
    materials = [secret.sealed and secret.sealed.material for secret in found["help-desk"].secrets]
    assert materials == [b"newer", b"older"]
    assert list(found["no-secret"].secrets) == []


async def test_a_disabled_source_is_told_as_disabled(case: BindingCase) -> None:
    await case.add(Source(name="help-desk", disabled=True), SETUP)

    assert [each.source.disabled for each in await case.store.all_bindings()] == [True]


async def test_a_store_that_is_away_raises_one_of_its_outages(case: BindingCase) -> None:
    await case.take_away()

    with pytest.raises(case.store.outages):
        await case.store.all_bindings()
    assert issubclass(TimeoutError, case.store.outages)
