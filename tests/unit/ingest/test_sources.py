import asyncio
from datetime import timedelta

import pytest

from services.ingest.reasons import RequestRefusal, RequestRefusedError
from services.ingest.sources.source import Source
from services.ingest.sources.source_keys import SourceKeys
from services.runtime.credentials.api_keys import KeyKind, mint
from tests.fixtures.clock import SteppingClock
from tests.fixtures.ingest_bench import NOW, KeysInMemory
from tests.waiting import until

IVR = Source(name="ivr")


@pytest.fixture
def store() -> KeysInMemory:
    return KeysInMemory()


@pytest.fixture
def sources(store: KeysInMemory, clock: SteppingClock) -> SourceKeys:
    return SourceKeys(store, clock, refresh_s=0.001, retry_after_s=5)


async def refusal(sources: SourceKeys, text: str | None) -> RequestRefusal:
    with pytest.raises(RequestRefusedError) as raised:
        await sources.source_of(text)
    return raised.value.refusal


async def test_a_known_key_is_checked_without_the_database(sources: SourceKeys, store: KeysInMemory) -> None:
    key = store.add(IVR)
    await sources.refresh()
    store.away = True

    assert await sources.source_of(key.text) == IVR
    assert store.lookups == 0


async def test_a_new_key_works_at_once_and_is_asked_for_once(sources: SourceKeys, store: KeysInMemory) -> None:
    await sources.refresh()
    key = store.add(IVR)

    assert [await sources.source_of(key.text) for _ in range(3)] == [IVR] * 3
    assert store.lookups == 1


async def test_many_requests_with_a_new_key_ask_once_or_twice(sources: SourceKeys, store: KeysInMemory) -> None:
    await sources.refresh()
    key = store.add(IVR)

    assert await asyncio.gather(*[sources.source_of(key.text) for _ in range(50)]) == [IVR] * 50
    assert store.lookups <= 2


async def test_a_wrong_key_is_asked_for_once(sources: SourceKeys, store: KeysInMemory) -> None:
    await sources.refresh()
    wrong = mint(KeyKind.SOURCE).text

    assert [await refusal(sources, wrong) for _ in range(3)] == [RequestRefusal.KEY_INVALID] * 3
    assert store.lookups == 1


async def test_a_revoked_key_stops_working_with_the_next_refresh(sources: SourceKeys, store: KeysInMemory) -> None:
    key = store.add(IVR)
    await sources.refresh()
    store.revoke(key)
    await sources.refresh()

    assert await refusal(sources, key.text) is RequestRefusal.KEY_REVOKED


async def test_a_key_that_was_looked_up_is_forgotten_with_the_next_refresh(
    sources: SourceKeys, store: KeysInMemory
) -> None:
    await sources.refresh()
    key = store.add(IVR)
    await sources.source_of(key.text)
    store.revoke(key)
    await sources.refresh()

    assert await refusal(sources, key.text) is RequestRefusal.KEY_REVOKED


async def test_an_expired_key_stops_working_at_its_time(
    sources: SourceKeys, store: KeysInMemory, clock: SteppingClock
) -> None:
    key = store.add(IVR, expires_at=NOW + timedelta(hours=1))
    await sources.refresh()
    before = await sources.source_of(key.text)
    clock.advance(timedelta(hours=1))

    assert before == IVR
    assert await refusal(sources, key.text) is RequestRefusal.KEY_EXPIRED


async def test_an_unknown_key_cannot_be_judged_during_an_outage(sources: SourceKeys, store: KeysInMemory) -> None:
    await sources.refresh()
    store.away = True

    assert await refusal(sources, mint(KeyKind.SOURCE).text) is RequestRefusal.KEYS_UNAVAILABLE


async def test_a_malformed_key_is_never_asked_for(sources: SourceKeys, store: KeysInMemory) -> None:
    await sources.refresh()
    store.away = True

    assert await refusal(sources, "nonsense") is RequestRefusal.KEY_INVALID
    assert await refusal(sources, "") is RequestRefusal.KEY_MISSING
    assert await refusal(sources, None) is RequestRefusal.KEY_MISSING


async def test_it_is_ready_once_the_keys_were_read(sources: SourceKeys) -> None:
    before = await sources.check()
    await sources.refresh()
    after = await sources.check()

    assert (before.ok, after.ok) == (False, True)


async def test_refreshing_goes_on_through_an_outage(sources: SourceKeys, store: KeysInMemory) -> None:
    store.away = True
    key = store.add(IVR)
    running = asyncio.create_task(sources.run(), name="refreshing")
    await until(lambda: store.all_reads)
    store.away = False
    during = store.all_reads
    await until(lambda: store.all_reads > during + 1)
    running.cancel()
    store.away = True

    assert await sources.source_of(key.text) == IVR


async def test_use_is_noted_at_most_once_a_minute(
    sources: SourceKeys, store: KeysInMemory, clock: SteppingClock
) -> None:
    key = store.add(IVR)
    await sources.refresh()
    await sources.source_of(key.text)
    running = asyncio.create_task(sources.run(), name="refreshing")
    await until(lambda: store.all_reads > 3)
    noted_early = dict(store.used)
    clock.advance(seconds=61)
    await until(lambda: store.used)
    running.cancel()

    assert (noted_early, store.used) == ({}, {key.key_id: clock.now()})
