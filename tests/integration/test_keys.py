import pytest

from services.ingest.sources.source_administration import SourceSpec
from services.runtime.credentials.api_keys import KeyKind, parse
from waymark.console import CommandError
from waymark.database import open_transaction
from waymark.keys.key_store import (
    create_role_key,
    create_source_key,
    list_keys,
    revoke_key,
    rotate_key,
    still_valid,
)

pytestmark = pytest.mark.local


async def test_a_source_key_is_stored_hashed_and_listed_without_its_secret(database: str) -> None:
    async with open_transaction(database) as connection:
        key = await create_source_key(
            connection, SourceSpec(name="ivr", channels=["phone"], replay=True), label="night"
        )
        presented = parse(key.text)
        assert presented is not None
        assert presented.kind is KeyKind.SOURCE
        row = await connection.fetchrow("SELECT secret_hash, label FROM ingest.source_keys")
        assert row is not None
        assert tuple(row) == (key.secret_hash, "night")
        (listed,) = await list_keys(connection)
    assert (listed.subject, listed.channels, listed.scopes) == ("ivr", ["phone"], ["write", "inspect", "replay"])
    assert key.text.rpartition("_")[2] not in str(listed)


async def test_a_second_key_of_a_source_takes_over_what_the_source_may_do(database: str) -> None:
    async with open_transaction(database) as connection:
        await create_source_key(connection, SourceSpec(name="ivr", channels=["phone"]))
        await create_source_key(connection, SourceSpec(name="ivr", channels=["phone", "ivr"]))
        assert [key.channels for key in await list_keys(connection)] == [["phone", "ivr"]] * 2


async def test_a_role_key_opens_both_apis_and_a_revocation_closes_both(database: str) -> None:
    async with open_transaction(database) as connection:
        key = await create_role_key(connection, KeyKind.AGENT, label="support desk", days=30)
        assert await still_valid(connection, key.text)
        assert [listed.kind for listed in await list_keys(connection)] == ["agent"]
        assert await revoke_key(connection, key.key_id)
        assert not await still_valid(connection, key.text)
        for table in ("ingest.api_keys", "journey.api_keys", "alerts.api_keys"):
            assert await connection.fetchval(f"SELECT revoked_at IS NOT NULL FROM {table}")
        assert not await revoke_key(connection, "nobody")


async def test_a_rotated_key_and_its_successor_work_side_by_side_until_the_overlap_is_over(database: str) -> None:
    async with open_transaction(database) as connection:
        old = await create_source_key(connection, SourceSpec(name="ivr"), label="night", days=30, only=["write"])
        rotation = await rotate_key(connection, old.key_id, overlap_h=1)

        assert (rotation.subject, await still_valid(connection, old.text)) == ("ivr", True)
        assert await still_valid(connection, rotation.key.text)
        listed = {key.key_id: key for key in await list_keys(connection)}
        assert listed[rotation.key.key_id].scopes == ["write"]
        assert listed[old.key_id].rotated_to == rotation.key.key_id
        ages = await connection.fetch("SELECT expires_at - now() FROM ingest.source_keys ORDER BY expires_at")
        assert [round(age.total_seconds() / 3600) for (age,) in ages] == [1, 720]

        with pytest.raises(CommandError, match="rotated already"):
            await rotate_key(connection, old.key_id, overlap_h=1)
        await rotate_key(connection, rotation.key.key_id, overlap_h=0)
        assert not await still_valid(connection, rotation.key.text)


async def test_a_role_s_key_is_rotated_in_every_api(database: str) -> None:
    async with open_transaction(database) as connection:
        old = await create_role_key(connection, KeyKind.AGENT, label="support desk")
        rotation = await rotate_key(connection, old.key_id, overlap_h=0)

        assert not await still_valid(connection, old.text)
        assert await still_valid(connection, rotation.key.text)
        assert {key.subject for key in await list_keys(connection)} == {"support desk"}


async def test_what_is_gone_is_not_rotated(database: str) -> None:
    async with open_transaction(database) as connection:
        key = await create_source_key(connection, SourceSpec(name="ivr"))
        await revoke_key(connection, key.key_id)
        with pytest.raises(CommandError, match="revoked or has expired"):
            await rotate_key(connection, key.key_id, overlap_h=1)
        with pytest.raises(CommandError, match="no key nobody"):
            await rotate_key(connection, "nobody", overlap_h=1)


async def test_a_source_s_pace_is_set_kept_and_taken_back(database: str) -> None:
    async with open_transaction(database) as connection:
        await create_source_key(connection, SourceSpec(name="web", requests_per_s=50, touchpoints_per_s=200))
        await create_source_key(connection, SourceSpec(name="web", requests_per_s=0))
        assert [(key.requests_per_s, key.touchpoints_per_s) for key in await list_keys(connection)] == [(None, 200)] * 2


async def test_a_key_with_another_secret_is_not_valid(database: str) -> None:
    async with open_transaction(database) as connection:
        key = await create_source_key(connection, SourceSpec(name="web"))
        assert await still_valid(connection, key.text)
        assert not await still_valid(connection, key.text[:-1] + ("0" if key.text[-1] != "0" else "1"))
        assert not await still_valid(connection, "no key at all")


async def test_a_source_s_name_must_be_a_name(database: str) -> None:
    with pytest.raises(CommandError, match="no name for a source"):
        async with open_transaction(database) as connection:
            await create_source_key(connection, SourceSpec(name="call centre!"))


async def test_a_database_without_tables_says_what_to_run(postgres_url: str) -> None:
    with pytest.raises(CommandError, match="waymark migrate"):
        async with open_transaction(postgres_url) as connection:
            await list_keys(connection)


async def test_an_unreachable_database_is_named_without_its_password() -> None:
    with pytest.raises(CommandError, match=r"postgresql://waymark@127\.0\.0\.1:1/waymark: .* refused") as caught:
        async with open_transaction("postgresql://waymark:secret@127.0.0.1:1/waymark"):
            pass
    assert "secret" not in str(caught.value)
