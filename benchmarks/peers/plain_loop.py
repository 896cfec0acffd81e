"""The worker's own job in a plain aiokafka loop: the same domain code, the same SQL, the same relay, no Faust.

Manual assignment of every partition, `getmany`, the same transaction per batch. What this leaves out is what Faust
gives (group membership, rebalances) and the loops that do not depend on the volume (timers, horizon, watchdog).

    WAYMARK_… python -m benchmarks.peers.plain_loop TOPIC
"""

import asyncio
import os
import sys
from datetime import timedelta

from aiokafka import AIOKafkaConsumer, TopicPartition
from prometheus_client import CollectorRegistry

from benchmarks.ground import PARTITIONS
from services.journey import renewer, worker
from services.journey.apply.applier import Applier
from services.journey.apply.transaction import BatchTransaction
from services.journey.consume.intake import Chunk, Intake
from services.journey.consume.progress import PROGRESS
from services.journey.metrics import WorkerMetrics
from services.journey.outbox.relay import OutboxRelay
from services.journey.policies import projection
from services.journey.settings import WorkerProcessSettings
from services.journey.store import touchpoints
from services.journey.versions.in_force import PolicyCache
from services.runtime.clock import SystemClock, new_id
from services.runtime.failpoints import NO_FAILPOINTS
from services.runtime.kafka.log_ends import LogEnds, cluster_line
from services.runtime.kafka.producer import KafkaProducer
from services.runtime.log.claims import claim_of
from services.runtime.log.dead_letters import DeadLetterGuard, DeadLetterLimit
from services.runtime.log.progress import TopicLine
from services.runtime.postgres.pools import Pool, acquire, create_pool
from services.runtime.process.garbage_collection import collect_less_often
from services.runtime.process.tasks import TaskOwner
from services.runtime.telemetry import logs


async def main(topic: str) -> None:
    """Apply the topic until the process is ended."""
    settings = WorkerProcessSettings.load(os.environ)
    common, own = settings.common, settings.worker
    logs.configure("plain-loop", "warning", "text")
    collect_less_often()
    pool = await create_pool(common.postgres.get_secret_value(), application_name="plain-loop")
    line = TopicLine(name=await cluster_line(common.kafka, common.kafka_line), topic=topic)
    metrics = WorkerMetrics.register(CollectorRegistry())
    relay = OutboxRelay(
        pool=pool,
        publisher=KafkaProducer(common.kafka, client_id="plain-loop", idempotent=common.kafka_idempotence),
        line=line.name,
        metrics=metrics.friction,
        failpoints=NO_FAILPOINTS,
        every_s=own.relay_every_s,
        lease_s=own.lease_s,
        keep_days=own.keep_published_days,
    )
    async with acquire(pool) as connection:
        await touchpoints.ensure_months(connection, worker.MONTHS_BEHIND, worker.MONTHS_AHEAD)
    applier = _applier(pool, line, relay, metrics, settings)
    async with TaskOwner() as owner:
        owner.start("relay", relay.run)
        await _consume(applier, pool, line, common.kafka, own.batch_records)


async def _consume(applier: Applier, pool: Pool, line: TopicLine, bootstrap: str, batch_records: int) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign([TopicPartition(line.topic, partition) for partition in range(PARTITIONS)])
    ends = LogEnds(bootstrap, client_id="plain-loop-ends")
    await ends.start()
    starts = await ends.beginnings(line.topic, range(PARTITIONS))
    async with acquire(pool) as connection:
        held = await PROGRESS.claim(connection, line, starts, "plain-loop")
    claims = {}
    for one in held:
        claims[one.partition] = claim_of(one)
        consumer.seek(TopicPartition(line.topic, one.partition), one.next_offset)
    while True:
        fetched = await consumer.getmany(timeout_ms=1000, max_records=batch_records)
        chunks = [Chunk(claim=claims[tp.partition], records=records) for tp, records in fetched.items()]
        if chunks:
            await applier.apply(chunks)


def _applier(
    pool: Pool, line: TopicLine, relay: OutboxRelay, metrics: WorkerMetrics, settings: WorkerProcessSettings
) -> Applier:
    own = settings.worker
    limit = DeadLetterGuard(DeadLetterLimit(ratio=own.dead_letter_ratio, run=own.dead_letter_run))
    attempt = BatchTransaction(
        pool=pool,
        line=line,
        new_id=new_id,
        renewer=renewer.build_renewer(own, projection(), PolicyCache()),
        limit=limit,
        metrics=metrics,
        clock=SystemClock(),
        failpoints=NO_FAILPOINTS,
        after_commit=relay.kick,
    )
    intake = Intake(capacity=own.queue_records)
    return Applier(attempt=attempt, intake=intake, late_after=timedelta(seconds=own.late_after_s))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
