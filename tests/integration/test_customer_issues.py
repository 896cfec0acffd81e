"""A customer comes with the open issues, which the alert service is asked for with the reader's own key."""

from urllib.parse import quote

import httpx2
import pytest

from services.journey.api.issue_asking import IssueAsking
from services.runtime.postgres.pools import Pool
from tests.fixtures.journey_api import caller_with_key
from tests.fixtures.journey_rows import Rows, named

pytestmark = pytest.mark.local

ADDRESS = f"/v1/customers/{quote('phone:010-1234-5678', safe=':')}"


@pytest.fixture(autouse=True)
async def minseo(journey_rows: Rows) -> None:
    await journey_rows.customer("minseo")
    await journey_rows.identifier("minseo", "phone", "+821012345678")
    await journey_rows.touchpoint("minseo", "call-1", 0)


async def test_open_issues_come_from_alerts_asked_with_the_same_key(pool: Pool) -> None:
    asked: list[httpx2.Request] = []

    def alerts(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(200, json={"issues": []})

    async with caller_with_key(pool, IssueAsking("http://alerts.test", httpx2.MockTransport(alerts))) as caller:
        told = (await caller.get(ADDRESS)).json()
    assert (told["issues_from"], told["issues"]) == ("alerts", [])
    (request,) = asked
    assert request.headers["authorization"] == caller.headers["authorization"]
    assert request.url.params["customer"] == str(named("minseo"))


async def test_how_it_stood_then_has_no_issues_for_they_are_about_now(pool: Pool) -> None:
    def alerts(request: httpx2.Request) -> httpx2.Response:
        pytest.fail("nobody is asked")

    async with caller_with_key(pool, IssueAsking("http://alerts.test", httpx2.MockTransport(alerts))) as caller:
        then = (await caller.get(ADDRESS, params={"as_of": "2026-11-30T00:00:00Z"})).json()
    assert not {"issues", "issues_from"} & then.keys()


async def test_without_an_alert_service_it_says_so(reader: httpx2.AsyncClient) -> None:
    told = (await reader.get(ADDRESS)).json()
    assert told["issues_from"] == "not_set_up"
    assert "issues" not in told
