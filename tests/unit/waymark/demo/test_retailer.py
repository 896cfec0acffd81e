from collections import Counter
from datetime import UTC, datetime

import pytest

from schemas import kinds, validation
from schemas.documents import touchpoint
from waymark.demo.retailer import HOUR_S, OUTAGE_S, SOURCES, document, invent

BEGAN = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)


def test_one_seed_tells_one_story() -> None:
    assert invent(7, 200) == invent(7, 200)
    assert invent(7, 200) != invent(8, 200)


def test_moments_lie_within_the_hour_in_order_of_time() -> None:
    times = [moment.at_s for moment in invent(7, 500).moments]
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] < HOUR_S


def test_everybody_appears() -> None:
    hour = invent(7, 500)
    assert sum(hour.visits.values()) == hour.people == 500


def test_declined_payments_lie_in_the_outage() -> None:
    declined = [moment.at_s for moment in invent(7, 2000).moments if moment.fields["kind"] == "payment_declined"]
    assert declined
    assert min(declined) > OUTAGE_S[0]
    assert max(declined) < OUTAGE_S[1] + 300


def test_most_people_have_no_trouble() -> None:
    content = {"browsing", "buying", "visiting", "asking_once"}
    visits = Counter(invent(7, 3000).visits)
    assert sum(visits[name] for name in content) / visits.total() > 0.9


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_moment_is_a_valid_touchpoint_of_a_channel_its_source_may_use(seed: int) -> None:
    known = kinds.load()
    for ordinal, moment in enumerate(invent(seed, 400).moments):
        posted = document(moment, ordinal, run="r", began=BEGAN)
        assert validation.errors(touchpoint.SCHEMA, posted) == []
        assert posted["channel"] in SOURCES[moment.source]
        assert posted["kind"] in set(known)
