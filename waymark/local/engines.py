"""Brings up the broker and the PostgreSQL of a plan, or takes those that are given, and makes topics and tables."""

from contextlib import ExitStack
from dataclasses import dataclass

from sqlalchemy.exc import OperationalError

from services.runtime.reach.brokers import Brokers
from waymark.database import unusable
from waymark.launchers.child_process import Child, StackError
from waymark.launchers.kafka import Kafka
from waymark.launchers.postgres import Postgres
from waymark.launchers.tansu import Tansu
from waymark.local.plan import BrokerKind, Plan
from waymark.migrations.migrate import migrate
from waymark.target import brokers_at
from waymark.topics.declared_topics import make_topics


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """A broker that answers. `line` is empty where the cluster's own id names the life of its log."""

    kind: BrokerKind
    bootstrap: str
    brokers: Brokers | None = None
    line: str = ""
    children: tuple[Child, ...] = ()

    @property
    def idempotent(self) -> bool:
        """Whether it knows idempotent producers and topic configuration."""
        return self.kind is not BrokerKind.EMBEDDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A PostgreSQL that answers."""

    url: str
    children: tuple[Child, ...] = ()


def start_broker(plan: Plan, until: ExitStack) -> Broker:
    """Start the broker of the plan, to be stopped by `until`, or take the given one."""
    if plan.broker is BrokerKind.EMBEDDED:
        tansu = until.enter_context(Tansu(plan.folder / "logs", port=plan.ports["kafka"]))
        return Broker(kind=plan.broker, bootstrap=tansu.bootstrap, line=tansu.line, children=(tansu.child,))
    if plan.broker is BrokerKind.APACHE_KAFKA:
        cluster = until.enter_context(Kafka(plan.folder / "kafka", port=plan.ports["kafka"]))
        children = tuple(node.child for node in cluster.nodes)
        return Broker(kind=plan.broker, bootstrap=cluster.bootstrap, children=children)
    given = plan.kafka or ""
    return Broker(kind=plan.broker, bootstrap=given, brokers=brokers_at(given, plan.access))


def start_database(plan: Plan, until: ExitStack) -> Database:
    """Start the PostgreSQL of the plan, to be stopped by `until`, or take the given one."""
    if plan.postgres is not None:
        return Database(url=plan.postgres)
    postgres = until.enter_context(Postgres(plan.folder / "postgres", port=plan.ports["postgres"]))
    return Database(url=postgres.url(), children=(postgres.child,))


def prepare(broker: Broker, database: Database) -> None:
    """Make topics and tables. A broker of our own has one node, so its topics have one replica.

    Raises:
        CommandError: the given PostgreSQL cannot be used.
        StackError: the broker refuses, or a topic is there with other partitions.
    """
    try:
        migrate(database.url)
    except OperationalError as error:
        raise unusable(database.url, error.orig) from error
    replication = None if broker.kind is BrokerKind.GIVEN else 1
    problems = make_topics(broker.brokers or broker.bootstrap, replication=replication, configure=broker.idempotent)
    if problems:
        raise StackError("; ".join(problems))
