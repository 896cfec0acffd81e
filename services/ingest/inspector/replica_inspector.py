"""The inspector of one replica: lists and streams the entries of its logbook, with outcomes added later."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from schemas.languages import Language
from services.ingest.http.exchange import HttpRequest
from services.ingest.inspector import masking
from services.ingest.inspector.follow_up import (
    UNSETTLED,
    FollowUp,
    LaterOutcome,
    LaterOutcomeView,
    published_touchpoints,
)
from services.ingest.inspector.logbook import Logbook, RecordedRefusal
from services.ingest.inspector.other_replicas import OtherReplicas
from services.ingest.inspector.query import InspectorQuery, position
from services.ingest.inspector.rendering import EntryView, render
from services.ingest.reasons import RequestRefusedError

_ENCODER = msgspec.json.Encoder()

HEARTBEAT_S = 15.0
_LOOK_S = 1.0
_SETTLE_S = 0.2
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 15.0
_FOLLOWED = 200
_AT_ONCE = 50
"""A stream shows so many entries every 0.2 s, the newest; a busier source's are skipped, and counted for it."""


_Shown = tuple[EntryView, bytes | None]
"""An entry, and the touchpoint as it was published where it is an accepted one."""


class LaterOutcomeEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A later outcome of an entry that was shown before."""

    cursor: str
    source: str
    id: str | None
    later: LaterOutcomeView


class _OutcomeWatch:
    """The latest entries of one stream whose outcomes are not final yet."""

    def __init__(self, follow_up: FollowUp, language: Language) -> None:
        self._follow_up = follow_up
        self._language = language
        self._open: dict[str, _Shown] = {}
        self._told: dict[str, LaterOutcome] = {}
        self._ask_at = float("-inf")
        self._pause_s = _FIRST_PAUSE_S

    def show(self, shown: Sequence[_Shown]) -> None:
        """Note entries that are shown, newest first."""
        fresh = {seen.cursor: (seen, touchpoint) for seen, touchpoint in reversed(shown) if touchpoint is not None}
        if fresh:
            self._pause_s = _FIRST_PAUSE_S
        self._open |= fresh
        for cursor in list(self._open)[:-_FOLLOWED]:
            self._forget(cursor)

    async def outcome_events(self, now: float) -> list[bytes]:
        """Return events for entries with a new outcome; asks for outcomes at growing intervals."""
        if not self._open or now < self._ask_at:
            return []
        asked = {cursor: touchpoint for cursor, (_, touchpoint) in self._open.items() if touchpoint is not None}
        found = await self._follow_up.of(asked, self._language)
        pieces = []
        for cursor, later in found.items():
            seen, _ = self._open[cursor]
            if self._told.get(cursor) is not later.outcome:
                self._told[cursor] = later.outcome
                pieces.append(
                    _event("later", LaterOutcomeEvent(cursor=cursor, source=seen.source, id=seen.id, later=later), "")
                )
            if later.outcome not in UNSETTLED:
                self._forget(cursor)
        self._pause_s = _FIRST_PAUSE_S if pieces else min(self._pause_s * 2, _LONGEST_PAUSE_S)
        self._ask_at = now + self._pause_s
        return pieces

    def _forget(self, cursor: str) -> None:
        self._open.pop(cursor, None)
        self._told.pop(cursor, None)


class ListingView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer of `GET /v1/inspector`, newest first. `next` is the cursor for older ones."""

    entries: list[EntryView]
    replica: str
    rejected_from: str
    later_from: str
    taken_from: str = "this replica"
    next: str | None = None


@dataclass(slots=True, kw_only=True)
class Inspector:
    """Reads what was recorded. `closing` says that the process is about to end, and streams with it."""

    replica: str
    logbook: Logbook
    other_replicas: OtherReplicas
    follow_up: FollowUp
    most_streams: int
    now: Callable[[], datetime]
    closing: Callable[[], bool] = field(default=lambda: False)
    streams: int = 0

    def record_refusal(self, request: HttpRequest, refused: RequestRefusedError) -> None:
        """Note a request that was refused as a whole."""
        source = request.source.name if request.source is not None else ""
        self.logbook.record_refusal(
            source,
            self.now(),
            RecordedRefusal(
                refusal=refused.refusal,
                status=refused.status,
                facts=refused.facts,
                route=request.route,
                content_type=_media_type(request.header(b"content-type")),
                content_length=_digits(request.header(b"content-length")),
            ),
        )

    @property
    def has_room(self) -> bool:
        """Whether one more stream may be opened."""
        return self.streams < self.most_streams

    async def listing(self, query: InspectorQuery, language: Language) -> ListingView:
        """Return the newest entries that the query wants."""
        if query.bad:
            await self.other_replicas.catch_up()
        found: list[EntryView] = []
        published: dict[str, bytes] = {}
        for page in self.logbook.pages(query.source, good=query.good, bad=query.bad):
            if query.reaches(page):
                found += [seen for seen in render(page, language, self.replica) if query.wants(seen)]
                published |= published_touchpoints(page, self.replica)
            if len(found) > query.limit:
                break
        shown = found[: query.limit]
        asked = {seen.cursor: published[seen.cursor] for seen in shown if seen.cursor in published}
        later = await self.follow_up.of(asked, language)
        return ListingView(
            entries=[msgspec.structs.replace(seen, later=later.get(seen.cursor)) for seen in shown],
            replica=self.replica,
            later_from=self.follow_up.source,
            rejected_from="all replicas" if self.other_replicas.caught_up else "this replica",
            next=shown[-1].cursor if len(found) > query.limit else None,
        )

    async def stream(self, query: InspectorQuery, language: Language, last_event_id: str) -> AsyncGenerator[bytes]:
        """Yield server-sent events: what is recorded from now on, or after `last_event_id`; without an end."""
        self.streams += 1
        try:
            async for piece in self._events(query, language, last_event_id):
                yield piece
        finally:
            self.streams -= 1

    async def _events(self, query: InspectorQuery, language: Language, last_event_id: str) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        since = self._since(last_event_id)
        yield b"retry: 2000\n\n"
        if last_event_id and since is None:
            yield b"event: resync\ndata: {}\n\n"  # another replica's id, or older than what is kept
        since = self.logbook.newest if since is None else since
        watch = _OutcomeWatch(self.follow_up, language)
        watch.show(self._shown(query, language, 0)[0][:_AT_ONCE])
        yield _event("ready", {"replica": self.replica}, f"{self.replica}-{since}-0")
        sent_at = loop.time()
        while not self.closing():
            self.other_replicas.keep_reading()
            await self.logbook.changed(since, _LOOK_S)
            if self.logbook.newest != since:
                await asyncio.sleep(_SETTLE_S)  # more may come at once; a busy source is looked at five times a second
                newest = self.logbook.newest
                fresh, skipped = self._shown(query, language, since)
                watch.show(fresh)
                pieces = [_event("skipped", {"about": skipped}, "")] if skipped else []
                pieces += [_event(seen.outcome, seen, seen.cursor) for seen, _ in reversed(fresh)]
                since = newest
            else:
                pieces = []
            pieces += await watch.outcome_events(loop.time())
            for piece in pieces:
                sent_at = loop.time()
                yield piece
            if loop.time() - sent_at >= HEARTBEAT_S:
                sent_at = loop.time()
                yield b": still here\n\n"
        yield b"event: bye\ndata: {}\n\n"

    def _shown(self, query: InspectorQuery, language: Language, since: int) -> tuple[list[_Shown], int]:
        """Return the newest entries after `since`, newest first, and about how many more there are."""
        fresh: list[_Shown] = []
        entries = 0
        for page in self.logbook.pages(query.source, since=since, good=query.good, bad=query.bad):
            entries += page.entries
            if len(fresh) < _AT_ONCE:
                published = published_touchpoints(page, self.replica)
                seen = (one for one in render(page, language, self.replica) if query.wants(one))
                fresh += [(one, published.get(one.cursor)) for one in seen]
        return fresh[:_AT_ONCE], max(0, entries - _AT_ONCE) if len(fresh) >= _AT_ONCE else 0

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
