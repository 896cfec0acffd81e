"""The support team of the demo: takes issues, leaves some, resolves some with an outcome, as people do.

What it does follows from the order in which issues are heard, so that one story has one day.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from waymark.demo.receiver import ReceivedAlert

LEFT = 6
"""Every sixth issue is left: the leaders are told of it."""
RESOLVED = 3
"""Every third of those that are taken is resolved at once."""
RETURNING = 3
"""So many of those resolved are of customers who come back."""

RESOLUTIONS: tuple[Mapping[str, Any], ...] = (
    {"resolution": "called_back"},
    {"resolution": "compensated", "gesture": {"kind": "voucher", "amount": 5000, "currency": "KRW"}},
    {"resolution": "fixed"},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskPlan:
    """What the team does about an issue: takes it or leaves it, and resolves it in this way or not yet."""

    takes: bool
    resolution: Mapping[str, Any] | None


def plan_of(number: int, *, outbreak: bool) -> DeskPlan:
    """Return what is done about the issue that was heard as the `number`-th, from 1; an outbreak is taken."""
    if outbreak:
        return DeskPlan(takes=True, resolution=None)
    if number % LEFT == 0:
        return DeskPlan(takes=False, resolution=None)
    resolves = number % RESOLVED == 1
    chosen = RESOLUTIONS[number // RESOLVED % len(RESOLUTIONS)] if resolves else None
    return DeskPlan(takes=True, resolution=chosen)


class SupportDesk:
    """Works through what it hears, one issue after the other, until it is cancelled."""

    def __init__(self, alerts: str, key: str) -> None:
        self._alerts = alerts
        self._headers = {"authorization": f"Bearer {key}"}
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.resolved: list[dict[str, Any]] = []
        self.refused = 0
        self.idle = False
        """Whether everything that was heard is done."""

    def hear(self, alert: ReceivedAlert) -> None:
        """Note a new issue; further news of it changes nothing."""
        if alert.kind == "issue.opened":
            self._inbox.put_nowait(alert.issue)

    async def work(self, session: httpx2.AsyncClient) -> None:
        """Take and resolve what comes."""
        number = 0
        while True:
            self.idle = self._inbox.empty()
            issue = await self._inbox.get()
            self.idle = False
            outbreak = "outbreak" in issue
            number += not outbreak
            plan = plan_of(number, outbreak=outbreak)
            if plan.takes:
                await self._act(session, issue, "acknowledge", {})
            if plan.resolution is not None and await self._act(session, issue, "resolve", plan.resolution):
                self.resolved.append(issue)

    async def _act(
        self, session: httpx2.AsyncClient, issue: Mapping[str, Any], action: str, body: Mapping[str, Any]
    ) -> bool:
        """Return whether it was done; what closed by itself meanwhile is no mistake."""
        url = f"{self._alerts}/v1/issues/{issue['id']}/{action}"
        answer = await session.post(url, headers=self._headers, json=dict(body))
        done = answer.status_code == 200
        self.refused += not done and answer.status_code != 409
        return done

    def returning(self) -> list[dict[str, Any]]:
        """Return the resolved issues whose customers come back: those about a case."""
        return [issue for issue in self.resolved if "case_id" in issue.get("refs", {})][:RETURNING]
