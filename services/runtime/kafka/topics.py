"""Topics on a broker: creates those that are missing, and reports those that differ from their declaration.

The declarations themselves stand in `schemas.topics`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError

from services.runtime.addresses.brokers import Brokers, brokers_of


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicSpec:
    """The declaration of a topic. `config` holds Kafka's own names and values."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]


async def ensure_topics(brokers: Brokers | str, specs: Sequence[TopicSpec], *, configure: bool = True) -> list[str]:
    """Create missing topics, and return how existing ones differ, one line each.

    `configure=False` leaves the configuration out: the embedded broker knows none.
    """
    admin = AIOKafkaAdminClient(**brokers_of(brokers).options)
    await admin.start()
    try:
        wanted = [
            NewTopic(
                name=spec.name,
                num_partitions=spec.partitions,
                replication_factor=spec.replication,
                topic_configs=dict(spec.config) if configure else {},
            )
            for spec in specs
        ]
        existing = set(await admin.list_topics())
        missing = [topic for topic in wanted if topic.name not in existing]
        if missing:
            try:
                response = await admin.create_topics(missing)
            except TopicAlreadyExistsError:
                response = None  # another process was quicker
            _raise_for(response)
        # What was just made is as declared, and a broker may take a moment to tell of it.
        there = [spec for spec in specs if spec.name in existing]
        described = await admin.describe_topics([spec.name for spec in there]) if there else []
    finally:
        await admin.close()
    found = {topic["topic"]: len(topic["partitions"]) for topic in described}
    return [
        f"topic {spec.name} has {found.get(spec.name, 0)} partitions, {spec.partitions} are declared"
        for spec in there
        if found.get(spec.name, 0) != spec.partitions
    ]


def _raise_for(response: Any) -> None:
    for name, code, *rest in getattr(response, "topic_errors", ()):
        if code not in {0, TopicAlreadyExistsError.errno}:
            raise KafkaError(f"topic {name} could not be created: error {code} {rest}")
