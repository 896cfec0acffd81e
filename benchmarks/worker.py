"""(b2) The real job: identity, stored touchpoints, timers, all rules, exactly once; and where its time goes.

One worker, two workers, and the same code in a plain aiokafka loop. A worker is also sampled by py-spy in a run of its
own, which is not counted, to say what its processor time is spent on.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import psycopg

from benchmarks import environments, ground, profiling, racing
from benchmarks.environments import OWN
from benchmarks.ground import Ground
from benchmarks.measuring import WAYMARK, Benchmark, Better, Goal, Lap, Measure, Plan, Ratio, Report, Teller
from benchmarks.racing import Race, RaceError
from benchmarks.traffic import crowd
from services.runtime.clock import new_id
from waymark.launchers.child_process import ChildProcess
from waymark.topics.declared_topics import make_topics

TWO, PLAIN = "waymark, two workers", "the same code in a plain aiokafka loop"
_APPLIED = "SELECT coalesce(sum(next_offset), 0) FROM journey.progress"
_APPLIED_BY_TWO = "SELECT CASE WHEN count(DISTINCT owner) > 1 THEN sum(next_offset) ELSE 0 END FROM ({}) AS held"
_OUTCOME = """
SELECT (SELECT count(*) FROM journey.touchpoints), (SELECT count(*) FROM journey.dead_letters),
       (SELECT count(*) FROM journey.frictions WHERE state = 'detected')"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """Who takes part: a module of `peers`, and how many processes of it."""

    name: str
    module: str
    processes: int = 1


CONTESTANTS = (
    Contestant(name=WAYMARK, module="waymark_worker"),
    Contestant(name=TWO, module="waymark_worker", processes=2),
    Contestant(name=PLAIN, module="plain_loop"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What stands in the database in the end; the same for all."""

    touchpoints: int
    dead_letters: int
    frictions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The filled topic."""

    ground: Ground
    topic: str
    count: int
    profile: bool = False


def run(plan: Plan, teller: Teller) -> Report:
    """Race all contestants, `plan.rounds` times; then sample one worker."""
    contestants = [one for one in CONTESTANTS if plan.wants(one.name)]
    count = plan.size(30_000, 80_000, 300_000)
    laps: list[Lap] = []
    outcomes: dict[str, Outcome] = {}
    environments.PROFILER.prepare(teller)
    with ground.laid_out(teller) as here:
        make_topics(here.bootstrap, replication=1)
        teller.step(f"a backlog of {count:,} records")
        ground.fill(here, "backlog", list(crowd(count, seed=plan.seed)))
        course = Course(ground=here, topic="backlog", count=count)
        for number in range(1, plan.rounds + 1):
            for contestant in plan.turn(contestants, number):
                teller.step(f"round {number} of {plan.rounds}: {contestant.name}")
                lap, outcomes[contestant.name] = _race(course, contestant, number)
                laps.append(lap)
                teller.lap(lap)
        _compare(outcomes)
        teller.step("sampling one worker")
        laps += _stages(course, laps)
    return _report(contestants, laps, count, next(iter(outcomes.values()), None))


def _race(course: Course, contestant: Contestant, number: int) -> tuple[Lap, Outcome]:
    name = f"real-{new_id().hex[-12:]}"
    url = ground.database(course.ground, name.replace("-", "_"))
    labels = ["worker", "worker 2"][: contestant.processes]
    children = [process(course.ground, url, course.topic, label, contestant.module) for label in labels]
    with ExitStack() as stack:
        stack.enter_context(racing.running(*children))
        query = _APPLIED if contestant.processes == 1 else _APPLIED_BY_TWO.format("TABLE journey.progress")
        progress = stack.enter_context(racing.stored_progress(url, query))
        finish = racing.run(Race(records=course.count, progress=progress, others=course.ground.roots), children)
        outcome = _outcome(url)
    ground.drop_database(course.ground, name.replace("-", "_"))
    measures = {"per_s": finish.per_s, "memory_mib": finish.memory_mib, "records": float(finish.records)}
    return Lap(round=number, contestant=contestant.name, measures=measures, cpu_us=finish.cpu_us), outcome


def process(
    here: Ground, url: str, topic: str, label: str = "worker", module: str = "waymark_worker", **settings: str
) -> ChildProcess:
    """Return a worker on a topic of ours, not started. Workers of one database and topic are of one group."""
    group = url.rpartition("/")[2]
    environment = {
        "WAYMARK_KAFKA": here.bootstrap,
        "WAYMARK_POSTGRES": url,
        "WAYMARK_LOG_LEVEL": "warning",
        "WAYMARK_JOURNEY_PORT": "0",
        "WAYMARK_JOURNEY_GROUP": f"{group}-{topic}",
        **settings,
    }
    command = [OWN.program("python"), "-m", f"benchmarks.peers.{module}", topic]
    return racing.child(label, command, here.folder / f"{group}-{topic}-log", environment)


def _outcome(url: str) -> Outcome:
    with psycopg.connect(url) as connection:
        row = connection.execute(_OUTCOME).fetchone()
    assert row is not None
    return Outcome(touchpoints=row[0], dead_letters=row[1], frictions=row[2])


def _compare(outcomes: dict[str, Outcome]) -> None:
    """Refuse a result where contestants did not do the same work. Raises RaceError."""
    if len(set(outcomes.values())) > 1:
        raise RaceError(f"the contestants do not agree: {outcomes}")


def _stages(course: Course, laps: Sequence[Lap]) -> list[Lap]:
    """Sample one worker over the backlog and share out its processor time by stage."""
    spent = [lap.cpu_us["worker"] for lap in laps if lap.contestant == WAYMARK]
    if not spent:
        return []
    name = f"real-{new_id().hex[-12:]}"
    url = ground.database(course.ground, name.replace("-", "_"))
    worker = process(course.ground, url, course.topic)
    with racing.running(worker), racing.stored_progress(url, _APPLIED) as progress:
        racing.await_start(progress, worker)
        with profiling.sampling(worker.pid, course.ground.folder / "profile") as sampled:
            racing.run(Race(records=course.count, progress=progress, others={}), [worker])
    shares = profiling.shares(sampled.read())
    each = sorted(spent)[len(spent) // 2]
    return [
        Lap(round=1, contestant=f"one worker: {stage}", measures={"share": 100 * share, "stage_us": each * share})
        for stage, share in shares.items()
    ]


def _report(contestants: Sequence[Contestant], laps: Sequence[Lap], count: int, outcome: Outcome | None) -> Report:
    names = [one.name for one in contestants]
    return Report(
        laps=laps,
        measures=(
            Measure(name="per_s", title="records/s"),
            Measure(name="memory_mib", title="memory, MiB", better=Better.LOWER),
            Measure(name="stage_us", title="of it, CPU µs a record", digits=1, better=Better.LOWER),
            Measure(name="share", title="share of the worker, %", digits=1, better=Better.LOWER),
        ),
        unit="record",
        ratios=[
            Ratio(of=of, to=to, measure="per_s")
            for of, to in ((WAYMARK, PLAIN), (TWO, WAYMARK))
            if of in names and to in names
        ],
        goals=(
            Goal(contestant=WAYMARK, measure="per_s", aim=10_000),
            Goal(contestant=TWO, measure="per_s", aim=10_000),
        ),
        settings={
            "backlog": count,
            "partitions": ground.PARTITIONS,
            "touchpoints a customer": 20,
            "frictions": outcome.frictions if outcome is not None else 0,
        },
        versions=environments.PROFILER.versions(),
        notes=(
            "Broker and PostgreSQL (fsync on) work on the same cores; their time a record stands beside the worker's.",
            "All contestants left the same numbers of touchpoints and frictions, and no dead letters.",
            "Stages: one worker, sampled 200 times a second in a run of its own; what a stage waits for is not in it.",
        ),
    )


BENCHMARK = Benchmark(name="worker", title="The journey worker's real job, and its stages", run=run)
