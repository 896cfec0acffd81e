"""`python -m benchmarks`: measure, print a table, write JSON to benchmarks/results/."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from benchmarks import contest, latency, machine
from benchmarks.contest import Contestant, Lap

RESULTS = Path(__file__).parent / "results"
REAL, PLAIN, IDIOMATIC = "waymark worker (real job)", "plain aiokafka (real job)", "idiomatic Faust (reference job)"

app = typer.Typer(
    help="Speed, side by side with peers, in one run, on Apache Kafka and PostgreSQL.",
    epilog="python -m benchmarks | python -m benchmarks worker --rounds 3 | python -m benchmarks latency --rate 500",
    invoke_without_command=True,
)
console = Console()

Rounds = Annotated[int, typer.Option(help="Rounds; each runs every contestant once.")]
Records = Annotated[int, typer.Option(help="Backlog of the fast contestants.")]
SlowRecords = Annotated[int, typer.Option(help="Backlog of idiomatic Faust.")]
Rate = Annotated[int, typer.Option(help="Touchpoints a second.")]
Seconds = Annotated[float, typer.Option(help="Length of the measurement.")]


@app.callback()
def everything(context: typer.Context) -> None:
    """Without a sub-command: all of it."""
    if context.invoked_subcommand is None:
        worker()
        alert_latency()


@app.command()
def worker(rounds: Rounds = 5, records: Records = 60_000, slow_records: SlowRecords = 12_000) -> None:
    """Throughput of the journey worker against a plain loop and against idiomatic Faust."""
    contestants = [
        Contestant(name=REAL, records=records, run=contest.real_worker),
        Contestant(name=PLAIN, records=records, run=contest.plain_loop),
        Contestant(name=IDIOMATIC, records=slow_records, run=contest.idiomatic_faust),
    ]
    laps = contest.rounds(contestants, rounds, console.print)
    table = Table("contestant", "records/s (median)", "min … max", "CPU µs a record", "waymark is", title="Throughput")
    for contestant in contestants:
        table.add_row(*_row(contestant.name, laps))
    console.print(table)
    _write(
        "worker", {"laps": [asdict(lap) for lap in laps], "ratios": {n: _ratio(n, laps) for n in (PLAIN, IDIOMATIC)}}
    )


@app.command(name="latency")
def alert_latency(rate: Rate = 200, seconds: Seconds = 60.0) -> None:
    """Time from acceptance to the verified webhook at a paced rate."""
    import asyncio

    async def measured() -> latency.Latency:
        async with latency.running_stack("kafka") as stack:
            return await latency.measure(stack, rate, seconds)

    result = asyncio.run(measured())
    table = Table(
        "rate", "measured", "lost", "p50", "p95", "p99", "ingest p50", "ingest p99", title="Accepted → webhook"
    )
    table.add_row(
        f"{result.rate}/s",
        f"{result.measured:,}",
        f"{result.lost}",
        *(f"{ms:.0f} ms" for ms in (result.p50_ms, result.p95_ms, result.p99_ms)),
        *(f"{ms:.1f} ms" for ms in (result.ingest_p50_ms, result.ingest_p99_ms)),
    )
    console.print(table)
    _write("latency", asdict(result))


def _row(name: str, laps: Sequence[Lap]) -> list[str]:
    mine = [lap for lap in laps if lap.contestant == name]
    speeds = [lap.per_s for lap in mine]
    cpu = {part: median(lap.cpu_us[part] for lap in mine) for part in mine[0].cpu_us}
    return [
        name,
        f"{median(speeds):,.0f}",
        f"{min(speeds):,.0f} … {max(speeds):,.0f}",
        ", ".join(f"{part} {microseconds:.0f}" for part, microseconds in cpu.items()),
        "" if name == REAL else f"{_ratio(name, laps):.2f}×",
    ]


def _ratio(name: str, laps: Sequence[Lap]) -> float:
    """Median over the rounds of Waymark's speed by that of `name`."""
    ours = [lap.per_s for lap in laps if lap.contestant == REAL]
    theirs = [lap.per_s for lap in laps if lap.contestant == name]
    return median(our / their for our, their in zip(ours, theirs, strict=True))


def _write(name: str, result: dict[str, Any]) -> None:
    RESULTS.mkdir(exist_ok=True)
    document = {"measured_at": datetime.now(UTC), "machine": machine.describe(), **result}
    path = RESULTS / f"{name}.json"
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    console.print(f"written to {path.relative_to(Path.cwd())}", style="dim")


if __name__ == "__main__":
    app()
