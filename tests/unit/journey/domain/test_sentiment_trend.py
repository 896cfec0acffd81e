"""How the mood of a customer changed within a contact (docs/semantics.md, Contacts)."""

import pytest

from services.journey.domain.contacts.sentiment_trend import SentimentTrend, sentiment_trend
from services.journey.domain.history import CustomerHistory
from services.journey.domain.touchpoint import RecordedTouchpoint
from tests.unit.journey.domain.making import POLICY, note


def trend(*moods: float | None) -> SentimentTrend | None:
    """Return the trend of a chat in which the customer wrote a message of each mood."""
    return trend_of([note(str(at), at, channel="chat", sentiment=mood) for at, mood in enumerate(moods)])


def trend_of(history: list[RecordedTouchpoint]) -> SentimentTrend | None:
    (contact,) = CustomerHistory(history, POLICY.contacts).contacts
    return sentiment_trend(contact, POLICY.contacts)


@pytest.mark.parametrize(
    ("moods", "first", "second"),
    [
        pytest.param((0.5, -0.5), 0.5, -0.5, id="two"),
        pytest.param((0.5, 0.9, -0.5), 0.5, -0.5, id="the middle of three is in neither half"),
        pytest.param((0.25, 0.75, -0.5, -1.0), 0.5, -0.75, id="four"),
        pytest.param((0.5, None, -0.5), 0.5, -0.5, id="unknown ones are passed over"),
        pytest.param((0, 0), 0, 0, id="neutral is known"),
    ],
)
def test_the_second_half_against_the_first(moods: tuple[float | None, ...], first: float, second: float) -> None:
    found = trend(*moods)
    assert found is not None
    assert (found.first_half, found.second_half) == (first, second)
    assert found.messages == sum(mood is not None for mood in moods)


@pytest.mark.parametrize("moods", [(0.5,), (None, 0.5), (None, None)])
def test_one_mood_is_no_trend(moods: tuple[float | None, ...]) -> None:
    assert trend(*moods) is None


def test_it_says_how_many_are_ours() -> None:
    found = trend_of(
        [
            note("1", 1, channel="chat", sentiment=0.5, sentiment_by="lexicon"),
            note("2", 2, channel="chat", sentiment=-0.5),
        ]
    )
    assert found is not None
    assert (found.messages, found.computed) == (2, 1)


def test_what_the_company_wrote_does_not_count() -> None:
    sent = note("2", 2, "message_sent", channel="chat", direction="outbound", sentiment=0.9)
    history = [note("1", 1, channel="chat", sentiment=-0.5), sent, note("3", 3, channel="chat", sentiment=-0.5)]
    found = trend_of(history)
    assert found is not None
    assert (found.messages, found.first_half, found.second_half) == (2, -0.5, -0.5)
