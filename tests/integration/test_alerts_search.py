"""Issues are found by words and by what they are, over a real database and HTTP."""

from datetime import UTC, datetime

import pytest

from schemas.vocabulary import ServiceLevel
from tests.fixtures.alerts_engine import alerts_engine
from tests.fixtures.alerts_service import FrictionLog, a_friction, alerts
from tests.fixtures.clock import SteppingClock

pytestmark = pytest.mark.local


async def test_issues_are_found_by_words_and_by_what_they_are(database: str, friction_log: FrictionLog) -> None:
    late = a_friction(reason="delivery", service_level=ServiceLevel.PREMIUM, refs={"order_id": "A-5512"})
    async with alerts_engine(database, SteppingClock(datetime.now(UTC)), dispatching=False) as engine:
        await engine.take(late)
        await engine.take(a_friction(reason="billing", service_level=ServiceLevel.BASIC))
    async with alerts(database, friction_log) as api:
        (mine,) = await api.issues("&reason=delivery")
        found = {
            query: [one["id"] == mine["id"] for one in await api.issues(query)]
            for query in (
                *("&q=a-5512", "&q=DELIVERY", "&q=a-5512%20refund", f"&customer={mine['customer_id']}"),
                *("&service_level=premium", "&service_level=enhanced", "&snoozed=true", "&outbreaks=true"),
            )
        }
        assert len(await api.issues("&snoozed=false&outbreaks=false")) == 2
        await api.call("POST", f"/v1/issues/{mine['id']}/snooze", {"for_s": 3600}, role="agent")
        snoozed = await api.issues("&snoozed=true")
        counted = await api.call("GET", "/v1/issues/summary?snoozed=true&q=a-5512", role="reader")
        page = await api.call("GET", "/v1/issues?told=true", role="reader")

    assert list(found.values()) == [[True], [True], [], [True], [True], [], [], []]
    assert [one["id"] for one in snoozed] == [mine["id"]]
    assert counted["total"] == 1
    assert set(page["told"]) <= {one["id"] for one in page["issues"]}
