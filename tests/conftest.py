"""Engines and a clock for every test. Engines start once a session, when a test first asks for them.

`database` is a fresh, migrated database of its own for each test, copied from a template; `broker` and `kafka` are
shared, so a test makes topics and groups with names of its own.
"""

import itertools
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from waymark.launchers.kafka import KafkaCluster
from waymark.launchers.postgres import PostgresServer
from waymark.launchers.tansu import TansuBroker
from waymark.migrations.migrate import migrate

TEMPLATE = "template_waymark"

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts the suite in the background has it ignore Ctrl-C, and so would what a test stops.
    signal.signal(signal.SIGINT, signal.default_int_handler)


class SteppingClock:
    """A clock that stands still until told: `clock.advance(seconds=5)`. Satisfies services.runtime.clock.Clock."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._elapsed = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._elapsed

    def advance(self, step: timedelta = timedelta(0), *, seconds: float = 0.0) -> None:
        """Move on by a step."""
        step += timedelta(seconds=seconds)
        self._now += step
        self._elapsed += step.total_seconds()

    def set(self, moment: datetime) -> None:
        """Move to a moment; the monotonic time does not run back."""
        self._elapsed += max(0.0, (moment - self._now).total_seconds())
        self._now = moment


@pytest.fixture
def clock() -> SteppingClock:
    """Stands at 2026-11-22T00:15:00Z."""
    return SteppingClock(datetime(2026, 11, 22, 0, 15, tzinfo=UTC))


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """PostgreSQL 18 with a migrated template database. A test that stops it starts it again."""
    with PostgresServer(tmp_path_factory.mktemp("postgres")) as server:
        _run(server, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
        migrate(server.url(TEMPLATE))
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres_server: PostgresServer) -> str:
    """URL of the server's own, empty database; most tests want `database`."""
    return postgres_server.url()


_numbers = itertools.count(1)


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[str]:
    """URL of a fresh, migrated database of this test's own."""
    name = f"test_{next(_numbers)}"
    identifier = sql.Identifier(name)
    _run(postgres_server, sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(identifier, sql.Identifier(TEMPLATE)))
    yield postgres_server.url(name)
    _run(postgres_server, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))


@pytest.fixture(scope="session")
def tansu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TansuBroker]:
    """The embedded broker itself: its bootstrap address and its line."""
    with TansuBroker(tmp_path_factory.mktemp("tansu")) as broker:
        yield broker


@pytest.fixture(scope="session")
def broker(tansu: TansuBroker) -> str:
    """`host:port` of the embedded broker: memory only, no idempotent producer."""
    return tansu.bootstrap


@pytest.fixture(scope="session")
def kafka_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """Apache Kafka, one node. A test that stops or kills it starts it again. Only under the marker `kafka`."""
    with KafkaCluster(tmp_path_factory.mktemp("kafka")) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def kafka(kafka_cluster: KafkaCluster) -> str:
    """`host:port` of Apache Kafka: what every claim about durability is tested on. Only under the marker `kafka`."""
    return kafka_cluster.bootstrap


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the repository; the tests that need it are skipped, visibly, where it is not."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the data folder ../shared/data beside the repository")
    return folder


def _run(server: PostgresServer, statement: sql.Composed) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(statement)
