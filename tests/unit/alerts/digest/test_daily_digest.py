"""The digest: when it is due, which day it is, what is drawn, and what a reader sees in either language."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import pytest

from services.alerts.deliver.notifiers.notifier import ReaderOptions
from services.alerts.deliver.notifiers.told_message import read_message
from services.alerts.deliver.notifiers.wording import word_message
from services.alerts.digest.daily_digest import (
    DailyDigest,
    DigestCounts,
    DigestSubscription,
    bounds_of,
    day_due,
    draw,
    render_digest,
)
from services.alerts.inbox.attainment import LevelAttainment
from services.alerts.issues.model import JourneySituation
from tests.unit.alerts.builders import NOW, an_issue

SEOUL = DigestSubscription(endpoint_id=UUID(int=1), team=None, minute=8 * 60 + 30, time_zone="Asia/Seoul")


@pytest.mark.parametrize(
    ("now", "day"),
    [
        ("2026-11-28T23:29:59+00:00", None),
        ("2026-11-28T23:30:00+00:00", date(2026, 11, 28)),
        ("2026-11-29T14:59:59+00:00", date(2026, 11, 28)),
        ("2026-11-29T15:00:00+00:00", None),
    ],
)
def test_it_is_due_in_the_morning_of_the_business_and_tells_of_the_day_before(now: str, day: date | None) -> None:
    assert day_due(SEOUL, datetime.fromisoformat(now)) == day


def test_a_day_is_the_local_one_and_may_have_23_hours() -> None:
    assert bounds_of(date(2026, 11, 28), "Asia/Seoul") == (
        datetime(2026, 11, 27, 15, tzinfo=UTC),
        datetime(2026, 11, 28, 15, tzinfo=UTC),
    )
    start, end = bounds_of(date(2026, 3, 29), "Europe/Berlin")
    assert end - start == timedelta(hours=23)


def test_what_is_drawn_is_the_same_for_a_day_and_another_for_another() -> None:
    ids = [UUID(int=number) for number in range(1000)]
    drawn = draw(date(2026, 11, 28), ids)
    assert len(set(drawn)) == 10
    assert draw(date(2026, 11, 28), reversed(ids)) == drawn
    assert draw(date(2026, 11, 29), ids) != drawn
    assert draw(date(2026, 11, 28), ids[:3], 10) == draw(date(2026, 11, 28), ids[:3])


def test_what_is_drawn_favours_nobody() -> None:
    """Over 2,000 days each of 20 ids comes about 1,000 times; six standard deviations are 134."""
    ids = [UUID(int=number) for number in range(20)]
    counts = dict.fromkeys(ids, 0)
    for number in range(2000):
        for one in draw(date(2020, 1, 1) + timedelta(days=number), ids):
            counts[one] += 1
    assert all(abs(count - 1000) < 134 for count in counts.values())


def a_digest(**members: Any) -> DailyDigest:
    """The digest of a day; `members` override."""
    journey = JourneySituation(state="open", last_at=NOW, effort=72.4, contact_count=4)
    given: dict[str, Any] = {
        "day": date(2026, 11, 28),
        "team": "care",
        "counts": DigestCounts(opened=12, resolved=9, unresolved=4, customers=11, recontacted=2),
        "hardest": (an_issue(journey=journey),),
        "drawn": (an_issue(),),
        "outbreaks": (),
        "levels": (
            LevelAttainment(
                level="premium",
                issues=14,
                responded_in_time=12,
                responded_late=2,
                resolved_in_time=10,
                resolved_late=1,
            ),
        ),
    }
    return DailyDigest(**given | members)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "en",
            (
                "2026-11-28 · care: the day in short",
                "Hardest journeys:",
                "• [medium] Called twice · 72/100 · unresolved",
                "premium: of 14, 12 taken and 10 resolved in time",
                "Drawn at random:",
                "• [medium] Called twice · unresolved",
            ),
        ),
        (
            "ko",
            (
                "2026-11-28 · care: 하루 요약",
                "노력도가 가장 높은 여정:",
                "• [보통] 두 번 전화 · 72/100 · 미해결",
                "프리미엄: 14건 중 제때 응답 12, 제때 해결 10",
                "무작위로 뽑은 이슈:",
                "• [보통] 두 번 전화 · 미해결",
            ),
        ),
    ],
)
def test_a_reader_sees_it_in_the_language_of_the_endpoint(
    language: Literal["en", "ko"], words: tuple[str, ...]
) -> None:
    body = render_digest(a_digest(), public_url="https://waymark.example.com", now=NOW)
    worded = word_message(read_message(body), ReaderOptions(language=language))
    assert (worded.headline, *worded.steps) == words
    assert [value for _, value in worded.facts] == ["12", "9", "4", "11", "2"]
    assert worded.url == "https://waymark.example.com"


def test_long_titles_leave_room_for_the_other_lines() -> None:
    issue = an_issue()
    issue = replace(issue, title=replace(issue.title, en="x" * 500))
    digest = a_digest(hardest=(issue,) * 5, drawn=(issue,) * 10)
    worded = word_message(read_message(render_digest(digest, public_url="", now=NOW)), ReaderOptions(language="en"))
    assert sum(len(step) + 1 for step in worded.steps) < 2900, "a section of Slack has 3,000 characters"
