"""Open issues of a customer: asked of the alert service with the reader's key, and left out where it says nothing."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import httpx2
import pytest

from services.alerts.api.views import IssuePageView, IssueView
from services.journey.api.issue_asking import IssueAsking
from services.journey.read.views import IssueProvider, OpenIssuesView

CUSTOMER = UUID("0d8c3b1e-8a8f-4f64-9a3a-0c2f0d1a7b11")
KEY = "Bearer wm_reader_x"

Answering = Callable[[httpx2.Request], httpx2.Response]

ISSUE: dict[str, Any] = {
    "id": "019a0000-0000-7000-8000-000000000001",
    "fingerprint": "f",
    "occurrence": 1,
    "version": 3,
    "state": "open",
    "severity": "high",
    "quiet": False,
    "title": {"en": "Contacted us again within a day", "ko": "하루 안에 다시 연락함"},
    "rules": ["repeat_contact_24h"],
    "customer_id": str(CUSTOMER),
    "team": "billing-ko",
    "count": 2,
    "first_at": "2026-11-22T00:15:00Z",
    "last_at": "2026-11-22T01:15:00Z",
    "opened_at": "2026-11-22T01:15:01Z",
    "updated_at": "2026-11-22T01:15:01Z",
    "priority": {"score": 72, "service_level": "premium", "respond_by": "2026-11-22T02:15:01Z"},
}


def _page(*issues: dict[str, Any]) -> dict[str, Any]:
    """A page as the alert service writes it."""
    page = IssuePageView(issues=[IssueView.model_validate(one) for one in issues])
    return page.model_dump(mode="json", exclude_none=True)


def _asking(answer: Answering) -> IssueAsking:
    return IssueAsking("http://alerts.test/", transport=httpx2.MockTransport(answer))


async def test_the_most_urgent_open_issues_are_asked_for_with_the_key_of_whoever_asks() -> None:
    asked: list[httpx2.Request] = []

    def alerts(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(200, json=_page(ISSUE))

    told = await _asking(alerts).of(CUSTOMER, KEY)
    assert told.issues_from is IssueProvider.ALERTS
    assert told.issues is not None
    (issue,) = told.issues
    assert (issue.severity, issue.priority, issue.team, issue.count) == ("high", 72, "billing-ko", 2)
    assert issue.respond_by is not None
    assert issue.resolve_by is None
    (request,) = asked
    assert request.headers["authorization"] == KEY
    query = {"customer": str(CUSTOMER), "state": "unresolved", "sort": "priority", "limit": "20"}
    assert (request.url.path, dict(request.url.params)) == ("/v1/issues", query)


async def test_nothing_open_is_something_else_than_nobody_to_ask() -> None:
    none_open = await _asking(lambda _: httpx2.Response(200, json=_page())).of(CUSTOMER, KEY)
    assert none_open == OpenIssuesView(issues=[], issues_from=IssueProvider.ALERTS)
    nobody = await IssueAsking("").of(CUSTOMER, KEY)
    assert nobody == OpenIssuesView(issues=None, issues_from=IssueProvider.NOBODY)


def _times_out(request: httpx2.Request) -> httpx2.Response:
    raise httpx2.ReadTimeout("no", request=request)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(_times_out, id="no answer in time"),
        pytest.param(lambda _: httpx2.Response(401, json={"code": "key_invalid"}), id="another key"),
        pytest.param(lambda _: httpx2.Response(503), id="away"),
        pytest.param(lambda _: httpx2.Response(200, text="<html>"), id="something else answers"),
        pytest.param(lambda _: httpx2.Response(200, json={"issues": [{"id": 1}]}), id="another shape"),
        pytest.param(
            lambda _: httpx2.Response(200, json={"issues": [_page(ISSUE)["issues"][0] | {"severity": "dire"}]}),
            id="a word that we do not know",
        ),
    ],
)
async def test_a_customer_is_told_without_issues_where_alerts_says_nothing_useful(answer: Answering) -> None:
    told = await _asking(answer).of(CUSTOMER, KEY)
    assert told == OpenIssuesView(issues=None, issues_from=IssueProvider.UNREACHABLE)


async def test_nobody_waits_for_an_outage_again_and_again() -> None:
    asked: list[httpx2.Request] = []

    def away(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return _times_out(request)

    asking = _asking(away)
    assert [(await asking.of(CUSTOMER, KEY)).issues_from for _ in range(3)] == [IssueProvider.UNREACHABLE] * 3
    assert len(asked) == 1


async def test_one_wrong_key_does_not_keep_others_from_asking() -> None:
    def alerts(request: httpx2.Request) -> httpx2.Response:
        right = request.headers["authorization"] == KEY
        return httpx2.Response(200, json=_page()) if right else httpx2.Response(401)

    asking = _asking(alerts)
    assert (await asking.of(CUSTOMER, "Bearer wm_reader_y")).issues_from is IssueProvider.UNREACHABLE
    assert (await asking.of(CUSTOMER, KEY)).issues_from is IssueProvider.ALERTS
