"""The response views of outbreaks and of kept promises."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Self

from pydantic import Field

from services.alerts.api.views import IssueView, ResponseView
from services.alerts.inbox.attainment import LevelAttainment
from services.alerts.outbreaks.outbreak_list import ListedOutbreak


class LevelAttainmentView(ResponseView):
    """Of one service level, over the issues of a time."""

    level: str
    issues: int
    responded_in_time: int
    responded_late: int = Field(description="Taken too late, or not taken although the deadline has passed.")
    resolved_in_time: int
    resolved_late: int = Field(description="Resolved too late, or open although the deadline has passed.")


class AttainmentView(ResponseView):
    """How often the promises of each service level were kept."""

    since: datetime
    levels: list[LevelAttainmentView]

    @classmethod
    def of(cls, levels: Sequence[LevelAttainment], since: datetime) -> Self:
        """Return the view of what was counted."""
        return cls(since=since, levels=[LevelAttainmentView(**asdict(level)) for level in levels])


class TrendPointView(ResponseView):
    """How many frictions happened in one minute."""

    minute: datetime
    frictions: int


class OutbreakView(ResponseView):
    """An outbreak: its issue, when it was found and over, what it holds, and its trend."""

    issue: IssueView
    opened_at: datetime = Field(description="When it was found first; `issue.outbreak.started_at` is when it began.")
    over_at: datetime | None = Field(None, description="When it was over last, if it is.")
    episodes: int = Field(description="How often it came: one that flaps is one outbreak.")
    held: int = Field(description="Open issues that it holds; GET /v1/issues?outbreak=ID lists them.")
    trend: list[TrendPointView] = Field(description="The last sixty minutes in which any came.")

    @classmethod
    def of(cls, listed: ListedOutbreak) -> Self:
        """Return the view of a listed outbreak."""
        return cls(
            issue=IssueView.of(listed.issue),
            opened_at=listed.opened_at,
            over_at=listed.over_at,
            episodes=listed.episodes,
            held=listed.held,
            trend=[TrendPointView(minute=minute, frictions=n) for minute, n in listed.trend],
        )


class OutbreakListView(ResponseView):
    """Outbreaks: those that go on first, then the latest."""

    outbreaks: list[OutbreakView]
