"""Business time: counted minute by minute where clocks change, over holidays, and refused where it has no meaning."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.journey.domain.rules.business_time import (
    WEEKDAYS,
    BusinessClock,
    BusinessSpan,
    BusinessTime,
    DayTimes,
    clock_of,
)
from services.journey.domain.rules.matching import InvalidRuleError

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def times(*pairs: str) -> tuple[DayTimes, ...]:
    return tuple(DayTimes(start_time=first, end_time=last) for first, last in (pair.split("-") for pair in pairs))


def hours(*spans: BusinessSpan) -> BusinessTime:
    return BusinessTime(name="ours", time_intervals=spans)


OFFICE = BusinessSpan(
    times=times("09:00-18:00"), weekdays=("monday:friday",), location="Asia/Seoul", except_holidays="KR"
)


def seoul(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+09:00")


def is_open(span: BusinessSpan, moment: datetime) -> bool:
    """By the clock on the wall alone."""
    local = moment.astimezone(ZoneInfo(span.location))
    wall = f"{local:%H:%M}"
    named = {WEEKDAYS.index(name) for name in span.weekdays} or set(range(7))
    return local.isoweekday() % 7 in named and (
        not span.times or any(one.start_time <= wall < one.end_time for one in span.times)
    )


CHANGES = [
    ("Europe/Berlin", datetime(2026, 3, 28, 20, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2026, 10, 24, 20, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 3, 7, 20, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 10, 31, 20, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 0, tzinfo=UTC)),  # half an hour
    ("America/Santiago", datetime(2026, 9, 5, 20, tzinfo=UTC)),  # at midnight: the day begins at one
    ("Pacific/Apia", datetime(2011, 12, 29, 0, tzinfo=UTC)),  # a whole day is left out
    ("Asia/Kathmandu", datetime(2026, 1, 1, 0, tzinfo=UTC)),
]
SPANS = [("00:30-03:15", "22:00-24:00"), ("01:59-02:01",), ("09:00-18:00",), ()]


@pytest.mark.parametrize(("zone", "begin"), CHANGES, ids=str)
@pytest.mark.parametrize("pairs", SPANS, ids=str)
def test_it_is_counted_as_whoever_looks_at_the_clock_each_minute_would(
    zone: str, begin: datetime, pairs: tuple[str, ...]
) -> None:
    spans = [
        BusinessSpan(times=times(*pairs), location=zone),
        BusinessSpan(times=times("12:00-12:30"), weekdays=("sunday", "monday"), location="UTC"),
    ]
    clock = BusinessClock(hours(*spans))
    counted = timedelta(0)
    dues: dict[timedelta, datetime] = {}
    for minute in range(60 * 60):
        moment = begin + MINUTE * minute
        assert clock.passed(begin, moment) == counted
        dues.setdefault(counted, moment)
        counted += MINUTE * any(is_open(span, moment) for span in spans)
    for length, due in dues.items():
        assert not length or clock.due(begin, length) == due


@pytest.mark.parametrize(
    ("start", "length", "due"),
    [
        ("2026-11-23T10:00", 8 * HOUR, "2026-11-23T18:00"),  # the end of a day, not the next morning
        ("2026-11-23T10:00", 8 * HOUR + MINUTE, "2026-11-24T09:01"),
        ("2026-11-27T17:30", HOUR, "2026-11-30T09:30"),
        ("2026-11-28T11:00", HOUR, "2026-11-30T10:00"),  # asked on a Saturday
        ("2026-02-13T17:00", 2 * HOUR, "2026-02-19T10:00"),  # Seollal, from Monday to Wednesday
        ("2026-02-27T17:00", 2 * HOUR, "2026-03-03T10:00"),  # the first of March is a Sunday: Monday in its stead
        ("2026-09-23T17:00", 2 * HOUR, "2026-09-28T10:00"),  # Chuseok
        ("2026-12-24T18:00", HOUR, "2026-12-28T10:00"),
    ],
)
def test_nights_weekends_and_holidays_do_not_count(start: str, length: timedelta, due: str) -> None:
    assert clock_of(hours(OFFICE)).due(seoul(start), length) == seoul(due)


def test_a_single_date_does_not_count_in_its_own_zone() -> None:
    span = BusinessSpan(location="Asia/Seoul", except_dates=(date(2026, 12, 24),))
    clock = BusinessClock(hours(span))
    assert clock.passed(seoul("2026-12-23T23:00"), seoul("2026-12-25T01:00")) == 2 * HOUR


def test_the_answer_is_in_utc_whatever_the_zone_of_the_question() -> None:
    asked = datetime(2026, 3, 28, 12, tzinfo=ZoneInfo("Europe/Berlin"))  # the night after is an hour shorter
    due = BusinessClock(hours(BusinessSpan())).due(asked, DAY)
    assert due == datetime(2026, 3, 29, 11, tzinfo=UTC)
    assert due.tzinfo is UTC


def test_what_takes_more_than_ten_years_is_never_due() -> None:
    rare = hours(BusinessSpan(weekdays=("sunday",), times=times("00:00-00:01")))
    assert BusinessClock(rare).due(datetime(2026, 1, 1, tzinfo=UTC), DAY) is None
    assert BusinessClock(rare).passed(datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)) == 0 * DAY


@pytest.mark.parametrize(
    ("span", "complaint"),
    [
        (BusinessSpan(location="Asia/Soul"), "location: Asia/Soul is no time zone; did you mean Asia/Seoul?"),
        (BusinessSpan(location="../etc/passwd"), "is no time zone"),
        (BusinessSpan(except_holidays="XX"), "except_holidays: there are none for XX"),
        (BusinessSpan(except_holidays="DE-XX"), "except_holidays: there are none for DE-XX"),
        (BusinessSpan(weekdays=("friday:monday",)), "friday:monday is no range; the week begins on sunday"),
        (BusinessSpan(weekdays=("monday:tuesday:friday",)), "is no range"),
        (BusinessSpan(times=times("09:00-09:00")), "start_time is before end_time"),
        (BusinessSpan(times=times("09:00-24:01")), "end_time: 24:01 is no time of the day"),
        (BusinessSpan(times=times("9:000-18:00")), "is no time of the day"),
        (BusinessSpan(times=times("09:60-18:00")), "is no time of the day"),
    ],
    ids=str,
)
def test_what_has_no_meaning_is_refused(span: BusinessSpan, complaint: str) -> None:
    with pytest.raises(InvalidRuleError, match=complaint.replace("?", r"\?")):
        BusinessClock(hours(span))


def test_hours_that_never_come_are_refused() -> None:
    never = tuple(date(2024, 1, 1) + DAY * day for day in range(400))
    with pytest.raises(InvalidRuleError, match="the hours of ours never come"):
        BusinessClock(hours(BusinessSpan(except_dates=never)))
