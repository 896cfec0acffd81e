"""The suppression list from the command to ingest's answers, and pseudonyms from ingest to the read API."""

import json
from pathlib import Path

import pytest

from schemas.documents import dead_letter
from services.ingest.privacy.suppression_administration import (
    ForeignSecretError,
    SuppressionChange,
    lift,
    list_suppressions,
    suppress,
)
from services.ingest.privacy.suppression_store import PostgresSuppressionStore
from services.journey.read.lookup import IdentifierReference, parse
from services.runtime.postgres import pools
from tests.fixtures.ingest import IngestServer, a_touchpoint, ends, make_key, make_topics, read_back
from tests.unit.waymark.test_command_line import waymark
from tests.waiting import until
from waymark.database import open_transaction
from waymark.privacy.pseudonym_maker import PseudonymMaker

pytestmark = pytest.mark.local

SECRET = "a-secret-for-pseudonyms-that-is-long-enough"
PERSON = {"phone": "010-1234-5678"}


async def test_the_list_holds_pseudonyms_and_keeps_what_was_lifted(database: str) -> None:
    speller = PseudonymMaker(secret=SECRET.encode(), region="KR")
    subjects = [speller.subject("phone:010-1234-5678"), speller.subject("customer_id:C-1009")]
    async with open_transaction(database) as connection:
        first = await suppress(connection, speller.secret, subjects, note="request 118")
        again = await suppress(connection, speller.secret, subjects[:1])
        lifted = await lift(connection, speller.secret, subjects[1:])
        nobody = await lift(connection, speller.secret, subjects[1:])
        in_force, every = await list_suppressions(connection), await list_suppressions(connection, lifted=True)
        rows = [tuple(row) for row in await connection.fetch("SELECT * FROM ingest.suppressions")]
        back = await suppress(connection, speller.secret, subjects[1:], note="request 119")

    assert (first, again) == ([SuppressionChange.SUPPRESSED] * 2, [SuppressionChange.SUPPRESSED_BEFORE])
    assert (lifted, nobody, back) == (
        [SuppressionChange.LIFTED],
        [SuppressionChange.NOT_LISTED],
        [SuppressionChange.SUPPRESSED],
    )
    assert [row.pseudonym for row in in_force] == [subjects[0].pseudonym]
    assert {row.pseudonym for row in every} == {subject.pseudonym for subject in subjects}
    assert "1234" not in str(rows)
    assert "C-1009" not in str(rows)


async def test_a_list_is_not_written_with_two_secrets(database: str) -> None:
    speller = PseudonymMaker(secret=SECRET.encode(), region="KR")
    subject = speller.subject("phone:010-1234-5678")
    async with open_transaction(database) as connection:
        await suppress(connection, speller.secret, [subject])
    with pytest.raises(ForeignSecretError):
        async with open_transaction(database) as connection:
            await suppress(connection, b"another", [subject])
    other = {"WAYMARK_INGEST_PRIVACY_SECRET": "another-secret-that-is-long-enough", "WAYMARK_POSTGRES": database}
    refused = waymark("suppress", "add", "phone:010-1234-5678", **other)
    assert (refused.returncode, "written with another secret" in refused.stderr) == (1, True)


async def test_ingest_sees_by_the_version_that_the_list_changed(database: str) -> None:
    speller = PseudonymMaker(secret=SECRET.encode(), region="KR")
    pool = await pools.create_pool(database, application_name="test", size=1, statement_timeout_s=5.0)
    try:
        store = PostgresSuppressionStore(pool)
        empty = await store.read(-1)
        async with open_transaction(database) as connection:
            await suppress(connection, speller.secret, [speller.subject("email:a@b.example")])
            during = await store.read(0)
        after = await store.read(0)
        same = await store.read(1)
    finally:
        await pools.close_pool(pool)

    assert empty is not None
    assert (empty.version, empty.pseudonyms) == (0, frozenset())
    assert during is None  # what is not committed has not happened
    assert after is not None
    assert (after.version, len(after.pseudonyms), set(after.types)) == (1, 1, {"email"})
    assert same is None


async def test_who_is_put_on_the_list_is_refused_within_seconds_and_taken_again_when_lifted(
    broker: str, database: str, tmp_path: Path
) -> None:
    await make_topics(broker)
    own = {"WAYMARK_INGEST_PRIVACY_SECRET": SECRET, "WAYMARK_POSTGRES": database, "WAYMARK_DATA_DIR": str(tmp_path)}
    settings = {"WAYMARK_INGEST_PRIVACY_SECRET": SECRET}
    with IngestServer(folder=tmp_path, database=database, bootstrap=broker, settings=settings) as ingest:
        key = make_key(database, "ivr")
        before = await ends(broker, "touchpoints-rejected")

        def outcome(id_: str) -> str:
            result = ingest.post(key, a_touchpoint(id_, customer=PERSON))[2]["results"][0]
            return str(result.get("code", result["status"]))

        first = outcome("1")
        added = waymark("suppress", "add", "phone:+82 10-1234-5678", "--note", "request 118", "--json", **own)
        await until(lambda: outcome("1") == "suppressed", within=30.0)
        verbose = ingest.ask("/readyz?verbose")[1]
        removed = waymark("suppress", "remove", "phone:01012345678", **own)
        await until(lambda: outcome("2") == "accepted", within=30.0)
        letters = [dead_letter.decode(r.value) for r in await read_back(broker, before, "touchpoints-rejected")]

    assert first == "accepted"
    assert [change["outcome"] for change in json.loads(added.stdout)] == ["suppressed"]
    assert "lifted" in removed.stdout
    assert "[+] suppressions: 1 held" in verbose
    assert {(letter.code, letter.value) for letter in letters} == {("suppressed", b"")}


async def test_a_customer_behind_a_pseudonym_is_found_by_the_clear_identifier(
    broker: str, database: str, tmp_path: Path
) -> None:
    policy = tmp_path / "privacy.yaml"
    policy.write_text("default: {identifiers: {phone: hmac}}")
    await make_topics(broker)
    before = await ends(broker)
    settings = {"WAYMARK_INGEST_PRIVACY": str(policy), "WAYMARK_INGEST_PRIVACY_SECRET": SECRET}
    with IngestServer(folder=tmp_path, database=database, bootstrap=broker, settings=settings) as ingest:
        ingest.post(make_key(database, "ivr"), a_touchpoint("1", customer=PERSON))
    (record,) = await read_back(broker, before)
    published = json.loads(record.value)["customer"]["phone"]["value"]

    looked_for = parse("phone:+82 10 1234 5678", "KR", SECRET.encode())
    assert isinstance(looked_for, IdentifierReference)
    assert looked_for.values[0] == published


async def test_a_policy_that_is_wrong_ends_ingest_at_once_with_the_reason(database: str, tmp_path: Path) -> None:
    policy = tmp_path / "privacy.yaml"
    policy.write_text("default: {text: hide, agent: encrypt}")
    refused = waymark("serve", "ingest", WAYMARK_INGEST_PRIVACY=str(policy), WAYMARK_POSTGRES=database)

    assert refused.returncode == 2
    assert "default.text: use one of" in refused.stderr
    assert "default.agent: use one of" in refused.stderr
    assert "Traceback" not in refused.stderr
