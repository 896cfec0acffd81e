import asyncio
import gc
from pathlib import Path

import pytest

from services.runtime.kafka.log_ends import cluster_line
from services.runtime.kafka.producer import KafkaProducer, PublishError
from services.runtime.kafka.record import ProducerRecord
from services.runtime.kafka.topics import TopicSpec, ensure_topics
from tests.fixtures.ingest import first_records
from tests.waiting import until
from waymark.launchers.kafka import KafkaCluster

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]


async def test_acknowledged_records_survive_the_kill_of_the_node(kafka_cluster: KafkaCluster) -> None:
    topic = TopicSpec(name="kept-after-kill", partitions=1, replication=1, config={"retention.ms": "600000"})
    assert await ensure_topics(kafka_cluster.bootstrap, [topic]) == []
    producer = KafkaProducer(kafka_cluster.bootstrap, client_id="test", idempotent=True)
    await producer.start()
    await producer.publish([ProducerRecord(topic=topic.name, key=b"k", value=str(n).encode()) for n in range(50)])
    await producer.stop()
    line = await cluster_line(kafka_cluster.bootstrap)

    kafka_cluster.kill()
    kafka_cluster.start()

    records = await first_records(kafka_cluster.bootstrap, topic.name, 50)
    assert [record.value for record in records] == [str(n).encode() for n in range(50)]
    assert await cluster_line(kafka_cluster.bootstrap) == line


async def test_three_nodes_accept_while_one_is_down(tmp_path: Path) -> None:
    with KafkaCluster(tmp_path, nodes=3) as cluster:
        topic = TopicSpec(name="three", partitions=3, replication=3, config={})
        assert await ensure_topics(cluster.bootstrap, [topic]) == []
        cluster.nodes[0].kill()
        producer = KafkaProducer(cluster.bootstrap, client_id="test", idempotent=True, request_timeout_s=30)
        await producer.start()
        await producer.publish([ProducerRecord(topic="three", key=str(n).encode(), value=b"x") for n in range(30)])
        await producer.stop()
        cluster.nodes[0].start()
        assert all(node.alive for node in cluster.nodes)


async def test_an_idempotent_producer_that_is_discarded_leaves_nothing_behind(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with KafkaCluster(tmp_path) as cluster:
        await ensure_topics(cluster.bootstrap, [TopicSpec(name="t", partitions=1, replication=1, config={})])
        producer = KafkaProducer(cluster.bootstrap, client_id="test", idempotent=True, request_timeout_s=2.5)
        record = ProducerRecord(topic="t", key=b"k", value=b"v")
        await producer.publish([record])
        before = asyncio.all_tasks()
        cluster.nodes[0].pause()

        publications = [asyncio.create_task(producer.publish([record]))]
        while not publications[0].done():  # so that the last has just been handed over when the first fails
            await asyncio.wait(publications[:1], timeout=0.2)
            publications.append(asyncio.create_task(producer.publish([record])))
        outcomes = await asyncio.gather(*publications, return_exceptions=True)
        await producer.stop()
        await until(lambda: asyncio.all_tasks() < before, within=20)  # those of the first producer are gone too
        cluster.nodes[0].resume()

    assert {type(outcome) for outcome in outcomes} == {PublishError}
    del publications, outcomes
    gc.collect()
    assert [one.getMessage() for one in caplog.records if one.name == "asyncio"] == []
