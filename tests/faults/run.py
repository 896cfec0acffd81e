"""The fault test as a command: `python -m tests.faults.run --seed 7 --touchpoints 50000 --kills 20`.

Starts Apache Kafka, PostgreSQL, two journey workers and the alert service, writes the workload while workers are killed
with SIGKILL, waits until everything is applied, and compares with the oracle. Ends 0 when everything holds, else 1.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.faults.control import run_control
from tests.faults.fleet import Engines
from tests.faults.scenario import Report, Size, run


def main() -> int:
    """Parse, run, print."""
    options = _options()
    size = Size(
        seed=options.seed,
        touchpoints=options.touchpoints,
        kills=options.kills,
        seconds=options.seconds or max(20.0, 7.0 * (options.kills + 2 * options.freezes), options.touchpoints / 1000),
        freezes=options.freezes,
        alerts_kills=options.alerts_kills,
        workers=options.workers,
        settle_s=options.settle,
    )
    console = Console(soft_wrap=True)
    folder = Path(options.folder or tempfile.mkdtemp(prefix="waymark-faults-"))
    engines = Engines.start(folder)
    if options.control:
        ended = _control(console, engines, folder, size)
        _tidy(console, folder, keep=bool(options.folder))
        return ended
    try:
        report = asyncio.run(run(size, engines, folder, say=lambda line: console.print(line, style="dim")))
    finally:
        engines.stop()
    _show(console, report)
    _tidy(console, folder, keep=bool(options.folder) or not report.ok)
    return 0 if report.ok else 1


def _tidy(console: Console, folder: Path, *, keep: bool) -> None:
    if keep:
        console.print(f"logs and data: {folder}", style="dim")
    else:
        shutil.rmtree(folder, ignore_errors=True)


def _control(console: Console, engines: Engines, folder: Path, size: Size) -> int:
    """Run stock Faust instead; ends 0 when it lost data, as it is known to."""
    work = run_control(engines, folder, seed=size.seed, touchpoints=size.touchpoints, seconds=size.seconds)
    try:
        loss = asyncio.run(work)
    finally:
        engines.stop()
    table = Table(title="The control: stock Faust, take(), the same faults", show_header=False)
    table.add_row("records accepted", str(loss.accepted))
    table.add_row("SIGTERM, SIGKILL", f"{loss.polite}, {loss.killed}")
    table.add_row("Kafka's offsets say that all was handled", str(loss.committed_to_the_end))
    table.add_row("never handled", f"[red]{loss.lost}[/]")
    console.print(table)
    console.print("VERDICT: the control loses data" if loss.lost else "VERDICT: the control lost nothing this time")
    return 0 if loss.lost else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.run", description=__doc__)
    parser.add_argument("--seed", type=int, default=7, help="makes the workload and the kills repeatable (default 7)")
    parser.add_argument("--touchpoints", type=int, default=50_000, help="different touchpoints (default 50000)")
    parser.add_argument("--kills", type=int, default=20, help="SIGKILLs of journey workers (default 20)")
    parser.add_argument("--freezes", type=int, default=0, help="SIGSTOPs longer than a session, of workers (default 0)")
    parser.add_argument("--alerts-kills", type=int, default=0, help="SIGKILLs of the alert service (default 0)")
    parser.add_argument("--seconds", type=float, default=None, help="how long to write (default: 7 s for each kill)")
    parser.add_argument("--workers", type=int, default=2, help="journey workers (default 2)")
    parser.add_argument("--settle", type=float, default=240.0, help="seconds to wait for the rest (default 240)")
    parser.add_argument("--control", action="store_true", help="run stock Faust instead, which loses data")
    parser.add_argument("--folder", default="", help="where logs and data go and stay (default: a temporary folder)")
    return parser.parse_args()


def _show(console: Console, report: Report) -> None:
    inside = sum(one.in_transaction for one in report.blows)
    facts = Table(title="The run", show_header=False)
    facts.add_row("seed", str(report.size.seed))
    facts.add_row("records", ", ".join(f"{count} × {what}" for what, count in report.records.items()))
    facts.add_row("workers", str(report.size.workers))
    struck = f"{report.size.kills} of workers, {report.size.alerts_kills} of alerts, {report.size.freezes} freezes"
    facts.add_row("kill -9", f"{struck}; {inside} of all inside a transaction")
    facts.add_row("seconds", f"{report.seconds:.0f} from the first record to the last effect")
    console.print(facts)
    checks = Table(title="What must be true")
    for column in ("", "check", "found"):
        checks.add_column(column)
    for one in report.checks:
        checks.add_row("[green]✓[/]" if one.ok else "[red]✗[/]", one.name, one.detail)
    console.print(checks)
    console.print("[bold green]VERDICT: holds[/]" if report.ok else "[bold red]VERDICT: does not hold[/]")


if __name__ == "__main__":
    sys.exit(main())
