"""The topics that `schemas/topics` declares, on a real broker: made where they are missing, else compared."""

import asyncio

from aiokafka.errors import KafkaError

from schemas import topics
from services.runtime.addresses.brokers import Brokers, brokers_of
from services.runtime.kafka.access_check import find_problem
from services.runtime.kafka.topics import TopicSpec, ensure_topics
from waymark.launchers.child_process import StackError


def declared(replication: int | None = None) -> list[TopicSpec]:
    """Return every declared topic, with the declared number of replicas or with `replication` of a smaller cluster."""
    return [
        TopicSpec(
            name=topic.name,
            partitions=topic.partitions,
            replication=replication or topic.replication,
            config=topic.config(),
        )
        for topic in topics.load().values()
    ]


def make_topics(brokers: Brokers | str, *, replication: int | None = None, configure: bool = True) -> list[str]:
    """Create missing topics, and return how existing ones differ, one line each.

    Raises:
        StackError: the broker does not answer or refuses.
    """
    try:
        return asyncio.run(ensure_topics(brokers, declared(replication), configure=configure))
    except (KafkaError, OSError) as error:
        trouble = asyncio.run(find_problem(brokers_of(brokers)))
        reason = trouble.text if trouble else f"{type(error).__name__}: {error}"
        raise StackError(f"Kafka at {brokers} cannot be used: {reason}") from error
