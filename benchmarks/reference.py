"""(b1) The reference job: one job, six ways to carry records to it and to keep its state.

Every contestant reads the same topics, keeps a durable state of its own and publishes the same frictions; afterwards
its state is read back from where it is durable, and counted, so that nobody wins by dropping work.
"""

import asyncio
import pickle
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psycopg

from benchmarks import environments, ground, racing, reference_job
from benchmarks.environments import Environment
from benchmarks.ground import Ground
from benchmarks.measuring import WAYMARK, Benchmark, Lap, Measure, Plan, Ratio, Report, Teller
from benchmarks.peers import durable
from benchmarks.peers.idiomatic_faust import changelog
from benchmarks.racing import Finish, Race, RaceError
from benchmarks.reference_job import Expected
from benchmarks.traffic import crowd
from services.runtime.clock import new_id

SETTLED_WITHIN_S = 20.0
AIOKAFKA, CONFLUENT, FAUST, QUIX, BYTEWAX = (
    "plain aiokafka loop",
    "plain confluent-kafka loop",
    "idiomatic Faust",
    "Quix Streams (bytes, msgspec)",
    "Bytewax (msgspec)",
)
_PROGRESS = "SELECT coalesce(sum(next_offset), 0) FROM {}.progress"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One contestant's run: its name on the cluster, its folder, its database if it has one, and its course."""

    name: str
    topic: str
    folder: Path
    ground: Ground
    count: int
    url: str = ""

    @property
    def output(self) -> str:
        """The topic of its frictions."""
        return f"{self.name}-frictions"


Kept = Callable[[Run], Mapping[bytes, int]]
"""Reads touchpoints by customer from where a contestant keeps them durably."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """Who takes part. `progress` is a schema of PostgreSQL with a table of that name, or None: it tells in its log."""

    name: str
    module: str
    kept: Kept
    environment: Environment = environments.OWN
    progress: str | None = None
    slow: bool = False


def _kept_in_postgres(run: Run) -> Mapping[bytes, int]:
    with psycopg.connect(run.url) as connection:
        rows = connection.execute("SELECT customer, state FROM bench.journeys").fetchall()
    return {bytes(customer): reference_job.recall(bytes(state)).touchpoints for customer, state in rows}


def _kept_by_faust(run: Run) -> Mapping[bytes, int]:
    stored = asyncio.run(ground.latest(run.ground.bootstrap, changelog(run.name)))
    return {key: msgspec.json.decode(value)["touchpoints"] for key, value in stored.items()}


def _kept_by_quix(run: Run) -> Mapping[bytes, int]:
    name = f"changelog__{run.name}--{run.topic}--default"
    stored = asyncio.run(ground.latest(run.ground.bootstrap, name))
    kept = {}
    for key, value in stored.items():
        if key.endswith(b'|"journey"'):
            kept[key.partition(b"|")[0]] = reference_job.recall(value).touchpoints
    return kept


def _kept_by_bytewax(run: Run) -> Mapping[bytes, int]:
    kept: dict[bytes, int] = {}
    for path in run.folder.glob("*.sqlite3"):
        with sqlite3.connect(path) as connection:
            rows = connection.execute("SELECT state_key, ser_change FROM snaps ORDER BY snap_epoch").fetchall()
        for key, change in rows:
            state = pickle.loads(change) if change else None
            journey = getattr(state, "touchpoints", None)
            if journey is not None:
                kept[key.encode()] = journey
    return kept


CONTESTANTS = (
    Contestant(name=WAYMARK, module="waymark_reference", kept=_kept_in_postgres, progress="journey"),
    Contestant(name=AIOKAFKA, module="aiokafka_loop", kept=_kept_in_postgres, progress="bench"),
    Contestant(
        name=CONFLUENT,
        module="confluent_loop",
        kept=_kept_in_postgres,
        progress="bench",
        environment=environments.CONFLUENT,
    ),
    Contestant(name=QUIX, module="quixstreams_flow", kept=_kept_by_quix, environment=environments.QUIXSTREAMS),
    Contestant(name=BYTEWAX, module="bytewax_flow", kept=_kept_by_bytewax, environment=environments.BYTEWAX),
    Contestant(name=FAUST, module="idiomatic_faust", kept=_kept_by_faust, slow=True),
)
AIMS = {FAUST: 15.0, QUIX: 1.5, BYTEWAX: 1.5, AIOKAFKA: 0.8, CONFLUENT: None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A filled topic and what must come out of it."""

    topic: str
    count: int
    expected: Expected


def run(plan: Plan, teller: Teller) -> Report:
    """Race all contestants, `plan.rounds` times."""
    contestants = [one for one in CONTESTANTS if plan.wants(one.name)]
    for contestant in contestants:
        contestant.environment.prepare(teller)
    laps: list[Lap] = []
    fast, slow = plan.size(60_000, 200_000, 400_000), plan.size(3_000, 12_000, 20_000)
    with ground.laid_out(teller) as here:
        courses = {is_slow: _course(here, slow if is_slow else fast, plan.seed, teller) for is_slow in (False, True)}
        for number in range(1, plan.rounds + 1):
            for contestant in plan.turn(contestants, number):
                teller.step(f"round {number} of {plan.rounds}: {contestant.name}")
                finish = _race(here, contestant, courses[contestant.slow])
                laps.append(_lap(number, contestant, finish))
                teller.lap(laps[-1])
    return _report(contestants, laps, fast, slow)


def _course(here: Ground, count: int, seed: int, teller: Teller) -> Course:
    teller.step(f"a backlog of {count:,} records")
    records = list(crowd(count, seed=seed))
    topic = f"touchpoints-{count}"
    ground.fill(here, topic, records)
    expected = reference_job.expected((record.key, record.value) for record in records)
    return Course(topic=topic, count=count, expected=expected)


def _race(here: Ground, contestant: Contestant, course: Course) -> Finish:
    name = f"{contestant.module.replace('_', '-')}-{new_id().hex[-10:]}"
    url = _database(here, contestant, name)
    run = Run(name=name, topic=course.topic, folder=here.folder / name, ground=here, count=course.count, url=url)
    ground.make_topic(here, run.output)
    command = [contestant.environment.program("python"), "-m", f"benchmarks.peers.{contestant.module}"]
    arguments = [run.topic, run.name]
    arguments += [str(ground.PARTITIONS)] if contestant.progress else [str(run.folder), str(run.count)]
    peer = racing.child("worker", command + arguments, here.folder / f"{name}-log", _environment(run))
    with ExitStack() as stack:
        stack.enter_context(racing.running(peer))
        if contestant.progress:
            progress = stack.enter_context(racing.stored_progress(url, _PROGRESS.format(contestant.progress)))
        else:
            progress = racing.told_progress(peer.log)
        finish = racing.run(Race(records=course.count, progress=progress, others=here.roots), [peer])
        _check(contestant, run, course.expected)
    if url:
        ground.drop_database(here, name.replace("-", "_"))
    return finish


def _database(here: Ground, contestant: Contestant, name: str) -> str:
    if contestant.progress is None:
        return ""
    url = ground.database(here, name.replace("-", "_"), migrated=contestant.name == WAYMARK)
    with psycopg.connect(url) as connection:
        connection.execute(durable.TABLES)
    return url


def _environment(run: Run) -> dict[str, str]:
    own = {"WAYMARK_KAFKA": run.ground.bootstrap, "WAYMARK_JOURNEY_GROUP": run.name, "WAYMARK_JOURNEY_PORT": "0"}
    return {**own, "WAYMARK_POSTGRES": run.url or "postgresql://nobody@127.0.0.1/none"}


def _check(contestant: Contestant, run: Run, expected: Expected) -> None:
    """Compare the durable state with what the job must give; the last of it may still be on its way.

    Raises:
        RaceError: a customer's count differs, or frictions are missing or doubled.
    """
    deadline = time.monotonic() + SETTLED_WITHIN_S
    while True:
        kept = contestant.kept(run)
        frictions = ground.records_in(run.ground, run.output)
        if kept == expected.touchpoints and frictions == expected.frictions:
            return
        if time.monotonic() > deadline:
            wrong = sum(kept.get(key) != count for key, count in expected.touchpoints.items())
            raise RaceError(
                f"{contestant.name}: {wrong} of {len(expected.touchpoints)} customers differ ({len(kept)} kept), "
                f"{frictions} frictions where {expected.frictions} are right"
            )
        time.sleep(0.3)


def _lap(number: int, contestant: Contestant, finish: Finish) -> Lap:
    measures = {"per_s": finish.per_s, "memory_mib": finish.memory_mib, "records": float(finish.records)}
    return Lap(round=number, contestant=contestant.name, measures=measures, cpu_us=finish.cpu_us)


def _report(contestants: Sequence[Contestant], laps: Sequence[Lap], fast: int, slow: int) -> Report:
    others = [one.name for one in contestants if one.name != WAYMARK]
    has_waymark = any(one.name == WAYMARK for one in contestants)
    versions: dict[str, str] = {}
    for contestant in contestants:
        versions |= contestant.environment.versions()
    return Report(
        laps=laps,
        measures=(Measure(name="per_s", title="records/s"), Measure(name="memory_mib", title="memory, MiB")),
        unit="record",
        ratios=[Ratio(of=WAYMARK, to=name, measure="per_s", aim=AIMS[name]) for name in others if has_waymark],
        settings={
            "backlog": fast,
            "backlog of the slow": slow,
            "partitions": ground.PARTITIONS,
            "records in a batch": durable.BATCH_RECORDS,
            "touchpoints a customer": 20,
        },
        versions=versions,
        notes=(
            "Waymark, the aiokafka loop and the confluent-kafka loop share the state in PostgreSQL (one upsert and one "
            "transaction a batch) and differ in what carries the records; their progress is what is committed.",
            "Idiomatic Faust (table in memory, changelog), Quix Streams (RocksDB, changelog, checkpoint every second) "
            "and Bytewax (SQLite snapshot every second, no offsets in Kafka) say how far they are before it is stored.",
            f"Idiomatic Faust gets {slow:,} records, with as many touchpoints a customer as the others.",
            "After every run the durable state was read back: touchpoints of every customer and the number of "
            "frictions were right.",
        ),
    )


BENCHMARK = Benchmark(name="reference", title="The reference job against its peers", run=run)
