"""Hours: ranges as Alertmanager has them, zones, holidays, and when hours open next."""

from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from random import Random
from typing import Any

import pytest

from services.alerts.policy.file.policy_bodies import HoursBody
from services.alerts.policy.file.policy_compiler import hours_of
from services.alerts.policy.hours import HourSpan, NamedHours, are_open, next_end, next_opening

WORK = [{"start_time": "09:00", "end_time": "17:00"}]


def hours(**span: Any) -> NamedHours:
    return hours_of(HoursBody.model_validate({"name": "h", "time_intervals": [span]}))


def at(text: str) -> datetime:
    return parsedate_to_datetime(text)


# The times and the answers are those that Alertmanager's own tests name (timeinterval/timeinterval_test.go).
CASES: list[tuple[dict[str, Any], list[str], list[str]]] = [
    ({}, ["02 Jan 06 15:04 +0000"], []),
    (
        {"times": WORK, "weekdays": ["monday:friday"]},
        ["04 May 20 15:04 +0000", "05 May 20 10:04 +0000", "09 Jun 20 09:04 +0000", "08 Jul 20 16:59 +0000"],
        ["03 May 20 15:04 +0000", "04 May 20 08:59 +0000", "05 May 20 05:00 +0000", "08 Jul 20 17:00 +0000"],
    ),
    (
        {"days_of_month": ["4:6"], "months": ["april"], "years": ["2020"]},
        ["04 Apr 20 15:04 +0000", "05 Apr 20 00:00 +0000", "06 Apr 20 23:05 +0000"],
        ["03 May 18 15:04 +0000", "03 Apr 20 23:59 +0000", "04 Jun 20 23:59 +0000", "07 Apr 20 00:00 +0000"],
    ),
    (
        {"days_of_month": ["-3:-1"]},
        ["31 Jan 20 15:04 +0000", "29 Jan 20 15:04 +0000", "30 Jun 20 00:00 +0000", "29 Feb 20 23:05 +0000"],
        ["27 Jan 20 15:04 +0000", "04 Jun 20 23:59 +0000", "01 Mar 20 00:00 +0000"],
    ),
    (
        {"months": ["june"], "days_of_month": ["-31:-1"]},
        ["30 Jun 20 00:00 +0000", "01 Jun 20 00:00 +0000"],
        ["31 May 20 00:00 +0000", "01 Jul 20 00:00 +0000"],
    ),
    (
        {"days_of_month": ["30:31"], "years": ["2020:2023"], "months": ["february"]},
        [],
        ["28 Feb 21 13:00 +0000"],
    ),
    (
        {"times": WORK, "weekdays": ["monday:friday"], "location": "Australia/Sydney"},
        ["06 Apr 21 13:00 +1000", "01 Nov 21 09:00 +1100", "31 Oct 21 22:00 +0000"],
        ["06 Apr 21 13:00 +0000", "31 Oct 21 21:00 +0000"],
    ),
    (
        {
            "weekdays": ["monday:friday", "sunday"],
            "months": ["january:march"],
            "days_of_month": ["-7:-1"],
            "years": ["2020:2025", "2030:2035"],
            "times": WORK,
        },
        ["27 Jan 21 09:00 +0000", "28 Jan 21 16:59 +0000", "31 Mar 25 13:00 +0000", "31 Jan 35 13:00 +0000"],
        ["30 Jan 21 13:00 +0000", "01 Apr 21 13:00 +0000", "30 Jan 26 13:00 +0000", "31 Jan 35 17:01 +0000"],
    ),
]


@pytest.mark.parametrize(("span", "inside", "outside"), CASES)
def test_a_span_holds_what_alertmanager_says(span: dict[str, Any], inside: list[str], outside: list[str]) -> None:
    found = hours(**span)

    assert [text for text in inside if not found.contains(at(text))] == []
    assert [text for text in outside if found.contains(at(text))] == []


@pytest.mark.parametrize(
    "span",
    [
        {"times": [{"start_time": "17:31", "end_time": "17:31"}]},
        {"times": [{"start_time": "12:30", "end_time": "24:01"}]},
        {"times": [{"start_time": "01:99", "end_time": "23:59"}]},
        {"times": [{"start_time": "24:00", "end_time": "17:41"}]},
        {"times": [{"start_time": "14:03"}]},
        {"weekdays": ["friday:monday"]},
        {"weekdays": ["1:3"]},
        {"days_of_month": ["0"]},
        {"days_of_month": ["-50:-20"]},
        {"days_of_month": ["-15:5"]},
        {"days_of_month": ["10:-25"]},
        {"months": ["martius:june"]},
        {"months": ["december:january"]},
        {"years": ["2022:2020"]},
        {"location": "Asia/Soul"},
        {"except_holidays": "XX"},
    ],
)
def test_what_alertmanager_refuses_is_refused(span: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        hours(**span)


# Official holidays of Korea: Seollal of 2026 is 16–18 February; 1 March 2026 is a Sunday, so that 2 March stands in.
@pytest.mark.parametrize(
    ("day", "works"),
    [
        (date(2026, 2, 13), True),
        (date(2026, 2, 16), False),
        (date(2026, 2, 18), False),
        (date(2026, 2, 19), True),
        (date(2026, 3, 2), False),
        (date(2026, 10, 9), False),
        (date(2026, 12, 31), False),
    ],
)
def test_korean_holidays_and_days_of_the_house_are_no_working_days(day: date, works: bool) -> None:
    business = hours(
        weekdays=["monday:friday"], times=WORK, location="Asia/Seoul", except_holidays="KR", except_dates=["2026-12-31"]
    )

    assert business.contains(datetime(day.year, day.month, day.day, 1, 0, tzinfo=UTC)) is works


def test_what_comes_before_the_holidays_is_told_on_the_first_working_morning() -> None:
    business = hours(weekdays=["monday:friday"], times=WORK, location="Asia/Seoul", except_holidays="KR")

    opening = next_opening([business], [], at("13 Feb 26 18:00 +0900"))

    assert opening == at("19 Feb 26 09:00 +0900")


def test_hours_that_never_open_say_so() -> None:
    assert next_opening([hours(years=["2020"])], [], at("01 Jan 26 00:00 +0000")) is None
    assert next_opening([], [hours()], at("01 Jan 26 00:00 +0000")) is None


def test_a_skipped_hour_opens_when_the_clock_jumps() -> None:
    night = hours(times=[{"start_time": "02:30", "end_time": "03:30"}], location="Europe/Berlin")

    assert next_opening([night], [], at("29 Mar 26 00:30 +0100")) == at("29 Mar 26 01:00 +0000")


def test_an_hour_that_comes_twice_is_open_twice() -> None:
    night = hours(times=[{"start_time": "02:00", "end_time": "03:00"}], location="Europe/Berlin")
    first = at("25 Oct 26 00:00 +0000")

    assert next_end([night], first) == first + timedelta(hours=2)


ZONES = (
    "Asia/Seoul",
    "Europe/Berlin",
    "America/Sao_Paulo",
    "Pacific/Kiritimati",
    "America/Los_Angeles",
    "Asia/Kolkata",
)


def some_hours(random: Random) -> NamedHours:
    def span() -> HourSpan:
        start = random.randrange(0, 1440, 30)
        times = ((start, random.randint(start + 1, 1440)),) if random.random() < 0.8 else ()
        first = random.randint(0, 6)
        weekdays = ((first, random.randint(first, 6)),) if random.random() < 0.6 else ()
        return HourSpan(times=times, weekdays=weekdays, zone=random.choice(ZONES))

    return NamedHours(name="h", spans=tuple(span() for _ in range(random.randint(1, 2))))


@pytest.mark.parametrize("seed", range(40))
def test_the_next_opening_is_what_counting_minutes_finds(seed: int) -> None:
    random = Random(seed)
    active, muted = [some_hours(random)], [some_hours(random)] if random.random() < 0.5 else []
    changes = (datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 10, 24, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))
    now = random.choice(changes) + timedelta(minutes=random.randint(0, 2880))
    minutes = (now + timedelta(minutes=number) for number in range(8 * 1440))
    counted = next((minute for minute in minutes if are_open(active, muted, minute)), None)

    found = next_opening(active, muted, now)

    assert found == counted or (counted is None and (found is None or found > now + timedelta(days=8)))
