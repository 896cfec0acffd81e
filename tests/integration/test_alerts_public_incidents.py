"""Incidents that companies described in public, lived through minute by minute: each is one page, in time, and ends.

Only the times are theirs (re-typed from their status pages and post-mortems); how many customers met the failure in a
minute nobody published, so that is a steady three, on top of somebody now and then.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from services.runtime.postgres.pools import acquire
from tests.fixtures.alerts_engine import alerts_engine
from tests.fixtures.alerts_service import a_friction
from tests.fixtures.clock import SteppingClock

pytestmark = pytest.mark.local

MINUTE = timedelta(minutes=1)
BEFORE, AFTER = 60 * MINUTE, 45 * MINUTE
MET_A_MINUTE = 3
NOW_AND_THEN = 15
"""One customer in so many minutes has trouble with a payment on any day."""
FOUND_WITHIN = 5 * MINUTE
OVER_WITHIN = 20 * MINUTE


@dataclass(frozen=True, kw_only=True)
class PublicIncident:
    """From when until when customers were affected, and when the company first said so in public, if it said when."""

    source: str
    begins: datetime
    ends: datetime
    announced: datetime | None


INCIDENTS = {
    "vtex": PublicIncident(
        source="status.vtex.com/incidents/01HEWNFFTYRW62NK5W7GWM329Q, impairment during payment authorization",
        begins=datetime(2023, 11, 10, 12, 28, tzinfo=UTC),
        ends=datetime(2023, 11, 10, 13, 6, tzinfo=UTC),
        announced=None,
    ),
    "banked": PublicIncident(
        source="pingoru.io/providers/banked/incidents/2291399, payments API and checkout",
        begins=datetime(2023, 7, 28, 9, 38, tzinfo=UTC),
        ends=datetime(2023, 7, 28, 10, 35, tzinfo=UTC),
        announced=datetime(2023, 7, 28, 9, 44, tzinfo=UTC),
    ),
    "mews": PublicIncident(
        source="status.mews.com/incidents/0r6z1tsfx7sl, card tokenization (2020-08-30, local times)",
        begins=datetime(2020, 8, 30, 15, 35, tzinfo=UTC),
        ends=datetime(2020, 8, 30, 17, 3, tzinfo=UTC),
        announced=None,
    ),
    "salt edge": PublicIncident(
        source="statussight.com/status/salt-edge, payment initiation, until the first successful payment",
        begins=datetime(2026, 3, 10, 12, 33, tzinfo=UTC),
        ends=datetime(2026, 3, 10, 12, 46, tzinfo=UTC),
        announced=None,
    ),
}
OUTBREAKS = "SELECT min(opened_at) AS opened_at, max(over_at) AS over_at, count(*) FROM alerts.outbreaks"
PAGES = """
SELECT count(*) FROM alerts.notifications n JOIN alerts.issues i USING (issue_id)
 WHERE i.customer_id = '' AND n.type = 'issue.opened'
"""
CARDS = """
SELECT count(*) FROM alerts.notifications n JOIN alerts.issues i USING (issue_id)
 WHERE i.customer_id <> '' AND n.created_at > $1 AND n.created_at < $2
"""


@pytest.mark.parametrize("incident", INCIDENTS.values(), ids=INCIDENTS)
async def test_an_incident_is_one_page_in_time_and_ends(database: str, incident: PublicIncident) -> None:
    clock = SteppingClock(incident.begins - BEFORE)
    met = 0
    async with alerts_engine(database, clock, dispatching=False, WAYMARK_ALERTS_OUTBREAKS="*=10x4") as engine:
        await engine.endpoint("http://127.0.0.1:1/")
        while clock.now() < incident.ends + AFTER:
            affected = incident.begins <= clock.now() < incident.ends
            usual = clock.now().minute % NOW_AND_THEN == 0
            met += MET_A_MINUTE * affected
            for _ in range(MET_A_MINUTE * affected + usual):
                await engine.take(a_friction(rule="payment_declines", reason="payment", occurred_at=clock.now()))
            await engine.service.outbreaks.look()
            clock.advance(MINUTE)
        async with acquire(engine.pool) as connection:
            [outbreak] = await connection.fetch(OUTBREAKS)
        facts = await engine.value(
            "SELECT document #>> '{outbreak,frictions}' FROM alerts.issues WHERE customer_id = ''"
        )
        pages = await engine.value(PAGES)
        cards = await engine.value(CARDS, outbreak["opened_at"], incident.ends)

    assert (outbreak["count"], pages) == (1, 1)
    assert incident.begins <= outbreak["opened_at"] <= incident.begins + FOUND_WITHIN
    assert incident.announced is None or outbreak["opened_at"] < incident.announced
    assert incident.ends < outbreak["over_at"] <= incident.ends + OVER_WITHIN
    assert cards == 0, "nobody is told one by one while it goes on"
    assert met <= int(facts) <= met + 6
