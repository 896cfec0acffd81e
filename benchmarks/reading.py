"""(g) Reading: how long the journey API takes to answer while the worker applies 500 touchpoints a second.

The databases are those of `growth`, with the journeys of a retailer defined. Questions come open-loop, so many a
second, in turn over the routes, each about a customer drawn evenly from all: most were not asked about before. An
answer is timed from when its question was due, so a queue counts. Everything shares the machine: sender, broker,
worker, PostgreSQL, API.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import median, quantiles
from urllib.parse import quote

import aiohttp
import uvloop

from benchmarks import ground, populations, prefill, racing, stored_samples, worker
from benchmarks.ground import Ground
from benchmarks.measuring import Benchmark, Better, Goal, Lap, Measure, Plan, Report, Teller
from benchmarks.populations import EACH, Population
from benchmarks.racing import RaceError
from benchmarks.traffic import Keyed, name, passers_by, phone
from benchmarks.watching import Watch
from waymark.launchers.child_process import await_ready, free_port
from waymark.local.credentials import demo_keys
from waymark.local.service_processes import ServiceProcess, make_service
from waymark.topics.declared_topics import make_topics

WRITES = 500
"""Touchpoints a second that come in meanwhile."""

READS = 50
"""Questions about customers and lists a second."""

SUMS = 2
"""Questions about all customers together a second: those of a dashboard."""

WARM_S = 10.0
"""Seconds at the beginning that are not timed: the worker has just started."""

READY_S = 60.0
WITHIN_S = 60.0
TICK_S = 0.002
P99_MS = 100.0
SUMS_P99_MS = 500.0
DEFINED = "retail"

Routes = Mapping[str, Callable[[int], str]]
"""Questions by name, each with the path about a customer's number."""

ROUTES: Routes = {
    "customer by identifier": lambda customer: f"/v1/customers/customer_id:C-{name(customer)}",
    "customer by telephone": lambda customer: f"/v1/customers/phone:{quote(phone(customer))}",
    "timeline, newest first": lambda customer: (
        f"/v1/customers/customer_id:C-{name(customer)}/timeline?order=newest_first&limit=50"
    ),
    "contacts": lambda customer: f"/v1/customers/customer_id:C-{name(customer)}/contacts",
    "journeys with effort": lambda _: "/v1/journeys?min_effort=30&limit=50",
}
"""Questions about one customer, and a list."""


def _lately(days: int) -> str:
    """Return a span of so many days until now, which begins within a day."""
    return quote((datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="seconds"))


OF_ALL: Routes = {
    "paths, of ever": lambda _: "/v1/paths",
    "paths, 28 days of one channel": lambda _: f"/v1/paths?channel=phone&from={_lately(28)}",
    "paths, 28 days of one reason": lambda _: f"/v1/paths?reason=billing&from={_lately(28)}",
    "segments by reason, 28 days": lambda _: f"/v1/segments?by=reason&from={_lately(28)}",
    "funnel, 28 days": lambda _: f"/v1/funnels/delivery?from={_lately(28)}",
}
"""Questions about all customers together: sums that are kept with every batch."""


@dataclass(slots=True)
class Answers:
    """What came back: milliseconds by route, and how many answers were no 200."""

    took_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    refused: int = 0


def run(plan: Plan, teller: Teller) -> Report:
    """Fill the databases, then ask each in every round."""
    sizes = plan.size((2_000,), (100_000,), (100_000, 1_000_000))
    seconds = float(plan.size(5, 15, 45))
    laps: list[Lap] = []
    buffers_mib = populations.buffers_mib()
    with ground.laid_out(teller, settings=(f"shared_buffers={buffers_mib}MB",)) as here:
        make_topics(here.bootstrap, replication=1)
        teller.step(f"a sample of {populations.SAMPLE:,} customers, applied by the worker")
        populations.apply_sample(here, plan.seed, defined=DEFINED)
        filled = [
            populations.fill(here, customers, teller) for customers in sizes if plan.wants(populations.label(customers))
        ]
        for number in range(1, plan.rounds + 1):
            for population in filled:
                teller.step(f"round {number} of {plan.rounds}: {population.label}")
                for lap in _laps(Course(here, population, seconds, plan.seed + 1000 * number), number):
                    laps.append(lap)
                    teller.lap(lap)
    return _report(filled, laps, seconds, buffers_mib)


@dataclass(frozen=True, slots=True)
class Course:
    """Which database is asked, for how long, and the seed of who comes and who is asked about."""

    here: Ground
    population: Population
    seconds: float
    seed: int

    @property
    def url(self) -> str:
        """The database."""
        return self.here.postgres.url(self.population.name)

    def drawn(self, dice: Random) -> int:
        """Return the number of a customer, drawn evenly."""
        return self.population.number(dice.randrange(self.population.customers))


def _laps(course: Course, number: int) -> list[Lap]:
    """Ask for a while, and return a lap for each route."""
    topic = f"{course.population.name}-reading-{number}"
    stored_samples.warm(course.here, course.population.name)
    dice = Random(course.seed)
    comers = [course.drawn(dice) for _ in range(round(WRITES * (WARM_S + course.seconds)))]
    records = list(passers_by(comers, seed=course.seed))
    ground.make_topic(course.here, topic)
    child = worker.process(course.here, course.url, topic)
    api, key = _api(course, number)
    query = stored_samples.APPLIED.format(topic)
    with ExitStack() as stack:
        stack.enter_context(racing.running(child, api.child))
        await_ready(api.child, api.ready, within_s=READY_S)
        progress = stack.enter_context(racing.stored_progress(course.url, query))
        watch = Watch({"worker": child.pid, "api": api.child.pid, **course.here.roots})
        watch.start()
        answers = uvloop.run(_both(course, topic, records, Asker(api.url, key)))
        asked = sum(map(len, answers.took_ms.values()))
        cpu_us = watch.spent_us(asked)
        behind = len(records) - progress()
        racing.await_all(progress, child, len(records))
    return [_lap(course, number, route, answers, behind, cpu_us) for route in [*ROUTES, *OF_ALL]]


def _api(course: Course, number: int) -> tuple[ServiceProcess, str]:
    folder = course.here.folder / f"{course.population.name}-api-{number}"
    folder.mkdir()
    environment = racing.surroundings({"WAYMARK_POSTGRES": course.url, "WAYMARK_LOG_LEVEL": "warning"})
    service = make_service("journey-api", ports={"journey-api": free_port()}, environment=environment, logs=folder)
    return service, demo_keys(folder, course.url)["reader"]


@dataclass(frozen=True, slots=True)
class Asker:
    """Where the API answers, and the key of a reader."""

    url: str
    key: str


async def _both(course: Course, topic: str, records: Sequence[Keyed], asker: Asker) -> Answers:
    """Write and ask at their rates, for the length of the lap."""
    answers = Answers()
    headers = {"authorization": f"Bearer {asker.key}"}
    timeout = aiohttp.ClientTimeout(total=WITHIN_S)
    async with (
        aiohttp.ClientSession(asker.url, headers=headers, timeout=timeout) as session,
        asyncio.TaskGroup() as group,
    ):
        group.create_task(_write(course, topic, records))
        group.create_task(_ask(course, session, Questions(ROUTES, READS), answers))
        group.create_task(_ask(course, session, Questions(OF_ALL, SUMS), answers))
    return answers


async def _write(course: Course, topic: str, records: Sequence[Keyed]) -> None:
    loop = asyncio.get_running_loop()
    async with ground.producing(course.here.bootstrap) as producer:
        began = loop.time()
        sent = []
        for number, one in enumerate(records):
            while loop.time() < began + number / WRITES:
                await asyncio.sleep(TICK_S)
            sent.append(await producer.send(topic, value=one.value, key=one.key))
        await asyncio.gather(*sent)


@dataclass(frozen=True, slots=True)
class Questions:
    """What is asked, in turn, so many times a second."""

    routes: Routes
    rate: int


async def _ask(course: Course, session: aiohttp.ClientSession, asked: Questions, answers: Answers) -> None:
    loop = asyncio.get_running_loop()
    dice = Random(f"questions {course.seed} {asked.rate}")
    routes = list(asked.routes.items())
    async with asyncio.TaskGroup() as all_:
        began = loop.time()
        for number in range(round(asked.rate * (WARM_S + course.seconds))):
            due = began + number / asked.rate
            if (wait := due - loop.time()) > 0:
                await asyncio.sleep(wait)
            route, path = routes[number % len(routes)]
            kept = answers if due >= began + WARM_S else Answers()
            all_.create_task(_ask_one(session, route, path(course.drawn(dice)), due, kept))


async def _ask_one(session: aiohttp.ClientSession, route: str, path: str, due: float, answers: Answers) -> None:
    async with session.get(path) as response:
        await response.read()
        answers.refused += response.status != 200
    answers.took_ms[route].append(1000 * (asyncio.get_running_loop().time() - due))


def _lap(course: Course, number: int, route: str, answers: Answers, behind: int, cpu_us: Mapping[str, float]) -> Lap:
    took = answers.took_ms[route]
    if answers.refused or len(took) < 2:
        raise RaceError(f"{route}: {answers.refused} answers were no 200, {len(took)} came")
    cuts = quantiles(took, n=100, method="inclusive")
    measures = {"p50_ms": median(took), "p95_ms": cuts[94], "p99_ms": cuts[98], "behind": float(behind)}
    return Lap(round=number, contestant=course.population.label, case=route, measures=measures, cpu_us=dict(cpu_us))


def _report(filled: Sequence[Population], laps: Sequence[Lap], seconds: float, buffers_mib: int) -> Report:
    return Report(
        laps=laps,
        measures=(
            Measure(name="p50_ms", title="p50, ms", digits=1, better=Better.LOWER),
            Measure(name="p95_ms", title="p95, ms", digits=1, better=Better.LOWER),
            Measure(name="p99_ms", title="p99, ms", digits=1, better=Better.LOWER),
            Measure(name="behind", title="touchpoints the worker was behind at the end", better=Better.LOWER),
        ),
        unit="question",
        goals=[
            Goal(contestant=population.label, case=route, measure="p99_ms", aim=aim)
            for population in filled
            for routes, aim in ((ROUTES, P99_MS), (OF_ALL, SUMS_P99_MS))
            for route in routes
        ],
        settings={
            "seconds a lap": seconds,
            "seconds before each lap that are not timed": WARM_S,
            "stored touchpoints a customer": EACH,
            "touchpoints a second that come in": WRITES,
            "questions a second about customers": READS,
            "questions a second about all customers": SUMS,
            "hours over which the sums are spread": prefill.SPREAD_HOURS,
            "PostgreSQL's shared buffers, MiB": buffers_mib,
        },
        notes=(
            "Sender, Apache Kafka, worker, PostgreSQL and API share the machine. An answer is timed from when its "
            "question was due; who is asked about is drawn evenly from all customers.",
            "Before each lap PostgreSQL has read everything but the outbox into its shared buffers, as far as they "
            "hold it.",
            "The touchpoints of the copies happened in the same minutes; the sums of paths and funnels are spread over "
            "a month, so that a question adds up as many rows as it would then.",
        ),
    )


BENCHMARK = Benchmark(name="reading", title="Reading: the journey API while the worker applies", run=run, long=True)
