"""The inspector of one replica: its logbook, what it learns of the others' rejections, and both as people read them."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from services.ingest.inspector import masking
from services.ingest.inspector.logbook import Logbook, Turned
from services.ingest.inspector.others import Others
from services.ingest.inspector.query import Query, position
from services.ingest.inspector.rendering import Seen, render
from services.ingest.reasons import Refused
from services.ingest.wire.exchange import Call
from services.ingest.wording import Language

_ENCODER = msgspec.json.Encoder()

HEARTBEAT_S = 15.0
_LOOK_S = 1.0
_SETTLE_S = 0.2
_AT_ONCE = 50
"""A stream shows so many entries every 0.2 s, the newest; a busier source's are skipped, and counted for it."""


class Listing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer of `GET /v1/inspector`, newest first. `next` is the cursor for older ones."""

    entries: list[Seen]
    replica: str
    rejected_from: str
    taken_from: str = "this replica"
    next: str | None = None


@dataclass(slots=True, kw_only=True)
class Inspector:
    """Reads what was recorded. `closing` says that the process is about to end, and streams with it."""

    replica: str
    logbook: Logbook
    others: Others
    most_streams: int
    now: Callable[[], datetime]
    closing: Callable[[], bool] = field(default=lambda: False)
    streams: int = 0

    def witness(self, call: Call, refused: Refused) -> None:
        """Note a request that was refused as a whole."""
        source = call.source.name if call.source is not None else ""
        self.logbook.turned(
            source,
            self.now(),
            Turned(
                refusal=refused.refusal,
                status=refused.status,
                facts=refused.facts,
                route=call.route,
                content_type=_media_type(call.header(b"content-type")),
                content_length=_digits(call.header(b"content-length")),
            ),
        )

    @property
    def has_room(self) -> bool:
        """Whether one more stream may be opened."""
        return self.streams < self.most_streams

    async def listing(self, query: Query, language: Language) -> Listing:
        """Return the newest entries that the query wants."""
        if query.bad:
            await self.others.wanted()
        found: list[Seen] = []
        for page in self.logbook.pages(query.source, good=query.good, bad=query.bad):
            if query.reaches(page):
                found += [seen for seen in render(page, language, self.replica) if query.wants(seen)]
            if len(found) > query.limit:
                break
        shown = found[: query.limit]
        return Listing(
            entries=shown,
            replica=self.replica,
            rejected_from="all replicas" if self.others.caught_up else "this replica",
            next=shown[-1].cursor if len(found) > query.limit else None,
        )

    async def stream(self, query: Query, language: Language, last_event_id: str) -> AsyncGenerator[bytes]:
        """Yield server-sent events: what is recorded from now on, or after `last_event_id`; without an end."""
        self.streams += 1
        try:
            async for piece in self._events(query, language, last_event_id):
                yield piece
        finally:
            self.streams -= 1

    async def _events(self, query: Query, language: Language, last_event_id: str) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        since = self._since(last_event_id)
        yield b"retry: 2000\n\n"
        if last_event_id and since is None:
            yield b"event: resync\ndata: {}\n\n"  # another replica's id, or older than what is kept
        since = self.logbook.newest if since is None else since
        yield _event("ready", {"replica": self.replica}, f"{self.replica}-{since}-0")
        heard = loop.time()
        while not self.closing():
            self.others.keep()
            await self.logbook.changed(since, _LOOK_S)
            if self.logbook.newest == since:
                if loop.time() - heard >= HEARTBEAT_S:
                    heard = loop.time()
                    yield b": still here\n\n"
                continue
            await asyncio.sleep(_SETTLE_S)  # more may come at once; a busy source is looked at five times a second
            newest = self.logbook.newest
            for piece in self._fresh(query, language, since):
                heard = loop.time()
                yield piece
            since = newest
        yield b"event: bye\ndata: {}\n\n"

    def _fresh(self, query: Query, language: Language, since: int) -> list[bytes]:
        pages = self.logbook.pages(query.source, since=since, good=query.good, bad=query.bad)
        fresh: list[Seen] = []
        entries = 0
        for page in pages:
            entries += page.entries
            if len(fresh) < _AT_ONCE:
                fresh += [seen for seen in render(page, language, self.replica) if query.wants(seen)]
        skipped = max(0, entries - _AT_ONCE) if len(fresh) >= _AT_ONCE else 0
        pieces = [_event("skipped", {"about": skipped}, "")] if skipped else []
        return pieces + [_event(seen.outcome, seen, seen.cursor) for seen in reversed(fresh[:_AT_ONCE])]

    def _since(self, last_event_id: str) -> int | None:
        try:
            number, _ = position(last_event_id)
        except ValueError:
            return None
        if not last_event_id.startswith(f"{self.replica}-") or number > self.logbook.newest:
            return None
        return number


_MEDIA_TYPE = re.compile(r'[\w.+*-]{1,60}/[\w.+*-]{1,60}(?: *; *charset="?[\w-]{1,40}"?)?')


def _media_type(text: str) -> str:
    return text if _MEDIA_TYPE.fullmatch(text) else masking.shape(text)


def _digits(text: str) -> str:
    return text[:20] if text.isdigit() else ""


def _event(name: str, document: object, id_: str) -> bytes:
    head = f"id: {id_}\n" if id_ else ""
    return f"{head}event: {name}\ndata: ".encode() + _ENCODER.encode(document) + b"\n\n"
