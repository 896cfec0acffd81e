"""Backtests and what came before frictions over HTTP: streams of lines, one trial at a time, for admins."""

import asyncio
import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from services.journey.api.rules.trial_runner import TrialFault, TrialProgress, TrialRunner, open_reading
from services.journey.rulebook import rules_file
from services.journey.trial import backtest_document
from services.journey.trial.backtest import BacktestTask, BacktestWindow
from services.journey.trial.page_run import PageOrder
from services.runtime.credentials.api_keys import KeyKind
from tests.fixtures.journey_api import caller_without_key, store_key
from tests.fixtures.journey_bench import JourneyBench, at, open_bench, touchpoint
from tests.integration.test_identity_api import start_worker
from tests.waiting import until

pytestmark = pytest.mark.local

DAY = 24 * 60
SPAN = {"since": at(-DAY).isoformat(), "until": at(9 * DAY).isoformat(), "zone": "Asia/Seoul"}
WIDER = "extends: default\nchange:\n  repeat_contact_24h: {within: 3d}\n"


@pytest_asyncio.fixture
async def bench(database: str) -> AsyncIterator[JourneyBench]:
    """Ten customers who call again after two days; half of them were kept waiting before."""
    async with open_bench(database) as opened:
        await start_worker(opened)
        for number in range(10):
            who = {"customer_id": f"C-{number}"}
            opened.log.append(number % 2, touchpoint(f"first-{number}", 0, reason="billing", customer=who))
            opened.log.append(number % 2, touchpoint(f"again-{number}", 2 * DAY, reason="billing", customer=who))
            if number < 6:
                waited = touchpoint(f"wait-{number}", 2 * DAY - 10, kind="case_waiting", customer=who)
                opened.log.append(number % 2, waited)
        await opened.apply()
        yield opened


@pytest_asyncio.fixture
async def admin(bench: JourneyBench, database: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with caller_without_key(bench.pool, database=database) as client:
        client.headers["authorization"] = f"Bearer {await store_key(bench.pool, KeyKind.ADMIN)}"
        yield client


async def lines(client: httpx2.AsyncClient, path: str, **body: object) -> list[dict[str, Any]]:
    answer = await client.post(path, json={**SPAN, **body}, timeout=120)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson"), answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


async def test_a_backtest_tells_how_far_it_is_and_then_what_it_found(
    bench: JourneyBench, admin: httpx2.AsyncClient
) -> None:
    before = await bench.rows("SELECT * FROM journey.frictions ORDER BY friction_id")
    *told, last = await lines(admin, "/v1/rules/backtest", text=WIDER)
    assert [one["progress"]["of"] for one in told][-1:] == [10]
    [rule] = [one for one in last["result"]["rules"] if one["id"] == "repeat_contact_24h"]
    assert (rule["found"], rule["in_force"], rule["counts"]["new"]) == (10, 0, 10)
    assert last["result"]["customers"] == 10
    *_, as_it_is = await lines(admin, "/v1/rules/backtest")
    changed = [one["id"] for one in as_it_is["result"]["rules"] if one["counts"]["new"] or one["counts"]["gone"]]
    assert changed == []
    assert await bench.rows("SELECT * FROM journey.frictions ORDER BY friction_id") == before


async def test_what_came_before_a_rules_frictions(bench: JourneyBench, admin: httpx2.AsyncClient) -> None:
    *_, last = await lines(admin, "/v1/rules/preceded", rule="repeat_contact_7d", within_s=3600)
    assert (last["result"]["rule"], last["result"]["frictions"], last["result"]["others"]) == (
        "repeat_contact_7d",
        10,
        10,
    )
    signs = {one["sign"]: (one["before_frictions"], one["before_others"]) for one in last["result"]["signs"]}
    assert signs == {"case_waiting": (6, 0)}


async def test_what_cannot_be_tried_is_refused_before_anything_begins(
    bench: JourneyBench, admin: httpx2.AsyncClient
) -> None:
    for path, body, status, code in (
        ("/v1/rules/backtest", {"text": "extends: nothing"}, 422, "rules_unsound"),
        ("/v1/rules/backtest", {"until": SPAN["since"]}, 422, "invalid_request"),
        ("/v1/rules/backtest", {"since": "2020-01-01T00:00:00Z"}, 422, "invalid_request"),
        ("/v1/rules/backtest", {"zone": "Mars/Olympus"}, 422, "invalid_request"),
        ("/v1/rules/preceded", {"rule": "long_wate"}, 404, "rule_unknown"),
        ("/v1/rules/preceded", {"rule": "long_wait", "within_s": 1}, 422, "invalid_request"),
    ):
        answer = await admin.post(path, json={**SPAN, **body})
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert "Mars" not in answer.text
    later = await admin.post("/v1/rules/backtest", json={"since": "2090-01-01T00:00:00Z"})
    assert (later.status_code, later.json()["code"]) == (400, "range_empty")
    async with caller_without_key(bench.pool) as client:
        client.headers["authorization"] = f"Bearer {await store_key(bench.pool, KeyKind.AGENT)}"
        answer = await client.post("/v1/rules/backtest", json=SPAN)
        assert (answer.status_code, answer.json()["code"]) == (403, "admin_needed")
        client.headers["authorization"] = f"Bearer {await store_key(bench.pool, KeyKind.ADMIN)}"
        answer = await client.post("/v1/rules/backtest", json=SPAN)
        assert (answer.status_code, answer.json()["code"]) == (403, "trials_off")


def an_order(url: str) -> PageOrder[Any]:
    window = BacktestWindow(since=at(-DAY), until=at(9 * DAY), zone=at(0).tzinfo)  # type: ignore[arg-type]  # `at` is in UTC
    rules = rules_file.resolve_file().text
    task = BacktestTask(lambda: 0.0)
    return PageOrder(task=task, url=url, open=open_reading, rules=rules, name="rules", window=window, latest=2_000)


async def test_one_trial_runs_at_a_time_and_leaves_its_place_when_its_caller_goes(
    bench: JourneyBench, database: str
) -> None:
    runner = TrialRunner(url=database, processes=1, most_s=60.0, executor=ThreadPoolExecutor)
    first = runner.run(an_order(database), backtest_document.document)
    assert isinstance(await anext(first), TrialProgress)
    assert [said async for said in runner.run(an_order(database), backtest_document.document)] == [TrialFault.RUNNING]
    await first.aclose()
    assert not runner.is_running
    again = [said async for said in runner.run(an_order(database), backtest_document.document)]
    assert isinstance(again[-1], dict)

    def gone() -> bool:
        return not any(task.get_name() == "trial" for task in asyncio.all_tasks())

    await until(gone, within=5.0)


@pytest.mark.may_log_error("asyncio")  # of a session that is given up while it is being opened
async def test_a_trial_that_takes_too_long_or_finds_no_database_says_so(bench: JourneyBench, database: str) -> None:
    short = TrialRunner(url=database, processes=1, most_s=0.001, executor=ThreadPoolExecutor)
    assert [said async for said in short.run(an_order(database), backtest_document.document)] == [TrialFault.TOO_LONG]
    away = "postgresql://nobody@127.0.0.1:1/none"
    runner = TrialRunner(url=away, processes=1, most_s=60.0, executor=ThreadPoolExecutor)
    said = [one async for one in runner.run(an_order(away), backtest_document.document)]
    assert said == [TrialFault.STORE_UNAVAILABLE]
