"""The control: the obvious Faust worker, as its manual has it. It loses data under the same faults, which shows two
things: that the harness would notice, and why Waymark keeps its offsets in PostgreSQL.

`take()` batches, an idempotent insert for each batch, now and then an exception in the agent (a database that hiccups,
a bug), and nothing of our own between Faust and Kafka. Writing twice cannot hurt here: whatever is missing was lost.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import faust

BATCH = 100
RAISES_AT = 13
"""The agent raises at every batch whose first offset is a multiple of this: it meets a record that it cannot bear."""

TABLE = (
    "CREATE TABLE IF NOT EXISTS control_seen (partition integer, position bigint, PRIMARY KEY (partition, position))"
)
INSERT = """
INSERT INTO control_seen SELECT * FROM unnest($1::integer[], $2::bigint[]) ON CONFLICT DO NOTHING
"""


class HiccupError(Exception):
    """What an agent may meet any day."""


def build(bootstrap: str, database: str, folder: str) -> faust.App:
    """The app."""
    app = faust.App(
        "waymark-control",
        broker=f"kafka://{bootstrap}",
        datadir=folder,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        broker_session_timeout=6,
        broker_heartbeat_interval=2,
        broker_rebalance_timeout=10,
        broker_commit_interval=0.5,
        stream_wait_empty=False,
    )
    topic = app.topic("touchpoints", key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")

    async def remember(stream: Any) -> None:
        pool = await asyncpg.create_pool(database, min_size=1, max_size=2)
        async for batch in batches(stream):
            await asyncio.sleep(0.05)  # the work that a real agent does
            if batch[0].message.offset % RAISES_AT == 0:
                raise HiccupError
            partitions = [event.message.partition for event in batch]
            offsets = [event.message.offset for event in batch]
            await pool.execute(INSERT, partitions, offsets)

    app.agent(topic)(remember)
    return app


def batches(stream: Any) -> AsyncIterator[list[Any]]:
    """Faust's own batching, as in its manual."""
    taken: AsyncIterator[list[Any]] = stream.take_events(BATCH, within=0.5)
    return taken


def main() -> None:
    """Run one worker."""
    app = build(
        os.environ["CONTROL_KAFKA"],
        os.environ["CONTROL_POSTGRES"],
        os.environ["CONTROL_FOLDER"],
    )
    sys.argv = ["faust", "worker", "--without-web", "--loglevel=warn"]
    app.main()


if __name__ == "__main__":
    main()
