"""A span of time is covered by whole months, days and hours: every hour once, and by few."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from services.journey.read.aggregates.path_spans import CoveredSpan, covering, whole_hours

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def at(month: int, day: int = 1, hour: int = 0) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        pytest.param(None, None, [("m", None, None)], id="everything"),
        pytest.param(at(3), at(5), [("m", at(3), at(5))], id="whole months"),
        pytest.param(at(3, 2, 5), at(3, 2, 7), [("h", at(3, 2, 5), at(3, 2, 7))], id="two hours"),
        pytest.param(
            at(3, 2, 23),
            None,
            [("m", at(4), None), ("d", at(3, 3), at(4)), ("h", at(3, 2, 23), at(3, 3))],
            id="from then on",
        ),
        pytest.param(
            None,
            at(3, 2, 1),
            [("m", None, at(3)), ("d", at(3), at(3, 2)), ("h", at(3, 2), at(3, 2, 1))],
            id="until then",
        ),
        pytest.param(at(3, 2), at(3, 2), [], id="nothing"),
    ],
)
def test_a_span_is_covered(
    since: datetime | None, until: datetime | None, expected: list[tuple[str, datetime | None, datetime | None]]
) -> None:
    assert covering(since, until) == [CoveredSpan(*one) for one in expected]


@pytest.mark.parametrize("seed", range(50))
def test_every_hour_is_covered_once(seed: int) -> None:
    chance = random.Random(seed)
    first, last = sorted(chance.sample(range(400 * 24), 2))
    since, until = BEGIN + timedelta(hours=first), BEGIN + timedelta(hours=last)
    covered: set[datetime] = set()
    spans = covering(since, until)
    for one in spans:
        assert one.since is not None
        assert one.until is not None
        assert one.span == "h" or one.since.hour == one.until.hour == 0
        assert one.span != "m" or one.since.day == one.until.day == 1
        hours = {one.since + timedelta(hours=number) for number in range((one.until - one.since) // timedelta(hours=1))}
        assert not hours & covered
        covered |= hours
    assert covered == {BEGIN + timedelta(hours=number) for number in range(first, last)}
    assert len(spans) <= 5


def test_a_span_is_widened_to_whole_hours() -> None:
    half, later = datetime(2026, 3, 2, 5, 30, tzinfo=UTC), datetime(2026, 3, 2, 6, 0, 0, 1, tzinfo=UTC)
    assert whole_hours(half, later) == (at(3, 2, 5), at(3, 2, 7))
    assert whole_hours(at(3, 2, 5), at(3, 2, 6)) == (at(3, 2, 5), at(3, 2, 6))
    seoul = datetime.fromisoformat("2026-03-02T14:30:00+09:00")
    assert whole_hours(seoul, None) == (at(3, 2, 5), None)


def test_the_end_of_the_calendar_is_no_error() -> None:
    end = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    since, until = whole_hours(end, end)
    assert (since, until) == (end.replace(minute=0, second=0, microsecond=0), None)
    assert covering(since, until) == [CoveredSpan("h", since, None)]
