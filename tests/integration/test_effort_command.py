"""`waymark effort calibrate` on what a worker stored, from beginning to end."""

import asyncio
import json
from typing import Any

import pytest

from tests.fixtures.journey_bench import JourneyBench, at, open_bench, touchpoint
from tests.unit.waymark.test_command_line import waymark

pytestmark = pytest.mark.local

DAY = 24 * 60
WINDOW = ("--since", at(-DAY).isoformat(), "--until", at(9 * DAY).isoformat(), "--zone", "Asia/Seoul")
CUSTOMERS = 12


def append_answers(bench: JourneyBench) -> None:
    """Every second customer has to call twice and answers worse."""
    for number in range(CUSTOMERS):
        who = {"customer": {"customer_id": f"C-{number}"}, "reason": "billing"}
        again = number % 2
        for time in range(1 + again):
            bench.log.append(0, touchpoint(f"call-{number}-{time}", 60 * time, **who))
        score = {"metric": "ces", "value": 6 - 4 * again, "scale": 7}
        bench.log.append(0, touchpoint(f"asked-{number}", 300, kind="survey_answered", score=score, **who))


async def calibrate(database: str, *arguments: str) -> str:
    ran = await asyncio.to_thread(waymark, "effort", "calibrate", *WINDOW, *arguments, WAYMARK_POSTGRES=database)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


async def test_effort_is_compared_with_what_customers_answered(database: str) -> None:
    async with open_bench(database) as bench:
        append_answers(bench)
        await bench.apply()
        told: dict[str, Any] = json.loads(await calibrate(database, "--json", "--workers", "2"))
        shown = await calibrate(database)
        nothing = await calibrate(database, "--metric", "nps")
    assert (told["answers"], told["alone"], told["customers"], told["touchpoints"]) == (CUSTOMERS, 0, CUSTOMERS, 30)
    assert told["correlation"]["spearman"] == pytest.approx(-1)
    assert [(one["begins"], one["answers"]) for one in told["bands"]] == [(0.0, 6), (25.0, 6)]
    assert [(one["factor"], one["answers"]) for one in told["parts"]] == [("repeat_contact", 6)]
    assert "effort against answers: -1.00" in shown
    assert "repeat_contact" in shown
    assert "nothing to compare" in nothing
