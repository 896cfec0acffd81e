"""Results as JSON, one schema for every benchmark (`result.schema.json`), and the medians and ratios in them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from benchmarks import machine
from benchmarks.measuring import Benchmark, Better, Goal, Lap, Measure, Plan, Ratio, Report

FOLDER = Path(__file__).parent / "results"
FORMAT = "waymark.benchmark.v1"

Document = dict[str, Any]


def document(benchmark: Benchmark, plan: Plan, report: Report, took_s: float) -> Document:
    """Return the result as it is written."""
    return {
        "format": FORMAT,
        "benchmark": benchmark.name,
        "title": benchmark.title,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "took_s": round(took_s, 1),
        "machine": machine.describe(),
        "versions": {**machine.versions(), **report.versions},
        "plan": {
            "rounds": plan.rounds,
            "quick": plan.quick,
            "full": plan.full,
            "seed": plan.seed,
            "only": list(plan.only),
        },
        "settings": dict(report.settings),
        "unit": report.unit,
        "measures": [msgspec.to_builtins(measure) for measure in report.measures],
        "laps": [msgspec.to_builtins(lap) for lap in report.laps],
        "medians": [_medians(name, case, report.laps) for name, case in _pairs(report.laps)],
        "ratios": [told for ratio in report.ratios if (told := _ratio(ratio, report)) is not None],
        "goals": [told for goal in report.goals if (told := _goal(goal, report)) is not None],
        "notes": list(report.notes),
    }


def path_of(name: str, plan: Plan) -> Path:
    """Return where a result is written; a first look, or one of a few contestants, does not replace a whole one."""
    return FOLDER / (f"{name}.quick.json" if plan.quick or plan.only else f"{name}.json")


def write(result: Document, path: Path) -> None:
    """Write a result, whole or not at all."""
    path.parent.mkdir(exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2))
    fresh.replace(path)


def read_all() -> list[Document]:
    """Return the whole results that are there."""
    found = [path for path in sorted(FOLDER.glob("*.json")) if not path.name.endswith(".quick.json")]
    documents = [msgspec.json.decode(path.read_bytes()) for path in found]
    return [one for one in documents if one.get("format") == FORMAT]


def _pairs(laps: Sequence[Lap]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((lap.contestant, lap.case) for lap in laps))


def _medians(contestant: str, case: str, laps: Sequence[Lap]) -> Document:
    mine = [lap for lap in laps if (lap.contestant, lap.case) == (contestant, case)]
    return {
        "contestant": contestant,
        "case": case,
        "laps": len(mine),
        "measures": {name: _spread([lap.measures for lap in mine], name) for name in _names(mine, "measures")},
        "cpu_us": {
            name: round(_spread([lap.cpu_us for lap in mine], name)["median"], 3) for name in _names(mine, "cpu_us")
        },
    }


def _names(laps: Sequence[Lap], member: str) -> list[str]:
    return list(dict.fromkeys(name for lap in laps for name in getattr(lap, member)))


def _spread(rows: Sequence[Mapping[str, float]], name: str) -> dict[str, float]:
    values = [row[name] for row in rows if name in row]
    return {"median": median(values), "min": min(values), "max": max(values)}


def _values(laps: Sequence[Lap], contestant: str, case: str, measure: str) -> dict[int, float]:
    return {
        lap.round: lap.measures[measure]
        for lap in laps
        if (lap.contestant, lap.case) == (contestant, case) and measure in lap.measures
    }


def _better(measures: Sequence[Measure], name: str) -> Better:
    return next(measure.better for measure in measures if measure.name == name)


def _ratio(ratio: Ratio, report: Report) -> Document | None:
    ours = _values(report.laps, ratio.of, ratio.of_case, ratio.measure)
    theirs = _values(report.laps, ratio.to, ratio.to_case, ratio.measure)
    rounds = sorted(ours.keys() & theirs.keys())
    if not rounds:
        return None
    better = _better(report.measures, ratio.measure)
    each = [_times_better(ours[number], theirs[number], better) for number in rounds]
    told = {**msgspec.to_builtins(ratio), "median": median(each), "each": each}
    return {**told, "met": None if ratio.aim is None else median(each) >= ratio.aim}


def _times_better(ours: float, theirs: float, better: Better) -> float:
    over, under = (ours, theirs) if better is Better.HIGHER else (theirs, ours)
    return round(over / under, 4) if under else 0.0


def _goal(goal: Goal, report: Report) -> Document | None:
    values = _values(report.laps, goal.contestant, goal.case, goal.measure)
    if not values:
        return None
    found = median(values.values())
    met = found >= goal.aim if _better(report.measures, goal.measure) is Better.HIGHER else found <= goal.aim
    return {**msgspec.to_builtins(goal), "median": found, "met": met}
