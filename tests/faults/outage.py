"""An outage longer than the absence window: promises and the calls that kept them wait in the log while no worker runs.

A worker that went by the clock would find hundreds of promises overdue at its start and raise a false alarm for each,
minutes before it reads that they were kept.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from tests.faults.conditions import settled
from tests.faults.fleet import Engines, Fleet
from tests.faults.observed import observe
from tests.faults.producing import produce
from tests.faults.workload import Sending, What, key_of
from tests.oracle.people import Json, instant

GRACE = timedelta(minutes=15)
"""What the shipped rule gives a promise beyond its due time."""

KEPT, BROKEN = 300, 30
CROWD = 5000
"""Touchpoints of others between the promises and the calls: seconds of work before the first call is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarms:
    """Promises by what came of them, each by the id of its touchpoint."""

    false: set[str]
    """Kept, and yet published as missed, if only for a moment."""

    true: set[str]
    """Broken, and published as missed."""

    unnoticed: set[str]
    """Broken, and never published."""


async def run_outage(engines: Engines, folder: Path) -> Alarms:
    """Write promises and calls, let the due times pass, and only then start two workers."""
    over = datetime.now(UTC) + timedelta(seconds=30)  # when the last grace ends; everything is in the log by then
    due = over - GRACE
    promises = [_touchpoint(n, "callback_promised", due - timedelta(hours=1), due_at=instant(due)) for n in _all()]
    calls = [_touchpoint(n, "callback_made", due - timedelta(minutes=5)) for n in range(KEPT)]
    crowd = [_passer_by(n, due - timedelta(hours=2)) for n in range(CROWD)]
    await produce(engines.kafka.bootstrap, [_sending(one) for one in (*promises, *crowd, *calls)], 1.0)
    left = (over - datetime.now(UTC)).total_seconds()
    assert left > 0, "the log took too long to write: the calls would come after the due time"
    await asyncio.sleep(left + 5.0)  # the outage itself: due times and every grace pass while nobody reads
    fleet = Fleet(engines=engines, folder=folder, extra={"WAYMARK_JOURNEY_BATCH_RECORDS": "100"})
    fleet.add_worker()
    fleet.add_worker()
    fleet.add_alerts()
    try:
        await asyncio.to_thread(fleet.start)
        await settled(engines.database, engines.kafka.bootstrap, within_s=60)
        observed = await observe(engines.database, engines.kafka.bootstrap)
    finally:
        fleet.kill()
    told = {one.document["anchor"]["touchpoint_id"] for one in observed.published if one.document["rule"] == RULE}
    broken = {f"callback_promised-{n}" for n in range(KEPT, KEPT + BROKEN)}
    return Alarms(false=told - broken, true=told & broken, unnoticed=broken - told)


RULE = "callback_missed"


def _all() -> range:
    return range(KEPT + BROKEN)


def _touchpoint(number: int, kind: str, at: datetime, **rest: object) -> Json:
    """Promises are keyed by phone, calls by customer number: the two stand in different partitions."""
    phone = {"phone": {"value": f"+8210{30_000_000 + number}", "verified": True}}
    known = {**phone, "customer_id": {"value": f"O-{number}", "verified": True}} if kind == "callback_made" else phone
    return {
        "id": f"{kind}-{number}",
        "source": "ivr",
        "occurred_at": instant(at),
        "received_at": instant(at),
        "channel": "phone",
        "kind": kind,
        "customer": known,
        **rest,
    }


def _passer_by(number: int, at: datetime) -> Json:
    cookie = {"cookie": {"value": f"passer-by-{number}", "verified": False}}
    return {**_touchpoint(number, "page_viewed", at), "channel": "web", "customer": cookie}


def _sending(touchpoint: Json) -> Sending:
    return Sending(what=What.TOUCHPOINT, key=key_of(touchpoint), value=orjson.dumps(touchpoint))
