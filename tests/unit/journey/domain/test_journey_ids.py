"""Which id a journey keeps when several that were given out together meet: what ids look like decides nothing."""

from uuid import UUID

import msgspec
import pytest

from services.journey.domain.comparison.journey_ids import assign_journey_ids
from services.journey.domain.history import CustomerHistory
from services.journey.domain.journey import StoredJourney, segment
from services.journey.domain.names import CustomerId, JourneyId
from tests.unit.journey.domain.making import POLICY, at, call

IDS = (JourneyId(UUID(int=1)), JourneyId(UUID(int=2)))


def stored(id_: JourneyId, minutes: float = 0) -> StoredJourney:
    return StoredJourney(
        id=id_,
        customer_id=CustomerId(UUID(int=9)),
        version=1,
        created_at=at(minutes),
        last_at=at(60),
        digest=b"",
    )


def kept(earlier: JourneyId, later: JourneyId, journeys: list[StoredJourney]) -> JourneyId:
    """The id of one journey whose first touchpoint was in `earlier`, and the second in `later`."""
    history = [call("a", 0, refs={"case_id": "1"}), call("b", 60, refs={"case_id": "1"})]
    placed = [msgspec.structs.replace(one, journey_id=id_) for one, id_ in zip(history, (earlier, later), strict=True)]
    index = CustomerHistory(placed, POLICY.contacts)
    (id_,) = assign_journey_ids(index.recorded, segment(index, POLICY.journeys), journeys, lambda: UUID(int=3)).ids
    return id_


@pytest.mark.parametrize(("earlier", "later"), [IDS, IDS[::-1]])
def test_of_ids_given_out_together_the_one_with_the_earliest_touchpoint_is_kept(
    earlier: JourneyId, later: JourneyId
) -> None:
    for journeys in ([stored(earlier), stored(later)], [stored(later), stored(earlier)]):
        assert kept(earlier, later, journeys) == earlier


@pytest.mark.parametrize(("earlier", "later"), [IDS, IDS[::-1]])
def test_an_older_id_goes_before_one_with_an_earlier_touchpoint(earlier: JourneyId, later: JourneyId) -> None:
    assert kept(earlier, later, [stored(earlier, 5), stored(later, 0)]) == later
