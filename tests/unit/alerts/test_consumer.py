"""What the consumer shows while the database keeps a batch waiting, and while Kafka keeps it from its partitions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from aiokafka import TopicPartition
from prometheus_client import CollectorRegistry

from services.alerts.consume.consumer import Consumer, ConsumerSettings
from services.alerts.consume.following import STALLED_AFTER_S
from services.alerts.consume.intake import Applied, Arrival, Intake, Owned
from services.alerts.consume.progress import Claim, Position
from services.alerts.metrics import IntakeMetrics
from services.runtime.log.identity import LogVerdict
from services.runtime.reach.brokers import Brokers
from tests.conftest import SteppingClock

TP = TopicPartition("frictions", 0)
SETTINGS = ConsumerSettings(
    brokers=Brokers(servers="127.0.0.1:1"),
    line="test",
    group="alerts",
    owner="test",
    session_timeout_s=2.0,
    batch=10,
    poison_limit=10,
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

    metrics: IntakeMetrics
    lags: list[float] = field(default_factory=list)

    async def apply(self, _owned: Mapping[int, Owned], arrivals: Sequence[Arrival]) -> Applied:
        self.lags.append(self.metrics.lag._value.get())
        return Applied(next_offsets={0: arrivals[-1].offset + 1}, lost=frozenset(), refused=0)


async def a_consumer(clock: SteppingClock) -> tuple[Consumer, WaitingIntake, FakeKafka]:
    metrics = IntakeMetrics.register(CollectorRegistry())
    intake = WaitingIntake(metrics)
    consumer = Consumer(SETTINGS, cast(Intake, intake), pool=cast(Any, None), clock=clock, metrics=metrics)
    await consumer.on_partitions_assigned([TP])
    return consumer, intake, FakeKafka()


def begin(consumer: Consumer, kafka: FakeKafka) -> None:
    position = Position(line="test", topic="frictions", partition=0)
    claim = Claim(position=position, epoch=1, next_offset=0, last_hash=None)
    consumer._begin(cast(Any, kafka), claim, LogVerdict.SAME)


async def test_what_waits_is_shown_before_the_batch_is_applied(clock: SteppingClock) -> None:
    consumer, intake, kafka = await a_consumer(clock)
    begin(consumer, kafka)

    await consumer._turn(cast(Any, kafka))

    assert intake.lags == [7]
    assert intake.metrics.lag._value.get() == 6


async def test_a_partition_that_is_not_taken_up_is_counted_and_makes_the_process_unready(clock: SteppingClock) -> None:
    consumer, intake, kafka = await a_consumer(clock)
    consumer._show(cast(Any, kafka))
    fresh = await consumer.check()
    waiting = intake.metrics.unclaimed_partitions._value.get()
    clock.advance(seconds=STALLED_AFTER_S)
    stale = await consumer.check()
    begin(consumer, kafka)
    consumer._show(cast(Any, kafka))

    assert (fresh.ok, waiting) == (True, 1)
    assert (stale.ok, stale.detail) == (False, "partitions not taken up: 0")
    assert intake.metrics.unclaimed_partitions._value.get() == 0


async def test_the_log_counts_as_followed_while_its_broker_answers(clock: SteppingClock) -> None:
    consumer, intake, kafka = await a_consumer(clock)
    begin(consumer, kafka)
    consumer._show(cast(Any, kafka))
    clock.advance(seconds=STALLED_AFTER_S)
    consumer._show(cast(Any, kafka))
    silent = intake.metrics.followed._value.get()
    kafka.stamp = 2
    consumer._show(cast(Any, kafka))

    assert silent == clock.now().timestamp() - STALLED_AFTER_S
    assert intake.metrics.followed._value.get() == clock.now().timestamp()


async def test_a_process_that_lost_its_group_is_not_ready(clock: SteppingClock) -> None:
    consumer, _, kafka = await a_consumer(clock)
    begin(consumer, kafka)
    consumer._joined = False

    found = await consumer.check()

    assert (found.ok, found.detail) == (False, "not a member of the group yet")
