"""F24: a log that is not the one that was read: recreated, cut short, or emptied by retention before it was read.

Each is refused with a clear message and nothing is reset in silence; then the operator's documented way out is gone
(docs/operations, WaymarkLogRefused): a new line, and producers that send again what may be missing.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import asyncpg
import psycopg
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from tests.faults.checker import Check, check
from tests.faults.conditions import settled, until
from tests.faults.course import AHEAD_S
from tests.faults.fault import Fault, Verdict
from tests.faults.fleet import Engines, Process
from tests.faults.lab import Lab
from tests.faults.log_reading import LogReader
from tests.faults.observed import observe
from tests.faults.producing import Ledger, produce
from tests.faults.sink import Sink
from tests.faults.workload import Sending, What, make
from tests.oracle.expected import expect
from tests.oracle.people import LIVE
from waymark.topics.declared_topics import make_topics

TOUCHPOINTS = 2400
NEW_LINE = "after-the-accident"
LOOPBACK = {"WAYMARK_ALERTS_ALLOW_PRIVATE_TARGETS": "true", "WAYMARK_ALERTS_ALLOW_HTTP": "true"}
KEPT = 0.6
"""Share of a partition's file that an accident leaves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accident:
    """What happens to the logs while nobody reads, and how the services call it."""

    happen: Callable[[Engines, Sequence[Sending]], Awaitable[None]]
    """Given the engines and what producers had not sent yet; brings some of that onto the new log, or does not."""

    worker_says: str
    alerts_say: str = ""
    """The verdict on `frictions`; empty where that log is the same."""


async def another_log(lab: Lab, seed: int, *, accident: Accident) -> Verdict:
    """Apply half, have the accident, be refused, go the way out, and find everything in its place."""
    engines = await lab.engines()
    workload = make(seed, TOUCHPOINTS, datetime.now(UTC) + timedelta(seconds=AHEAD_S) - 2 * LIVE)
    sendings = [one for one in workload.sendings if one.what in {What.TOUCHPOINT, What.DUPLICATE}]
    half = len(sendings) // 2
    before = lab.fleet(engines, **LOOPBACK)
    before.add_worker()
    before.add_alerts()
    await asyncio.to_thread(before.start)
    sink = await lab.stack.enter_async_context(Sink())
    await sink.subscribe(before.alerts[0].address, engines.database)
    await produce(engines.kafka.bootstrap, sendings[:half], 8.0)
    await settled(engines.database, engines.kafka.bootstrap, within_s=90.0)
    await asyncio.to_thread(before.stop)
    stood = _progress(engines.database)
    lab.say("everybody is away; the accident happens")
    await accident.happen(engines, sendings[half:])
    refusals = await _refused(lab, engines, accident)
    unmoved = _progress(engines.database)
    lab.say("refused; the operator gives it a new line, producers send again")
    after = lab.fleet(engines, WAYMARK_KAFKA_LINE=NEW_LINE, **LOOPBACK)
    after.folder = lab.folder / "after"
    after.add_worker()
    after.add_alerts()
    await asyncio.to_thread(after.start)
    await produce(engines.kafka.bootstrap, sendings, 12.0)
    await _settled_on(engines, NEW_LINE)
    await asyncio.to_thread(after.stop)
    observed = await observe(engines.database, engines.kafka.bootstrap)
    ledger = Ledger(acknowledged=half + len(sendings))
    return Verdict(
        checks=[
            *refusals,
            Check(name="nothing is reset in silence", ok=stood == unmoved, detail=f"{len(stood)} partitions unmoved"),
            *[one for one in check(expect(workload.touchpoints), observed, ledger) if not _is_about_revisions(one)],
            _told_once(engines.database),
        ],
        counts={"records": half + len(sendings), "frictions": len(observed.frictions), "refusals": len(refusals)},
    )


def _is_about_revisions(one: Check) -> bool:
    """A log that was made anew need not begin with everybody's first revision."""
    return one.name.startswith("the topic says what stands")


async def _refused(lab: Lab, engines: Engines, accident: Accident) -> list[Check]:
    """Start both services as they were; the worker must end with a message, alerts must leave its log unread."""
    fleet = lab.fleet(engines)
    fleet.folder = lab.folder / "refused"
    worker, alerts = fleet.add_worker(), fleet.add_alerts()
    worker.start()
    alerts.start()

    async def ended() -> list[str]:
        return ["alive"] if worker.child.alive else []

    await until(ended, within_s=90.0)
    said = worker.child.log.read_text(errors="replace")
    checks = [
        Check(
            name=f"the worker refuses the log: {accident.worker_says}",
            ok=worker.child.exit_code == 1 and accident.worker_says in said and "WAYMARK_KAFKA_LINE" in said,
            detail=f"exit code {worker.child.exit_code}",
        )
    ]
    if accident.alerts_say:
        await until(lambda: _says(alerts, "partitions refused"), within_s=90.0)
        checks.append(
            Check(
                name=f"alerts refuse their log: {accident.alerts_say}",
                ok=accident.alerts_say in _ready_says(alerts) and alerts.child.alive,
                detail=_ready_says(alerts)[-200:],
            )
        )
    await asyncio.to_thread(fleet.stop)
    return checks


async def _says(process: Process, words: str) -> list[str]:
    said = await asyncio.to_thread(_ready_says, process)
    return [] if words in said else [f"{process.name} says {said[-200:]!r}"]


def _ready_says(process: Process) -> str:
    try:
        with urlopen(f"{process.address}/readyz?verbose", timeout=2) as answer:
            return str(answer.read().decode())
    except HTTPError as refused:
        return refused.read().decode()
    except OSError:
        return ""


async def _settled_on(engines: Engines, line: str) -> None:
    """Wait until both services have done all there is to do on a line."""
    connection = await asyncpg.connect(engines.database)
    try:
        async with (
            LogReader(engines.kafka.bootstrap, "touchpoints") as touchpoints,
            LogReader(engines.kafka.bootstrap, "frictions") as frictions,
        ):
            await until(partial(_missing, connection, touchpoints, frictions, line), within_s=120.0)
    finally:
        await connection.close()


async def _missing(
    connection: "asyncpg.Connection[asyncpg.Record]", touchpoints: LogReader, frictions: LogReader, line: str
) -> list[str]:
    for log, table in ((touchpoints, "journey.progress"), (frictions, "alerts.progress")):
        ends = await log.ends()
        rows = await connection.fetch(f"SELECT partition, next_offset FROM {table} WHERE line = $1", line)
        applied = {row["partition"]: row["next_offset"] for row in rows}
        if behind := sum(max(0, end - applied.get(partition, 0)) for partition, end in ends.items()):
            return [f"{behind} records of {table} not applied"]
        left = await connection.fetchval(
            "SELECT (SELECT count(*) FROM journey.timers WHERE state = 'pending')"
            " + (SELECT count(*) FROM journey.outbox WHERE published_at IS NULL)"
        )
        if left:
            return [f"{left} timers or records left"]
    waiting = await connection.fetchval("SELECT count(*) FROM alerts.deliveries WHERE state = 'pending'")
    return [f"{waiting} webhooks not delivered"] if waiting else []


def _progress(database: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database) as connection:
        return connection.execute(
            "SELECT 'journey', line, partition, next_offset, last_hash FROM journey.progress"
            " UNION ALL SELECT 'alerts', line, partition, next_offset, last_hash FROM alerts.progress"
            "  WHERE topic = 'frictions' ORDER BY 1, 3"
        ).fetchall()


def _told_once(database: str) -> Check:
    with psycopg.connect(database) as connection:
        row = connection.execute(
            "SELECT count(*), count(DISTINCT issue_id) FROM alerts.notifications WHERE type = 'issue.opened'"
        ).fetchone()
    told, issues = row or (0, 0)
    return Check(name="no issue is opened twice", ok=told == issues > 0, detail=f"{told} times told of {issues} issues")


# The accidents.


async def _made_anew(engines: Engines, rest: Sequence[Sending]) -> None:
    """Somebody deletes both topics and makes them again; producers go on."""
    admin = AIOKafkaAdminClient(bootstrap_servers=engines.kafka.bootstrap)
    await admin.start()
    try:
        await admin.delete_topics(["touchpoints", "frictions"])

        async def gone() -> list[str]:
            return sorted({"touchpoints", "frictions"} & set(await admin.list_topics()))

        await until(gone, within_s=30.0)
    finally:
        await admin.close()
    problems = await asyncio.to_thread(make_topics, engines.kafka.bootstrap, replication=1)
    assert not problems, problems
    await produce(engines.kafka.bootstrap, rest, 3.0)


async def _cut_short(engines: Engines, _rest: Sequence[Sending]) -> None:
    """The broker loses power, and with it the end of every partition that was not on the disk yet."""
    engines.kafka.kill()
    await asyncio.to_thread(_cut_files, engines.kafka.folder)
    await asyncio.to_thread(engines.kafka.start)


def _cut_files(folder: Path) -> None:
    segments = [one for one in folder.rglob("*.log") if one.parent.name.startswith("touchpoints-")]
    assert segments, "no segment of the topic was found"
    for segment in segments:
        os.truncate(segment, int(segment.stat().st_size * KEPT))
        for beside in segment.parent.glob("*.*index"):
            with suppress(FileNotFoundError):
                beside.unlink()


async def _unread_gone(engines: Engines, rest: Sequence[Sending]) -> None:
    """Nobody reads for longer than the topic keeps its records."""
    await produce(engines.kafka.bootstrap, rest, 3.0)
    admin = AIOKafkaAdminClient(bootstrap_servers=engines.kafka.bootstrap)
    await admin.start()
    try:
        async with LogReader(engines.kafka.bootstrap, "touchpoints") as log:
            ends = await log.ends()
        await admin.delete_records(
            {TopicPartition("touchpoints", p): RecordsToDelete(before_offset=end) for p, end in ends.items() if end}
        )
    finally:
        await admin.close()


ACCIDENTS = {
    "F24": ("both topics deleted and made again", Accident(
        happen=_made_anew, worker_says="the topic was recreated", alerts_say="truncated")),
    "F24b": ("the log cut below what was applied", Accident(
        happen=_cut_short, worker_says="the log ends before the last applied record")),
    "F24c": ("retention took what was not read", Accident(
        happen=_unread_gone, worker_says="removed by retention before they were applied")),
}  # fmt: skip

FAULTS = tuple(
    Fault(id=name, title=title, short=False, run=partial(another_log, accident=accident))
    for name, (title, accident) in ACCIDENTS.items()
)
