"""F19, and the alert list's 3, 10, 14: receivers that are down, slow, rude, endless or treacherous.

Whatever one of them does, the others hear at once, each attempt ends in time, memory stays flat, the ladder is kept,
and nobody is led into the network that the service stands in.
"""

import asyncio
import os
from collections.abc import Mapping
from uuid import UUID

import psutil

from services.alerts.deliver.retry import BREAKER_OPENS_AFTER, RETRY_SCHEDULE
from tests.faults import receivers, telling
from tests.faults.alerts_room import Room, friction, open_room
from tests.faults.checker import Check
from tests.faults.fault import Fault, Verdict
from tests.faults.footprint import MIB
from tests.faults.lab import Lab
from tests.faults.receivers import Manner

ATTEMPT_MOST_S = 15.5
"""The limit of an attempt, and half a second to notice."""

LATENCY_SLACK_MS = 250.0
"""What a healthy receiver may be slower at the 99th percentile beside bad ones; two busy cores are no clockwork."""

NOISY = 10
BAD: Mapping[str, Manner] = {
    "slow": receivers.slow(30.0),
    "500": receivers.status(500),
    "429": receivers.status(429, retry_after="2"),
    "redirect": receivers.status(302, location="http://169.254.169.254/latest/meta-data/"),
    "reset": receivers.reset_mid_body,
    "endless": receivers.endless_body,
}
HOSTILE: Mapping[str, Manner] = {
    "headers dripped": receivers.drip_headers,
    "body dripped": receivers.drip_body,
    "endless body": receivers.endless_body,
    "a gigabyte": receivers.gigabyte,
    "a header of 100 KB": receivers.long_header,
    "a gzip bomb": receivers.gzip_bomb,
    "half-closed": receivers.half_close,
    "silent": receivers.silence,
}
REDIRECTED = frozenset({"redirect"})


async def targets(lab: Lab, seed: int) -> Verdict:
    """F19: six bad receivers and one that is down, beside one that is well; then all recover."""
    room = await open_room(lab, seed)
    await room.receiver("well")
    before = await _p99(room, 150)
    for name, manner in BAD.items():
        await room.receiver(name, manner, took_all=name == "endless")
    down = await room.receiver("down", took_all=False)
    await down.down()
    beside = await _p99(room, 150)
    lab.say(f"the healthy one's p99: {before:.0f} ms before, {beside:.0f} ms beside {len(BAD) + 1} bad ones")
    await asyncio.sleep(20)
    checks = [_unaffected(before, beside), await in_time(room), await _on_the_ladder(room), await _not_followed(room)]
    for name in BAD:
        room.receivers[name].manner = receivers.fine
    await down.up()
    await _forgive(room)
    await room.told(within_s=120)
    checks += await telling.judged(room, repeats=len(room.receivers["endless"].calls))
    counts = {"bad receivers": len(BAD) + 1, "p99 ms alone": round(before), "p99 ms beside them": round(beside)}
    return Verdict(checks=checks, counts=await _counted(room, counts))


async def hostile(lab: Lab, seed: int) -> Verdict:
    """The alert list's 3: answers made to hold a sender up or to fill its memory."""
    room = await open_room(lab, seed)
    await room.receiver("well")
    before = await _p99(room, 100)
    weight = psutil.Process(room.replicas[0].child.pid).memory_info().rss
    heaviest = weight
    for name, manner in HOSTILE.items():
        await room.receiver(name, manner, took_all=False)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(room.write([friction(room.rng) for _ in range(200)], seconds=10))
        for _ in range(60):
            heaviest = max(heaviest, psutil.Process(room.replicas[0].child.pid).memory_info().rss)
            await asyncio.sleep(0.5)
    await room.told("well")
    beside = telling.percentile(telling.latencies(room, "well")[-200:], 99)
    grown = heaviest - weight
    checks = [
        await in_time(room),
        _unaffected(before, beside),
        Check(name="memory stays flat", ok=grown < 24 * MIB, detail=f"{grown / MIB:.1f} MiB more at most, in 30 s"),
        *[await _attempted(room, name) for name in HOSTILE],
        *await telling.judged(room, receivers=["well"]),
    ]
    counts = {"hostile receivers": len(HOSTILE), "MiB more": round(grown / MIB, 1), "p99 ms": round(beside)}
    return Verdict(checks=checks, counts=await _counted(room, counts))


async def noisy(lab: Lab, seed: int) -> Verdict:
    """The alert list's 10, times ten: as many slow receivers as could take every place that there is."""
    room = await open_room(lab, seed, WAYMARK_ALERTS_IN_FLIGHT="64")
    await room.receiver("well")
    before = await _p99(room, 200)
    for number in range(NOISY):
        await room.receiver(f"noisy {number}", receivers.slow(14.0), took_all=True)
    await room.write([friction(room.rng) for _ in range(200)])
    await room.told("well")
    beside = await _p99(room, 200)
    flying = await room.connection.fetch(
        """
        SELECT endpoint_id, count(*) AS n FROM alerts.deliveries WHERE lease_until > now() AND state = 'pending'
         GROUP BY endpoint_id
        """
    )
    most = max(row["n"] for row in flying)
    checks = [
        _unaffected(before, beside),
        Check(name="a noisy one has no more than its share", ok=most <= 8, detail=f"{most} under way, 8 allowed"),
        *await telling.judged(room, receivers=["well"]),
    ]
    counts = {"p99 ms alone": round(before), "p99 ms beside them": round(beside), "noisy": NOISY}
    counts["waiting for them"] = int(await room.value("SELECT count(*) FROM alerts.deliveries WHERE state = 'pending'"))
    return Verdict(checks=checks, counts=await _counted(room, counts))


async def treacherous(lab: Lab, seed: int) -> Verdict:
    """The alert list's 14, over real processes: names and redirects that lead inside; a canary listens there."""
    room = await open_room(lab, seed, WAYMARK_ALERTS_ALLOW_PRIVATE_TARGETS="false")
    canary = await lab.stack.enter_async_context(receivers.Receiver())
    refused = []
    for url in _inside(canary.port):
        body = {"name": "in", "kind": "standard_webhook", "url": url, "catch_all": True}
        try:
            await room.call("POST", "/v1/endpoints", body)
        except AssertionError:
            refused.append(url)
    accepted = [url for url in _inside(canary.port) if url not in refused]
    await room.connection.execute(_SMUGGLED, [f"http://localhost:{canary.port}/", f"http://127.0.0.1:{canary.port}/"])
    await room.write([friction(room.rng) for _ in range(20)])
    await room.applied()
    await room.until("no attempts", lambda: _any(room), within_s=30)
    reasons = await room.connection.fetch("SELECT reason, count(*) AS n FROM alerts.attempts GROUP BY reason")
    found = {row["reason"]: row["n"] for row in reasons}
    checks = [
        Check(
            name="an address inside is refused when it is given",
            ok=not accepted,
            detail=f"{len(refused)} refused" + (f", but taken: {accepted}" if accepted else ""),
        ),
        Check(
            name="what stands in the table nevertheless is refused when it is dialled",
            ok=set(found) == {"loopback"},
            detail=str(found),
        ),
        Check(name="the canary heard nothing", ok=not canary.calls, detail=f"{len(canary.calls)} calls"),
    ]
    return Verdict(checks=checks, counts={"refused": len(refused), "attempts refused": sum(found.values())})


def _inside(port: int) -> list[str]:
    hosts = ("127.0.0.1", "localhost", "[::1]", "0x7f000001", "2130706433", "127.1", "[::ffff:127.0.0.1]", "10.0.0.1")
    more = ("169.254.169.254", "[fd00:ec2::254]", "metadata.google.internal", "168.63.129.16", "[2002:7f00:1::]")
    return [f"http://{host}:{port}/" for host in (*hosts, *more)]


_SMUGGLED = """
WITH made AS (
    INSERT INTO alerts.endpoints (endpoint_id, name, kind, url, catch_all, created_at, updated_at)
    SELECT gen_random_uuid(), 'smuggled', 'standard_webhook', unnest($1::text[]), true, now(), now()
    RETURNING endpoint_id
)
INSERT INTO alerts.endpoint_secrets (secret_id, endpoint_id, material, created_at)
SELECT gen_random_uuid(), endpoint_id, decode(repeat('00', 32), 'hex'), now() FROM made
"""


async def _p99(room: Room, count: int) -> float:
    """Milliseconds from the log to the healthy receiver, at the 99th percentile, for `count` frictions at 30/s."""
    done = len(room.receivers["well"].calls)
    await room.write([friction(room.rng) for _ in range(count)], seconds=count / 30)
    await room.told("well")
    fresh = room.receivers["well"].calls[done:]
    named = {call.document["data"]["frictions"][0]: call.at for call in fresh}
    return telling.percentile([1000 * (at - room.written.at[name]) for name, at in named.items()], 99)


def _unaffected(before: float, beside: float) -> Check:
    return Check(
        name="the healthy receiver does not feel the others",
        ok=beside < max(1.1 * before, before + LATENCY_SLACK_MS),
        detail=f"p99 {before:.0f} ms alone, {beside:.0f} ms beside them",
    )


async def in_time(room: Room) -> Check:
    """No attempt takes longer than its limit."""
    longest = float(await room.value("SELECT coalesce(max(seconds), 0) FROM alerts.attempts"))
    count = await room.value("SELECT count(*) FROM alerts.attempts")
    return Check(
        name="every attempt ends in time",
        ok=longest <= ATTEMPT_MOST_S,
        detail=f"{longest:.1f} s at most in {count} attempts, {ATTEMPT_MOST_S} s allowed",
    )


async def _on_the_ladder(room: Room) -> Check:
    """Between two attempts of one delivery lies at least the step of the ladder, unless the receiver named a time."""
    rows = await room.connection.fetch(_GAPS)
    early = [
        row
        for row in rows
        if row["gap"] < RETRY_SCHEDULE[min(row["attempt"], len(RETRY_SCHEDULE) - 1)].total_seconds() - 0.05
    ]
    failing = await room.value("SELECT max(consecutive_failures) FROM alerts.endpoints")
    return Check(
        name="the ladder is kept, and breakers open",
        ok=not early and failing >= BREAKER_OPENS_AFTER,
        detail=f"{len(rows)} retries, {len(early)} too early; {failing} failures in a row at most",
    )


_GAPS = """
SELECT a.attempt, extract(epoch FROM b.at - b.seconds * interval '1 second' - a.at)::float8 AS gap
  FROM alerts.attempts a JOIN alerts.attempts b ON b.delivery_id = a.delivery_id AND b.attempt = a.attempt + 1
 WHERE a.outcome = 'retry'
"""


async def _not_followed(room: Room) -> Check:
    endpoint = UUID(room.receivers["redirect"].endpoint)
    rows = await room.connection.fetch(
        "SELECT DISTINCT reason FROM alerts.attempts JOIN alerts.deliveries USING (delivery_id) WHERE endpoint_id = $1",
        endpoint,
    )
    reasons = {row["reason"] for row in rows}
    return Check(
        name="a redirect is not followed", ok=reasons == {"http_3xx"}, detail=", ".join(reasons) or "not tried"
    )


async def _forgive(room: Room) -> None:
    """Weeks pass at once: whatever waits is due now, and breakers have closed."""
    await room.connection.execute("UPDATE alerts.endpoints SET paused_until = NULL, consecutive_failures = 0")
    await room.connection.execute("UPDATE alerts.deliveries SET next_at = now() WHERE state = 'pending'")


async def _attempted(room: Room, name: str) -> Check:
    rows = await room.connection.fetch(
        """
        SELECT reason, count(*) AS n, max(seconds) AS longest FROM alerts.attempts JOIN alerts.deliveries
         USING (delivery_id) WHERE endpoint_id = $1 GROUP BY reason
        """,
        UUID(room.receivers[name].endpoint),
    )
    said = ", ".join(f"{row['n']} {row['reason']} ({row['longest']:.1f} s at most)" for row in rows)
    return Check(name=f"{name}: tried, and over", ok=bool(rows), detail=said or "never ended")


async def _any(room: Room) -> bool:
    return int(await room.value("SELECT count(*) FROM alerts.attempts")) >= 2


async def _counted(room: Room, counts: Mapping[str, int | float]) -> dict[str, int | float]:
    attempts = await room.value("SELECT count(*) FROM alerts.attempts")
    return {**counts, "frictions": len(room.written.latest), "attempts": int(attempts), "cores": os.cpu_count() or 0}


FAULTS = (
    Fault(
        id="F19",
        title="webhook targets down, slow, 500, 429, redirecting, resetting, endless",
        short=False,
        run=targets,
    ),
    Fault(
        id="A3", title="webhook targets that drip, flood, inflate, half-close or say nothing", short=False, run=hostile
    ),
    Fault(id="A10", title="ten receivers that take 14 s for each of hundreds", short=False, run=noisy),
    Fault(id="A14", title="webhook targets that lead inside; a canary listens", short=False, run=treacherous),
)
