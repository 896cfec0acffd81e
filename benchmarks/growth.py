"""(d) Growth: the real job on databases of more and more customers, ten stored touchpoints each.

The databases are prefilled with copies of what the worker wrote for a sample (see `prefill`); what is measured is real
traffic of those customers. *Drawn evenly*: customers come as chance wants, so in a small database many of one batch are
the same person's, which is cheaper whatever the size. *Each once*: the same number of different customers in every
database, which leaves nothing but size to make a difference.

Before each lap PostgreSQL reads its tables and indexes into its shared buffers, so that memory holds what fits, as it
does where customers have been coming for long: all but the outbox, whose published month nobody reads. Left to the
system's cache they may be gone in between: some systems, virtual machines above all, give memory back that nobody
touched for half a minute. What a cold disk adds to a customer is told by the disk, not by the worker.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from random import Random

from benchmarks import ground, populations, racing, stored_samples, worker
from benchmarks.ground import Ground
from benchmarks.measuring import Benchmark, Better, Lap, Measure, Plan, Ratio, Report, Teller
from benchmarks.populations import EACH, SAMPLE, Population
from benchmarks.racing import Finish, Race, RaceError
from benchmarks.traffic import passers_by
from waymark.topics.declared_topics import make_topics

DIFFERENT = 10_000
"""Customers who come once each."""

COPY_BELOW_BYTES = 3 * 2**30
"""A database smaller than this is copied for each lap; on a larger one the laps' own touchpoints make no difference."""

EVENLY, ONCE = "drawn evenly", "each once"


def run(plan: Plan, teller: Teller) -> Report:
    """Fill the databases, then measure each in every round."""
    sizes = plan.size((10_000, 20_000), (10_000, 100_000), (10_000, 100_000, 1_000_000))
    count = plan.size(20_000, 40_000)
    laps: list[Lap] = []
    buffers_mib = populations.buffers_mib()
    with ground.laid_out(teller, settings=(f"shared_buffers={buffers_mib}MB",)) as here:
        make_topics(here.bootstrap, replication=1)
        teller.step(f"a sample of {SAMPLE:,} customers, applied by the worker")
        populations.apply_sample(here, plan.seed)
        filled = [populations.fill(here, customers, teller) for customers in sizes]
        for number in range(1, plan.rounds + 1):
            for population in filled:
                for case in (EVENLY, ONCE):
                    teller.step(f"round {number} of {plan.rounds}: {population.label}, {case}")
                    laps.append(_lap(Course(here, population, case, count), number, plan.seed))
                    teller.lap(laps[-1])
    return _report(filled, laps, count, buffers_mib)


@dataclass(frozen=True, slots=True)
class Course:
    """A lap: on which population, with which traffic, how many records if drawn evenly."""

    here: Ground
    population: Population
    case: str
    count: int

    def customers(self, dice: Random) -> list[int]:
        """Return who comes, in order."""
        population = self.population
        if self.case == ONCE:
            indexes = dice.sample(range(population.customers), DIFFERENT)
        else:
            indexes = [dice.randrange(population.customers) for _ in range(self.count)]
        return [population.number(index) for index in indexes]


def _lap(course: Course, number: int, seed: int) -> Lap:
    here, population = course.here, course.population
    topic = f"{population.name}-{course.case.replace(' ', '-')}-{number}"
    lap_seed = seed + 1000 * number + (1 if course.case == ONCE else 2)
    records = list(passers_by(course.customers(Random(lap_seed)), seed=lap_seed))
    ground.fill(here, topic, records)
    name = population.name
    is_small = population.filled.bytes < COPY_BELOW_BYTES
    if is_small:
        name = topic.replace("-", "_")
        stored_samples.copy_database(here, population.name, name)
    stored_samples.warm(here, name)
    finish = _race(here, name, topic, len(records))
    if is_small:
        ground.drop_database(here, name)
    measures = {
        "per_s": finish.per_s,
        "memory_mib": finish.memory_mib,
        "bytes": population.filled.bytes / population.filled.touchpoints,
        "touches": len(records) / len({record.key for record in records}),
    }
    return Lap(round=number, contestant=population.label, case=course.case, measures=measures, cpu_us=finish.cpu_us)


def _race(here: Ground, database: str, topic: str, count: int) -> Finish:
    url = here.postgres.url(database)
    child = worker.process(here, url, topic)
    had = stored_samples.touchpoints_in(url)
    with ExitStack() as stack:
        stack.enter_context(racing.running(child))
        progress = stack.enter_context(racing.stored_progress(url, stored_samples.APPLIED.format(topic)))
        finish = racing.run(Race(records=count, progress=progress, others=here.roots), [child])
    if (added := stored_samples.touchpoints_in(url) - had) != count:
        raise RaceError(f"{count} touchpoints were sent, {added} are new in the database")
    return finish


def _report(filled: Sequence[Population], laps: Sequence[Lap], count: int, buffers_mib: int) -> Report:
    smallest, largest = filled[0].label, filled[-1].label
    return Report(
        laps=laps,
        measures=(
            Measure(name="per_s", title="records/s"),
            Measure(name="memory_mib", title="worker's memory, MiB", better=Better.LOWER),
            Measure(name="bytes", title="database bytes a touchpoint", better=Better.LOWER),
            Measure(name="touches", title="touchpoints a customer, measured", digits=1),
        ),
        unit="record",
        ratios=[
            Ratio(of=largest, to=smallest, measure="per_s", of_case=case, to_case=case, aim=0.7)
            for case in (EVENLY, ONCE)
        ],
        settings={
            "stored touchpoints a customer": EACH,
            "backlog, drawn evenly": count,
            "backlog, each once": DIFFERENT,
            "PostgreSQL's shared buffers, MiB": buffers_mib,
        },
        notes=(
            f"Prefilled with copies of what the worker itself wrote for {SAMPLE:,} customers, ids and digests made "
            "anew; the measured traffic is real, on top of it. Before each lap PostgreSQL has read everything but the "
            "outbox into its shared buffers, as far as they hold it.",
            "Drawn evenly, a batch on few customers has several touchpoints of each, which is cheaper at any size; "
            "each once, only the size differs.",
            "Database bytes are tables and indexes of everything that is kept, frictions and outbox included.",
        ),
    )


BENCHMARK = Benchmark(name="growth", title="Growth: the same job on more and more customers", run=run, long=True)
