"""What the consumer shows while the database keeps a batch waiting, and while Kafka keeps it from its partitions."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from aiokafka import TopicPartition
from prometheus_client import CollectorRegistry

from services.alerts.consume.consumer import ConsumerSettings, TopicConsumer
from services.alerts.consume.log_health import STALLED_AFTER_S
from services.alerts.consume.record_intake import RecordIntake
from services.alerts.consume.records import ConsumedRecord
from services.alerts.metrics import FollowingMetrics
from services.runtime.addresses.brokers import Brokers
from services.runtime.log.batch import Batch
from services.runtime.log.claims import Claim, ExaminedClaim
from services.runtime.log.identity import LogVerdict, Position
from services.runtime.log.progress import TopicLine
from tests.fixtures.clock import SteppingClock

TP = TopicPartition("frictions", 0)
SETTINGS = ConsumerSettings(
    brokers=Brokers(servers="127.0.0.1:1"),
    line="test",
    group="alerts",
    owner="test",
    session_timeout_s=2.0,
    batch=10,
    topic="frictions",
)


@dataclass
class FakeKafka:
    """A broker that has seven records and returned the first."""

    stamp: int = 1

    def assignment(self) -> set[TopicPartition]:
        return {TP}

    def pause(self, *_: TopicPartition) -> None:
        pass

    resume = pause

    def seek(self, _tp: TopicPartition, _offset: int) -> None:
        pass

    def highwater(self, _tp: TopicPartition) -> int:
        return 7

    def last_poll_timestamp(self, _tp: TopicPartition) -> int:
        return self.stamp

    async def getmany(self, **_: int) -> dict[TopicPartition, list[Any]]:
        record = SimpleNamespace(partition=0, offset=0, timestamp=0, key=b"k", value=b"{}", headers=())
        return {TP: [record]}


@dataclass
class WaitingIntake:
    """Notes what the gauge says while it has a batch in its hands."""

    metrics: FollowingMetrics
    lags: list[float] = field(default_factory=list)

    async def apply(self, _line: TopicLine, _batch: Batch[ConsumedRecord], *, bury: bool) -> None:
        assert not bury
        self.lags.append(self.metrics.lag._value.get())


async def a_consumer(clock: SteppingClock) -> tuple[TopicConsumer, WaitingIntake, FakeKafka]:
    metrics = FollowingMetrics.register(CollectorRegistry(), "waymark_alerts", "frictions")
    intake = WaitingIntake(metrics)
    consumer = TopicConsumer(SETTINGS, cast(RecordIntake, intake), pool=cast(Any, None), clock=clock, metrics=metrics)
    await consumer.on_partitions_assigned([TP])
    return consumer, intake, FakeKafka()


def begin(consumer: TopicConsumer, kafka: FakeKafka) -> None:
    claim = Claim(partition=0, epoch=1, applied=0, cursor=0)
    position = Position(partition=0, next_offset=0, last_hash=None, log_start=0, log_end=7)
    consumer._begin(cast(Any, kafka), ExaminedClaim(claim=claim, position=position, verdict=LogVerdict.SAME))


async def test_what_waits_is_shown_before_the_batch_is_applied(clock: SteppingClock) -> None:
    consumer, intake, kafka = await a_consumer(clock)
    begin(consumer, kafka)

    await consumer._poll_once(cast(Any, kafka))

    assert intake.lags == [7]
    assert intake.metrics.lag._value.get() == 6


async def test_a_partition_that_is_not_taken_up_is_counted_and_makes_the_process_unready(clock: SteppingClock) -> None:
    consumer, intake, kafka = await a_consumer(clock)
    consumer._update_gauges(cast(Any, kafka))
    fresh = await consumer.check()
    waiting = intake.metrics.unclaimed_partitions._value.get()
    clock.advance(seconds=STALLED_AFTER_S)
    stale = await consumer.check()
    begin(consumer, kafka)
    consumer._update_gauges(cast(Any, kafka))

    assert (fresh.ok, waiting) == (True, 1)
    assert (stale.ok, stale.detail) == (False, "partitions not taken up: 0")
    assert intake.metrics.unclaimed_partitions._value.get() == 0


async def test_the_log_counts_as_followed_while_its_broker_answers(clock: SteppingClock) -> None:
    consumer, intake, kafka = await a_consumer(clock)
    begin(consumer, kafka)
    consumer._update_gauges(cast(Any, kafka))
    clock.advance(seconds=STALLED_AFTER_S)
    consumer._update_gauges(cast(Any, kafka))
    silent = intake.metrics.followed._value.get()
    kafka.stamp = 2
    consumer._update_gauges(cast(Any, kafka))

    assert silent == clock.now().timestamp() - STALLED_AFTER_S
    assert intake.metrics.followed._value.get() == clock.now().timestamp()


async def test_a_process_that_lost_its_group_is_not_ready(clock: SteppingClock) -> None:
    consumer, _, kafka = await a_consumer(clock)
    begin(consumer, kafka)
    consumer._joined = False

    found = await consumer.check()

    assert (found.ok, found.detail) == (False, "not a member of the group yet")
