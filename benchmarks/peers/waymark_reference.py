"""The reference job on Waymark's own transport: Faust's group, our batches, claims and progress as the worker has them.

Everything of `services.journey` that carries records is the real one (transport, stream, intake, claims in PostgreSQL
with epochs, progress by compare-and-swap); what is left out is what the real worker does with a touchpoint.

    WAYMARK_… python -m benchmarks.peers.waymark_reference TOPIC RUN
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiokafka import AIOKafkaProducer

from benchmarks.peers import durable
from services.journey.consume.batch_size import BatchSize
from services.journey.consume.intake import Chunk, Intake
from services.journey.consume.progress import PROGRESS
from services.journey.consume.stream import add_agent, build_app
from services.journey.consume.transport import TransportWiring
from services.journey.settings import WorkerProcessSettings
from services.runtime.kafka.log_ends import LogEnds, cluster_line
from services.runtime.log.claims import Claim
from services.runtime.log.identity import fingerprint
from services.runtime.log.progress import Advance, DatabaseLedger, TopicLine
from services.runtime.postgres.pools import Pool, create_pool, transaction
from services.runtime.process.garbage_collection import collect_less_often
from services.runtime.telemetry import logs


@dataclass(slots=True, kw_only=True)
class Work:
    """Applies batches: the reference job where the worker has its own."""

    pool: Pool
    line: TopicLine
    producer: AIOKafkaProducer
    output: str
    _journeys: durable.Journeys = field(default_factory=durable.Journeys)
    _claims: dict[int, Claim] = field(default_factory=dict)

    async def apply(self, chunks: Sequence[Chunk]) -> None:
        """Apply one batch in one transaction. A partition that came anew brings doubts about what is remembered."""
        claims = {chunk.partition: chunk.claim for chunk in chunks}
        if any(self._claims.get(partition) is not claim for partition, claim in claims.items()):
            self._journeys.forget()
            self._claims.update(claims)
        async with transaction(self.pool) as connection:
            held = await PROGRESS.lock(connection, self.line, claims)
            if any(held[partition].epoch != claim.epoch for partition, claim in claims.items()):
                raise RuntimeError("fenced")  # nobody else takes part here
            records = [(record.key or b"", record.value or b"") for chunk in chunks for record in chunk.records]
            frictions = await self._journeys.apply(connection, records)
            sent = [await self.producer.send(self.output, value=value, key=key) for key, value in frictions]
            await asyncio.gather(*sent)
            await PROGRESS.advance(connection, self.line, _advances(chunks))
        for chunk in chunks:
            chunk.claim.applied = chunk.records[-1].offset + 1


def _advances(chunks: Sequence[Chunk]) -> list[Advance]:
    runs: dict[int, list[Chunk]] = {}
    for chunk in chunks:
        runs.setdefault(chunk.partition, []).append(chunk)
    return [_advance(run) for run in runs.values()]


def _advance(run: Sequence[Chunk]) -> Advance:
    last = run[-1].records[-1]
    return Advance(
        partition=run[0].partition,
        epoch=run[0].claim.epoch,
        was=run[0].records[0].offset,
        next_offset=last.offset + 1,
        last_hash=fingerprint(last),
        appended_at=datetime.fromtimestamp(last.timestamp / 1000, UTC),
        replayed_at=None,
    )


async def main(topic: str, run: str) -> None:
    """Apply the topic until the process is ended."""
    settings = WorkerProcessSettings.load(os.environ)
    common = settings.common
    logs.configure("reference", "warning", "text")
    collect_less_often()
    pool = await create_pool(common.postgres.get_secret_value(), application_name="reference")
    producer = AIOKafkaProducer(bootstrap_servers=common.kafka, acks="all", linger_ms=2, max_batch_size=128 * 1024)
    await producer.start()
    line = TopicLine(name=await cluster_line(common.kafka, common.kafka_line), topic=topic)
    ends = LogEnds(common.kafka, client_id="reference-ends")
    await ends.start()
    failure: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
    intake = Intake(capacity=settings.worker.queue_records)
    ledger = DatabaseLedger(pool=pool, table=PROGRESS, line=line, owner=run, patient=True)
    app = build_app(
        settings, TransportWiring(topic=topic, intake=intake, ledger=ledger, log=ends, fatal=failure.set_result)
    )
    work = Work(pool=pool, line=line, producer=producer, output=f"{run}-frictions")
    most = durable.BATCH_RECORDS
    add_agent(app, work.apply, batch_size=BatchSize(most=most, target_s=1.0, records=most))
    await app.start()
    raise await failure


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
