"""The policy of identity in versions: in force in every worker from one moment on, and never backwards."""

import json
import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from schemas.documents import touchpoint as touchpoint_v1
from services.journey.rulebook import identity_file, rules_file
from services.journey.versions import storing
from services.journey.versions.in_force import PolicyCache
from services.journey.versions.policy_table import PolicyVersion
from services.runtime.postgres.pools import transaction
from tests.fixtures.journey_bench import START, JourneyBench, open_bench, touchpoint
from waymark.cli import app
from waymark.console import CommandError

pytestmark = pytest.mark.local

ONE_CARD = "extends: default\ntypes: {loyalty_id: {unique: true}}\n"


async def begin(bench: JourneyBench) -> None:
    """Store the rules as the first worker does."""
    async with transaction(bench.pool) as connection:
        await storing.apply(connection, storing.of_rules(rules_file.resolve_file(), author="test", note=""))


async def apply(bench: JourneyBench, text: str) -> PolicyVersion:
    async with transaction(bench.pool) as connection:
        file = identity_file.read(text, name="mine.yaml")
        return (await storing.apply_identity(connection, storing.of_identity(file, author="kim", note=""))).version


def card(id_: str, number: str, phone: str, occurred_at: datetime = START) -> touchpoint_v1.TouchpointDocument:
    """Somebody with a card calls."""
    return touchpoint(
        id_,
        customer={"loyalty_id": number, "phone": phone},
        occurred_at=occurred_at,
        received_at=occurred_at,
    )


async def whose(bench: JourneyBench) -> set[frozenset[str]]:
    """Touchpoints by customer."""
    found: dict[Any, set[str]] = {}
    for row in await bench.rows("SELECT id, customer_id FROM journey.touchpoints"):
        found.setdefault(row["customer_id"], set()).add(row["id"])
    return set(map(frozenset, found.values()))


async def test_a_version_judges_what_is_appended_from_its_moment_on_and_leaves_the_past(database: str) -> None:
    async with open_bench(database, policies=PolicyCache(), partitions=1) as bench:
        await begin(bench)
        bench.log.append(0, card("a1", "L-1", "+821012345678"))
        bench.log.append(0, card("a2", "L-2", "+821012345678"))
        await bench.apply()
        version = await apply(bench, ONE_CARD)
        assert version.version == 2, "the policy that ships is the first"
        assert await whose(bench) == {frozenset({"a1", "a2"})}
        under_it = version.in_force_from + timedelta(seconds=1)
        for id_, number in (("b1", "L-3"), ("b2", "L-4")):
            bench.log.append(0, card(id_, number, "+821055556666"), under_it)
        bench.log.append(0, card("a3", "L-1", "+821012345678"), under_it)
        await bench.apply()
        assert await whose(bench) == {frozenset({"a1", "a2", "a3"}), frozenset({"b1"}), frozenset({"b2"})}
        judged = await bench.rows("SELECT judged_by, state FROM journey.links WHERE left_value IN ('L-1', 'L-2')")
        assert {(row["judged_by"], row["state"]) for row in judged} == {(1, "active")}


@pytest.mark.parametrize("seed", range(5))
async def test_a_replay_in_any_order_is_judged_by_the_versions_of_its_time(database: str, seed: int) -> None:
    luck = random.Random(seed)
    records = [
        (card(f"{when}{number}", f"L-{when}{number}", f"+82101234567{'ab'.index(when)}"), when)
        for when in "ab"
        for number in range(4)
    ]
    luck.shuffle(records)
    async with open_bench(database, policies=PolicyCache(), partitions=2) as bench:
        await begin(bench)
        moment = (await apply(bench, ONE_CARD)).in_force_from
        for record, when in records:
            appended = moment + timedelta(minutes=-1 if when == "a" else 1)
            bench.log.append(luck.randrange(2), record, appended)
        await bench.apply(batch=luck.choice((1, 3, 100)))
        expected = {frozenset({"a0", "a1", "a2", "a3"}), *(frozenset({f"b{number}"}) for number in range(4))}
        assert await whose(bench) == expected


@pytest.fixture
def mine(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WAYMARK_POSTGRES", database)
    monkeypatch.setenv("WAYMARK_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LANG", "C.UTF-8")
    file = tmp_path / "identity.yaml"
    file.write_text(ONE_CARD, encoding="utf-8")
    return file


def said(*words: str, fails: int = 0) -> str:
    answer = CliRunner().invoke(app, ["identity", *words], catch_exceptions=False)
    assert answer.exit_code == fails, answer.output
    return answer.stdout


def told(*words: str) -> Any:
    return json.loads(said(*words, "--json"))


def test_an_analyst_checks_applies_looks_and_goes_back(mine: Path) -> None:
    with pytest.raises(CommandError, match="the policy of identity that ships is in force"):
        said("history")
    assert said("check", str(mine)).splitlines() == ["sound", "  types.loyalty_id.unique: false → true"]
    applied = told("apply", str(mine), "--note", "one card each", "--author", "kim")
    assert (applied["version"], applied["author"], applied["note"]) == (2, "kim", "one card each")
    assert applied["applied"]
    assert applied["changes"] == [{"of": "types.loyalty_id", "member": "unique", "from": False, "to": True}]
    assert not told("apply", str(mine))["applied"]
    shown = told("show")
    assert shown["version"] == 2
    assert next(one for one in shown["types"] if one["type"] == "loyalty_id")["unique"]
    back = told("apply", "--version", "1", "--author", "lee")
    assert (back["version"], back["changes"]) == (
        3,
        [{"of": "types.loyalty_id", "member": "unique", "from": True, "to": False}],
    )
    versions = told("history")["versions"]
    assert [(one["version"], one["author"]) for one in versions] == [(3, "lee"), (2, "kim"), (1, "waymark")]
    assert [one["changes"] for one in versions] == [back["changes"], applied["changes"], []]
    mine.write_text("extends: default\nblocked: {every: {words: [tester, probe]}}\n", encoding="utf-8")
    said("apply", str(mine))
    lines = said("history").splitlines()
    assert lines[1] == "  blocked.every.words: +probe +tester"
    assert "  types.loyalty_id.unique: false → true" in lines


def test_a_file_with_a_mistake_is_not_applied(mine: Path) -> None:
    mine.write_text("extends: default\ntypes:\n  loyalty_id: {uniqe: true}\n", encoding="utf-8")
    with pytest.raises(CommandError, match=r"Did you mean unique\? \(line 3\)"):
        said("apply", str(mine))
    problem = json.loads(said("check", str(mine), "--json", fails=1))
    assert problem == {"sound": False, "problems": ["types.loyalty_id.uniqe: Did you mean unique? (line 3)"]}
    with pytest.raises(CommandError, match="that ships is in force"):
        said("history")
