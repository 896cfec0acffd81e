"""The reference job the way Faust's own guide writes it: a typed Record, a Table per customer, one event at a time.

Decode, look the journey up, update it, keep the last twenty touchpoints, ask eleven questions, send about one friction
in twenty, keep the state in the changelog. Prints a line `processed N` every so often; the harness reads the clock.

    python -m benchmarks.peers.idiomatic_faust BOOTSTRAP TOPIC COUNT DATADIR
"""

import logging
import os
import sys
from pathlib import Path
from typing import Any

import faust


class Touchpoint(faust.Record, serializer="json", validation=False):
    """The members that the reference job reads."""

    id: str
    occurred_at: str
    channel: str
    kind: str
    customer: dict[str, Any]
    direction: str | None = None
    reason: str | None = None
    wait_s: float | None = None
    transfers: int | None = None
    refs: dict[str, str] | None = None
    attributes: dict[str, Any] | None = None


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


def update(journey: Journey, touchpoint: Touchpoint) -> list[str]:
    """Bring the journey up to date and return the rules that it now breaks."""
    journey.touchpoints += 1
    journey.first_at = journey.first_at or touchpoint.occurred_at
    journey.last_at = touchpoint.occurred_at
    is_contact = touchpoint.direction == "inbound"
    journey.contacts += is_contact
    journey.declines += touchpoint.kind == "payment_declined"
    if touchpoint.channel not in journey.channels:
        journey.channels = [*journey.channels, touchpoint.channel]
    if touchpoint.reason and touchpoint.reason not in journey.reasons:
        journey.reasons = [*journey.reasons, touchpoint.reason]
    journey.last = [*journey.last[-19:], [touchpoint.id, touchpoint.kind, touchpoint.occurred_at]]
    rules = {
        "repeat_contact": is_contact and journey.contacts >= 2,
        "many_contacts": is_contact and journey.contacts >= 6,
        "transfers": (touchpoint.transfers or 0) >= 2,
        "long_wait": (touchpoint.wait_s or 0) > 180,
        "channel_switch": is_contact and len(journey.channels) >= 4,
        "declines": touchpoint.kind == "payment_declined" and journey.declines >= 4,
        "many_reasons": is_contact and len(journey.reasons) >= 4,
        "ping_pong": [kind for _, kind, _ in journey.last[-3:]] == ["call_ended", "chat_started", "call_ended"],
        "same_page": len({kind for _, kind, _ in journey.last}) == 1 and len(journey.last) == 20,
        "stuck": journey.touchpoints > 500,
        "effort": journey.effort > 100,
    }
    broken = [rule for rule, holds in rules.items() if holds]
    journey.effort += 6 * is_contact + len(broken)
    return broken


def main(bootstrap: str, topic_name: str, count: int, datadir: Path) -> None:
    """Run until `count` records are processed."""
    app = faust.App(
        f"idiomatic-{topic_name}",
        broker=f"kafka://{bootstrap}",
        datadir=datadir,
        store="memory://",
        topic_partitions=8,
        topic_disable_leader=True,
        table_standby_replicas=0,
        broker_session_timeout=6,
        broker_heartbeat_interval=2,
        web_enabled=False,
    )
    topic = app.topic(topic_name, key_type=bytes, key_serializer="raw", value_type=Touchpoint)
    frictions = app.topic(f"{topic_name}-frictions", value_serializer="json")
    journeys = app.Table("journeys", key_type=bytes, value_type=Journey, default=Journey, partitions=8)
    processed = 0

    @app.agent(topic)
    async def follow(stream: faust.StreamT[Touchpoint]) -> None:
        nonlocal processed
        async for event in stream.events():
            journey = journeys[event.key]
            broken = update(journey, event.value)
            journeys[event.key] = journey
            if broken:
                await frictions.send(key=event.key, value={"rules": broken, "touchpoint": event.value.id})
            processed += 1
            if processed == 1 or processed % 250 == 0 or processed == count:
                os.write(1, f"processed {processed}\n".encode())  # Faust redirects sys.stdout into its log

    logging.getLogger("aiokafka").setLevel(logging.INFO)
    worker = faust.Worker(app, loglevel="WARN")
    worker.execute_from_commandline()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
