"""The latest results and refusals of this replica, kept by reference in two bounded rings for each source.

One ring has accepted touchpoints, the other rejected ones and refused requests, so that the good touchpoints of a busy
source do not displace its bad ones. The hot path appends one page for each request; it copies, decodes and masks
nothing. The bytes as sent are kept for rejected touchpoints only.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

import msgspec

from schemas.documents.dead_letter import DeadLetterDocument
from services.ingest.reasons import ItemOutcome, RequestRefusal
from services.ingest.results.item_result import Facts, ItemResult
from services.runtime.kafka.record import ProducerRecord

_PAGE_BYTES = 400
_ENTRY_BYTES = 250
"""What a page, and each of its entries, weighs besides the bytes that it refers to (measured, rounded up)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogbookLimits:
    """How much is kept: entries and bytes of one ring, bytes of all together; 0 entries keeps nothing."""

    entries: int
    ring_bytes: int
    all_bytes: int


class RecordedResults(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The results of the touchpoints of one request. `written` are records by the position of their item."""

    results: Sequence[ItemResult]
    written: Mapping[int, ProducerRecord] = {}
    sent: Mapping[int, bytes] = {}


class RecordedRefusal(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A request that was refused as a whole."""

    refusal: RequestRefusal
    status: int
    facts: Facts
    route: str
    content_type: str
    content_length: str


class OtherReplicaRejection(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A touchpoint that another replica rejected, or this one before it was started again."""

    letter: DeadLetterDocument


class LogbookPage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one request, or one rejection, came to; `number` grows with every page of this replica."""

    number: int
    at: datetime
    source: str
    content: RecordedResults | RecordedRefusal | OtherReplicaRejection
    entries: int
    bytes: int


class _Ring:
    """The latest pages, so many entries and so many bytes of them; the latest one always."""

    __slots__ = ("bytes", "entries", "pages")

    def __init__(self) -> None:
        self.pages: deque[LogbookPage] = deque()
        self.entries = 0
        self.bytes = 0

    def append(self, page: LogbookPage, rules: LogbookLimits) -> int:
        """Add a page, and return how many bytes more are kept; fewer when others had to go."""
        before = self.bytes
        self.pages.append(page)
        self.entries += page.entries
        self.bytes += page.bytes
        while len(self.pages) > 1 and (self.entries > rules.entries or self.bytes > rules.ring_bytes):
            gone = self.pages.popleft()
            self.entries -= gone.entries
            self.bytes -= gone.bytes
        return self.bytes - before

    def after(self, number: int) -> Iterator[LogbookPage]:
        """Yield the pages after `number`, newest first."""
        return takewhile(lambda page: page.number > number, reversed(self.pages))


class _Shelf:
    """The two rings of one source."""

    __slots__ = ("bad", "good")

    def __init__(self) -> None:
        self.good = _Ring()
        self.bad = _Ring()

    @property
    def bytes(self) -> int:
        return self.good.bytes + self.bad.bytes


class Logbook:
    """The pages of all sources. `""` stands for requests whose source is not known."""

    def __init__(self, rules: LogbookLimits) -> None:
        self._rules = rules
        self._shelves: OrderedDict[str, _Shelf] = OrderedDict()
        self._bytes = 0
        self._number = 0
        self._watchers: set[asyncio.Event] = set()

    @property
    def weight(self) -> int:
        """The approximate bytes that the pages keep alive."""
        return self._bytes

    @property
    def watchers(self) -> int:
        """How many streams wait for the next page."""
        return len(self._watchers)

    @property
    def newest(self) -> int:
        """The number of the latest page."""
        return self._number

    def record_results(
        self,
        source: str,
        at: datetime,
        results: Sequence[ItemResult],
        written: Mapping[int, ProducerRecord],
        rejects: Mapping[int, bytes],
    ) -> None:
        """Record the results of a request; `rejects` are the bytes as sent of rejected touchpoints."""
        if not self._rules.entries:
            return
        if len(results) > len(rejects):
            weight = sum([len(record.value or b"") for record in written.values()])
            self._add(source, at, RecordedResults(results=results, written=written), len(results), weight, bad=False)
        if rejects:
            weight = sum(len(item) for item in rejects.values())
            self._add(source, at, RecordedResults(results=results, sent=rejects), len(rejects), weight, bad=True)

    def record_refusal(self, source: str, at: datetime, content: RecordedRefusal) -> None:
        """Record a request that was refused as a whole."""
        if self._rules.entries:
            self._add(source, at, content, 1, len(content.content_type), bad=True)

    def record_other_replica(self, letter: DeadLetterDocument) -> None:
        """Record a touchpoint that another replica rejected."""
        if self._rules.entries and letter.source is not None:
            weight = len(letter.value_base64)
            self._add(letter.source, letter.first_seen, OtherReplicaRejection(letter=letter), 1, weight, bad=True)

    def pages(self, source: str | None, *, since: int = 0, good: bool = True, bad: bool = True) -> list[LogbookPage]:
        """Return the pages after `since` of one source, or of all, newest first; a request can have two."""
        shelves = list(self._shelves.values()) if source is None else [self._shelves.get(source)]
        found: list[LogbookPage] = []
        for shelf in shelves:
            if shelf is not None:
                found += shelf.good.after(since) if good else ()
                found += shelf.bad.after(since) if bad else ()
        return sorted(found, key=lambda page: page.number, reverse=True)

    async def changed(self, since: int, within_s: float) -> None:
        """Wait until there is a page newer than `since`, or `within_s` is over."""
        if self._number > since:
            return
        event = asyncio.Event()
        self._watchers.add(event)
        try:
            async with asyncio.timeout(within_s):
                await event.wait()
        except TimeoutError:
            return
        finally:
            self._watchers.discard(event)

    def _add(
        self,
        source: str,
        at: datetime,
        content: RecordedResults | RecordedRefusal | OtherReplicaRejection,
        entries: int,
        weight: int,
        *,
        bad: bool,
    ) -> None:
        self._number += 1
        weight += _PAGE_BYTES + _ENTRY_BYTES * entries
        page = LogbookPage(number=self._number, at=at, source=source, content=content, entries=entries, bytes=weight)
        shelf = self._shelves.get(source)
        if shelf is None:
            shelf = self._shelves[source] = _Shelf()
        else:
            self._shelves.move_to_end(source)
        self._bytes += (shelf.bad if bad else shelf.good).append(page, self._rules)
        while self._bytes > self._rules.all_bytes and len(self._shelves) > 1:
            _, gone = self._shelves.popitem(last=False)
            self._bytes -= gone.bytes
        for event in self._watchers:
            event.set()


def outcomes(page: LogbookPage) -> Iterator[tuple[int, ItemOutcome | None]]:
    """Yield the positions of a page's entries with their outcomes; None for what was refused as a whole."""
    content = page.content
    if not isinstance(content, RecordedResults):
        yield 0, ItemOutcome.REJECTED if isinstance(content, OtherReplicaRejection) else None
        return
    for at, result in enumerate(content.results):
        if (result.outcome is ItemOutcome.REJECTED) == bool(content.sent):
            yield at, result.outcome
