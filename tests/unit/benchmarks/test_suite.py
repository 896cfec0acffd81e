"""The benchmarks' command line: what there is, what is refused; nothing is measured here."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import document, ground, profiling, reference_job, suite, twins
from benchmarks.measuring import Plan
from benchmarks.traffic import crowd, name, phone

ROOT = Path(__file__).parents[3]


def _command(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=60)


def test_help_says_what_can_be_asked_for() -> None:
    said = _command("--help")
    assert said.returncode == 0
    for flag in ("--rounds", "--quick", "--full", "--only", "--document"):
        assert flag in said.stdout


def test_the_list_names_every_benchmark() -> None:
    said = _command("--list")
    assert said.returncode == 0
    for one in suite.everything():
        assert one.name in said.stdout


def test_an_unknown_benchmark_is_refused_with_those_that_there_are() -> None:
    said = _command("speed")
    assert said.returncode == 2
    assert "speed" in said.stdout
    assert "ingest" in said.stdout


def test_the_long_ones_run_only_when_asked_for() -> None:
    usual = {one.name for one in suite.choose([], Plan())}
    whole = {one.name for one in suite.choose([], Plan(full=True))}
    assert "growth" not in usual
    assert whole == {one.name for one in suite.everything()}
    assert [one.name for one in suite.choose(["growth"], Plan())] == ["growth"]


@pytest.mark.parametrize("benchmark", [one.name for one in suite.everything()])
def test_every_benchmark_has_its_place_in_the_document(benchmark: str) -> None:
    text = document.PATH.read_text(encoding="utf-8")
    assert f"<!-- {benchmark} -->\n" in text
    assert f"<!-- /{benchmark} -->" in text


def test_traffic_is_the_same_for_the_same_seed_but_for_the_time() -> None:
    once, again, other = (list(crowd(200, seed=seed)) for seed in (1, 1, 2))
    assert [record.key for record in once] == [record.key for record in again]
    assert [record.key for record in once] != [record.key for record in other]


def test_the_reference_job_finds_friction_in_about_one_touchpoint_of_twenty() -> None:
    expected = reference_job.expected((record.key, record.value) for record in crowd(5000))
    assert sum(expected.touchpoints.values()) == 5000
    assert 0.03 < expected.frictions / 5000 < 0.08


def test_what_the_reference_job_remembers_is_what_it_recalls() -> None:
    journey = reference_job.Journey()
    for record in crowd(100, per_customer=100):
        reference_job.update(journey, reference_job.decode(record.value))
    assert reference_job.recall(reference_job.remember(journey)) == journey
    assert (journey.touchpoints, len(journey.last)) == (100, reference_job.REMEMBERED)


def test_time_in_a_driver_counts_for_the_stage_that_asked() -> None:
    asked = "main (worker.py:1);write (services/journey/renew/writer.py:9);execute (asyncpg/connection.py:3) 3"
    nobody = "run (asyncio/base_events.py:1);data_received (asyncpg/protocol.pyx:7) 1"
    assert profiling.shares([asked, nobody]) == {"write": 0.75, "PostgreSQL driver, reading": 0.25}


def test_a_copied_customer_is_called_what_traffic_calls_it() -> None:
    for copy in (1, 57, 999):
        number = copy * twins.COPY_ROOM + 123
        assert twins.named(f"C-{name(123)} {phone(123)}", copy) == f"C-{name(number)} {phone(number)}"


def test_postgresql_is_measured_with_what_the_deployment_gives_it() -> None:
    deployed = (ROOT / "docker-compose.yml").read_text()
    assert [setting for setting in ground.AS_DEPLOYED if f"-c, {setting}," not in deployed] == []


def test_each_round_begins_with_another_contestant() -> None:
    assert [Plan.turn(["a", "b", "c"], number)[0] for number in (1, 2, 3, 4)] == ["a", "b", "c", "a"]
    assert sorted(Plan.turn(["a", "b", "c"], 2)) == ["a", "b", "c"]
