"""Journeys as definitions, in the worker: in the document, on the topic, with deadlines that the stream passes."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from typer.testing import CliRunner

from schemas import validation
from services.journey.rulebook import definitions_file, rules_file
from services.journey.versions import storing
from services.journey.versions.in_force import PolicyCache
from services.journey.versions.policy_table import NewPolicy
from services.runtime.postgres.pools import transaction
from tests.fixtures.journey_bench import JourneyBench, open_bench, touchpoint
from waymark.cli import app
from waymark.console import CommandError

pytestmark = pytest.mark.local

NOW = datetime.now(UTC).replace(microsecond=0)


async def apply(bench: JourneyBench, new: NewPolicy) -> datetime:
    async with transaction(bench.pool) as connection:
        return (await storing.apply(connection, new)).version.in_force_from


def retail() -> NewPolicy:
    return storing.of_journeys(definitions_file.load("retail"), author="kim", note="")


@pytest_asyncio.fixture
async def bench(database: str) -> AsyncIterator[JourneyBench]:
    async with open_bench(database, policies=PolicyCache(), partitions=1, late_grace=timedelta(0)) as opened:
        await apply(opened, storing.first_rules(rules_file.resolve_file(), file=""))
        await apply(opened, retail())
        yield opened


_IDS = count(1)


async def happen(bench: JourneyBench, kind: str, hours: float, **fields: Any) -> None:
    """Something that happened so many hours ago, read now."""
    at = NOW - timedelta(hours=hours)
    members = {"refs": {"order_id": "A-1"}, "direction": None, "channel": "web", **fields}
    point = touchpoint(f"{kind}-{next(_IDS)}", kind=kind, occurred_at=at, received_at=at, **members)
    bench.log.append(0, point, NOW - timedelta(hours=hours))
    await bench.apply()


async def progress(bench: JourneyBench) -> list[dict[str, Any]]:
    rows = await bench.rows("SELECT payload FROM journey.journeys ORDER BY started_at")
    return [one for row in rows for one in json.loads(row["payload"]).get("progress", [])]


async def published(bench: JourneyBench) -> list[dict[str, Any]]:
    rows = await bench.rows("SELECT value FROM journey.outbox WHERE topic = 'journeys' ORDER BY id")
    return [json.loads(row["value"]) for row in rows]


async def stream_comes_to_now(bench: JourneyBench) -> int:
    await bench.execute("UPDATE journey.progress SET caught_up_at = clock_timestamp()")
    return await bench.timers.once()


async def test_a_journey_goes_through_its_stages_on_the_topic(bench: JourneyBench) -> None:
    await happen(bench, "order_placed", 30)
    await happen(bench, "order_shipped", 20)
    await happen(bench, "parcel_delivered", 2)
    (delivery,) = await progress(bench)
    assert (delivery["definition"], delivery["end"], delivery["stage"]) == ("delivery", "reached", "on_the_way")
    assert [visit["stage"] for visit in delivery["stages"]] == ["preparing", "on_the_way"]
    documents = await published(bench)
    assert [one["progress"][0]["stage"] for one in documents] == ["preparing", "on_the_way", "on_the_way"]
    assert [one["progress"][0].get("end") for one in documents] == [None, None, "reached"]
    for one in documents:
        assert validation.errors("journey.v1", one) == []
    assert await bench.value("SELECT count(*) FROM journey.timers WHERE state = 'pending'") == 0


async def test_a_deadline_that_the_stream_has_passed_is_published_without_a_touchpoint(bench: JourneyBench) -> None:
    await happen(bench, "order_placed", 50)
    (waiting,) = await progress(bench)
    assert "overdue" not in waiting
    assert await stream_comes_to_now(bench) == 1
    (overdue,) = await progress(bench)
    assert (overdue["overdue"], overdue["stages"][0]["overdue"]) == (True, True)
    assert len(await published(bench)) == 2
    assert await stream_comes_to_now(bench) == 0


async def test_the_service_level_decides_the_deadline(bench: JourneyBench) -> None:
    await happen(bench, "order_placed", 30, service_level="premium")
    await stream_comes_to_now(bench)
    (premium,) = await progress(bench)
    assert premium["overdue"]


async def test_several_are_open_at_once_and_each_order_is_its_own(bench: JourneyBench) -> None:
    await happen(bench, "order_placed", 9, refs={"order_id": "A-1"})
    await happen(bench, "order_placed", 8, refs={"order_id": "A-2"})
    await happen(bench, "order_shipped", 7, refs={"order_id": "A-2"})
    await happen(bench, "case_opened", 6, refs={"case_id": "T-1"})
    stages = {(one["definition"], one["stage"]) for one in await progress(bench)}
    assert stages == {("delivery", "preparing"), ("delivery", "on_the_way"), ("service_case", "reported")}


async def test_a_journey_under_way_keeps_the_definition_that_it_began_with(bench: JourneyBench) -> None:
    await happen(bench, "order_placed", 9, refs={"order_id": "A-1"})
    changed = definitions_file.load("retail")
    raw = [{**one, "version": 2} for one in changed.raw if one["id"] == "delivery"]
    text = json.dumps({"journeys": raw})
    from_then = await apply(
        bench, storing.of_journeys(definitions_file.read(text, name="mine.yaml"), author="kim", note="")
    )
    later = from_then + timedelta(milliseconds=5)
    point = touchpoint("new", kind="order_placed", direction=None, refs={"order_id": "A-2"}, occurred_at=later)
    bench.log.append(0, point, later)
    await bench.apply()
    await happen(bench, "order_shipped", 8, refs={"order_id": "A-1"})
    versions = {(one["version"], one["stage"]) for one in await progress(bench)}
    assert versions == {(1, "on_the_way"), (2, "preparing")}


async def test_without_definitions_nothing_is_said_about_progress(database: str) -> None:
    async with open_bench(database, policies=PolicyCache(), partitions=1) as bench:
        await apply(bench, storing.first_rules(rules_file.resolve_file(), file=""))
        await happen(bench, "order_placed", 9)
        assert await progress(bench) == []


def test_an_operator_checks_applies_shows_and_goes_back(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYMARK_POSTGRES", database)
    monkeypatch.setenv("WAYMARK_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LANG", "C.UTF-8")

    def said(*words: str) -> str:
        answer = CliRunner().invoke(app, ["journeys", *words], catch_exceptions=False)
        assert answer.exit_code == 0, answer.output
        return answer.stdout

    with pytest.raises(CommandError, match="waymark journeys apply retail"):
        said("show")
    assert "delivery (Delivery): preparing (2d) → on_the_way (3d)" in said("check", "retail")
    assert json.loads(said("apply", "retail", "--author", "kim", "--json"))["version"] == 1
    assert said("apply", "retail").startswith("nothing changes: version 1")
    assert json.loads(said("apply", "banking", "--note", "another house", "--json"))["version"] == 2
    assert "\nid: loan\n" in said("show", "loan")
    with pytest.raises(CommandError, match="did you mean loan"):
        said("show", "loans")
    assert json.loads(said("apply", "--version", "1", "--json"))["note"] == "version 1 again"
    assert [one["version"] for one in json.loads(said("history", "--json"))["versions"]] == [3, 2, 1]
    bad = tmp_path / "bad.yaml"
    bad.write_text(said("show").replace("inactivity:", "inactivty:", 1), encoding="utf-8")
    with pytest.raises(CommandError, match=r"Did you mean inactivity\?"):
        said("apply", str(bad))
