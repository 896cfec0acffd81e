"""The reference job the way Faust's own guide writes it: a typed Record, a Table per customer, one event at a time.

The table is in memory with a changelog topic, as Faust has it by default.

    WAYMARK_KAFKA=… python -m benchmarks.peers.idiomatic_faust TOPIC RUN FOLDER COUNT
"""

import logging
import os
import sys
from pathlib import Path

import faust

from benchmarks import reference_job
from benchmarks.ground import PARTITIONS
from benchmarks.peers.counting import Counter


class Touchpoint(faust.Record, serializer="json", validation=False):
    """The members that the reference job reads."""

    id: str
    occurred_at: str
    channel: str
    kind: str
    direction: str | None = None
    reason: str | None = None
    wait_s: float | None = None
    transfers: int | None = None


class Journey(faust.Record, serializer="json"):
    """One customer's state."""

    touchpoints: int = 0
    contacts: int = 0
    declines: int = 0
    effort: float = 0.0
    first_at: str = ""
    last_at: str = ""
    channels: list[str] = []
    reasons: list[str] = []
    last: list[list[str]] = []


def changelog(run: str) -> str:
    """Return the topic that holds the table."""
    return f"{run}-journeys-changelog"


def main(topic_name: str, run: str, datadir: Path, count: int) -> None:
    """Run until the process is ended."""
    app = faust.App(
        run,
        broker=f"kafka://{os.environ['WAYMARK_KAFKA']}",
        datadir=datadir,
        store="memory://",
        topic_partitions=PARTITIONS,
        topic_disable_leader=True,
        table_standby_replicas=0,
        broker_session_timeout=6,
        broker_heartbeat_interval=2,
        web_enabled=False,
    )
    topic = app.topic(topic_name, key_type=bytes, key_serializer="raw", value_type=Touchpoint)
    frictions = app.topic(f"{run}-frictions", value_type=bytes, value_serializer="raw")
    journeys = app.Table("journeys", key_type=bytes, value_type=Journey, default=Journey, partitions=PARTITIONS)
    counter = Counter(count)

    @app.agent(topic)
    async def follow(stream: faust.StreamT[Touchpoint]) -> None:
        async for event in stream.events():
            journey = journeys[event.key]
            broken = reference_job.update(journey, event.value)
            journeys[event.key] = journey
            if broken:
                await frictions.send(key=event.key, value=reference_job.friction(event.value, broken))
            counter.one()

    logging.getLogger("aiokafka").setLevel(logging.INFO)  # Faust leaves it at DEBUG: a tenth of the run
    worker = faust.Worker(app, loglevel="WARN")
    worker.execute_from_commandline()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
