"""The reference job with Bytewax: a Kafka source, `stateful_map`, a Kafka sink, recovery snapshots in SQLite.

WAYMARK_KAFKA=… python -m benchmarks.peers.bytewax_flow TOPIC RUN FOLDER COUNT
"""

import os
import sys
from datetime import timedelta
from pathlib import Path

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import cluster_main

from benchmarks import reference_job
from benchmarks.peers.counting import Counter
from benchmarks.reference_job import Journey

SNAPSHOT = timedelta(seconds=1)
READ_AT_ONCE = 5000


def flow(topic: str, run: str, count: int) -> Dataflow:
    """Return the dataflow."""
    brokers = [os.environ["WAYMARK_KAFKA"]]
    counter = Counter(count)

    def keyed(message: KafkaSourceMessage) -> tuple[str, bytes]:
        return message.key.decode(), message.value

    def follow(journey: Journey | None, value: bytes) -> tuple[Journey, bytes | None]:
        journey = journey if journey is not None else Journey()
        touchpoint = reference_job.decode(value)
        broken = reference_job.update(journey, touchpoint)
        counter.one()
        return journey, reference_job.friction(touchpoint, broken) if broken else None

    def published(pair: tuple[str, bytes | None]) -> KafkaSinkMessage | None:
        key, friction = pair
        return KafkaSinkMessage(key.encode(), friction) if friction is not None else None

    built = Dataflow("reference")
    source = KafkaSource(brokers, [topic], batch_size=READ_AT_ONCE)
    touchpoints = op.map("keyed", op.input("touchpoints", built, source), keyed)
    frictions = op.filter_map("published", op.stateful_map("follow", touchpoints, follow), published)
    op.output("frictions", frictions, KafkaSink(brokers, f"{run}-frictions"))
    return built


def main(topic: str, run: str, folder: Path, count: int) -> None:
    """Run until the process is ended."""
    folder.mkdir(parents=True, exist_ok=True)
    init_db_dir(folder, 1)
    cluster_main(
        flow(topic, run, count),
        [],
        0,
        epoch_interval=SNAPSHOT,
        recovery_config=RecoveryConfig(str(folder)),
        worker_count_per_proc=1,
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
