"""A policy rehearsed on stored customers says what really comes of it where it is in force from the beginning."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner

from services.journey import policies
from services.journey.rehearsal.policy_rehearsal import PolicyRehearsal, RehearsalStage, TooManyTouchpointsError
from services.journey.rehearsal.touchpoint_copy import TouchpointCopy
from services.journey.rulebook import identity_file, rules_file
from services.runtime.clock import SystemClock
from tests.fixtures.journey_bench import JourneyBench, open_bench, touchpoint
from tests.fixtures.settled_parts import SettledBench, book_of
from tests.integration.test_journey_order import emptied
from tests.oracle.random_identity import Part, make, with_versions
from waymark.cli import app
from waymark.console import CommandError

pytestmark = pytest.mark.local

TABLES = ("customers", "identifiers", "links", "touchpoints", "journeys", "frictions", "outbox", "policies")


def rehearsal(bench: JourneyBench, **more: Any) -> PolicyRehearsal:
    return PolicyRehearsal(
        pool=bench.pool,
        clock=SystemClock(),
        rulebook=rules_file.load(),
        projection=policies.projection(),
        history=2_000,
        **more,
    )


async def whole(bench: JourneyBench) -> dict[str, list[str]]:
    """Everything that is stored."""
    return {
        table: sorted(str(tuple(row)) for row in await bench.rows(f"SELECT * FROM journey.{table}")) for table in TABLES
    }


async def standing(bench: JourneyBench) -> set[tuple[str, UUID]]:
    """The frictions in force."""
    rows = await bench.rows("SELECT rule, friction_id FROM journey.frictions WHERE state = 'detected'")
    return {(row["rule"], row["friction_id"]) for row in rows}


@pytest.mark.parametrize("seed", range(12))
async def test_what_a_rehearsal_says_comes_true(database: str, seed: int) -> None:
    part = replace(make(seed), facts=())
    other: Part = replace(part, policy=with_versions(make(seed + 7)).later[0])
    [version] = book_of(other).versions
    stages: set[RehearsalStage] = set()
    async with open_bench(database, partitions=2) as bench:
        await SettledBench(bench, part).send(list(part.arrivals), Random(seed), scatter=True)
        before, stored = await standing(bench), await whole(bench)
        with TouchpointCopy(version.policy) as copy:
            told = await rehearsal(bench).rehearse_in(copy, version, lambda stage, *_: stages.add(stage))
            owners: dict[Any, set[tuple[str, str]]] = {}
            for customer, label, source, id_ in copy.execute("SELECT customer, label, source, id FROM seen"):
                owners.setdefault(customer if label is None else label, set()).add((source, id_))
        assert await whole(bench) == stored, "nothing is changed"
    await emptied(database)
    async with open_bench(database, partitions=2) as bench:
        settled = SettledBench(bench, other)
        await settled.send(list(part.arrivals), Random(seed), scatter=True)
        assert set(map(frozenset, owners.values())) == await settled.whose()
        after = await standing(bench)
    assert told.touchpoints == len({one.key for one in part.arrivals})
    assert told.frictions.new == Counter(rule for rule, _ in after - before)
    assert told.frictions.gone == Counter(rule for rule, _ in before - after)
    assert stages >= {RehearsalStage.TOUCHPOINTS, RehearsalStage.CUSTOMERS}


@pytest.fixture
def mine(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WAYMARK_POSTGRES", database)
    monkeypatch.setenv("WAYMARK_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LANG", "C.UTF-8")
    return tmp_path


async def seen(database: str) -> None:
    """Two cards on one telephone, three calls; a partner's card in two spellings, and one more customer."""
    async with open_bench(database, partitions=1) as bench:
        for id_, minute, customer in (
            ("a", 0, {"loyalty_id": "L-1", "phone": "+821012345678"}),
            ("b", 5, {"loyalty_id": "L-2", "phone": "+821012345678"}),
            ("c", 9, {"loyalty_id": "L-2"}),
            ("d", 1, {"partner_card": "AB-12"}),
            ("e", 2, {"partner_card": "ab12"}),
            ("f", 3, {"customer_id": "C-9"}),
        ):
            bench.log.append(0, touchpoint(id_, minute, customer=customer, reason=f"billing-{id_ in 'def'}"))
        await bench.apply()
        assert await bench.value("SELECT count(*) FROM journey.customers") == 4


MINE = """
extends: default
types:
  loyalty_id: {unique: true}
  partner_card: {title: {en: Partner card, ko: 제휴 카드}, spelling: {ignore_case: true, ignore: "-"}}
blocked:
  types: {customer_id: {exact: [C-9]}}
"""


def said(*words: str) -> str:
    answer = CliRunner().invoke(app, ["identity", "simulate", *words], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return answer.stdout


def test_an_analyst_sees_what_a_file_would_do(database: str, mine: Path) -> None:
    import asyncio

    asyncio.run(seen(database))
    file = mine / "identity.yaml"
    file.write_text(MINE, encoding="utf-8")
    told = json.loads(said("--policy", str(file), "--json"))
    assert {name: told[name] for name in ("customers", "touchpoints", "merged", "split", "new_customers")} == {
        "customers": 4,
        "touchpoints": 6,
        "merged": 1,
        "split": 1,
        "new_customers": 1,
    }
    assert (told["touchpoints_of_nobody"], told["not_tried"], told["touchpoints_moved"]) == (1, 0, 1)
    assert told["frictions"]["gone"] == {"repeat_contact_24h": 1, "repeat_contact_7d": 1}
    assert told["frictions"]["new"] == {"repeat_contact_24h": 1, "repeat_contact_7d": 1}, "two spellings of one card"
    assert [len(each) for each in told["examples"]["merging"]] == [2]
    assert [one["into"] for one in told["examples"]["splitting"]] == [2]
    shown = said("--policy", str(file))
    assert "1 customers would be part of others, 1 would be split into 2" in shown
    assert "- 1 repeat_contact_24h" in shown
    with pytest.raises(CommandError, match="or --policy"):
        said()


async def test_the_policy_that_is_in_force_changes_nobody(database: str) -> None:
    await seen(database)
    async with open_bench(database) as bench:
        told = await rehearsal(bench).rehearse(identity_file.shipped_book().latest, lambda *_: None)
        assert (told.merged, told.split, told.touchpoints_moved, told.frictions.new, told.frictions.gone) == (
            *(0, 0, 0),
            *({}, {}),
        )
        with pytest.raises(TooManyTouchpointsError):
            few = rehearsal(bench, most_touchpoints=5)
            await few.rehearse(identity_file.shipped_book().latest, lambda *_: None)
