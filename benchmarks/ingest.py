"""(a) Ingest: accepted touchpoints a second, one by one and in batches of a hundred, by wrk over loopback.

Every contestant is one server process with uvloop and httptools, and answers after Kafka has acknowledged (but for the
bare handler, which is the floor). What was answered with 202 is compared with what stands on the topic.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import orjson

from benchmarks import ground, racing
from benchmarks.ground import Ground
from benchmarks.measuring import WAYMARK, Benchmark, Better, Lap, Measure, Plan, Ratio, Report, Teller
from benchmarks.peers import fastapi_idiom
from benchmarks.racing import RaceError
from benchmarks.traffic import touchpoint
from benchmarks.watching import Watch, memory_mib
from services.ingest.sources.source_administration import SourceSpec
from waymark.database import run_in_transaction
from waymark.keys.key_store import create_source_key
from waymark.launchers.child_process import ChildProcess, accepts, await_ready, free_port
from waymark.local.service_processes import ask, make_service
from waymark.topics.declared_topics import make_topics

IDIOM, FLOOR = "FastAPI idiom (pydantic, send_and_wait)", "bare ASGI handler, no Kafka"
VARIETY = 500
READY_S = 60.0
WARM_UP_S = 1
LUA = Path(__file__).with_name("wrk.lua")
UNLIMITED = "1000000000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """How many touchpoints a request has, and how many connections ask at the same time."""

    name: str
    items: int
    connections: int


CASES = (Case(name="single", items=1, connections=64), Case(name="batches of 100", items=100, connections=16))


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A contestant that serves. `topic` is where what it accepted stands; none: it keeps nothing."""

    child: ChildProcess
    port: int
    topic: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """What the servers are given: the ground, the environment of a process of Waymark, a key."""

    ground: Ground
    environment: dict[str, str]
    key: str
    payload: Path


def run(plan: Plan, teller: Teller) -> Report:
    """Load every contestant in every case, `plan.rounds` times."""
    if shutil.which("wrk") is None:
        raise RaceError("wrk is missing, which makes the load: apt-get install wrk")
    contestants = [name for name in (WAYMARK, IDIOM, FLOOR) if plan.wants(name)]
    seconds = plan.size(2, 3, 10)
    laps: list[Lap] = []
    with ground.laid_out(teller) as here:
        stand = _stand(here, plan.seed)
        if contestants:
            teller.step("warming up ingest's way into Kafka")
            _lap(stand, 0, contestants[0], CASES[0], seconds)
        for number in range(1, plan.rounds + 1):
            for name in plan.turn(contestants, number):
                for case in CASES:
                    teller.step(f"round {number} of {plan.rounds}: {name}, {case.name}")
                    laps.append(_lap(stand, number, name, case, seconds))
                    teller.lap(laps[-1])
    return _report(contestants, laps, seconds)


def _stand(here: Ground, seed: int) -> Stand:
    make_topics(here.bootstrap, replication=1)
    ground.make_topic(here, fastapi_idiom.TOPIC)
    url = ground.database(here, "ingest")
    spec = SourceSpec(name="bench")
    key = run_in_transaction(url, lambda connection: create_source_key(connection, spec, label="benchmark")).text
    payload = here.folder / "payload"
    payload.write_bytes(b"".join(_rest(seed)))
    environment = {
        "WAYMARK_KAFKA": here.bootstrap,
        "WAYMARK_POSTGRES": url,
        "WAYMARK_LOG_LEVEL": "warning",
        "WAYMARK_INGEST_KEY_SECRET": "benchmark",
        "WAYMARK_INGEST_REQUESTS_PER_S": UNLIMITED,
        "WAYMARK_INGEST_TOUCHPOINTS_PER_S": UNLIMITED,
        "BENCH_KEY": key,
    }
    return Stand(ground=here, environment=environment, key=key, payload=payload)


def _rest(seed: int) -> Iterator[bytes]:
    """Yield touchpoints without id and opening brace, for the load generator to put an id before."""
    dice = Random(seed)
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    for number in range(VARIETY):
        yield orjson.dumps(touchpoint(dice, dice.randrange(10_000), number, at))[1:] + b"\n"


def _lap(stand: Stand, number: int, name: str, case: Case, seconds: int) -> Lap:
    with _serving(stand, name, number, case) as server:
        _load(stand, server, case, "w", WARM_UP_S)
        before = _stored(stand, server)
        watch = Watch({"server": server.child.pid, "kafka": stand.ground.roots["kafka"]})
        watch.start()
        told = _load(stand, server, case, f"r{number}", seconds)
        accepted = told["requests"] * case.items
        cpu_us = watch.spent_us(accepted)
        memory = memory_mib(server.child.pid)
        if server.topic is not None:
            _check(name, told, accepted, _stored(stand, server) - before)
    measures = {
        "per_s": 1e6 * accepted / told["took_us"],
        "p50_ms": told["p50_us"] / 1000,
        "p99_ms": told["p99_us"] / 1000,
        "memory_mib": memory,
    }
    return Lap(round=number, contestant=name, case=case.name, measures=measures, cpu_us=cpu_us)


def _check(name: str, told: dict[str, int], accepted: int, stored: int) -> None:
    """Compare what was answered with what is stored; the last requests may be stored and not answered.

    Raises:
        RaceError: a request was refused, or something accepted is not on the topic.
    """
    if told["refused"] or told["broken"]:
        raise RaceError(f"{name}: {told['refused']} requests refused, {told['broken']} broken")
    if stored < accepted:
        raise RaceError(f"{name}: {accepted} accepted, {stored} on the topic")


def _load(stand: Stand, server: Server, case: Case, tag: str, seconds: int) -> dict[str, int]:
    command = ["wrk", "-t1", f"-c{case.connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(LUA)]
    command += [f"http://127.0.0.1:{server.port}/v1/touchpoints", "--"]
    command += [str(stand.payload), str(case.items), f"{tag}-{time.monotonic_ns():x}", stand.key]
    said = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, check=False)
    lines = [line for line in said.stdout.splitlines() if line.startswith("{")]
    if said.returncode or not lines:
        raise RaceError(f"wrk failed:\n{said.stdout}{said.stderr}")
    told: dict[str, int] = orjson.loads(lines[-1])
    return told


def _stored(stand: Stand, server: Server) -> int:
    return 0 if server.topic is None else ground.records_in(stand.ground, server.topic)


@contextmanager
def _serving(stand: Stand, name: str, number: int, case: Case) -> Iterator[Server]:
    logs = stand.ground.folder / f"{name.partition(' ')[0]}-{number}-{case.items}"
    server = _waymark(stand, logs) if name == WAYMARK else _uvicorn(stand, name, logs)
    with racing.running(server.child):
        if name == WAYMARK:
            await_ready(server.child, lambda: ask(server.port, "/readyz")[0] == 200, within_s=READY_S)
        else:
            await_ready(server.child, lambda: accepts(server.port), within_s=READY_S)
        yield server


def _waymark(stand: Stand, logs: Path) -> Server:
    port = free_port()
    whole = racing.surroundings(stand.environment)
    service = make_service("ingest", ports={"ingest": port}, environment=whole, logs=logs)
    return Server(child=service.child, port=port, topic="touchpoints")


def _uvicorn(stand: Stand, name: str, logs: Path) -> Server:
    port = free_port()
    module = "fastapi_idiom" if name == IDIOM else "bare_asgi"
    command = [sys.executable, "-m", "uvicorn", f"benchmarks.peers.{module}:app", "--port", str(port)]
    command += ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    child = racing.child("server", command, logs, stand.environment)
    return Server(child=child, port=port, topic=fastapi_idiom.TOPIC if name == IDIOM else None)


def _report(contestants: Sequence[str], laps: Sequence[Lap], seconds: int) -> Report:
    ratios = [
        Ratio(of=WAYMARK, to=name, measure="per_s", of_case=case.name, to_case=case.name, aim=aim)
        for case in CASES
        for name, aim in ((IDIOM, 2.0), (FLOOR, None))
        if WAYMARK in contestants and name in contestants
    ]
    return Report(
        laps=laps,
        measures=(
            Measure(name="per_s", title="accepted touchpoints/s"),
            Measure(name="p50_ms", title="p50, ms", digits=1, better=Better.LOWER),
            Measure(name="p99_ms", title="p99, ms", digits=1, better=Better.LOWER),
            Measure(name="memory_mib", title="memory, MiB", better=Better.LOWER),
        ),
        unit="touchpoint",
        ratios=ratios,
        settings={"seconds": seconds, **{f"connections, {case.name}": case.connections for case in CASES}},
        versions={"wrk": _wrk_version()},
        notes=(
            "Closed loop at saturation: the load generator and Kafka share the machine with the server, so latencies "
            "are those of a full queue (connections ÷ rate), not of a normal day.",
            "The idiom does less: it checks form and key, but makes no normal form, consults no catalogue, knows no "
            "duplicates. The bare handler does nothing at all. Limits of rate are far away, but counted.",
            "What was answered with 202 was on the topic afterwards, in every run.",
        ),
    )


def _wrk_version() -> str:
    said = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout
    return said.split(" [")[0].removeprefix("wrk ").strip() or "unknown"


BENCHMARK = Benchmark(name="ingest", title="Ingest: accepted touchpoints", run=run)
