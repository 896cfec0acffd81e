"""The fault lab as a command: `python -m tests.faults --only F5,F6 --seed 7`.

Runs faults one after the other, each in a laboratory of its own, and prints one table. Ends 0 when everything that was
asked for holds; 1 when something is broken or could not be run: what was not run has shown nothing.
"""

import argparse
import asyncio
import contextlib
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

from tests.faults.checker import Check
from tests.faults.fault import Fault, Outcome, Verdict
from tests.faults.faults import registered
from tests.faults.lab import Lab

STYLES = {Outcome.HOLDS: "green", Outcome.BROKEN: "bold red", Outcome.NOT_RUN: "bold yellow"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One fault, once."""

    fault: Fault
    seed: int
    seconds: float
    verdict: Verdict
    folder: Path


def main() -> int:
    """Parse, run, print."""
    options = _options()
    if options.list:
        _console().print(_catalogue())
        return 0
    seed = random.randrange(1_000_000) if options.seed is None else options.seed
    chosen = _chosen(options)
    plan = [(fault, seed + round_) for round_ in range(options.rounds) for fault in chosen]
    return run_plan(plan, folder=options.folder, json=options.json)


def run_plan(plan: Sequence[tuple[Fault, int]], *, folder: str = "", json: str = "") -> int:
    """Run faults with their seeds, one after the other; print as it goes, then the table. 0 when all hold."""
    console = _console()
    home = Path(folder or tempfile.mkdtemp(prefix="waymark-faults-"))
    console.print(f"{len(plan)} runs, the first with seed {plan[0][1]}; logs under {home}", style="dim")
    ran: list[Ran] = []
    with contextlib.suppress(KeyboardInterrupt):  # the table says what was done until then
        for fault, seed in plan:
            ran.append(_run(console, fault, seed, home))
    console.print(table(ran))
    if json:
        Path(json).write_bytes(orjson.dumps([_plain(one) for one in ran], option=orjson.OPT_INDENT_2))
    whole = len(ran) == len(plan) and all(one.verdict.outcome is Outcome.HOLDS for one in ran)
    if whole and not folder:
        shutil.rmtree(home, ignore_errors=True)
    console.print(_last_line(ran, len(plan), home), style="bold green" if whole else "bold red")
    return 0 if whole else 1


def _console() -> Console:
    return Console(soft_wrap=True, width=None if sys.stdout.isatty() else 160)


async def run_once(fault: Fault, seed: int, lab: Lab) -> Verdict:
    """One fault within its limit; an exception is a finding like any other, not the end of the command."""
    try:
        async with asyncio.timeout(fault.limit_s):
            async with lab:
                return await fault.run(lab, seed)
    except Exception as error:  # noqa: BLE001 - the outermost place of a fault: whatever it raises is its verdict
        (lab.folder / "traceback.txt").write_text(traceback.format_exc())
        said = str(error)[:600] or f"not over within {fault.limit_s:.0f} s"
        return Verdict(checks=[Check(name="it came to an end", ok=False, detail=f"{type(error).__name__}: {said}")])


def table(ran: Sequence[Ran]) -> Table:
    """The one table: what was done, what was counted, what it amounts to."""
    made = Table(title="Faults")
    for column in ("fault", "", "seed", "seconds", "counts", "verdict"):
        made.add_column(column, overflow="fold", justify="right" if column in {"seed", "seconds"} else "left")
    for one in ran:
        style = STYLES[one.verdict.outcome]
        counts = ", ".join(f"{value:g} {name}" for name, value in one.verdict.counts.items() if value)
        verdict = f"[{style}]{one.verdict.outcome}[/]"
        made.add_row(one.fault.id, one.fault.title, str(one.seed), f"{one.seconds:.0f}", counts, verdict)
    return made


def _run(console: Console, fault: Fault, seed: int, home: Path) -> Ran:
    console.print(f"[bold]{fault.id}[/] {fault.title} (seed {seed})")
    started = time.monotonic()

    def say(line: str) -> None:
        console.print(f"  {time.monotonic() - started:6.1f} s  {line}", style="dim", markup=False)

    folder = home / f"{fault.id}-{seed}"
    verdict = asyncio.run(run_once(fault, seed, Lab(folder, say)))
    ran = Ran(fault=fault, seed=seed, seconds=time.monotonic() - started, verdict=verdict, folder=folder)
    _tell(console, ran)
    if verdict.outcome is not Outcome.BROKEN:
        shutil.rmtree(folder / "engines", ignore_errors=True)  # logs stay until the end, data need not
    return ran


def _tell(console: Console, ran: Ran) -> None:
    for check in ran.verdict.checks:
        mark = "[green]✓[/]" if check.ok else "[red]✗[/]"
        console.print(f"  {mark} {check.name}: ", end="")
        console.print(check.detail, markup=False, style="dim" if check.ok else "red")
    outcome = ran.verdict.outcome
    why = f": {ran.verdict.not_run}" if ran.verdict.not_run else ""
    console.print(f"  [{STYLES[outcome]}]{outcome}[/]{why} after {ran.seconds:.0f} s")


def _last_line(ran: Sequence[Ran], planned: int, home: Path) -> str:
    by_outcome = {outcome: sum(one.verdict.outcome is outcome for one in ran) for outcome in Outcome}
    said = ", ".join(f"{count} {outcome}" for outcome, count in by_outcome.items() if count)
    if len(ran) < planned:
        said += f", {planned - len(ran)} not come to"
    bad = by_outcome[Outcome.HOLDS] < planned
    return f"VERDICT: {said or 'nothing was run'}" + (f"; logs: {home}" if bad else "")


def _plain(one: Ran) -> dict[str, object]:
    return {
        "fault": one.fault.id,
        "title": one.fault.title,
        "seed": one.seed,
        "seconds": round(one.seconds, 1),
        "outcome": one.verdict.outcome,
        "not_run": one.verdict.not_run,
        "counts": dict(one.verdict.counts),
        "checks": [{"name": check.name, "ok": check.ok, "detail": check.detail} for check in one.verdict.checks],
    }


def _catalogue() -> Table:
    made = Table(title="Every fault")
    for column in ("fault", "", "short"):
        made.add_column(column)
    for fault in registered().values():
        made.add_row(fault.id, fault.title, "yes" if fault.short else "")
    return made


def _chosen(options: argparse.Namespace) -> list[Fault]:
    everything = registered()
    if options.only:
        names = [name.strip() for name in options.only.split(",")]
        if unknown := [name for name in names if name not in everything]:
            sys.exit(f"no such fault: {', '.join(unknown)}; --list tells which there are")
        return [everything[name] for name in names]
    return [fault for fault in everything.values() if fault.short or not (options.short or fault.by_name)]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--only", default="", help="ids, comma separated (default: all but the soak)")
    parser.add_argument("--short", action="store_true", help="only those that CI runs")
    parser.add_argument("--list", action="store_true", help="say which there are, and end")
    parser.add_argument(
        "--seed", type=int, default=None, help="makes a run repeatable (default: a random one, printed)"
    )
    parser.add_argument("--rounds", type=int, default=1, help="how often each; every round has its own seed")
    parser.add_argument("--json", default="", help="file for the results")
    parser.add_argument("--folder", default="", help="where logs and data go and stay (default: a temporary folder)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
