"""A database that repeats a person's data in its errors: no log and no answer of any service does so too."""

from pathlib import Path

import asyncpg
import httpx2
import pytest
from prometheus_client import CollectorRegistry

from services.journey.api.api_settings import ApiSettings
from services.journey.api.app import build
from services.runtime.clock import SystemClock
from services.runtime.credentials.api_keys import KeyKind, mint
from services.runtime.postgres.pools import Pool, acquire
from services.runtime.telemetry import logs
from tests.fixtures.alerts_service import FrictionLog, a_friction, alerts, make_friction_log
from tests.fixtures.ingest import IngestServer
from tests.fixtures.journey_api import WRITTEN_TRIALS, desk_over
from tests.integration.test_alerts_api import seeded
from tests.waiting import until
from waymark.launchers.tansu import TansuBroker

pytestmark = [pytest.mark.local, pytest.mark.usefixtures("restored_logging")]

MARK = "call me at 010-0000-8841"
A_ROW = "(VALUES ('phone', '+821000008841')) AS row (type, value)"
UNREADABLE = f"(CASE WHEN now() > 'epoch' THEN '{MARK}' END)"


async def run(database: str, *statements: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.logs_error("request failed", "uvicorn.error")
async def test_alerts_says_which_constraint_refused_a_note_and_not_the_note(
    database: str, tansu: TansuBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    log: FrictionLog = await make_friction_log(tansu.bootstrap, tansu.line)
    await seeded(database, a_friction())
    await run(
        database,
        "ALTER TABLE alerts.issue_events ADD CONSTRAINT no_calls CHECK (detail::text NOT LIKE '%call me%') NOT VALID",
    )
    logs.configure("alerts")
    async with alerts(database, log) as api:
        [issue] = await api.issues()
        answer = await api.call("POST", f"/v1/issues/{issue['id']}/note", {"text": MARK}, role="agent", expect=500)

    said = capsys.readouterr().err
    assert MARK not in str(answer)
    assert MARK not in said
    assert "CheckViolationError [23514]" in said
    assert "constraint_name=no_calls" in said


@pytest.mark.logs_error("request failed")
async def test_the_journey_api_says_what_kind_of_value_could_not_be_read_and_not_the_value(
    database: str, pool: Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    key = mint(KeyKind.READER)
    async with acquire(pool) as connection:
        await connection.execute(
            "INSERT INTO journey.api_keys (key_id, kind, secret_hash) VALUES ($1, 'reader', $2)",
            *(key.key_id, key.secret_hash),
        )
    await run(
        database,
        "ALTER TABLE journey.identifiers RENAME TO those",
        "CREATE VIEW journey.identifiers AS"
        f" SELECT type, value, 'owned' AS standing, {UNREADABLE}::uuid AS customer_id FROM {A_ROW}",
    )
    logs.configure("journey-api")
    app = build(
        pool, ApiSettings.load({}), SystemClock(), CollectorRegistry(), desk=desk_over(pool), trials=WRITTEN_TRIALS
    )
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    headers = {"authorization": f"Bearer {key.text}"}
    async with httpx2.AsyncClient(transport=transport, base_url="http://api.test", headers=headers) as session:
        answer = await session.get("/v1/customers/phone:%2B821000008841")

    assert answer.status_code == 500
    said = capsys.readouterr().err
    assert MARK not in answer.text + said
    assert "[22P02]" in said


@pytest.mark.logs_error("process ends by a failure")
async def test_ingest_ends_with_the_kind_of_the_failure_and_not_with_what_stood_in_the_row(
    database: str, broker: str, tmp_path: Path
) -> None:
    process = IngestServer(folder=tmp_path, database=database, bootstrap=broker)
    await run(
        database,
        "ALTER TABLE ingest.suppressions RENAME TO those",
        f"CREATE VIEW ingest.suppressions AS "
        f"SELECT value AS pseudonym, type, {UNREADABLE}::timestamptz AS lifted_at FROM {A_ROW}",
        "UPDATE ingest.suppression_list SET version = version + 1",
    )
    process.child.start()
    await until(lambda: process.child.exit_code is not None, within=30)
    said = process.child.log.read_text()
    assert MARK not in said
    assert "[22007]" in said
    assert "process ends by a failure" in said
