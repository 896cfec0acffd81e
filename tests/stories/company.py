"""A company with Waymark in one process: ingest at its ASGI interface, the worker and the alert service in memory."""

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from schemas.documents import touchpoint as touchpoint_v1
from services.alerts.issues.model import Issue
from services.alerts.notify.notification import Notification
from services.ingest.sources.source import Source
from services.runtime.kafka.record import ProducerRecord
from tests.fixtures.clock import SteppingClock
from tests.fixtures.ingest_bench import IngestBench, Response
from tests.stories.alert_tables import AlertTables
from tests.stories.journey_tables import JourneyTables

SEOUL = timezone(timedelta(hours=9))


def at(clock_time: str, day: int = 22) -> datetime:
    """Return `clock_time` in Seoul on a day of November 2026."""
    hour, minute = map(int, clock_time.split(":"))
    return datetime(2026, 11, day, hour, minute, tzinfo=SEOUL)


class Company:
    """Follows every touchpoint to the end; time is what the touchpoints say."""

    def __init__(self) -> None:
        self.clock = SteppingClock(at("00:00", day=20))
        self.ingest = IngestBench(clock=self.clock)
        self.journey = JourneyTables(self.clock)
        self.alerts = AlertTables(self.clock)
        self._keys: dict[str, str] = {}
        self._carried = 0

    async def hears(
        self, source: str, kind: str, when: datetime, *, arrives: datetime | None = None, **members: Any
    ) -> list[Notification]:
        """Take in one touchpoint that happened at `when`, and return what people are to be told because of it."""
        self.clock.set(arrives or when)
        posted = {"kind": kind, "occurred_at": when.isoformat(), **members}
        answer = await self.post(source, posted)
        assert answer.status == 202, answer.body
        return self.alerts.apply(self.follow())

    async def post(self, source: str, posted: Mapping[str, Any], **headers: str) -> Response:
        """Send one touchpoint to ingest with the key of `source`."""
        if source not in self._keys:
            self._keys[source] = self.ingest.keys.add(Source(name=source)).text
        return await self.ingest.post(dict(posted), authorization=f"Bearer {self._keys[source]}", **headers)

    def carry(self) -> list[ProducerRecord]:
        """Append to the log what ingest published since last time, and return it."""
        published = [one for one in self.ingest.publisher.records if one.topic == touchpoint_v1.TOPIC]
        fresh = published[self._carried :]
        self._carried = len(published)
        for record in fresh:
            self.journey.append(record)
        return fresh

    def follow(self) -> list[ProducerRecord]:
        """Let the worker read what ingest published, and return the frictions that it publishes."""
        self.carry()
        return self.journey.read_on()

    def reaches(self, moment: datetime) -> list[Notification]:
        """Let time pass with nothing left unread, and return what people are to be told because of it."""
        self.clock.set(moment)
        return self.alerts.apply(self.journey.stream_passes(moment))

    def issue(self) -> Issue:
        """Return the only issue there is, as it stands."""
        (issue,) = self.alerts.issues
        return issue
