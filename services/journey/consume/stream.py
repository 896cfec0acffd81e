"""The Faust application: its settings, and the one agent that takes batches from the intake.

This module and `transport` are the only ones that know Faust. The agent must never raise: Faust would restart it, and
the records it held would be gone until the next claim. What cannot be retried ends the worker instead.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

import faust
from faust.auth import Credentials, SASLCredentials, SSLCredentials
from faust.types import TopicT

from services.journey.consume.batch_size import BatchSize
from services.journey.consume.intake import Chunk
from services.journey.consume.transport import JourneyApp, TransportWiring, broker_urls
from services.journey.settings import WorkerProcessSettings
from services.runtime.addresses.brokers import Brokers

FOREVER_S = 10 * 86_400.0
"""A fetch may be late by this much before the client leaves the group. Faust's 1,000 s would evict a worker that waits
for a stopped database, and an evicted member without partitions never comes back; `watchdog` judges progress."""

BatchWork = Callable[[Sequence[Chunk]], Awaitable[None]]


def build_app(settings: WorkerProcessSettings, wiring: TransportWiring) -> JourneyApp:
    """Return the app, not started. It declares no topics, keeps no tables and serves no web pages."""
    session_s = settings.worker.session_timeout_s
    app = JourneyApp(
        settings.worker.group,
        broker=broker_urls(settings.common.kafka),
        broker_credentials=credentials(settings.common.brokers),
        store="memory://",
        autodiscover=False,
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
        stream_wait_empty=False,  # nothing is acknowledged through Faust, so there is nothing to wait for
        broker_session_timeout=session_s,
        broker_heartbeat_interval=session_s / 3,
        broker_rebalance_timeout=max(session_s, 10.0),
        broker_max_poll_interval=FOREVER_S,
        consumer_auto_offset_reset="earliest",
        broker_client_id="waymark-journey",
        producer_linger_ms=0,
    )
    app.wiring = wiring
    return app


def credentials(brokers: Brokers) -> Credentials | None:
    """Return the credentials for Faust's clients, for TLS and user; None for plain text."""
    if brokers.names_itself:
        return SASLCredentials(
            username=brokers.username,
            password=brokers.password,
            ssl_context=brokers.tls,
            mechanism=brokers.mechanism,
        )
    return SSLCredentials(brokers.tls) if brokers.tls is not None else None


def add_agent(app: JourneyApp, work: BatchWork, *, batch_size: BatchSize) -> None:
    """Subscribe to the topic and hand `work` one batch of chunks after the other."""
    topic = app.topic(app.wiring.topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")

    async def journey(stream: faust.StreamT[bytes]) -> None:
        app.topics.add(cast(TopicT, stream.channel))  # subscribes; the stream itself is never read
        try:
            async for chunks in app.wiring.intake.batches(lambda: batch_size.records):
                started = app.loop.time()
                await work(chunks)
                took_s = app.loop.time() - started
                batch_size.learn(sum(len(chunk.records) for chunk in chunks), took_s)
                await asyncio.sleep(batch_size.pause_s(took_s))
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  the outermost loop: an agent that raises loses what it held
            app.wiring.fatal(error)
            await asyncio.Event().wait()  # until the worker ends: the agent must not be restarted

    app.agent(topic, name="journey", concurrency=1)(journey)
