"""How a source is read: what the operator sets, and what ingest makes of it."""

from pathlib import Path

import pytest

from services.ingest.sources.source import Source
from services.ingest.sources.source_administration import SourceReading
from services.ingest.sources.source_store import SourceStore
from services.ingest.timing.touchpoint_time import ClockMode
from services.runtime.postgres import pools
from tests.fixtures.ingest import make_key
from waymark.console import CommandError
from waymark.database import open_transaction
from waymark.sources.source_reading import (
    checked_channel,
    checked_origins,
    dialects_of,
    read_mapping,
    read_rules,
    set_reading,
)

pytestmark = pytest.mark.local

EXAMPLES = Path(__file__).parents[2] / "examples"
EXAMPLE = EXAMPLES / "segment" / "web.yaml"


async def the_source(database: str) -> Source:
    """The only source, as ingest reads it."""
    pool = await pools.create_pool(database, application_name="test", size=1, statement_timeout_s=5.0)
    try:
        (found,) = await SourceStore(pool).all_keys()
        return found.source
    finally:
        await pools.close_pool(pool)


async def test_what_is_set_is_what_ingest_reads(database: str) -> None:
    make_key(database, "web")
    async with open_transaction(database) as connection:
        await connection.execute("""UPDATE ingest.sources SET dialects = '{"channels": {"system": "x"}}'""")
        mapping = read_mapping(EXAMPLE)
        origins = checked_origins(["https://Shop.example.com/", "https://shop.example.com"])
        await set_reading(
            connection, "web", SourceReading(dialects=dialects_of(mapping, None), origins=origins, clock="formula")
        )

    source = await the_source(database)

    assert source.dialects == {"segment": mapping, "channels": {"system": "x"}}
    assert (source.origins, source.clock) == (frozenset({"https://shop.example.com"}), ClockMode.FORMULA)


async def test_what_is_not_said_stays_and_an_empty_mapping_takes_the_own_one_away(database: str) -> None:
    make_key(database, "web")
    async with open_transaction(database) as connection:
        await set_reading(
            connection, "web", SourceReading(dialects={"segment": {"channel": "web"}}, origins=["*"], clock="true_time")
        )
        await set_reading(connection, "web", SourceReading(clock="estimate"))
    assert (await the_source(database)).dialects == {"segment": {"channel": "web"}}
    async with open_transaction(database) as connection:
        await set_reading(connection, "web", SourceReading(dialects={"segment": {}}, origins=[]))

    source = await the_source(database)
    assert (source.dialects, source.origins, source.clock) == ({}, frozenset(), ClockMode.ESTIMATE)


async def test_a_default_channel_is_set_changed_and_taken_away(database: str) -> None:
    make_key(database, "web")
    async with open_transaction(database) as connection:
        await connection.execute("""UPDATE ingest.sources SET defaults = '{"queue": "q"}'""")
        await set_reading(connection, "web", SourceReading(channel="web"))
        await set_reading(connection, "web", SourceReading(clock="formula"))
    assert (await the_source(database)).defaults == {"queue": "q", "channel": "web"}
    async with open_transaction(database) as connection:
        await set_reading(connection, "web", SourceReading(channel=""))
    assert (await the_source(database)).defaults == {"queue": "q"}


async def test_the_one_channel_of_a_source_is_its_default_and_another_is_refused(database: str) -> None:
    make_key(database, "ivr")
    async with open_transaction(database) as connection:
        await connection.execute("UPDATE ingest.sources SET channels = '{phone}'")
        with pytest.raises(CommandError, match="may use phone"):
            await set_reading(connection, "ivr", SourceReading(channel="web"))

    assert (await the_source(database)).defaults == {"channel": "phone"}


def test_a_default_channel_is_a_channel() -> None:
    assert checked_channel("none") == ""
    assert checked_channel("phone") == "phone"
    with pytest.raises(CommandError, match="no such channel: fax"):
        checked_channel("fax")


async def test_the_rules_for_cloudevents_lie_beside_the_mapping(database: str) -> None:
    make_key(database, "shop")
    rules = read_rules(EXAMPLES / "cloudevents" / "shop.yaml")
    async with open_transaction(database) as connection:
        await set_reading(connection, "shop", SourceReading(dialects=dialects_of({"channel": "web"}, rules)))
    both = (await the_source(database)).dialects
    async with open_transaction(database) as connection:
        await set_reading(connection, "shop", SourceReading(dialects=dialects_of(None, {})))

    assert both == {"segment": {"channel": "web"}, "cloudevents": rules}
    assert (await the_source(database)).dialects == {"segment": {"channel": "web"}}


@pytest.mark.parametrize(
    "text", ["types: 3", "a: [", "types: {x: {kind: Not A Kind}}", "types: {x: {fields: {id: '?'}}}"]
)
def test_rules_are_checked_before_they_are_kept(tmp_path: Path, text: str) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(CommandError, match="rules"):
        read_rules(file)


async def test_a_source_that_is_not_there_is_reported(database: str) -> None:
    async with open_transaction(database) as connection:
        with pytest.raises(CommandError, match="no source 'wab'"):
            await set_reading(connection, "wab", SourceReading(clock="estimate"))


@pytest.mark.parametrize("text", ["channel: fax", "a: [", "events: {A: {kind: Not A Kind}}"])
def test_a_mapping_is_checked_before_it_is_kept(tmp_path: Path, text: str) -> None:
    file = tmp_path / "mapping.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(CommandError, match="mapping"):
        read_mapping(file)


@pytest.mark.parametrize("origin", ["shop.example.com", "https://shop.example.com/path", "ftp://x", "https://*.x"])
def test_an_origin_is_what_a_browser_sends(origin: str) -> None:
    with pytest.raises(CommandError, match="no web origin"):
        checked_origins([origin])
