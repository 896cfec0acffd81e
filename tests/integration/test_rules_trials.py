"""`waymark rules backtest` and `explain` on what a worker stored, from beginning to end."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.fixtures.journey_bench import JourneyBench, at, open_bench, touchpoint
from tests.integration.test_journey_timers import read_up_to
from tests.unit.waymark.test_command_line import waymark

pytestmark = pytest.mark.local

DAY = 24 * 60
WINDOW = ("--since", at(-DAY).isoformat(), "--until", at(9 * DAY).isoformat(), "--zone", "Asia/Seoul")


@pytest_asyncio.fixture
async def bench(database: str) -> AsyncIterator[JourneyBench]:
    """Three customers: one calls again after two days, one is not called back, one is content."""
    async with open_bench(database) as opened:
        for id_, minutes in (("first", 0), ("again", 2 * DAY)):
            opened.log.append(0, touchpoint(id_, minutes, reason="billing", customer={"customer_id": "C-1"}))
        opened.log.append(
            1,
            touchpoint(
                "promise",
                10,
                kind="callback_promised",
                direction="outbound",
                due_at=at(60),
                customer={"customer_id": "C-2"},
            ),
        )
        opened.log.append(1, touchpoint("fine", 20, customer={"customer_id": "C-3"}))
        await opened.apply()
        await read_up_to(opened, 3 * DAY)
        await opened.timers.once()
        yield opened


async def backtest(database: str, rules: str | Path, *arguments: str) -> dict[str, Any]:
    """Run the command, and return what it says of each rule that found something or should have."""
    ran = await asyncio.to_thread(
        waymark, "rules", "backtest", str(rules), *WINDOW, "--json", *arguments, WAYMARK_POSTGRES=database
    )
    assert ran.returncode == 0, ran.stderr
    document: dict[str, Any] = json.loads(ran.stdout)
    return document


def counted(document: dict[str, Any]) -> dict[str, tuple[int, int, int, int]]:
    """For each rule with anything to tell: found, in force, new, gone."""
    return {
        rule["id"]: told
        for rule in document["rules"]
        if any(told := (rule["found"], rule["in_force"], rule["counts"]["new"], rule["counts"]["gone"]))
    }


async def test_the_rules_in_force_find_what_stands(bench: JourneyBench, database: str) -> None:
    document = await backtest(database, "default")
    assert counted(document) == {"repeat_contact_7d": (1, 1, 0, 0), "callback_missed": (1, 1, 0, 0)}
    assert (document["customers"], document["touchpoints"]) == (3, 4)
    assert document["issues"]["tried"] == document["issues"]["in_force"]


async def test_other_rules_say_what_would_change_and_write_nothing(
    bench: JourneyBench, database: str, tmp_path: Path
) -> None:
    path = tmp_path / "tried.yaml"
    path.write_text(
        "extends: default\n"
        "change:\n  repeat_contact_24h: {within: 3d}\n  repeat_contact_7d: {within: 1d}\n"
        "  callback_missed: {grace: 9d}\n"
    )
    before = await bench.rows("SELECT * FROM journey.frictions ORDER BY friction_id")
    document = await backtest(database, path, "--workers", "2")
    assert counted(document) == {
        "repeat_contact_24h": (1, 0, 1, 0),
        "repeat_contact_7d": (0, 1, 0, 1),
        "callback_missed": (0, 1, 0, 1),
    }
    [rule] = [one for one in document["rules"] if one["id"] == "repeat_contact_24h"]
    assert [(one["anchor"], one["friction_id"]) for one in rule["new"]] == [
        (one["anchor"], one["friction_id"]) for one in rule["examples"]
    ]
    assert rule["new"][0]["anchor"] == "again"
    assert await bench.rows("SELECT * FROM journey.frictions ORDER BY friction_id") == before


async def test_a_backtest_judges_contacts_by_the_definition_of_their_time(database: str) -> None:
    async with open_bench(database) as before:
        await before.execute("INSERT INTO journey.moments VALUES ('conversations', '9999-01-01T00:00:00Z')")
    async with open_bench(database) as opened:
        for id_, minutes in (("first", 0), ("second", 1)):
            opened.log.append(0, touchpoint(id_, minutes, kind="message_received", channel="messenger"))
        await opened.apply()
        same = dict.fromkeys(("repeat_contact_24h", "repeat_contact_7d"), (1, 1, 0, 0))
        assert counted(await backtest(database, "default")) == same
        await opened.execute("TRUNCATE journey.moments")
        assert counted(await backtest(database, "default")) == dict.fromkeys(same, (0, 1, 0, 1)), "the control"


async def test_what_is_shown_names_what_changes(bench: JourneyBench, database: str, tmp_path: Path) -> None:
    path = tmp_path / "tried.yaml"
    path.write_text("extends: default\nchange: {repeat_contact_7d: {within: 1d}}\n")
    ran = await asyncio.to_thread(waymark, "rules", "backtest", str(path), *WINDOW, WAYMARK_POSTGRES=database)
    assert ran.returncode == 0, ran.stderr
    assert "3 customers, 4 touchpoints" in ran.stdout
    assert "repeat_contact_7d: 0 instead of 1" in ran.stdout
    assert "gone: " in ran.stdout
    assert "@ again" in ran.stdout
    assert "a team would have got" in ran.stdout


async def test_wrong_usage_says_what_to_write(database: str, tmp_path: Path) -> None:
    for arguments, said in (
        (("default", "--since", "yesterday"), "--since wants 7d"),
        (("default", "--zone", "Korea"), "no time zone"),
        (("default", "--since", "2026-11-23", "--until", "2026-11-22"), "not before"),
        ((str(tmp_path / "none.yaml"),), "cannot be read"),
    ):
        ran = await asyncio.to_thread(waymark, "rules", "backtest", *arguments, WAYMARK_POSTGRES=database)
        assert ran.returncode == 2
        assert said in ran.stderr


async def test_a_rule_is_explained_for_a_customer(bench: JourneyBench, database: str) -> None:
    ran = await asyncio.to_thread(
        waymark, "rules", "explain", "customer_id:C-1", "repeat_contact_24h", "--json", WAYMARK_POSTGRES=database
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert (told["fired"], told["looked_at"], told["units"]) == ([], 2, 2)
    assert {one["member"]: one["found"] for one in told["conditions"] if not one["holds"]} == {
        "at_least": "1",
        "within": "2d",
    }
    shown = await asyncio.to_thread(
        waymark, "rules", "explain", "customer_id:C-2", "callback_missed", WAYMARK_POSTGRES=database
    )
    assert shown.returncode == 0, shown.stderr
    assert "evidence: promise" in shown.stdout


@pytest.mark.parametrize(
    ("customer", "rule", "code", "said"),
    [
        ("customer_id:C-9", "long_wait", 1, "there is no such customer"),
        ("customer_id:C-1", "long_wat", 2, "did you mean long_wait?"),
        ("nobody", "long_wait", 2, "names no customer"),
    ],
)
async def test_what_cannot_be_explained_says_why(
    bench: JourneyBench, database: str, customer: str, rule: str, code: int, said: str
) -> None:
    ran = await asyncio.to_thread(waymark, "rules", "explain", customer, rule, WAYMARK_POSTGRES=database)
    assert ran.returncode == code
    assert said in ran.stderr


async def test_what_came_before_is_told(bench: JourneyBench, database: str) -> None:
    ran = await asyncio.to_thread(
        waymark,
        "rules",
        "preceded",
        "repeat_contact_7d",
        *WINDOW,
        "--within",
        "7d",
        "--json",
        WAYMARK_POSTGRES=database,
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert (told["frictions"], told["others"], told["signs"], told["customers"]) == (1, 2, [], 3)
    shown = await asyncio.to_thread(
        waymark, "rules", "preceded", "repeat_contact_7d", *WINDOW, WAYMARK_POSTGRES=database
    )
    assert "nothing came before often enough" in shown.stdout
