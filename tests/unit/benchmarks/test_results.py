"""What the benchmarks write: one schema for all, medians and ratios that are those of the laps."""

import json
from pathlib import Path

import jsonschema_rs
import pytest

from benchmarks import display, document, results
from benchmarks.measuring import Benchmark, Better, Goal, Lap, Measure, Plan, Ratio, Report, Teller

SCHEMA = json.loads((Path(results.__file__).parent / "result.schema.json").read_text())


def _run(_plan: Plan, _teller: Teller) -> Report:
    raise NotImplementedError


BENCHMARK = Benchmark(name="sample", title="A sample", run=_run)


def _report() -> Report:
    laps = [
        Lap(round=number, contestant=name, measures={"per_s": per_s, "p99_ms": p99_ms}, cpu_us={"worker": 1.5})
        for number, (ours, theirs) in enumerate([(300.0, 100.0), (100.0, 100.0), (200.0, 100.0)], start=1)
        for name, per_s, p99_ms in (("waymark", ours, 10.0), ("peer", theirs, 20.0))
    ]
    return Report(
        laps=laps,
        measures=(
            Measure(name="per_s", title="records/s"),
            Measure(name="p99_ms", title="p99, ms", digits=1, better=Better.LOWER),
        ),
        unit="record",
        ratios=(
            Ratio(of="waymark", to="peer", measure="per_s", aim=2.5),
            Ratio(of="waymark", to="peer", measure="p99_ms", aim=1.5),
            Ratio(of="waymark", to="somebody who did not run", measure="per_s"),
        ),
        goals=(Goal(contestant="waymark", measure="p99_ms", aim=10.0),),
        settings={"backlog": 1000},
        notes=("A note.",),
    )


@pytest.fixture
def result() -> results.Document:
    return results.document(BENCHMARK, Plan(rounds=3), _report(), took_s=1.0)


def _reread(result: results.Document, path: Path) -> object:
    results.write(result, path)
    return json.loads(path.read_text())


def test_a_result_has_the_form_that_its_schema_says(result: results.Document, tmp_path: Path) -> None:
    jsonschema_rs.validator_for(SCHEMA).validate(_reread(result, tmp_path / "sample.json"))


def test_the_schema_refuses_a_result_without_laps(result: results.Document, tmp_path: Path) -> None:
    written = _reread({**result, "laps": []}, tmp_path / "sample.json")
    assert not jsonschema_rs.validator_for(SCHEMA).is_valid(written)


def test_every_lap_is_kept_and_the_median_is_theirs(result: results.Document) -> None:
    assert len(result["laps"]) == 6
    ours = next(one for one in result["medians"] if one["contestant"] == "waymark")
    assert ours["measures"]["per_s"] == {"median": 200.0, "min": 100.0, "max": 300.0}


def test_a_ratio_is_the_median_of_the_ratios_of_the_rounds(result: results.Document) -> None:
    speed, latency = result["ratios"]
    assert (speed["each"], speed["median"], speed["met"]) == ([3.0, 1.0, 2.0], 2.0, False)
    assert (latency["median"], latency["met"]) == (2.0, True)


def test_a_goal_where_lower_is_better_is_met_from_below(result: results.Document) -> None:
    assert result["goals"][0]["met"]


def test_a_first_look_does_not_replace_a_whole_result() -> None:
    assert results.path_of("sample", Plan(quick=True)) != results.path_of("sample", Plan())
    assert results.path_of("sample", Plan(only=("waymark",))) != results.path_of("sample", Plan())


def test_the_document_gets_the_table_between_its_marks_and_keeps_the_rest(
    result: results.Document, tmp_path: Path
) -> None:
    path = tmp_path / "benchmarks.md"
    path.write_text("before\n<!-- sample -->\nold\n<!-- /sample -->\nafter\n")
    assert document.fill([result], path) == ["sample"]
    text = path.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "| waymark | 200 (100–300) | 10 | worker 1.5 |" in text


def test_a_result_without_a_place_in_the_document_is_an_error(result: results.Document, tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.md"
    path.write_text("nothing\n")
    with pytest.raises(document.NoPlaceError, match="sample"):
        document.fill([result], path)


def test_numbers_have_no_more_digits_than_matter() -> None:
    assert [display.number(value, 1) for value in (1234.56, 12.0, 12.34)] == ["1,235", "12", "12.3"]
