"""A real log of 4,580 help desk cases, imported into a whole stack: what is found is known from the file itself."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from tests.fixtures.waymark_up import WaymarkUp
from tests.waiting import until_sync

pytestmark = [pytest.mark.local, pytest.mark.timeout(400)]

EXAMPLE = Path(__file__).parents[2] / "examples" / "helpdesk"
ROWS, CASES = 21_348, 4_580

Start = Callable[..., WaymarkUp]
Found = dict[str, int]


def frictions(url: str) -> Found:
    """How many of each rule; and the customer and case pairs that were reopened."""
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT rule, count(*) FROM journey.frictions WHERE state = 'detected' GROUP BY rule")
        counts: Found = dict(rows.fetchall())
        pairs = connection.execute(
            "SELECT count(DISTINCT (customer_id, payload -> 'refs' ->> 'case_id')) FROM journey.frictions"
            " WHERE rule = 'case_reopened' AND state = 'detected'"
        ).fetchone()
    return {**counts, "reopened_pairs": pairs[0] if pairs else 0}


def applied(url: str) -> int:
    """How many touchpoints the worker has applied."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM journey.touchpoints").fetchone()
    return row[0] if row else 0


@pytest.mark.parametrize(
    ("mapping", "within_7d", "within_24h"),
    [("mapping.yaml", 1_519, 540), ("mapping-with-reason.yaml", 1_165, 436)],
)
def test_the_help_desk_log_shows_the_repeats_and_reopenings_that_are_in_it(
    up: Start, shared_data: Path, mapping: str, within_7d: int, within_24h: int
) -> None:
    stack = up(WAYMARK_JOURNEY_RULES=str(EXAMPLE / "rules.yaml"))
    ready = stack.ready()
    imported = stack.run("import", str(shared_data / "helpdesk.csv"), "-m", str(EXAMPLE / mapping), "--json")
    assert imported.returncode == 0, imported.stderr
    summary = json.loads(imported.stdout)
    assert (summary["accepted"], summary["rejected"]) == (ROWS + CASES, 0)

    until_sync(lambda: applied(ready["postgres"]) == ROWS + CASES, within=180)

    found = frictions(ready["postgres"])
    assert (found["repeat_contact_7d"], found["repeat_contact_24h"]) == (within_7d, within_24h)
    # 152 cases were reopened; in one of them the resolution and the new work carry different customers, and a case that
    # two customers touch is a journey of each, so 151 pairs of customer and case remain.
    assert found["reopened_pairs"] == 151


def test_the_expected_numbers_are_those_of_the_file(shared_data: Path) -> None:
    """An oracle of its own: a few lines over the CSV, with neither our identity nor our rules in it."""
    import csv

    with (shared_data / "helpdesk.csv").open() as file:
        rows = list(csv.DictReader(file))
    openings = sorted(
        (datetime.fromisoformat(r["timestamp"]), r["customer"], r["product"]) for r in rows if r["seq"] == "0"
    )
    assert (len(rows), len(openings)) == (ROWS, CASES)
    assert _repeats(openings, by_product=False) == (1_519, 540)
    assert _repeats(openings, by_product=True) == (1_165, 436)
    assert len(_reopened(rows, "case")) == 152
    assert len(_reopened(rows, "case", "customer")) == 151


def _repeats(openings: list[tuple[datetime, str, str]], *, by_product: bool) -> tuple[int, int]:
    latest: dict[tuple[str, ...], datetime] = {}
    gaps: list[timedelta] = []
    for at, customer, product in openings:
        key = (customer, product) if by_product else (customer,)
        if key in latest:
            gaps.append(at - latest[key])
        latest[key] = at
    return sum(gap <= timedelta(days=7) for gap in gaps), sum(gap <= timedelta(hours=24) for gap in gaps)


def _reopened(rows: list[dict[str, str]], *columns: str) -> set[tuple[str, ...]]:
    resolved: set[tuple[str, ...]] = set()
    reopened: set[tuple[str, ...]] = set()
    for row in rows:
        key = tuple(row[column] for column in columns)
        if row["activity"] == "Resolve ticket":
            resolved.add(key)
        elif row["activity"] in {"Take in charge ticket", "Wait"} and key in resolved:
            reopened.add(key)
    return reopened
