"""`waymark paths check` as a person runs it: what differs, and that it is repaired while nothing else changes."""

import json
import random

import pytest

from services.journey.timers.folding import RollupFolder
from tests.fixtures.command import run_waymark
from tests.fixtures.journey_bench import open_bench
from tests.integration.test_journey_order import story

pytestmark = pytest.mark.local


async def test_the_graph_is_checked_and_repaired(database: str) -> None:
    environ = {"WAYMARK_POSTGRES": database, "WAYMARK_DATA_DIR": "/nowhere"}
    async with open_bench(database) as bench:
        for point in story(random.Random(3)):
            bench.log.append(0, point)
        await bench.apply()
        sound = run_waymark("paths", "check", environ=environ)
        assert (sound.returncode, sound.stdout.startswith("sound: ")) == (0, True), sound.stderr
        await RollupFolder(bench.pool).fold_all()
        await bench.execute("DELETE FROM journey.path_counts")
    differs = run_waymark("paths", "check", environ=environ)
    assert (differs.returncode, "sums differ" in differs.stdout) == (1, True), differs.stderr
    korean = run_waymark("paths", "check", environ={**environ, "LANG": "ko_KR.UTF-8"})
    assert "접점과 다릅니다" in korean.stdout
    repaired = run_waymark("paths", "check", "--repair", environ=environ)
    assert (repaired.returncode, "repaired" in repaired.stdout) == (0, True), repaired.stderr
    again = run_waymark("paths", "check", "--json", environ=environ)
    assert json.loads(again.stdout)["sound"] is True


def test_a_database_that_is_away_is_no_difference() -> None:
    environ = {"WAYMARK_POSTGRES": "postgresql://nobody@127.0.0.1:1/none", "WAYMARK_DATA_DIR": "/nowhere"}
    assert run_waymark("paths", "check", environ=environ).returncode == 2
