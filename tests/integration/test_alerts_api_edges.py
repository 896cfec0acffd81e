"""The API at its edges, over a real database: NUL, cursors of other lists, the end of the calendar, names twice."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.fixtures.alerts_service import FrictionLog, a_friction, a_receiver, alerts
from tests.integration.test_alerts_api import seeded
from tests.waiting import until

pytestmark = pytest.mark.local


@pytest.mark.parametrize(
    "query",
    [
        *("rule=%00", "channel=%00", "customer=a%00b", "team=%00"),
        *("cursor=%00", f"cursor={'9' * 40}", "cursor=MSAy", "cursor=aXNzdWVzIDEgeA"),
    ],
)
async def test_a_query_that_no_row_can_answer_is_refused(database: str, friction_log: FrictionLog, query: str) -> None:
    async with alerts(database, friction_log) as api:
        problem = await api.call("GET", f"/v1/issues?{query}", role="reader", expect=422)
        assert problem["code"] in {"invalid_request", "cursor_invalid"}


async def test_a_cursor_of_another_list_is_refused(database: str, friction_log: FrictionLog) -> None:
    await seeded(database, a_friction(), a_friction())
    async with a_receiver() as receiver, alerts(database, friction_log) as api:
        endpoint = await api.endpoint(receiver.url)
        await friction_log.write([a_friction(), a_friction()])
        await until(lambda: receiver.got(2))
        issues, deliveries = "/v1/issues", f"/v1/endpoints/{endpoint['id']}/deliveries"
        of_issues, of_deliveries = [
            (await api.call("GET", f"{at}?limit=1"))["next_cursor"] for at in (issues, deliveries)
        ]
        assert (await api.call("GET", f"{issues}?cursor={of_deliveries}", expect=422))["code"] == "cursor_invalid"
        assert (await api.call("GET", f"{deliveries}?cursor={of_issues}", expect=422))["code"] == "cursor_invalid"
        assert len((await api.call("GET", f"{deliveries}?cursor={of_deliveries}"))["deliveries"]) == 1


async def test_a_snooze_ends_within_a_year_and_within_the_calendar(database: str, friction_log: FrictionLog) -> None:
    await seeded(database, a_friction())
    async with alerts(database, friction_log) as api:
        [issue] = await api.issues()
        target = f"/v1/issues/{issue['id']}/snooze"
        for until_then in ("9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59Z", "2199-01-01T00:00:00+09:00"):
            problem = await api.call("POST", target, {"until": until_then}, role="agent", expect=422)
            assert problem["code"] in {"invalid_request", "snooze_too_long"}
        past = await api.call("POST", target, {"until": "0001-01-02T00:00:00+14:00"}, role="agent", expect=409)
        in_march = (datetime.now(UTC) + timedelta(days=90)).isoformat()
        snoozed = await api.call("POST", target, {"until": in_march}, role="agent")
    assert past["code"] == "snooze_in_the_past"
    assert datetime.fromisoformat(snoozed["snoozed_until"]) == datetime.fromisoformat(in_march)


async def test_a_team_is_not_renamed_to_the_name_of_another(database: str, friction_log: FrictionLog) -> None:
    async with alerts(database, friction_log) as api:
        await api.call("POST", "/v1/teams", {"name": "billing"})
        team = await api.call("POST", "/v1/teams", {"name": "returns"})
        problem = await api.call("PATCH", f"/v1/teams/{team['id']}", {"name": "billing"}, expect=409)
        assert problem["code"] == "team_exists"
        assert (await api.call("PATCH", f"/v1/teams/{team['id']}", {"name": "returns"}))["name"] == "returns"


async def test_null_in_a_change_of_an_endpoint_leaves_the_member_beside_its_team_too(
    database: str, friction_log: FrictionLog
) -> None:
    async with a_receiver() as receiver, alerts(database, friction_log) as api:
        endpoint = await api.endpoint(receiver.url)
        nothing = {"team_id": None, "url": None, "name": None}
        changed = await api.call("PATCH", f"/v1/endpoints/{endpoint['id']}", nothing)
        assert (changed["url"], changed["name"]) == (endpoint["url"], endpoint["name"])
