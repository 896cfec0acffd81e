"""The topics that `schemas/topics` declares, on a real broker: made where they are missing, else compared."""

import asyncio

from aiokafka.errors import KafkaError

from schemas import topics
from services.runtime.kafka import TopicSpec, ensure_topics
from waymark.stack.process import StackError


def declared(replication: int | None = None) -> list[TopicSpec]:
    """Every topic as it is to be, with the declared number of replicas or another (a cluster of one node has one)."""
    return [
        TopicSpec(
            name=topic.name,
            partitions=topic.partitions,
            replication=replication or topic.replication,
            config=topic.config(),
        )
        for topic in topics.load().values()
    ]


def make_topics(bootstrap: str, *, replication: int | None = None, configure: bool = True) -> list[str]:
    """Create what is missing; answers how those that are there differ, one line each.

    Raises:
        StackError: the broker does not answer or refuses.
    """
    try:
        return asyncio.run(ensure_topics(bootstrap, declared(replication), configure=configure))
    except (KafkaError, OSError) as error:
        raise StackError(f"Kafka at {bootstrap} cannot be used: {type(error).__name__}: {error}") from error
