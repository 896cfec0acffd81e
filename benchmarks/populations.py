"""Databases of many customers with ten touchpoints each: copies of a sample that the worker itself applied."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random

from benchmarks import ground, prefill, racing, stored_samples, worker
from benchmarks.ground import Ground
from benchmarks.machine import memory_bytes
from benchmarks.measuring import Teller
from benchmarks.prefill import Filled
from benchmarks.racing import Race, RaceError
from benchmarks.traffic import passers_by
from benchmarks.twins import COPY_ROOM
from services.journey.rulebook import definitions_file
from services.journey.versions import storing
from services.runtime.postgres.pools import Connection
from waymark.database import run_in_transaction

EACH = 10
"""Stored touchpoints a customer."""

SAMPLE = 1000
"""Customers in the sample."""

AGO = timedelta(hours=12)
"""When the stored touchpoints happened: timers are long due or far from it, no journey is closed."""

SHARE_OF_MEMORY = 0.67
"""Of the machine's memory, for PostgreSQL's shared buffers: the database of a million customers, but for the outbox."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """A prefilled database."""

    customers: int
    name: str
    filled: Filled

    @property
    def label(self) -> str:
        """How it reads in the table."""
        return label(self.customers)

    def number(self, index: int) -> int:
        """Return the number of the customer with this index."""
        copy, place = divmod(index, SAMPLE)
        return copy * COPY_ROOM + place


def label(customers: int) -> str:
    """Return how a database of so many customers reads in the table."""
    return f"{customers:,} customers"


def buffers_mib() -> int:
    """Return the size of PostgreSQL's shared buffers, in MiB."""
    return round(SHARE_OF_MEMORY * memory_bytes() / 2**20)


def apply_sample(here: Ground, seed: int, *, defined: str | None = None) -> None:
    """Make the database `sample`, and have the worker apply the touchpoints of its customers.

    `defined` is a set of journey definitions that ships, in force before they come.
    """
    url = ground.database(here, "sample")
    if defined is not None:
        run_in_transaction(url, partial(_define, defined))
    dice = Random(seed)
    customers = [number for number in range(SAMPLE) for _ in range(EACH)]
    dice.shuffle(customers)
    ground.fill(here, "sample", list(passers_by(customers, seed=seed, ends=datetime.now(UTC) - AGO)))
    child = worker.process(here, url, "sample", WAYMARK_JOURNEY_LATE_GRACE_S="1")  # timers shall fire now
    with racing.running(child), racing.stored_progress(url, stored_samples.APPLIED.format("sample")) as progress:
        racing.run(Race(records=len(customers), progress=progress, others={}), [child])
        stored_samples.until_quiet(url)


async def _define(set_: str, connection: Connection) -> None:
    file = definitions_file.load(set_)
    await storing.apply(connection, storing.of_journeys(file, author="benchmarks", note=""))


def fill(here: Ground, customers: int, teller: Teller) -> Population:
    """Make a database of so many customers, copies of the sample.

    Raises:
        RaceError: it does not hold what it should.
    """
    teller.step(f"filling a database with {customers:,} customers, {customers * EACH:,} touchpoints")
    name = f"customers_{customers}"
    stored_samples.copy_database(here, "sample", name)
    filled = prefill.fill(here.postgres.url(name), customers // SAMPLE)
    if (filled.customers, filled.touchpoints) != (customers, customers * EACH):
        raise RaceError(f"the database holds {filled}")
    return Population(customers=customers, name=name, filled=filled)
