"""(e) The alert service by itself: frictions in, webhooks out, and claiming from a long outbox."""

import asyncio
from collections.abc import Sequence

from benchmarks import alerts
from benchmarks.alerts import LeaseTimes, Round
from benchmarks.measuring import WAYMARK, Benchmark, Better, Goal, Lap, Measure, Plan, Report, Teller
from services.runtime.telemetry import logs


def run(plan: Plan, teller: Teller) -> Report:
    """Measure intake, delivery and claiming."""
    logs.configure("alerts", "warning", "text")
    frictions, rows = plan.size(400, 2000, 5000), plan.size(20_000, 1_000_000)
    teller.step(f"{frictions:,} frictions a round")
    rounds = asyncio.run(alerts.rounds(plan.rounds, frictions=frictions, tell=teller.step))
    teller.step(f"an outbox of {rows:,} rows")
    claims = asyncio.run(alerts.claims(rows, teller.step))
    laps = [*_paces(rounds), *_claims(claims)]
    for lap in laps:
        teller.lap(lap)
    return _report(laps, frictions, rows)


def _paces(rounds: Sequence[Round]) -> list[Lap]:
    return [
        Lap(round=number, contestant=WAYMARK, case=pace.what, measures={"per_s": pace.per_s}, cpu_us=pace.cpu_us)
        for number, done in enumerate(rounds, start=1)
        for pace in (done.intake, done.delivery_one, done.delivery_eight)
    ]


def _claims(claims: Sequence[LeaseTimes]) -> list[Lap]:
    return [
        Lap(
            round=1,
            contestant=WAYMARK,
            case=f"claiming, {found.rows:,} rows",
            measures={"p50_ms": found.p50_ms, "p99_ms": found.p99_ms},
        )
        for found in claims
    ]


def _report(laps: Sequence[Lap], frictions: int, rows: int) -> Report:
    longest = next((lap.case for lap in reversed(laps) if "p99_ms" in lap.measures), "")
    return Report(
        laps=laps,
        measures=(
            Measure(name="per_s", title="a second"),
            Measure(name="p50_ms", title="p50, ms", digits=2, better=Better.LOWER),
            Measure(name="p99_ms", title="p99, ms", digits=2, better=Better.LOWER),
        ),
        unit="piece",
        goals=(Goal(contestant=WAYMARK, case=longest, measure="p99_ms", aim=50.0),),
        settings={"frictions a round": frictions, "rows in the long outbox": rows},
        notes=(
            "One alert service in the benchmark's own process, on PostgreSQL with fsync, without Kafka before it; the "
            "receiver is a process of its own. Every friction opens an issue of its own.",
            "A claim takes up to 64 deliveries; half of the long outbox is delivered, the rest waits for receivers "
            "that are down or behind another of its issue.",
        ),
    )


BENCHMARK = Benchmark(name="alerts", title="The alert service: in, out, and a long outbox", run=run)
