"""What the digest of a day is: when it is due, which day it tells of, which issues are drawn, and how it is said.

Pure. Both languages stand in one body, so that every endpoint shows the one of its reader.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from schemas.codec import utc_text
from services.alerts.inbox.attainment import LevelAttainment
from services.alerts.issues.model import Issue
from services.alerts.issues.story import resolution_words

TYPE = "digest.daily"
HARDEST = 5
DRAWN = 10
LINE = 140
"""The most characters of a title in a line, so that all lines have room in a message of a chat."""

_SEVERITIES = {"critical": "긴급", "high": "높음", "medium": "보통", "low": "낮음"}
_LEVELS = {"basic": "베이직", "enhanced": "인핸스드", "premium": "프리미엄"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestSubscription:
    """An endpoint that gets the digest of a team (None: of all) at a minute of the local day."""

    endpoint_id: UUID
    team: str | None
    minute: int
    time_zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestCounts:
    """What was counted on a day: issues opened and resolved, those open at its end, customers, and who came back."""

    opened: int
    resolved: int
    unresolved: int
    customers: int
    recontacted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyDigest:
    """What one day was like for one team."""

    day: date
    team: str | None
    counts: DigestCounts
    hardest: tuple[Issue, ...]
    drawn: tuple[Issue, ...]
    outbreaks: tuple[Issue, ...]
    levels: tuple[LevelAttainment, ...]


def day_due(subscription: DigestSubscription, now: datetime) -> date | None:
    """Return the day whose digest is due at `now`: yesterday, from the minute of today on; None before it."""
    local = now.astimezone(ZoneInfo(subscription.time_zone))
    due = local.hour * 60 + local.minute >= subscription.minute
    return local.date() - timedelta(days=1) if due else None


def bounds_of(day: date, time_zone: str) -> tuple[datetime, datetime]:
    """Return when a local day begins and ends, in UTC."""
    zone = ZoneInfo(time_zone)
    start, end = (datetime.combine(d, time(), tzinfo=zone) for d in (day, day + timedelta(days=1)))
    return start.astimezone(UTC), end.astimezone(UTC)


def draw(day: date, ids: Iterable[UUID], number: int = DRAWN) -> list[UUID]:
    """Return some of `ids` at random: for one day always the same ones, whatever their order."""
    return sorted(ids, key=lambda one: sha256(f"{day.isoformat()}:{one}".encode()).digest())[:number]


def render_digest(digest: DailyDigest, *, public_url: str, now: datetime) -> bytes:
    """Return the body of the message."""
    english, korean = _said(digest, korean=False), _said(digest, korean=True)
    data = {
        "message": f"{english.headline} / {korean.headline}",
        "digest": {
            "day": digest.day.isoformat(),
            "team": digest.team,
            "counts": digest.counts,
            "hardest": [str(issue.id) for issue in digest.hardest],
            "drawn": [str(issue.id) for issue in digest.drawn],
            "outbreaks": [str(issue.id) for issue in digest.outbreaks],
            "levels": digest.levels,
            "said": {"en": english, "ko": korean},
        },
    }
    return msgspec.json.encode(
        {"type": TYPE, "timestamp": utc_text(now), "reason": "daily", "url": public_url, "data": data}
    )


def digest_lines(digest: DailyDigest, *, korean: bool) -> list[str]:
    """Return the digest as lines of text, the headline first."""
    said = _said(digest, korean=korean)
    return [said.headline, *(f"{name}: {value}" for name, value in said.facts), *said.lines]


class _Words(msgspec.Struct, frozen=True):
    """A digest in the words of one language."""

    headline: str
    facts: list[tuple[str, str]]
    lines: list[str]


def _said(digest: DailyDigest, *, korean: bool) -> _Words:
    counts, team = digest.counts, f" · {digest.team}" if digest.team else ""
    names = ("새 이슈", "해결", "미해결", "고객", "재문의") if korean else _NAMES
    values = (counts.opened, counts.resolved, counts.unresolved, counts.customers, counts.recontacted)
    return _Words(
        headline=f"{digest.day}{team}: 하루 요약" if korean else f"{digest.day}{team}: the day in short",
        facts=[(name, str(value)) for name, value in zip(names, values, strict=True)],
        lines=[
            *_section("노력도가 가장 높은 여정" if korean else "Hardest journeys", digest.hardest, korean=korean),
            *_section("여러 고객이 함께 겪은 일" if korean else "Outbreaks", digest.outbreaks, korean=korean),
            *(_level(level, korean=korean) for level in digest.levels),
            *_section("무작위로 뽑은 이슈" if korean else "Drawn at random", digest.drawn, korean=korean),
        ],
    )


_NAMES = ("Opened", "Resolved", "Unresolved", "Customers", "Came back")


def _section(title: str, issues: Sequence[Issue], *, korean: bool) -> list[str]:
    return [f"{title}:", *(f"• {_line(issue, korean=korean)}" for issue in issues)] if issues else []


def _line(issue: Issue, *, korean: bool) -> str:
    severity = _SEVERITIES[issue.severity.value] if korean else issue.severity.value
    title = issue.title.ko if korean else issue.title.en
    effort = f" · {issue.journey.effort:.0f}/100" if issue.journey else ""
    if issue.unresolved:
        state = "미해결" if korean else "unresolved"
    else:
        said = resolution_words(issue.resolution or "resolved")
        state = said.ko if korean else said.en
    return f"[{severity}] {title[:LINE]}{effort} · {state}"


def _level(level: LevelAttainment, *, korean: bool) -> str:
    taken, solved, all_of = level.responded_in_time, level.resolved_in_time, level.issues
    if korean:
        return f"{_LEVELS.get(level.level, level.level)}: {all_of}건 중 제때 응답 {taken}, 제때 해결 {solved}"
    return f"{level.level}: of {all_of}, {taken} taken and {solved} resolved in time"
