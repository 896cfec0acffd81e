"""What each library of Segment's form is held to: one function for each column of the matrix.

A check returns what it saw in a few words, or raises `AssertionError`. A library that never tries again by itself
(`@jitsu/js`) is held to its report instead: what did not arrive was reported.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable

from tests.sdks.ground import Ground, Stood
from tests.sdks.kit import Library, Running, Spec, start
from tests.waiting import until

CALLS = 23
WITHIN_S = 120.0

Check = Callable[[Ground, Library], Awaitable[str]]


async def sent(ground: Ground, library: Library) -> str:
    """All calls are taken: nothing is reported, nothing refused, and no request is made twice."""
    source, key = ground.source()
    before, marks = ground.answered(), await ground.marks()
    errors = await run(library, Spec(url=ground.url, key=key, run=source, calls=CALLS, others=True))
    requests = ground.answered() - before
    assert errors == [], errors
    await ground.stood(source, marks, rows=CALLS + library.others)
    assert requests == CALLS + library.others if not library.batches else requests <= 4, f"{requests} requests"
    return f"{CALLS + library.others} calls, {requests} requests"


async def accepted(ground: Ground, library: Library) -> str:
    """Each call stands on Kafka once, as it was meant; Korean too."""
    source, key = ground.source()
    marks = await ground.marks()
    await run(library, Spec(url=ground.url, key=key, run=source, calls=CALLS, others=True))
    stood = await ground.stood(source, marks, rows=CALLS + library.others)
    assert stood.numbers == list(range(CALLS)), stood.numbers
    assert len(stood.records) == len(stood.ids) == CALLS + library.others
    tracks = [found for found in stood.records if found["kind"] == "checkout_started"]
    assert {found["reason"] for found in tracks} == {"배송 지연"}
    assert {found["refs"]["order_id"] for found in tracks} == {f"A-{number}" for number in range(CALLS)}
    assert {found["kind"] for found in stood.records} == {"checkout_started", "identified", "page_viewed"}
    return f"{len(stood.ids)} touchpoints, 배송 지연"


async def journey(ground: Ground, library: Library) -> str:
    """The journey has each once, of one customer: the call's user id and the alias's earlier one are linked."""
    source, key = ground.source()
    marks = await ground.marks()
    await run(library, Spec(url=ground.url, key=key, run=source, calls=CALLS, others=True))
    stood = await ground.stood(source, marks, rows=CALLS + library.others)
    assert (stood.rows, stood.customers) == (CALLS + library.others, 1), stood.customers
    return f"{stood.rows} touchpoints, {stood.customers} customer"


async def wrong_key(ground: Ground, library: Library) -> str:
    """A wrong key is refused once for each request, reported, and not tried again."""
    marks, refused, before = await ground.marks(), ground.refusals(), ground.answered()
    spec = Spec(url=ground.url, key="wm_src_0123456789ab_" + "0" * 40, run="nobody", calls=10)
    errors = await run(library, spec)
    requests = ground.answered() - before
    assert requests <= (2 if library.batches else 10), f"{requests} requests: it tried again"
    assert sum((ground.refusals() - refused).values()) == requests
    assert await ground.marks() == marks
    return f"{requests} × 401, {len(errors)} reported"


async def malformed(ground: Ground, library: Library) -> str:
    """What is wrong in a batch stands in the dead letters as it was sent; the rest arrives; nothing is tried again."""
    source, key = ground.source()
    marks, before = await ground.marks(), ground.answered()
    errors = await run(library, Spec(url=ground.url, key=key, run=source, calls=10, malformed=3))
    requests = ground.answered() - before
    stood = await ground.stood(source, marks, rows=7)
    assert errors == [], errors
    refused = sorted(json.loads(letter)["properties"]["n"] for letter in stood.dead_letters)
    assert (stood.numbers, refused) == (list(range(3, 10)), [0, 1, 2]), (stood.numbers, refused)
    assert requests <= (2 if library.batches else 10), f"{requests} requests: it tried again"
    return f"{len(stood.ids)} accepted, {len(stood.dead_letters)} dead letters"


async def throttled(ground: Ground, library: Library) -> str:
    """429 with Retry-After: everything arrives in the end."""
    source, key = ground.source(requests_per_s=2.0)
    marks, refused = await ground.marks(), ground.refusals()
    spec = Spec(url=ground.url, key=key, run=source, calls=12, one_by_one=True)
    errors = await run(library, spec)
    stood = await _all_or_reported(ground, library, spec, errors, marks)
    times = (ground.refusals() - refused)["too_many_requests"]
    assert times, "nothing was refused"
    return _found(stood, spec, f"{times} × 429", errors)


async def unavailable(ground: Ground, library: Library) -> str:
    """503 with Retry-After while Kafka is away: everything arrives in the end."""
    source, key = ground.source()
    marks, refused = await ground.marks(), ground.ingest.ask("/metrics")[1]
    spec = Spec(url=ground.url, key=key, run=source, calls=12, one_by_one=True, pause_ms=100)
    with ground.broker_away():
        running = await _started(library, spec)
        await until(
            lambda: running.ended or _failures(ground.ingest.ask("/metrics")[1]) > _failures(refused), within=WITHIN_S
        )
    errors = await asyncio.to_thread(running.errors, WITHIN_S)
    stood = await _all_or_reported(ground, library, spec, errors, marks)
    times = _failures(ground.ingest.ask("/metrics")[1]) - _failures(refused)
    return _found(stood, spec, f"{times} × 503", errors)


async def restart(ground: Ground, library: Library) -> str:
    """Ingest stops in the middle and starts again: everything arrives in the end."""
    source, key = ground.source()
    marks, before = await ground.marks(), ground.answered()
    spec = Spec(url=ground.url, key=key, run=source, calls=30, one_by_one=True, pause_ms=100)
    running = await _started(library, spec)
    await until(lambda: running.ended or ground.answered() >= before + 5, within=WITHIN_S)
    await asyncio.to_thread(ground.ingest.child.stop, within_s=20.0)
    await asyncio.to_thread(ground.ingest.__enter__)
    errors = await asyncio.to_thread(running.errors, WITHIN_S)
    stood = await _all_or_reported(ground, library, spec, errors, marks)
    return _found(stood, spec, "stopped and started", errors)


CHECKS: dict[str, Check] = {
    "sent": sent,
    "accepted": accepted,
    "journey seen": journey,
    "wrong key": wrong_key,
    "malformed": malformed,
    "429": throttled,
    "503": unavailable,
    "restart": restart,
}


async def run(library: Library, spec: Spec) -> list[str]:
    """Let `library` send it all, and return the errors that it reported."""
    running = await _started(library, spec)
    return await asyncio.to_thread(running.errors, WITHIN_S)


async def _started(library: Library, spec: Spec) -> Running:
    return await asyncio.to_thread(start, library, spec)


async def _all_or_reported(
    ground: Ground, library: Library, spec: Spec, errors: list[str], marks: dict[str, dict[int, int]]
) -> Stood:
    """Everything arrived; of a library that never tries again, everything that it did not report."""
    expected = spec.calls if library.retries else spec.calls - len(errors)
    stood = await ground.stood(spec.run, marks, rows=expected)
    if library.retries:
        assert errors == [], errors
        assert stood.numbers == list(range(spec.calls)), stood.numbers
    assert stood.rows == len(stood.ids), "the journey has one twice, or not"
    assert stood.dead_letters == [], "what was sent again was taken for something else"
    return stood


def _failures(metrics: str) -> int:
    lines = [line for line in metrics.splitlines() if line.startswith("waymark_ingest_publish_failures_total ")]
    return int(float(lines[0].rpartition(" ")[2])) if lines else 0


def _found(stood: Stood, spec: Spec, what: str, errors: list[str]) -> str:
    reported = f", {len(errors)} reported" if errors else ""
    return f"{what}, {len(stood.ids)} of {spec.calls}{reported}"
