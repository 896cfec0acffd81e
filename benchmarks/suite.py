"""The suite: which benchmarks there are, running the chosen ones, and what is written afterwards."""

import time
from collections.abc import Sequence

from rich.console import Console

from benchmarks import (
    delivering,
    display,
    document,
    growth,
    history,
    ingest,
    latency,
    reading,
    recovery,
    reference,
    results,
    worker,
)
from benchmarks.environments import PeerMissingError
from benchmarks.measuring import Benchmark, Plan
from benchmarks.racing import RaceError
from waymark.launchers.child_process import StackError

KNOWN = tuple(
    module.BENCHMARK for module in (ingest, reference, worker, latency, delivering, recovery, growth, history, reading)
)


class UnknownBenchmarkError(Exception):
    """There is no benchmark of that name."""


def everything() -> Sequence[Benchmark]:
    """Return every benchmark, in the order in which they run."""
    return KNOWN


def choose(names: Sequence[str], plan: Plan) -> list[Benchmark]:
    """Return the named benchmarks; without names, all that are not long (with `full`: all).

    Raises:
        UnknownBenchmarkError: a name is not known.
    """
    by_name = {one.name: one for one in everything()}
    if unknown := [name for name in names if name not in by_name]:
        raise UnknownBenchmarkError(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(by_name)}")
    if names:
        return [by_name[name] for name in names]
    return [one for one in everything() if plan.full or not one.long]


def run(chosen: Sequence[Benchmark], plan: Plan, console: Console) -> int:
    """Run benchmarks one after the other; one that fails does not keep the others. Return how many failed."""
    failed = 0
    for one in chosen:
        try:
            _run(one, plan, console)
        except (RaceError, StackError, PeerMissingError) as error:
            console.print(f"{one.name} failed: {error}", style="red", highlight=False, markup=False)
            failed += 1
    return failed


def _run(one: Benchmark, plan: Plan, console: Console) -> None:
    console.rule(one.title)
    began = time.monotonic()
    with display.ConsoleTeller(console, one.title) as teller:
        report = one.run(plan, teller)
    result = results.document(one, plan, report, time.monotonic() - began)
    path = results.path_of(one.name, plan)
    results.write(result, path)
    display.result(console, result)
    console.print(f"{result['took_s']:.0f} s; written to {path.relative_to(results.FOLDER.parents[1])}", style="dim")


def write_document(console: Console) -> None:
    """Fill the tables of docs/benchmarks.md from the results that are there."""
    filled = document.fill(results.read_all())
    console.print(f"docs/benchmarks.md: {', '.join(filled) or 'nothing to fill in'}")
