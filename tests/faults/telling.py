"""What must be true of the alert service, whatever was done to it: nothing lost, nothing told twice without a reason,
in order, signed; and the topic `issues` says how things stand. Reads tables and receivers, decides by named checks.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from statistics import quantiles
from uuid import UUID

import orjson

from tests.faults.alerts_room import Room
from tests.faults.checker import Check, verdict
from tests.faults.footprint import read_logs
from tests.faults.invariants import logs
from tests.faults.log_reading import LogReader
from tests.faults.receivers import Call, Receiver


async def judged(
    room: Room,
    *,
    repeats: int = 0,
    receivers: Collection[str] | None = None,
    backwards: int = 0,
    explains: Collection[str] = (),
) -> list[Check]:
    """All checks.

    `repeats`: how many webhooks the fault may repeat; `receivers`: those that must have everything by now; `backwards`:
    how many may come after a newer one (only what a frozen sender sends when it wakes).
    """
    names = list(room.receivers) if receivers is None else list(receivers)
    checks = [await placed(room), await grouped(room), await poison(room), await published(room)]
    checks.append(repeated([room.receivers[name] for name in room.receivers], repeats))
    for name in names:
        checks += [await complete(room, name), ordered(name, room.receivers[name].calls, backwards)]
    checks.append(signed([call for receiver in room.receivers.values() for call in receiver.calls]))
    checks.append(logs(read_logs(room.fleet), tuple(explains)))
    return checks


async def placed(room: Room) -> Check:
    """Every friction stands at its last revision."""
    rows = await room.connection.fetch("SELECT friction_id, revision, state FROM alerts.frictions")
    found = {row["friction_id"]: (row["revision"], row["state"]) for row in rows}
    wanted = {one.id: (one.revision, one.state.value) for one in room.written.latest.values()}
    lost = [name for name in wanted if name not in found]
    stale = [name for name, stood in wanted.items() if found.get(name, stood) != stood]
    invented = [name for name in found if name not in wanted]
    return verdict(
        "every friction is taken, at its last revision, once",
        [*_named("lost", lost), *_named("stand otherwise", stale), *_named("invented", invented)],
        f"{len(wanted)} frictions in {room.written.records} records",
    )


async def grouped(room: Room) -> Check:
    """Issues are the groups of the book, one each."""
    rows = await room.connection.fetch(
        "SELECT friction_id, issue_id::text AS issue FROM alerts.frictions WHERE state = 'detected'"
    )
    issues: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        issues[row["issue"]].add(row["friction_id"])
    found, wanted = {frozenset(held) for held in issues.values()}, room.written.groups()
    return verdict(
        "issues are the groups of the book",
        [*_named("not found", wanted - found), *_named("found instead", found - wanted)],
        f"{len(found)} issues",
    )


async def poison(room: Room) -> Check:
    """Every poison is a dead letter, once."""
    found = await room.value("SELECT count(*) FROM alerts.dead_letters")
    problems = [] if found == room.written.refusable else [f"{found} dead letters for {room.written.refusable} poisons"]
    return verdict("every poison is a dead letter, nothing else", problems, f"{found} dead letters")


async def published(room: Room) -> Check:
    """The topic `issues` says of every issue, last, how it stands."""
    async with LogReader(room.engines.kafka.bootstrap, "issues") as log:
        documents = [orjson.loads(value) for value in await log.values()]
    last = {one["id"]: one["version"] for one in documents}  # what compaction leaves
    repeats = len(documents) - len({(one["id"], one["version"]) for one in documents})
    rows = await room.connection.fetch("SELECT issue_id::text AS id, version FROM alerts.issues")
    stand = {row["id"]: row["version"] for row in rows}
    wrong = [name for name, version in stand.items() if last.get(name) != version]
    invented = [name for name in last if name not in stand]
    return verdict(
        "the topic `issues` ends with how each issue stands",
        [*_named("not so", wrong), *_named("invented", invented)],
        f"{len(documents)} records, {repeats} repeats",
    )


async def complete(room: Room, name: str) -> Check:
    """A receiver got what the service says it was to be told, and nothing else."""
    receiver = room.receivers[name]
    rows = await room.connection.fetch(
        "SELECT delivery_id, state FROM alerts.deliveries WHERE endpoint_id = $1", UUID(receiver.endpoint)
    )
    states = {row["delivery_id"]: row["state"] for row in rows}
    got = receiver.ids
    return verdict(
        f"{name}: everything was delivered",
        [
            *_named("not delivered", [one for one, state in states.items() if state != "delivered"]),
            *_named("said to be delivered, never received", [one for one in states if one not in got]),
            *_named("received, unknown", [one for one in got if one not in states]),
        ],
        f"{len(states)} webhooks",
    )


def repeated(receivers: Iterable[Receiver], allowed: int) -> Check:
    """Repeats are as many as the fault explains at most, and of the same bytes under the same id.

    Counts only what a receiver took: where it refused, the ladder repeats by design.
    """
    repeats = 0
    bent: list[str] = []
    again: list[str] = []
    for receiver in receivers:
        first: dict[str, Call] = {}
        bent += [c.webhook_id for c in receiver.calls if first.setdefault(c.webhook_id, c).body != c.body]
        if receiver.took_all:
            repeats += receiver.ids.total() - len(receiver.ids)
            again += [_repeat(first[c.webhook_id], c) for c in receiver.calls if first[c.webhook_id] is not c]
    problems = [f"{repeats} repeats, {allowed} explained: {'; '.join(again)}"] if repeats > allowed else []
    return verdict(
        "repeats only where the fault explains them, with the same id and the same bytes",
        [*problems, *_named("with other bytes", bent)],
        f"{repeats} repeats, {allowed} explained",
    )


def _repeat(first: Call, later: Call) -> str:
    """Which webhook came again, of what, and when: with the logs, that says which death it belongs to."""
    at = datetime.fromtimestamp(first.wall, UTC)
    about = f"{first.document['type']} {first.sequence}"
    return f"{first.webhook_id} ({about}) at {at:%H:%M:%S.%f} and {later.at - first.at:.3f} s after"


def ordered(name: str, calls: Iterable[Call], backwards: int) -> Check:
    """Of one issue a receiver hears 1, 2, 3, …; a repeat may repeat the last one, and nothing goes back."""
    last: dict[str, int] = {}
    wrong = []
    for call in calls:
        before = last.get(call.issue, 0)
        if call.sequence and call.sequence not in {before, before + 1}:
            wrong.append(f"{call.issue}: {call.sequence} after {before}")
        last[call.issue] = max(before, call.sequence)
    problems = _named("out of order", wrong) if len(wrong) > backwards else []
    return verdict(f"{name}: each issue's messages came in order, without gaps", problems, f"{len(last)} issues")


def signed(calls: Collection[Call]) -> Check:
    """Every webhook is signed."""
    unsigned = [call.webhook_id for call in calls if not call.signed]
    return verdict("every webhook is signed", _named("unsigned", unsigned), f"{len(calls)} calls")


def latencies(room: Room, name: str) -> list[float]:
    """Milliseconds from the writing of a friction to the first call about its issue, for issues of one friction."""
    written = room.written
    owner: dict[str, str] = {}
    for call in room.receivers[name].calls:
        for friction in call.document["data"].get("frictions", ()):
            owner.setdefault(friction, "")
            if not owner[friction] and friction in written.at:
                owner[friction] = str(1000 * (call.at - written.at[friction]))
    return sorted(float(one) for one in owner.values() if one)


def percentile(values: Collection[float], percent: int) -> float:
    """The p-th percentile; 0 of nothing."""
    return quantiles(values, n=100)[percent - 1] if len(values) > 1 else 0.0


def _named(what: str, names: Iterable[object]) -> list[str]:
    found = list(names)
    return [f"{len(found)} {what}, such as {'; '.join(str(one)[:150] for one in found[:3])}"] if found else []
