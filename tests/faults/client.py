"""A producer system as it should be: posts to ingest, sends what is in doubt again under the same id, and keeps books.

The ledger knows three states. *Acknowledged*: ingest said accepted or duplicate; it must be found in the end.
*Refused*: ingest never will take it; it must not be found. *Unknown*: no answer, or one that says so; it may be found.
"""

import asyncio
import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from services.ingest.sources.source_administration import SourceSpec
from tests.faults.workload import Sending, What
from tests.fixtures.administration import source_key
from tests.oracle.facts import Json, Key

BATCH = 20
IN_FLIGHT = 8
ANSWER_WITHIN_S = 12.0
SOUND_BY_HTTP = frozenset({"no source", "a list"})
"""Poison on the topic, and yet what a producer may post: the key names the source, and a list is a batch."""

RETRY_S = 0.5
LONGEST_RETRY_S = 3.0

Pace = Callable[[float], float]
"""At which part of the time a part of the load is sent; both from 0 to 1."""


def even(part: float) -> float:
    """As much in every second."""
    return part


@dataclass(slots=True, kw_only=True)
class ClientLedger:
    """What a producer knows of what it sent. Keys are `(source, id)`."""

    sent: dict[Key, Json] = field(default_factory=dict)
    """As it was first sent."""

    variants: defaultdict[Key, list[Json]] = field(default_factory=lambda: defaultdict(list))
    """All that was ever sent under a key: a conflict says something else under the same id."""

    acknowledged: set[Key] = field(default_factory=set)
    refused: set[Key] = field(default_factory=set)
    doubted: set[Key] = field(default_factory=set)
    """Unknown at least once."""

    counts: Counter[str] = field(default_factory=Counter)
    """Requests, retries, answers by status, poison refused."""

    strange: list[str] = field(default_factory=list)
    """Answers that ingest must never give."""

    times: list[tuple[float, int]] = field(default_factory=list)
    """When each answer came (loop time) and its status; 0 for none."""

    @property
    def unknown(self) -> set[Key]:
        """Still in doubt: neither acknowledged nor refused."""
        return self.doubted - self.acknowledged - self.refused


@dataclass(slots=True, kw_only=True)
class Producer:
    """Sends to `addresses` in turn with a key for each source. `deadline_s` bounds the retries of one batch."""

    addresses: Sequence[str]
    keys: Mapping[str, str]
    deadline_s: float = 120.0
    ledger: ClientLedger = field(default_factory=ClientLedger)

    async def send(self, sendings: Sequence[Sending], seconds: float, pace: Pace = even) -> None:
        """Send all within `seconds`, several requests at a time; returns once each has its final answer."""
        batches = list(_batches(sendings))
        turns = itertools.cycle(self.addresses)
        room = asyncio.Semaphore(IN_FLIGHT)
        loop = asyncio.get_running_loop()
        started = loop.time()
        timeout = aiohttp.ClientTimeout(total=ANSWER_WITHIN_S)
        async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as tasks:
            for number, batch in enumerate(batches):
                await asyncio.sleep(max(0.0, started + seconds * pace(number / len(batches)) - loop.time()))
                await room.acquire()
                task = tasks.create_task(self._deliver(session, batch, turns))
                task.add_done_callback(lambda _: room.release())

    async def _deliver(self, session: aiohttp.ClientSession, batch: "Batch", turns: "itertools.cycle[str]") -> None:
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + self.deadline_s, RETRY_S
        left = self._entered(batch)
        while left:
            status, body = await self._post(session, next(turns), batch, left)
            left = self._judged(batch, left, status, body)
            if not left or loop.time() > deadline:
                return
            self.ledger.counts["retries"] += 1
            await asyncio.sleep(pause)
            pause = min(LONGEST_RETRY_S, pause * 1.5)

    def _entered(self, batch: "Batch") -> list[Json]:
        """Book what is about to be sent; what is still to be answered."""
        if batch.raw is not None:
            return [{}]
        for one in batch.items:
            key = (batch.source, one["id"])
            self.ledger.sent.setdefault(key, one)
            self.ledger.variants[key].append(one)
        return list(batch.items)

    async def _post(
        self, session: aiohttp.ClientSession, address: str, batch: "Batch", items: Sequence[Json]
    ) -> tuple[int, Any]:
        body = orjson.dumps({"touchpoints": items}) if batch.raw is None else batch.raw
        headers = {"Authorization": f"Bearer {self.keys[batch.source]}", "Content-Type": "application/json"}
        self.ledger.counts["requests"] += 1
        status, answer = 0, None
        try:
            async with session.post(f"{address}/v1/touchpoints", data=body, headers=headers) as response:
                status, text = response.status, await response.read()
                answer = orjson.loads(text) if text else None
        except (aiohttp.ClientError, OSError, TimeoutError):
            status = 0
        self.ledger.counts[f"answered {status}" if status else "no answer"] += 1
        self.ledger.times.append((asyncio.get_running_loop().time(), status))
        return status, answer

    def _judged(self, batch: "Batch", items: list[Json], status: int, answer: Any) -> list[Json]:
        """Book the answer; what must be sent again."""
        if batch.raw is not None:
            return self._judged_poison(batch, items, status)
        results = answer.get("results") if isinstance(answer, dict) else None
        if status == 0 or results is None:
            if status and status < 500:
                self.ledger.strange.append(f"status {status} for a sound request: {str(answer)[:200]}")
            self.ledger.doubted |= {(batch.source, one["id"]) for one in items}
            return items
        left = []
        for one, result in zip(items, results, strict=True):
            key, said = (batch.source, one["id"]), result["status"]
            if said in {"accepted", "duplicate"}:
                self.ledger.acknowledged.add(key)
                self.ledger.counts["duplicate"] += said == "duplicate"
                if status not in {202, 207, 503}:
                    self.ledger.strange.append(f"accepted under status {status}")
            elif said == "rejected":
                self.ledger.refused.add(key)
            else:
                self.ledger.doubted.add(key)
                left.append(one)
        return left

    def _judged_poison(self, batch: "Batch", items: list[Json], status: int) -> list[Json]:
        if status == 0 or status >= 500:
            return items
        if 200 <= status < 300:
            self.ledger.strange.append(f"poison taken with status {status}: {batch.note}")
        self.ledger.counts["poison refused"] += 1
        return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One request: touchpoints of one source, or the bytes of one poison."""

    source: str
    items: tuple[Json, ...] = ()
    raw: bytes | None = None
    note: str = ""


def make_keys(database: str, sources: Sequence[str]) -> dict[str, str]:
    """A key for each source."""
    return {name: source_key(database, SourceSpec(name=name)) for name in sources}


def posted(sending: Sending) -> Json:
    """What a producer posts: the document without what only ingest may say."""
    document = orjson.loads(sending.value or b"{}")
    return {name: held for name, held in document.items() if name not in {"source", "received_at"}}


def _batches(sendings: Sequence[Sending]) -> list[Batch]:
    made: list[Batch] = []
    open_: defaultdict[str, list[Json]] = defaultdict(list)
    for sending in sendings:
        if sending.what is What.POISON:
            if sending.value and sending.note not in SOUND_BY_HTTP:
                made.append(Batch(source="intruder", raw=sending.value, note=sending.note))
            continue
        source = orjson.loads(sending.value or b"{}")["source"]
        open_[source].append(posted(sending))
        if len(open_[source]) >= BATCH:
            made.append(Batch(source=source, items=tuple(open_.pop(source))))
    return made + [Batch(source=source, items=tuple(items)) for source, items in open_.items()]
