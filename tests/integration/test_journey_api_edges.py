"""The read API at its edges, over a real database: the ends of the calendar, cursors that somebody made, HEAD."""

import httpx2
import pytest

from services.journey.read import cursors
from services.journey.read.timeline import TimelineOrder, TimeSpan
from tests.fixtures.journey_rows import Rows, named

pytestmark = pytest.mark.local

CUSTOMER = "/v1/customers/phone:%2B821012345678"
TIMELINE = f"{CUSTOMER}/timeline"


async def a_caller(journey_rows: Rows) -> None:
    await journey_rows.customer("caller")
    await journey_rows.identifier("caller", "phone", "+821012345678", verified=True)
    await journey_rows.touchpoint("caller", "call-1", 0)
    await journey_rows.touchpoint("caller", "call-2", 30)


@pytest.mark.parametrize(
    "query",
    [
        {"from": "0001-01-01T00:00:00+14:00"},
        {"to": "9999-12-31T23:59:59-14:00"},
        {"from": "9999-12-31T23:59:59.999999-00:01"},
    ],
)
async def test_a_time_that_has_no_form_in_utc_is_refused(
    reader: httpx2.AsyncClient, journey_rows: Rows, query: dict[str, str]
) -> None:
    await a_caller(journey_rows)
    answer = await reader.get(TIMELINE, params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    journeys = await reader.get("/v1/journeys", params={"updated_since": next(iter(query.values()))})
    assert journeys.status_code == 422


async def test_the_first_and_the_last_time_in_utc_are_taken(reader: httpx2.AsyncClient, journey_rows: Rows) -> None:
    await a_caller(journey_rows)
    query = {"from": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59.999999Z"}
    page = (await reader.get(TIMELINE, params=query)).json()
    assert len(page["touchpoints"]) == 2


@pytest.mark.parametrize("key", [(10**18, 0, "ivr", "x"), (1, 2**63, "ivr", "x"), (1, 0, "a\x00", "x")])
async def test_a_cursor_that_somebody_made_is_refused_where_no_row_can_be(
    reader: httpx2.AsyncClient, journey_rows: Rows, key: tuple[int, int, str, str]
) -> None:
    """The seal is no secret: it guards against accidents."""
    await a_caller(journey_rows)
    who = ("phone", ("+821012345678",))
    scope = cursors.scope(
        "timeline", [("who", who), ("span", TimeSpan()), ("order", TimelineOrder.OLDEST_FIRST), ("as_of", None)]
    )
    cursor = cursors.encode(cursors.CursorPosition(scope, (*key, str(named("caller")))))
    answer = await reader.get(TIMELINE, params={"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_invalid")
    good = cursors.encode(cursors.CursorPosition(scope, (1, 0, "ivr", "x", str(named("caller")))))
    assert (await reader.get(TIMELINE, params={"cursor": good})).status_code == 200


async def test_head_of_a_customer_is_get_without_the_body(reader: httpx2.AsyncClient, journey_rows: Rows) -> None:
    await a_caller(journey_rows)
    got, head = await reader.get(CUSTOMER), await reader.head(CUSTOMER)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"]
