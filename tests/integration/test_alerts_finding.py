"""Issues are found by reason, by service level and by words."""

import pytest

from schemas.vocabulary import ServiceLevel, TextDocument
from services.alerts.inbox import issue_list
from services.alerts.inbox.issue_list import IssueFilter, IssueOrder
from services.runtime.postgres.pools import acquire
from tests.fixtures.alerts_engine import alerts_engine
from tests.fixtures.alerts_service import a_friction
from tests.fixtures.clock import SteppingClock

pytestmark = pytest.mark.local


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (IssueFilter(reason="billing"), {"card"}),
        (IssueFilter(service_level="premium"), {"parcel"}),
        (IssueFilter(text="CALLED TWICE"), {"card", "parcel"}),
        (IssueFilter(text="a-77"), {"parcel"}),
        (IssueFilter(text="택배"), {"parcel"}),
        (IssueFilter(text="long_wait"), {"parcel"}),
        (IssueFilter(text="%"), set()),
        (IssueFilter(text="called", reason="delivery"), {"parcel"}),
    ],
)
async def test_issues_are_found_by_reason_level_and_words(
    database: str, clock: SteppingClock, wanted: IssueFilter, found: set[str]
) -> None:
    parcel = TextDocument(en="Called twice about a parcel", ko="택배 때문에 두 번 전화")
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.take(
            a_friction(customer_id="card", reason="billing"),
            a_friction(
                customer_id="parcel",
                reason="delivery",
                rule="long_wait",
                title=parcel,
                refs={"order_id": "A-77"},
                service_level=ServiceLevel.PREMIUM,
            ),
        )
        async with acquire(engine.pool) as connection:
            page = await issue_list.page(connection, wanted, IssueOrder.LATEST, None, 10)
    assert {issue.customer_id for issue in page.issues} == found
