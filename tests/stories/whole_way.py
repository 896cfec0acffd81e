"""The way of a touchpoint in one process: ingest, worker and alerts as they are, on PostgreSQL, to a real receiver.

Only the two topics are lists in memory. What a consumer would read from them is handed over by hand.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import standardwebhooks
from aiohttp import web
from prometheus_client import CollectorRegistry

from schemas.documents import friction as friction_v1
from schemas.documents import touchpoint as touchpoint_v1
from services.ingest.sources.source import Source
from services.journey.metrics import FrictionMetrics
from services.journey.outbox.relay import OutboxRelay
from services.runtime.failpoints import NO_FAILPOINTS
from services.runtime.kafka.record import ProducerRecord
from tests.fixtures.alerts_engine import AlertsEngine, alerts_engine
from tests.fixtures.alerts_service import ReceivedCall, Receiver, a_receiver
from tests.fixtures.clock import SteppingClock
from tests.fixtures.ingest_bench import IngestBench, Response
from tests.fixtures.journey_bench import JourneyBench, LoggedRecord, open_bench
from tests.ports.recording_publisher import RecordingPublisher
from tests.waiting import until


@dataclass(kw_only=True)
class WholeWay:
    """The parts, in the order of the way; the clock of ingest and alerts stands."""

    clock: SteppingClock
    ingest: IngestBench
    journey: JourneyBench
    relay: OutboxRelay
    frictions: RecordingPublisher
    alerts: AlertsEngine
    receiver: Receiver
    _keys: dict[str, str] = field(default_factory=dict)

    async def post(self, source: str, touchpoint: Mapping[str, Any], **headers: str) -> Response:
        """Send a touchpoint to ingest's ASGI interface with the key of `source`."""
        if source not in self._keys:
            self._keys[source] = self.ingest.keys.add(Source(name=source)).text
        return await self.ingest.post(dict(touchpoint), authorization=f"Bearer {self._keys[source]}", **headers)

    def deliver(self) -> list[ProducerRecord]:
        """Append to the worker's log what ingest has published since last time, and return it."""
        published = [one for one in self.ingest.publisher.records if one.topic == touchpoint_v1.TOPIC]
        log = self.journey.log.records.setdefault(0, [])
        fresh = published[len(log) :]
        log += [
            LoggedRecord(
                offset=offset,
                timestamp=int(self.clock.now().timestamp() * 1000),
                key=record.key,
                value=record.value,
                headers=record.headers,
            )
            for offset, record in enumerate(fresh, len(log))
        ]
        return fresh

    async def apply(self) -> list[ProducerRecord]:
        """Let the worker apply its log and publish its outbox; return the frictions that are published."""
        await self.journey.apply()
        self.frictions.records.clear()
        await self.relay.once()
        return [one for one in self.frictions.records if one.topic == friction_v1.TOPIC]

    async def notify(self, frictions: list[ProducerRecord]) -> ReceivedCall:
        """Let alerts apply frictions, and return the webhook that the receiver gets."""
        before = len(self.receiver.calls)
        await self.alerts.take_raw([one.value for one in frictions])
        await until(lambda: len(self.receiver.calls) > before)
        await until(self._all_written)
        return self.receiver.calls[-1]

    async def _all_written(self) -> bool:
        return bool(await self.alerts.value("SELECT bool_and(state = 'delivered') FROM alerts.deliveries"))


@asynccontextmanager
async def open_whole_way(database: str) -> AsyncIterator[WholeWay]:
    """Open everything; the receiver refuses what is not signed with the secret of its endpoint."""
    clock = SteppingClock(datetime.now(UTC).replace(microsecond=0))
    ingest = await IngestBench(clock=clock).started()
    published = RecordingPublisher()
    async with open_bench(database) as journey, alerts_engine(database, clock) as alerts, a_receiver() as receiver:
        _, secret = await alerts.endpoint(receiver.url)
        verifier = standardwebhooks.Webhook(secret)

        async def believe(call: ReceivedCall) -> web.StreamResponse:
            verifier.verify(call.body, call.headers)
            return web.Response(status=204)

        receiver.answer = believe
        relay = OutboxRelay(
            pool=journey.pool,
            publisher=published,
            line=journey.line.name,
            metrics=FrictionMetrics.register(CollectorRegistry()),
            failpoints=NO_FAILPOINTS,
            every_s=1.0,
            lease_s=30.0,
            keep_days=30,
        )
        yield WholeWay(
            clock=clock,
            ingest=ingest,
            journey=journey,
            relay=relay,
            frictions=published,
            alerts=alerts,
            receiver=receiver,
        )
