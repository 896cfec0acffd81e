"""kill -9 of the real process while everything waits, and again as the waits end: none forgotten, none told twice."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiohttp import web

from schemas.documents.friction import FrictionDocument, FrictionDocumentState
from schemas.vocabulary import Severity
from tests.fixtures.alerts_service import (
    AlertsClient,
    FrictionLog,
    ReceivedCall,
    Receiver,
    a_friction,
    a_receiver,
    again,
    alerts_process,
    client_of,
    rows,
)
from tests.waiting import until
from waymark.alerts.policy_in_force import apply_file

pytestmark = [pytest.mark.local, pytest.mark.timeout(240)]

SEOUL = ZoneInfo("Asia/Seoul")
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
POLICY = """
route:
  routes:
    - {name: hours, matchers: [reason=hours], endpoints: [desk], active_time_intervals: [business]}
    - {name: group, matchers: [reason=group], endpoints: [desk], group_by: [reason], group_wait: 1h}
    - {name: half, matchers: [reason=half], endpoints: [desk], group_by: [reason], group_wait: 30m}
    - {name: repeat, matchers: [reason=repeat], endpoints: [desk], repeat_interval: [1h, 48h]}
    - {name: escalated, matchers: [reason=escalated], endpoints: [desk], escalation: leaders}
    - {name: retry, matchers: [reason=retry], endpoints: [sick]}
    - {name: desk, endpoints: [desk]}
escalations: [{name: leaders, steps: [{after: 1h, endpoints: [desk]}]}]
inhibit_rules:
  - {source_matchers: [rule=outage], target_matchers: [rule!=outage], equal: [reason]}
time_intervals:
  - name: business
    time_intervals:
      - {weekdays: [monday:friday], times: [{start_time: "09:00", end_time: "18:00"}], location: Asia/Seoul}
"""
SURGE = 14
WAITS = ("silence", "inhibition", "snooze", "hours", "group", "repeat", "escalated", "retry")
AT_FIRST = {
    ("inhibition", "issue.opened", "first"): 1,
    ("snooze", "issue.opened", "first"): 1,
    ("repeat", "issue.opened", "first"): 1,
    ("escalated", "issue.opened", "first"): 1,
    ("retry", "issue.opened", "first"): 1,
}
AT_THE_END = {
    ("hours", "issue.opened", "first"): 1,
    ("silence", "issue.opened", "first"): 1,
    ("inhibition", "issue.opened", "first"): 1,
    ("inhibition", "issue.resolved", "withdrawn"): 1,
    ("group", "group.firing", "first"): 1,
    ("repeat", "issue.updated", "repeated"): 1,
    ("escalated", "issue.updated", "escalated"): 1,
    ("snooze", "issue.updated", "severity_raised"): 1,
}
IN_FLIGHT = 32
"""Requests that one process has under way at most (`WAYMARK_ALERTS_IN_FLIGHT`)."""


def monday_at_eight() -> datetime:
    """The next one in Seoul: an hour before the desk opens."""
    now = datetime.now(SEOUL)
    day = (now + timedelta(days=7 - now.weekday())).replace(hour=8, minute=0, second=0, microsecond=0)
    return day.astimezone(UTC)


@dataclass(frozen=True, kw_only=True)
class Ward:
    """The house of one test: its database and log, the desk and what it was told, and the time at which all begins."""

    database: str
    log: FrictionLog
    folder: Path
    desk: Receiver
    sick: Receiver
    begins: datetime = field(default_factory=monday_at_eight)

    @asynccontextmanager
    async def life(self, after: timedelta, **more: str) -> AsyncIterator[tuple[Any, AlertsClient]]:
        """A process that starts so long after the beginning; it is killed at the end of the block at the latest."""
        ahead = self.begins + after - datetime.now(UTC)
        more = {"WAYMARK_ALERTS_OUTBREAKS": "*=off, surge=10x4", "CLOCK_AHEAD_S": str(ahead.total_seconds())} | more
        async with (
            alerts_process(self.database, self.log, self.folder, **more) as (process, base),
            client_of(base, self.database) as api,
        ):
            yield process, api
            process.kill()

    def told(self, reasons: Sequence[str] = WAITS) -> Counter[tuple[str, str, str]]:
        """What was told of the issues with these reasons, each message once: reason of the issue, type, why."""
        calls = {call.webhook_id: call for call in (*self.desk.calls, *self.sick.calls)}.values()
        found = ((_reason(call), call.type, str(call.document["reason"])) for call in calls)
        return Counter(one for one in found if one[0] in reasons)

    def repeated(self) -> int:
        """How many requests came again under an id that the desk had taken."""
        ids = [call.webhook_id for call in self.desk.calls]
        return len(ids) - len(set(ids))


def _reason(call: ReceivedCall) -> str:
    """The reason of the issue or group that a message is about; that of an outbreak is its rule's."""
    data = call.document["data"]
    if "group" in data:
        return str(data["group"]["labels"]["reason"])
    return str(data.get("reason"))


def friction(ward: Ward, reason: str, **members: Any) -> FrictionDocument:
    at = ward.begins - MINUTE
    return a_friction(**{"reason": reason, "occurred_at": at, "detected_at": ward.begins} | members)


async def begin(ward: Ward, api: AlertsClient, outage: FrictionDocument) -> None:
    """Let everything begin to wait."""
    await api.endpoint(ward.desk.url, name="desk", catch_all=False)
    await api.endpoint(ward.sick.url, name="sick", catch_all=False)
    file = ward.folder / "policy.yaml"
    file.write_text(POLICY)
    await asyncio.to_thread(apply_file, ward.database, file, note="", now=ward.begins)
    hour = HOUR.total_seconds()
    await api.call(
        "POST", "/v1/silences", {"matchers": ["reason=silence"], "for_s": hour, "comment": "planned"}, expect=201
    )
    snoozed = friction(ward, "snooze", severity=Severity.MEDIUM)
    early = friction(ward, "early", rule="surge", occurred_at=ward.begins - 2 * HOUR)
    await ward.log.write([outage, snoozed, early])
    await ward.log.write([friction(ward, name) for name in WAITS if name not in {"inhibition", "snooze"}])
    await ward.log.write([friction(ward, "half")])
    issue = await until(lambda: _issue(api, "snooze"), within=60)
    await api.call("POST", f"/v1/issues/{issue}/snooze", {"for_s": hour})
    await until(lambda: _issue(api, "inhibition"), within=60)
    await ward.log.write([friction(ward, "inhibition"), again(snoozed, severity=Severity.HIGH)])
    await ward.log.write([friction(ward, "surge", rule="surge", occurred_at=ward.begins) for _ in range(SURGE)])
    await until(lambda: _all_there(api), within=60)
    await until(lambda: ward.told() == AT_FIRST, within=60)


async def _issue(api: AlertsClient, reason: str) -> str | None:
    return next((str(issue["id"]) for issue in await api.issues() if issue["reason"] == reason), None)


async def _all_there(api: AlertsClient) -> bool:
    issues = await api.issues()
    surge = [issue for issue in issues if issue["reason"] == "surge" and issue.get("customer_id")]
    worse = any(issue["reason"] == "snooze" and issue["severity"] == "high" for issue in issues)
    held = sum(issue["reason"] == "inhibition" for issue in issues) == 2
    outbreaks = [issue for issue in issues if issue.get("outbreak")]
    return worse and held and len(surge) == SURGE and len(outbreaks) == 1


def surge_told(ward: Ward) -> Counter[str]:
    """How often each customer's issue of the outbreak was told as new."""
    calls = {call.webhook_id: call for call in ward.desk.calls}.values()
    own = (call.issue for call in calls if call.type == "issue.opened" and call.issue.get("customer_id"))
    return Counter(str(issue["id"]) for issue in own if issue["reason"] == "surge")


async def test_everything_that_waits_outlives_the_kills(
    database: str, friction_log: FrictionLog, tmp_path: Path
) -> None:
    ill = True

    async def unwell(_call: ReceivedCall) -> web.StreamResponse:
        if ill:
            return web.Response(status=503, headers={"Retry-After": str(int(HOUR.total_seconds()))})
        return web.Response()

    async with a_receiver() as desk, a_receiver(unwell) as sick:
        ward = Ward(database=database, log=friction_log, folder=tmp_path, desk=desk, sick=sick)
        outage = friction(ward, "inhibition", rule="outage")
        async with ward.life(timedelta(0)) as (_, api):
            await begin(ward, api, outage)

        async with ward.life(57 * MINUTE):  # nothing of an hour is due; what is due shows that it was looked for
            await until(lambda: ward.told(["half"]), within=60)
            await until(lambda: len(surge_told(ward)) >= 10, within=60)
        before_the_end = ward.told()

        ill = False
        await friction_log.write([again(outage, state=FrictionDocumentState.RETRACTED)])
        seen = len(desk.calls)
        async with ward.life(61 * MINUTE) as (process, _):  # dies as soon as the first of them is on its way
            await until(lambda: len(desk.calls) > seen, within=60)
            os.kill(process.pid, signal.SIGKILL)

        async with ward.life(75 * MINUTE), ward.life(75 * MINUTE):  # two; a pause of an hour may last a fifth longer
            expected = Counter(AT_FIRST) + Counter(AT_THE_END)
            await until(lambda: ward.told() >= expected, within=60)
            await until(lambda: len(surge_told(ward)) == SURGE, within=60)
            await friction_log.write([friction(ward, "last", occurred_at=ward.begins + HOUR)])
            await until(lambda: ward.told(["last"]), within=60)
            await until(lambda: _everything_delivered(database), within=60)

    assert before_the_end == AT_FIRST
    assert ward.told() == expected
    assert set(surge_told(ward).values()) == {1}
    assert ward.repeated() <= IN_FLIGHT
    assert len(sick.calls) >= 2
    assert {call.webhook_id for call in sick.calls} == {sick.calls[-1].webhook_id}, "the same message, again"


async def _everything_delivered(database: str) -> bool:
    async with rows(database) as connection:
        left = await connection.fetchval("SELECT count(*) FROM alerts.deliveries WHERE state <> 'delivered'")
        return int(left) == 0
