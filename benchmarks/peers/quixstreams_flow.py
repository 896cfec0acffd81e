"""The reference job with Quix Streams, as its guide writes a stateful function; bytes and msgspec instead of JSON.

State in its RocksDB store with a changelog topic, both written at each checkpoint.

    WAYMARK_KAFKA=… python -m benchmarks.peers.quixstreams_flow TOPIC RUN FOLDER COUNT
"""

import os
import sys
from pathlib import Path

from quixstreams import Application, State

from benchmarks import reference_job
from benchmarks.peers.counting import Counter
from benchmarks.reference_job import Journey

CHECKPOINT_S = 1.0


def main(topic_name: str, run: str, folder: Path, count: int) -> None:
    """Run until the process is ended."""
    app = Application(
        broker_address=os.environ["WAYMARK_KAFKA"],
        consumer_group=run,
        auto_offset_reset="earliest",
        state_dir=folder,
        commit_interval=CHECKPOINT_S,
        loglevel="WARNING",
    )
    topic = app.topic(topic_name, key_deserializer="bytes", value_deserializer="bytes")
    frictions = app.topic(f"{run}-frictions", key_serializer="bytes", value_serializer="bytes")
    counter = Counter(count)

    def follow(value: bytes, state: State) -> bytes | None:
        touchpoint = reference_job.decode(value)
        kept = state.get_bytes("journey")
        journey = reference_job.recall(kept) if kept is not None else Journey()
        broken = reference_job.update(journey, touchpoint)
        state.set_bytes("journey", reference_job.remember(journey))
        counter.one()
        return reference_job.friction(touchpoint, broken) if broken else None

    flow = app.dataframe(topic).apply(follow, stateful=True)
    flow.filter(lambda friction: friction is not None).to_topic(frictions)
    app.run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
