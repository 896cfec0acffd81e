"""The read API at its edges, over a real database: the ends of the calendar, cursors that somebody made, HEAD."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from services.journey.read import cursors
from services.journey.read.queries import TimeSpan
from services.runtime.postgres.pools import Pool, close_pool, create_pool
from tests.integration.journey_reader import reader_of
from tests.integration.journey_rows import Rows, named

pytestmark = pytest.mark.local

CUSTOMER = "/v1/customers/phone:%2B821012345678"
TIMELINE = f"{CUSTOMER}/timeline"


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    opened = await create_pool(database, application_name="test-journey-api", size=4)
    yield opened
    await close_pool(opened)


@pytest.fixture
def rows(pool: Pool) -> Rows:
    return Rows(pool)


@pytest.fixture
async def client(pool: Pool) -> AsyncIterator[httpx2.AsyncClient]:
    async with reader_of(pool) as reader:
        yield reader


async def a_caller(rows: Rows) -> None:
    await rows.customer("caller")
    await rows.identifier("caller", "phone", "+821012345678", verified=True)
    await rows.touchpoint("caller", "call-1", 0)
    await rows.touchpoint("caller", "call-2", 30)


@pytest.mark.parametrize(
    "query",
    [
        {"from": "0001-01-01T00:00:00+14:00"},
        {"to": "9999-12-31T23:59:59-14:00"},
        {"from": "9999-12-31T23:59:59.999999-00:01"},
    ],
)
async def test_a_time_that_has_no_form_in_utc_is_refused(
    client: httpx2.AsyncClient, rows: Rows, query: dict[str, str]
) -> None:
    await a_caller(rows)
    answer = await client.get(TIMELINE, params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    journeys = await client.get("/v1/journeys", params={"updated_since": next(iter(query.values()))})
    assert journeys.status_code == 422


async def test_the_first_and_the_last_time_in_utc_are_taken(client: httpx2.AsyncClient, rows: Rows) -> None:
    await a_caller(rows)
    query = {"from": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59.999999Z"}
    page = (await client.get(TIMELINE, params=query)).json()
    assert len(page["touchpoints"]) == 2


@pytest.mark.parametrize("key", [(10**18, 0, "ivr", "x"), (1, 2**63, "ivr", "x"), (1, 0, "a\x00", "x")])
async def test_a_cursor_that_somebody_made_is_refused_where_no_row_can_be(
    client: httpx2.AsyncClient, rows: Rows, key: tuple[int, int, str, str]
) -> None:
    """The seal is no secret: it guards against accidents."""
    await a_caller(rows)
    who = ("phone", ("+821012345678",))
    scope = cursors.scope("timeline", [("who", who), ("span", TimeSpan())])
    cursor = cursors.encode(cursors.CursorPosition(scope, (*key, str(named("caller")))))
    answer = await client.get(TIMELINE, params={"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_invalid")
    good = cursors.encode(cursors.CursorPosition(scope, (1, 0, "ivr", "x", str(named("caller")))))
    assert (await client.get(TIMELINE, params={"cursor": good})).status_code == 200


async def test_head_of_a_customer_is_get_without_the_body(client: httpx2.AsyncClient, rows: Rows) -> None:
    await a_caller(rows)
    got, head = await client.get(CUSTOMER), await client.head(CUSTOMER)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"]
