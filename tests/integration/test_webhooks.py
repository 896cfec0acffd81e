"""Channel systems from the operator's command to Kafka: bound in PostgreSQL, sealed, rotated, served by the process."""

import http.client
import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services.ingest.forms.webhooks.binding_administration import SourceBinding, end_secrets, list_bindings, unbind
from services.ingest.forms.webhooks.binding_store import PostgresBindingStore
from services.ingest.forms.webhooks.bindings import (
    BindingContext,
    BindingProblem,
    WebhookBinding,
    WebhookBindings,
    resolve_binding,
)
from services.ingest.forms.webhooks.mapping.system_files import shipped
from services.ingest.forms.webhooks.signatures import SignatureFinding, verify
from services.runtime.credentials.sealing import SecretSealer
from services.runtime.postgres.pools import close_pool, create_pool
from tests.fixtures.command import run_waymark
from tests.fixtures.ingest import IngestServer, ends, make_topics, read_back
from tests.unit.ingest.webhooks.test_signatures import VECTORS, delivery_of
from tests.waiting import until
from waymark.cli import app
from waymark.console import CommandError
from waymark.database import open_session
from waymark.sources.webhook_secrets import add_mounted, add_secret, bind

pytestmark = pytest.mark.local

MASTER = "master key of these tests with thirty-two letters"
TWILIO: dict[str, Any] = next(each for each in VECTORS if each["system"] == "twilio_voice")
LINE: dict[str, Any] = next(each for each in VECTORS if each["system"] == "line")


async def read(database: str, ground: BindingContext) -> WebhookBindings:
    pool = await create_pool(database, application_name="test", size=1, statement_timeout_s=5.0)
    try:
        found = WebhookBindings(PostgresBindingStore(pool), ground, refresh_s=1.0)
        await found.refresh()
        return found
    finally:
        await close_pool(pool)


def ground(tmp_path: Path, *keys: str) -> BindingContext:
    return BindingContext(
        systems=shipped(), seal=SecretSealer(keys), mounted=tmp_path, public_url="https://waymark.example.com/"
    )


@pytest.mark.logs_error("a webhook cannot be served")
async def test_a_bound_source_is_read_with_its_secrets_which_do_not_stand_in_the_database(
    database: str, tmp_path: Path
) -> None:
    async with open_session(database, "test") as connection:
        await bind(connection, SourceBinding(name="line-shop", system="line", channels=["messenger"]))
        await add_secret(connection, "line-shop", LINE["secret"], SecretSealer([MASTER]))
        material = await connection.fetchval("SELECT material FROM ingest.source_secrets")
    found = (await read(database, ground(tmp_path, MASTER))).find("line-shop")

    assert LINE["secret"].encode() not in material
    assert isinstance(found, WebhookBinding)
    assert (found.url, found.source.channels) == (
        "https://waymark.example.com/v1/sources/line-shop/webhook",
        frozenset({"messenger"}),
    )
    assert [secret.value for secret in found.secrets] == [LINE["secret"]]
    assert (await read(database, ground(tmp_path))).find("line-shop") is BindingProblem.SECRET


async def test_a_rotated_secret_proves_until_the_overlap_is_over(database: str, tmp_path: Path) -> None:
    async with open_session(database, "test") as connection:
        await bind(connection, SourceBinding(name="line-shop", system="line"))
        await add_secret(connection, "line-shop", LINE["secret"], SecretSealer([]))
        assert await end_secrets(connection, "line-shop", overlap_h=1) == 1
        await add_secret(connection, "line-shop", "the new one", SecretSealer([]))
        assert [each.secrets for each in await list_bindings(connection)] == [2]
    found = (await read(database, ground(tmp_path))).find("line-shop")
    assert isinstance(found, WebhookBinding)
    signature = found.mapper.system.signature
    now = datetime.now(UTC)

    assert verify(signature, delivery_of(LINE), found.secrets, now) is SignatureFinding.VERIFIED
    assert (
        verify(signature, delivery_of(LINE), found.secrets, now + timedelta(hours=1, minutes=1))
        is SignatureFinding.WRONG
    )


async def test_a_mounted_secret_is_read_from_its_file_and_from_nowhere_else(database: str, tmp_path: Path) -> None:
    (tmp_path / "line.secret").write_text(LINE["secret"] + "\n")
    async with open_session(database, "test") as connection:
        await bind(connection, SourceBinding(name="line-shop", system="line"))
        await add_mounted(connection, "line-shop", "line.secret")
        with pytest.raises(Exception, match="no file's name"):
            await add_mounted(connection, "line-shop", "../line.secret")
    found = (await read(database, ground(tmp_path))).find("line-shop")

    assert isinstance(found, WebhookBinding)
    assert [secret.value for secret in found.secrets] == [LINE["secret"]]


async def test_a_removed_webhook_is_gone_with_its_secrets_and_the_source_stays(database: str, tmp_path: Path) -> None:
    async with open_session(database, "test") as connection:
        await bind(connection, SourceBinding(name="line-shop", system="line"))
        await add_secret(connection, "line-shop", "s", SecretSealer([]))
        assert await unbind(connection, "line-shop")
        assert not await unbind(connection, "line-shop")
        assert await connection.fetchval("SELECT count(*) FROM ingest.source_secrets") == 0
        assert await connection.fetchval("SELECT count(*) FROM ingest.sources") == 1
    assert (await read(database, ground(tmp_path))).find("line-shop") is None


async def test_the_set_up_of_another_dialect_is_left_alone(database: str) -> None:
    async with open_session(database, "test") as connection:
        await connection.execute("INSERT INTO ingest.sources (name, dialects) VALUES ('web', '{\"segment\": {}}')")
        await bind(connection, SourceBinding(name="web", system="line"))
        assert await unbind(connection, "web")
        assert await connection.fetchval("SELECT dialects FROM ingest.sources") == '{"segment": {}}'


def command(database: str, *words: str) -> "subprocess.CompletedProcess[str]":
    return run_waymark("sources", *words, environ={"WAYMARK_POSTGRES": database, "WAYMARK_INGEST_SECRET_KEYS": MASTER})


def post(process: IngestServer, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=10.0)
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


async def test_what_the_operator_binds_is_served_by_the_process(broker: str, database: str, tmp_path: Path) -> None:
    await make_topics(broker)
    before = await ends(broker)
    settings = {"WAYMARK_INGEST_PUBLIC_URL": "https://waymark.example.com", "WAYMARK_INGEST_SECRET_KEYS": MASTER}
    delivery = delivery_of(TWILIO)
    path = "/v1/sources/twilio-voice/webhook"
    with IngestServer(folder=tmp_path, database=database, bootstrap=broker, settings=settings) as process:
        assert post(process, path, delivery.body, dict(delivery.headers))[0] == 404
        added = command(database, "add", "twilio-voice", "--system", "twilio_voice", "--secret", "12345", "--json")
        assert (added.returncode, added.stderr) == (0, ""), added.stderr
        await until(lambda: post(process, path, delivery.body, dict(delivery.headers))[0] == 200, within=10)
        made = json.loads(command(database, "add", "bot", "--system", "kakao_skill", "--json").stdout)
        token = {"authorization": f"Bearer {made['secret']}", "content-type": "application/json"}
        await until(lambda: post(process, "/v1/sources/bot/webhook", b"{}", token)[0] == 200, within=10)
    records = [json.loads(record.value) for record in await read_back(broker, before)]

    assert [(found["source"], found["kind"], found["customer"]["phone"]["value"]) for found in records] == [
        ("twilio-voice", "call_ended", "+821012345678")
    ]
    listed = json.loads(command(database, "list", "--json").stdout)
    assert [(each["name"], each["system"], each["secrets"]) for each in listed["sources"]] == [
        ("bot", "kakao_skill", 1),
        ("twilio-voice", "twilio_voice", 1),
    ]
    assert "12345" not in command(database, "list").stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["add", "x", "--system", "fax"], "there is no system 'fax'"),
        (["add", "x", "--system", "line"], "say --secret"),
        (["add", "X X", "--system", "kakao_skill"], "is no name for a source"),
        (["add", "x", "--system", "kakao_skill", "--channel", "fax"], "no such channel"),
        (["add", "x", "--system", "kakao_skill", "--option", "reply"], "NAME=VALUE"),
        (
            ["add", "x", "--system", "mailgun", "--option", "staf=@a.example.com"],
            "no option 'staf'; its options: staff",
        ),
        (["add", "x", "--system", "line", "--option", "zone=UTC"], "its options: none"),
        (["rotate", "nobody"], "has no channel system"),
        (["remove", "nobody"], "has no channel system"),
    ],
)
def test_the_command_says_what_is_wrong(
    database: str, words: list[str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYMARK_POSTGRES", database)
    answer = CliRunner().invoke(app, ["sources", *words])

    assert isinstance(answer.exception, CommandError)
    assert says in str(answer.exception)


def test_a_token_that_the_vendor_repeats_is_made_up_shown_and_kept(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYMARK_POSTGRES", database)
    words = ["sources", "add", "meta", "--system", "meta", "--secret", "app-secret"]
    made = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    shown = CliRunner().invoke(app, [*words]).stdout
    chosen = CliRunner().invoke(app, [*words, "--option", "verify_token=our-own"]).stdout
    listed = json.loads(CliRunner().invoke(app, ["sources", "list", "--json"]).stdout)["sources"]

    assert len(made["options"]["verify_token"]) == 32
    assert f"verify_token: {made['options']['verify_token']}" in shown  # the vendor knows it by now
    assert "verify_token: " not in chosen
    assert [each["options"] for each in listed] == [{"verify_token": "our-own"}]
    assert "app-secret" not in json.dumps(listed)


def test_a_set_up_that_names_an_unknown_member_is_trouble(tmp_path: Path) -> None:
    from services.ingest.forms.webhooks.bindings import StoredBinding
    from services.ingest.sources.source import Source

    stored = StoredBinding(source=Source(name="x"), setup={"system": "line", "sistem": "line"})

    assert resolve_binding(stored, ground(tmp_path)) is BindingProblem.SETUP
