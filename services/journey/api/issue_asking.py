"""Asks the alert service which issues of a customer are open: the read API's one call to another service.

It asks with the key of whoever asks us, so nobody learns more here than there. It takes at most a second, and where
nothing comes of it the customer is told all the same.
"""

import asyncio
from typing import Final
from uuid import UUID

import httpx2
import msgspec
from pydantic import ValidationError

from services.journey.read.views import IssueProvider, OpenIssuesView, OpenIssueView
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

MOST_ISSUES: Final = 20
"""How many open issues of one customer are told: the most urgent."""

_WITHIN_S: Final = 1.0
_PAUSE_S: Final = 3.0
"""Seconds without a request after a failure, so that readers do not wait for an outage again and again."""

_UNREACHABLE: Final = OpenIssuesView(issues=None, issues_from=IssueProvider.UNREACHABLE)
_NOT_SET_UP: Final = OpenIssuesView(issues=None, issues_from=IssueProvider.NOBODY)


class IssueAsking:
    """Asks the alert service at `url`; nobody if it is empty. `transport` is for tests."""

    def __init__(self, url: str, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._client = None
        if url:
            self._client = httpx2.AsyncClient(
                base_url=url.rstrip("/"), timeout=_WITHIN_S, trust_env=False, transport=transport
            )
        self._again_at = float("-inf")
        self._failing = ""

    async def of(self, customer: UUID, authorization: str) -> OpenIssuesView:
        """Return the open issues of a customer, the most urgent first, for whoever has this `authorization`."""
        if self._client is None:
            return _NOT_SET_UP
        now = asyncio.get_running_loop().time
        if now() < self._again_at:
            return _UNREACHABLE
        query = {"customer": str(customer), "state": "unresolved", "sort": "priority", "limit": str(MOST_ISSUES)}
        try:
            answer = await self._client.get("/v1/issues", params=query, headers={"authorization": authorization})
            if answer.status_code != 200:
                return self._failed(f"status {answer.status_code}")
            issues = [_view(one) for one in _PAGE.decode(answer.content).issues]
        except (httpx2.HTTPError, msgspec.DecodeError, ValidationError) as error:
            self._again_at = now() + _PAUSE_S
            return self._failed(type(error).__name__)
        self._failing = ""
        return OpenIssuesView(issues=issues, issues_from=IssueProvider.ALERTS)

    async def aclose(self) -> None:
        """Close the connections to the alert service."""
        if self._client is not None:
            await self._client.aclose()

    def _failed(self, reason: str) -> OpenIssuesView:
        if reason != self._failing:  # once an outage, not once a reader
            _log.warning("the alert service does not say which issues are open", reason=reason)
        self._failing = reason
        return _UNREACHABLE


class _ToldPriority(msgspec.Struct, frozen=True):
    score: int
    respond_by: str | None = None
    resolve_by: str | None = None


class _ToldIssue(msgspec.Struct, frozen=True):
    """What is told on of an issue; members that are not named here are left out."""

    id: str
    state: str
    severity: str
    title: dict[str, str]
    rules: list[str]
    count: int
    opened_at: str
    last_at: str
    journey_id: str | None = None
    team: str | None = None
    owner: str | None = None
    snoozed_until: str | None = None
    held_by: str | None = None
    quiet: bool = False
    priority: _ToldPriority | None = None


class _ToldPage(msgspec.Struct, frozen=True):
    issues: list[_ToldIssue]


_PAGE: Final = msgspec.json.Decoder(_ToldPage)


def _view(one: _ToldIssue) -> OpenIssueView:
    said = msgspec.structs.asdict(one)
    priority = said.pop("priority")
    urgency = {} if priority is None else msgspec.structs.asdict(priority)
    return OpenIssueView.model_validate({**said, "priority": urgency.pop("score", None), **urgency})
