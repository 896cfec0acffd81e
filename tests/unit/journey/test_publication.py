"""Frictions and journeys as other services read them: documents of the contract, under the right key."""

from uuid import UUID

import pytest

from schemas.documents import friction as friction_v1
from schemas.documents import journey as journey_v1
from services.journey.domain.comparison.changes import CustomerChanges, DissolvedJourney, JourneyAlias, diff
from services.journey.domain.names import JourneyId
from services.journey.renew import publication
from services.journey.store.journeys import RetiredJourney
from tests.unit.journey.domain.making import SHIPPED, Shelf, at, call, told

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NOW = at(120)


@pytest.fixture
def changes() -> CustomerChanges:
    """Somebody called twice about a bill: one journey, and one friction."""
    history = [call("a", 0, reason="billing"), call("b", 60, reason="billing")]
    shelf = Shelf()
    return diff(told(*history), shelf.stored(), SHIPPED, shelf.moment(at(60)))


def test_a_friction_is_published_under_its_customer_with_the_trace_of_its_cause(changes: CustomerChanges) -> None:
    said = changes.frictions[0].friction

    sent = publication.friction(said, TRACE)

    document = friction_v1.decode(sent.record.value or b"")
    assert (sent.customer_id, sent.record.key) == (said.customer_id, str(said.customer_id).encode())
    assert (document.id, document.rule, document.revision) == (str(said.id), said.rule, said.revision)
    assert [one.id for one in document.touchpoints] == ["a", "b"]
    assert dict(sent.record.headers)["ce_id"] == f"{said.id}.{said.revision}".encode()
    assert dict(sent.record.headers)["traceparent"] == TRACE.encode()


def test_a_journey_is_published_under_its_own_id_with_the_score_of_its_effort(changes: CustomerChanges) -> None:
    said = changes.journeys[0].journey

    sent = publication.journey(said, NOW, None)

    document = journey_v1.decode(sent.record.value or b"")
    assert (sent.record.topic, sent.record.key) == (journey_v1.TOPIC, str(said.id).encode())
    assert (document.effort, document.updated_at) == (said.effort.score, NOW)
    assert document.customer_id == str(said.customer_id)


@pytest.mark.parametrize("merged", [True, False], ids=["merged", "dissolved"])
def test_a_journey_that_is_gone_says_last_what_became_of_it(changes: CustomerChanges, merged: bool) -> None:
    said = changes.journeys[0].journey
    last = (publication.journey(said, at(60), None).record.value or b"").decode()
    into = JourneyId(UUID(int=77))
    what = JourneyAlias(id=said.id, merged_into=into, version=9) if merged else DissolvedJourney(id=said.id, version=9)

    sent = publication.gone_journey(last, RetiredJourney(what=what, customer_id=said.customer_id), NOW, None)

    document = journey_v1.decode(sent.record.value or b"")
    assert (document.id, document.version, document.updated_at) == (str(said.id), 9, NOW)
    assert document.state.value == ("merged" if merged else "dissolved")
    assert document.merged_into == (str(into) if merged else None)
