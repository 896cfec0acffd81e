"""(g) History: what one touchpoint costs a customer who has 20, 200, 2,000 or 20,000 of them.

The databases are prefilled with copies of lives that the worker itself applied (see `lives`, `prefill`). Then customers
come back: *live*, touchpoints are appended one by one at 200 a second, and each is timed from when it was due until it
is applied; as a *backlog*, they wait when the worker starts, and a transaction takes about one touchpoint of each
customer, as it does where many customers come. A lap begins with one touchpoint of everybody that is not measured.

Where histories are long enough for the worker to remember them, each lap is run again with a worker that remembers
nothing and reads everything again, as the releases before did: *read anew*.

*Spread*, a history is a year of visits, with purchases, calls, chats and mails among them; *dense*, nine tenths of it
happened in the last seven days, which is as far as the shipped rules look back.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from statistics import median, quantiles
from typing import Any

import asyncpg
import uvloop
from aiokafka import AIOKafkaProducer

from benchmarks import ground, lives, prefill, racing, stored_samples, worker
from benchmarks.ground import Ground
from benchmarks.measuring import Benchmark, Better, Lap, Measure, Plan, Ratio, Report, Teller
from benchmarks.racing import Finish, Race, RaceError
from benchmarks.traffic import Keyed
from benchmarks.twins import COPY_ROOM
from benchmarks.watching import Watch, memory_mib
from services.journey.renew.kept_customers import WORTH_KEEPING
from waymark.launchers.child_process import ChildProcess
from waymark.topics.declared_topics import make_topics

RATE = 200
"""Live touchpoints a second."""

BATCH = 30
"""Records in one transaction of a backlog."""

AGO = timedelta(hours=12)
"""When the stored histories end."""

POLL_S = 0.005
WITHIN_S = 60.0
COPY_BELOW = 500_000
"""A database with fewer touchpoints is copied for each lap; in a larger one a lap's own make no difference."""

LIVE, BACKLOG = "live", "backlog"
ANEW = ", read anew"
NOTHING_KEPT = {"WAYMARK_JOURNEY_KEPT_BYTES": "0"}
PATTERNS: Mapping[str, bool] = {"spread over a year": False, "dense": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many customers have how many touchpoints each; `sample` of them are applied by the worker, others copied."""

    length: int
    customers: int
    sample: int

    @property
    def label(self) -> str:
        """How it reads in the table."""
        return f"{self.length:,} touchpoints"

    def number(self, index: int) -> int:
        """Return the number of the customer with this index."""
        copy, place = divmod(index, self.sample)
        return copy * COPY_ROOM + place


QUICK = (Size(length=20, customers=200, sample=10), Size(length=200, customers=100, sample=10))
USUAL = (
    Size(length=20, customers=1_000, sample=20),
    Size(length=200, customers=240, sample=20),
    Size(length=2_000, customers=32, sample=4),
    Size(length=20_000, customers=32, sample=2),
)
"""So many that the worker's memory holds those whose histories are long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """A prefilled database."""

    size: Size
    pattern: str
    name: str
    bytes_each: float

    def case(self, load: str) -> str:
        """Return how a lap reads in the table."""
        return f"{load}, {self.pattern}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """How many touchpoints a lap measures."""

    live: int
    backlog: int


def run(plan: Plan, teller: Teller) -> Report:
    """Fill the databases, then measure each in every round."""
    sizes = [size for size in plan.size(QUICK, USUAL) if plan.wants(size.label)]
    amounts = Amounts(live=RATE * plan.size(4, 12, 30), backlog=plan.size(300, 2_000, 6_000))
    laps: list[Lap] = []
    with ground.laid_out(teller) as here:
        make_topics(here.bootstrap, replication=1)
        populations = [_filled(here, size, pattern, plan.seed, teller) for size in sizes for pattern in PATTERNS]
        for number in range(1, plan.rounds + 1):
            for population in plan.turn(populations, number):
                teller.step(f"round {number} of {plan.rounds}: {population.size.label}, {population.pattern}")
                for lap in _laps(here, population, amounts, Round(number, plan.seed)):
                    laps.append(lap)
                    teller.lap(lap)
    return _report(sizes, laps, amounts)


def _filled(here: Ground, size: Size, pattern: str, seed: int, teller: Teller) -> Population:
    teller.step(f"filling a database with {size.customers:,} customers of {size.label}, {pattern}")
    name = f"history_{size.length}_{pattern.split(maxsplit=1)[0]}"
    url = ground.database(here, name)
    records = lives.past(range(size.sample), size.length, datetime.now(UTC) - AGO, dense=PATTERNS[pattern], seed=seed)
    ground.fill(here, name, records)
    child = worker.process(here, url, name, WAYMARK_JOURNEY_LATE_GRACE_S="1")  # timers shall fire now
    with racing.running(child), racing.stored_progress(url, stored_samples.APPLIED.format(name)) as progress:
        racing.await_all(progress, child, len(records))
        stored_samples.until_quiet(url)
    filled = prefill.fill(url, size.customers // size.sample)
    if (filled.customers, filled.touchpoints) != (size.customers, size.customers * size.length):
        raise RaceError(f"the database holds {filled}")
    return Population(size=size, pattern=pattern, name=name, bytes_each=filled.bytes / filled.touchpoints)


@dataclass(frozen=True, slots=True)
class Round:
    """Which round it is, and of which traffic."""

    number: int
    seed: int


def _laps(here: Ground, population: Population, amounts: Amounts, this: Round) -> Iterator[Lap]:
    """Measure one population, live and with a backlog, each on a worker of its own."""
    is_small = population.size.customers * population.size.length < COPY_BELOW
    name = population.name
    if is_small:
        name = f"{population.name}_{this.number}"
        stored_samples.copy_database(here, population.name, name)
    stored_samples.warm(here, name)
    course = Course(here, population, name, here.postgres.url(name), _Comers(population.size, this))
    had = stored_samples.touchpoints_in(course.url)
    yield course.live(amounts.live, this.number)
    yield course.backlog(amounts.backlog, this.number)
    if population.size.length >= WORTH_KEEPING:
        anew = replace(course, suffix=ANEW, environment=NOTHING_KEPT)
        yield anew.live(amounts.live, this.number)
        yield anew.backlog(amounts.backlog, this.number)
    if (added := stored_samples.touchpoints_in(course.url) - had) != course.comers.sent:
        raise RaceError(f"{course.comers.sent} touchpoints were sent, {added} are new in the database")
    if is_small:
        ground.drop_database(here, name)


class _Comers:
    """The customers of a population, who come back in turn, each with what comes next in a day of its own."""

    def __init__(self, size: Size, this: Round) -> None:
        self._size = size
        self._seed = this.seed + 1000 * this.number
        self._days: dict[int, Iterator[dict[str, Any]]] = {}
        self.sent = 0

    def next(self) -> Keyed:
        """Return the next customer's next touchpoint, which happens now."""
        customer = self._size.number(self.sent % self._size.customers)
        self.sent += 1
        day = self._days.setdefault(customer, lives.days(customer, self._seed))
        return lives.record(customer, f"d{self._seed}-{self.sent}", datetime.now(UTC), next(day))


@dataclass(frozen=True, slots=True)
class Course:
    """Where a lap is run: a database, the customers who come back to it, and settings of the worker."""

    here: Ground
    population: Population
    database: str
    url: str
    comers: _Comers
    suffix: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    def live(self, count: int, number: int) -> Lap:
        """Measure touchpoints that come one by one."""
        topic = self._topic(LIVE, number)
        ground.fill(self.here, topic, [self.comers.next() for _ in range(self.population.size.customers)])
        child = worker.process(self.here, self.url, topic, **self.environment)
        with racing.running(child), racing.stored_progress(self.url, stored_samples.APPLIED.format(topic)) as progress:
            racing.await_all(progress, child, self.population.size.customers)
            watch = Watch({child.name: child.pid, **self.here.roots})
            watch.start()
            took_ms = uvloop.run(_paced(self, topic, count))
            cpu_us = watch.spent_us(count)
            memory = memory_mib(child.pid)
        cuts = quantiles(took_ms, n=100)
        measures = {"p50_ms": median(took_ms), "p95_ms": cuts[94], "p99_ms": cuts[98], "memory_mib": memory}
        return self._lap(LIVE, number, measures, cpu_us)

    def backlog(self, count: int, number: int) -> Lap:
        """Measure touchpoints that wait when the worker starts; the first of everybody are not counted."""
        topic = self._topic(BACKLOG, number)
        first = self.population.size.customers
        ground.fill(self.here, topic, [self.comers.next() for _ in range(first)])
        child = worker.process(self.here, self.url, topic, **self._batched())
        with ExitStack() as stack:
            stack.enter_context(racing.running(child))
            query = stored_samples.APPLIED.format(topic)
            progress = stack.enter_context(racing.stored_progress(self.url, query))
            racing.await_all(progress, child, first)
            child = self._restarted(child, topic, count)
            stack.enter_context(racing.running(child))
            finish = self._race(child, progress, first, count)
        measures = {"per_s": finish.per_s, "memory_mib": finish.memory_mib}
        return self._lap(BACKLOG, number, measures, finish.cpu_us)

    def _restarted(self, child: ChildProcess, topic: str, count: int) -> ChildProcess:
        """Stop the worker, append the backlog, and return another worker, not started."""
        child.stop(within_s=racing.STOP_WITHIN_S)
        asyncio.run(ground.append(self.here.bootstrap, topic, [self.comers.next() for _ in range(count)]))
        return worker.process(self.here, self.url, topic, "worker again", **self._batched())

    def _topic(self, load: str, number: int) -> str:
        return f"{self.database}-{load}-{number}{'-anew' if self.suffix else ''}"

    def _batched(self) -> dict[str, str]:
        return {**self.environment, "WAYMARK_JOURNEY_BATCH_RECORDS": str(BATCH)}

    def _race(self, child: ChildProcess, progress: racing.Progress, first: int, count: int) -> Finish:
        race = Race(records=count, progress=lambda: progress() - first, others=self.here.roots)
        return racing.run(race, [child])

    def _lap(self, load: str, number: int, measures: dict[str, float], cpu_us: Mapping[str, float]) -> Lap:
        cpu_us = {name.removesuffix(" again"): spent for name, spent in cpu_us.items()}
        measures["cpu_ms"] = (cpu_us["worker"] + cpu_us["postgres"]) / 1000
        measures["bytes"] = self.population.bytes_each
        return Lap(
            round=number,
            contestant=self.population.size.label,
            case=self.population.case(load) + self.suffix,
            measures=measures,
            cpu_us=cpu_us,
        )


_POSITIONS = "SELECT partition, next_offset FROM journey.progress WHERE topic = $1"


@dataclass(slots=True)
class _Pace:
    """The touchpoints of a live lap under way: when each was due, by its place in the log."""

    due: dict[tuple[int, int], float] = field(default_factory=dict)
    took_ms: list[float] = field(default_factory=list)

    def applied(self, positions: Mapping[int, int], now: float) -> None:
        """Note what is applied up to these offsets."""
        for place in [one for one in self.due if one[1] < positions.get(one[0], 0)]:
            self.took_ms.append(1000 * (now - self.due.pop(place)))


async def _paced(course: Course, topic: str, count: int) -> list[float]:
    """Append touchpoints at the rate, and return how long each took until it was applied, in milliseconds.

    Raises:
        RaceError: the worker did not apply all of them in time.
    """
    pace = _Pace()
    connection = await asyncpg.connect(course.url)
    try:
        async with ground.producing(course.here.bootstrap, linger_ms=0) as producer:
            sending = asyncio.create_task(_send(course, producer, topic, count, pace))
            await _watch(connection, topic, count, pace)
            await sending
    finally:
        await connection.close()
    return pace.took_ms


async def _send(course: Course, producer: AIOKafkaProducer, topic: str, count: int, pace: _Pace) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.TaskGroup() as sent:
        for number in range(count):
            due = began + number / RATE
            if (wait := due - loop.time()) > 0:
                await asyncio.sleep(wait)
            sent.create_task(_send_one(producer, topic, course.comers.next(), due, pace))


async def _send_one(producer: AIOKafkaProducer, topic: str, one: Keyed, due: float, pace: _Pace) -> None:
    stored = await producer.send_and_wait(topic, value=one.value, key=one.key)
    pace.due[stored.partition, stored.offset] = due


async def _watch(connection: asyncpg.Connection, topic: str, count: int, pace: _Pace) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + count / RATE + WITHIN_S
    while len(pace.took_ms) < count:
        if loop.time() > deadline:
            raise RaceError(f"{len(pace.took_ms)} of {count} touchpoints were applied")
        positions = {row[0]: row[1] for row in await connection.fetch(_POSITIONS, topic)}
        pace.applied(positions, loop.time())
        await asyncio.sleep(POLL_S)


def _report(sizes: Sequence[Size], laps: Sequence[Lap], amounts: Amounts) -> Report:
    cases = [f"{load}, {pattern}" for pattern in PATTERNS for load in (LIVE, BACKLOG)]
    longest, shortest = sizes[-1].label, sizes[0].label
    return Report(
        laps=laps,
        measures=(
            Measure(name="cpu_ms", title="worker and PostgreSQL, CPU ms", digits=2, better=Better.LOWER),
            Measure(name="p50_ms", title="p50, ms", better=Better.LOWER),
            Measure(name="p95_ms", title="p95, ms", better=Better.LOWER),
            Measure(name="p99_ms", title="p99, ms", better=Better.LOWER),
            Measure(name="per_s", title="records/s"),
            Measure(name="memory_mib", title="worker's memory, MiB", better=Better.LOWER),
            Measure(name="bytes", title="database bytes a touchpoint", better=Better.LOWER),
        ),
        unit="touchpoint",
        ratios=[
            Ratio(of=longest, to=shortest, measure="cpu_ms", of_case=case, to_case=case, aim=round(1 / 1.5, 2))
            for case in cases
            if longest != shortest
        ]
        + [
            Ratio(of=longest, to=longest, measure="cpu_ms", of_case=case, to_case=case + ANEW)
            for case in cases
            if sizes[-1].length >= WORTH_KEEPING
        ],
        settings={
            "live touchpoints": amounts.live,
            "live touchpoints a second": RATE,
            "backlog": amounts.backlog,
            "records in a transaction of the backlog": BATCH,
            "customers": ", ".join(f"{size.customers:,} of {size.length:,}" for size in sizes),
        },
        notes=(
            "Prefilled with copies of lives that the worker itself applied; what is measured is real traffic on top.",
            "Live: from when a touchpoint was due to be appended until it is applied, looked at every 5 ms; the worker "
            "gathers for up to 50 ms. Backlog: the worker has just started.",
            "A ratio of 0.67 says that a touchpoint costs 1.5 times as much processor time.",
        ),
    )


BENCHMARK = Benchmark(name="history", title="History: the same job for longer and longer histories", run=run, long=True)
