"""Play the hour: send each moment when its time comes, hear the alerts, and add up what was seen.

The hour that is played ends now: a touchpoint's `occurred_at` lies in the last sixty minutes, its sending is squeezed
into `Pace.play_s`. Rules see the true times. Only the promises that nobody kept (absence rules) wait until the stream
has passed them by `late_grace`, which the demo's stack sets to a little more than the length of the play: so every
follow-up of the hour has been heard before anybody is accused of having forgotten one.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median, quantiles
from typing import Any

import httpx2

from services.runtime.clock import Clock
from waymark.console import CommandError
from waymark.demo.cast import PlannedTouchpoint, coming_back
from waymark.demo.desk import SupportDesk
from waymark.demo.receiver import AlertReceiver, ReceivedAlert
from waymark.demo.retailer import HOUR_S, RetailHour, document
from waymark.demo.story import DemoStory

TICK_S = 0.1
LEADERS_AFTER_S = 15.0
"""The leaders are told of what nobody took for so long."""
QUIET_S = 4.0
"""With everything due heard, the story ends after this long without news."""


class DemoError(CommandError):
    """The demo could not be played; the text says what to look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoStage:
    """The running stack as addresses and keys. `source_keys` holds one key for each channel system."""

    ingest: str
    alerts: str
    admin_key: str
    source_keys: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPace:
    """How fast to play: `play_s` seconds for the hour, then up to `wait_s` for broken promises to be noticed."""

    play_s: float = 30.0
    wait_s: float = 60.0


@dataclass(slots=True)
class PlayCounts:
    """What was sent, and which alerts arrived. `missed` are the issues of broken promises."""

    accepted: int = 0
    missed: set[str] = field(default_factory=set)
    latencies_s: list[float] = field(default_factory=list)
    first_alert_at: datetime | None = None
    messages: dict[str, bytes] = field(default_factory=dict)
    """The first message of an outbreak (`outbreak`), and of each severity."""

    def latency_ms(self) -> tuple[float, float] | None:
        """Return p50 and p95 in milliseconds, or None where there are too few to speak of."""
        if len(self.latencies_s) < 20:
            return None
        return median(self.latencies_s) * 1000, quantiles(self.latencies_s, n=20)[18] * 1000


class DemoPlay:
    """One performance of an hour on a stage."""

    def __init__(
        self, stage: DemoStage, hour: RetailHour, story: DemoStory, clock: Clock, *, run: str, began: datetime
    ) -> None:
        self._stage = stage
        self._hour = hour
        self._story = story
        self._clock = clock
        self._run = run
        self._began = began
        self._accepted_at: dict[tuple[str, datetime], datetime] = {}
        self._last_news = clock.monotonic()
        self._on_first_alert: Callable[[datetime], None] = lambda _at: None
        self.tally = PlayCounts()
        self.receiver = AlertReceiver(clock, self._hear)
        self.leaders = AlertReceiver(clock, self._hear_as_leader)
        self.desk = SupportDesk(stage.alerts, stage.admin_key)
        self._returned = 0

    async def perform(self, pace: DemoPace, *, on_first_alert: Callable[[datetime], None]) -> PlayCounts:
        """Play to the end.

        Raises:
            DemoError: the stack refused a touchpoint or the endpoint.
        """
        self._on_first_alert = on_first_alert
        async with (
            self.receiver.listening() as port,
            self.leaders.listening() as leaders_port,
            httpx2.AsyncClient(timeout=20.0) as session,
        ):
            opened = [
                await self._open_endpoint(session, port, f"demo support team {self._run}", self.receiver),
                await self._open_endpoint(session, leaders_port, f"demo leaders {self._run}", self.leaders),
            ]
            route = await self._open_route(session, *opened)
            working = asyncio.create_task(self.desk.work(session), name="the support team")
            try:
                await self._send_all(session, pace)
                self._story.is_over()
                await self._come_back(session)
                await self._until_quiet(pace)
            finally:
                working.cancel()
                await self._close(session, route, opened)
            if working.done() and not working.cancelled():
                working.result()
        return self.tally

    async def _open_endpoint(self, session: httpx2.AsyncClient, port: int, name: str, receiver: AlertReceiver) -> str:
        url = f"http://127.0.0.1:{port}/alerts"
        body = {"name": name, "kind": "standard_webhook", "url": url, "catch_all": receiver is self.receiver}
        made = await self._administer(session, "POST", "/v1/endpoints", body)
        receiver.trust(str(made["secret"]))
        return str(made["id"])

    async def _open_route(self, session: httpx2.AsyncClient, desk: str, leaders: str) -> str:
        """Let the desk be told of everything, and the leaders of what nobody takes."""
        name = f"demo leaders {self._run}"
        steps = [{"after_s": LEADERS_AFTER_S, "endpoints": [leaders]}]
        await self._administer(session, "PUT", f"/v1/policies/{name}", {"steps": steps})
        route = {"name": f"demo {self._run}", "endpoints": [desk], "escalation": name}
        return str((await self._administer(session, "POST", "/v1/routes", route))["id"])

    async def _administer(self, session: httpx2.AsyncClient, method: str, path: str, body: object) -> Any:
        headers = {"authorization": f"Bearer {self._stage.admin_key}"}
        answer = await session.request(method, f"{self._stage.alerts}{path}", headers=headers, json=body)
        if answer.status_code not in {200, 201}:
            raise DemoError(f"alerts refused {method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json()

    async def _close(self, session: httpx2.AsyncClient, route: str, endpoints: Sequence[str]) -> None:
        """Remove what was added: the receivers end with the play, and what stays running would retry for days."""
        headers = {"authorization": f"Bearer {self._stage.admin_key}"}
        places = [f"routes/{route}", f"policies/demo leaders {self._run}", *(f"endpoints/{one}" for one in endpoints)]
        with suppress(httpx2.HTTPError):  # the stack may be what ended the play
            for place in places:
                await session.delete(f"{self._stage.alerts}/v1/{place}", params={"force": "true"}, headers=headers)

    async def _come_back(self, session: httpx2.AsyncClient) -> None:
        """Some of those whose issue the desk resolved call again about the same case."""
        at_s = (self._clock.now() - self._began) / timedelta(seconds=1)
        moments = [
            moment
            for issue in self.desk.returning()
            for moment in coming_back(str(issue["refs"]["case_id"]), str(issue["reason"]), at_s)
        ]
        self._returned = len(moments) // 2
        await self._send(session, len(self._hour.moments), moments)

    async def _send_all(self, session: httpx2.AsyncClient, pace: DemoPace) -> None:
        started = self._clock.monotonic()
        speed = HOUR_S / pace.play_s
        at = 0
        moments = self._hour.moments
        while at < len(moments):
            reached_s = (self._clock.monotonic() - started) * speed
            until = at
            while until < len(moments) and moments[until].at_s <= reached_s:
                until += 1
            await self._send(session, at, moments[at:until])
            at = until
            self._story.moved_to(min(reached_s, HOUR_S))
            await asyncio.sleep(TICK_S)
        self._story.moved_to(HOUR_S)

    async def _send(self, session: httpx2.AsyncClient, first: int, moments: Sequence[PlannedTouchpoint]) -> None:
        by_source: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for ordinal, moment in enumerate(moments, start=first):
            by_source[moment.source].append(document(moment, ordinal, run=self._run, began=self._began))
        await asyncio.gather(*(self._post(session, source, documents) for source, documents in by_source.items()))

    async def _post(self, session: httpx2.AsyncClient, source: str, documents: list[dict[str, Any]]) -> None:
        answer = await session.post(
            f"{self._stage.ingest}/v1/touchpoints",
            headers={"authorization": f"Bearer {self._stage.source_keys[source]}"},
            json={"touchpoints": documents},
        )
        if answer.status_code != 202:
            raise DemoError(f"ingest did not take touchpoints of {source}: {answer.status_code} {answer.text[:500]}")
        now = self._clock.now()
        for sent in documents:
            self._accepted_at[str(sent["channel"]), _instant(sent["occurred_at"])] = now
            self._story.accepted(str(sent["channel"]), 1)
        self.tally.accepted += len(documents)

    async def _until_quiet(self, pace: DemoPace) -> None:
        deadline = self._clock.monotonic() + pace.wait_s
        while self._clock.monotonic() < deadline:
            quiet = self._clock.monotonic() - self._last_news > QUIET_S
            if quiet and len(self.tally.missed) >= self._hour.visits.get("promise_broken", 0):
                return
            await asyncio.sleep(TICK_S)

    def _hear(self, alert: ReceivedAlert) -> None:
        self._last_news = self._clock.monotonic()
        if self.tally.first_alert_at is None:
            self.tally.first_alert_at = alert.received_at
            self._on_first_alert(alert.received_at)
        if "callback_missed" in alert.issue.get("rules", ()):
            self.tally.missed.add(str(alert.issue["id"]))
        self._time(alert)
        self._remember(alert)
        self.desk.hear(alert)
        self._story.hears(alert)

    def _hear_as_leader(self, _alert: ReceivedAlert) -> None:
        self._last_news = self._clock.monotonic()

    def _remember(self, alert: ReceivedAlert) -> None:
        """Keep the first messages of an outbreak and of a severe issue, to be shown at the end."""
        kind = "outbreak" if "outbreak" in alert.issue else str(alert.issue.get("severity"))
        if alert.kind == "issue.opened":
            self.tally.messages.setdefault(kind, alert.body)

    def _time(self, alert: ReceivedAlert) -> None:
        """Measure from the acceptance of the contact that completed a repeat; other news may be of something older."""
        issue = alert.issue
        if alert.kind == "issue.opened" and set(issue.get("rules", ())) == REPEATS:
            accepted = self._accepted_at.get((str(issue.get("channel")), _instant(str(issue["last_at"]))))
            if accepted is not None:
                self.tally.latencies_s.append((alert.received_at - accepted) / timedelta(seconds=1))


REPEATS = {"repeat_contact_24h", "repeat_contact_7d"}
"""Rules whose friction is complete with the first touchpoint of the second contact."""


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
