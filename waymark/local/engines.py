"""Brings up the broker and the PostgreSQL of a plan, or takes those that are given, and makes topics and tables."""

from contextlib import ExitStack
from dataclasses import dataclass

from sqlalchemy.exc import OperationalError

from services.runtime.addresses.brokers import Brokers
from waymark.launchers.child_process import ChildProcess, StackError
from waymark.launchers.kafka import KafkaCluster
from waymark.launchers.postgres import PostgresServer
from waymark.launchers.tansu import TansuBroker
from waymark.local.plan import BrokerKind, StackPlan
from waymark.migrations.migrate import migrate, unusable
from waymark.target import brokers_at
from waymark.topics.declared_topics import make_topics


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningBroker:
    """A broker that answers. `line` is empty where the cluster's own id names the life of its log."""

    kind: BrokerKind
    bootstrap: str
    brokers: Brokers | None = None
    line: str = ""
    children: tuple[ChildProcess, ...] = ()

    @property
    def idempotent(self) -> bool:
        """Whether it knows idempotent producers and topic configuration."""
        return self.kind is not BrokerKind.EMBEDDED


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningDatabase:
    """A PostgreSQL that answers."""

    url: str
    children: tuple[ChildProcess, ...] = ()


def start_broker(plan: StackPlan, until: ExitStack) -> RunningBroker:
    """Start the broker of the plan, to be stopped by `until`, or take the given one."""
    if plan.broker is BrokerKind.EMBEDDED:
        tansu = until.enter_context(TansuBroker(plan.folder / "logs", port=plan.ports["kafka"]))
        return RunningBroker(kind=plan.broker, bootstrap=tansu.bootstrap, line=tansu.line, children=(tansu.child,))
    if plan.broker is BrokerKind.APACHE_KAFKA:
        cluster = until.enter_context(KafkaCluster(plan.folder / "kafka", port=plan.ports["kafka"]))
        children = tuple(node.child for node in cluster.nodes)
        return RunningBroker(kind=plan.broker, bootstrap=cluster.bootstrap, children=children)
    given = plan.kafka or ""
    return RunningBroker(kind=plan.broker, bootstrap=given, brokers=brokers_at(given, plan.access))


def start_database(plan: StackPlan, until: ExitStack) -> RunningDatabase:
    """Start the PostgreSQL of the plan, to be stopped by `until`, or take the given one."""
    if plan.postgres is not None:
        return RunningDatabase(url=plan.postgres)
    postgres = until.enter_context(PostgresServer(plan.folder / "postgres", port=plan.ports["postgres"]))
    return RunningDatabase(url=postgres.url(), children=(postgres.child,))


def prepare(broker: RunningBroker, database: RunningDatabase) -> None:
    """Make topics and tables. A broker of our own has one node, so its topics have one replica.

    Raises:
        CommandError: the given PostgreSQL cannot be used.
        StackError: the broker refuses, or a topic is there with other partitions.
    """
    try:
        migrate(database.url)
    except OperationalError as error:
        raise unusable(database.url, error) from error
    replication = None if broker.kind is BrokerKind.GIVEN else 1
    problems = make_topics(broker.brokers or broker.bootstrap, replication=replication, configure=broker.idempotent)
    if problems:
        raise StackError("; ".join(problems))
