"""Frictions and issues for the tests of decisions, and a small world that remembers placements as the database does."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from services.alerts.issues.model import (
    AlertSeverity,
    Issue,
    IssueChange,
    IssueState,
    JourneyNow,
    LocalizedTitle,
    PlacedFriction,
    ReportedFriction,
    fingerprint,
)
from services.alerts.issues.placement import PlacementContext, PlacementPlan, place

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def a_friction(number: int = 1, **members: Any) -> ReportedFriction:
    """Friction `number` of customer `ann` in journey `j1`; `members` override."""
    given: dict[str, Any] = {
        "id": str(UUID(int=number)),
        "revision": 1,
        "stands": True,
        "rule": "repeat_contact_24h",
        "severity": AlertSeverity.MEDIUM,
        "customer_id": "ann",
        "journey_id": "j1",
        "reason": "billing",
        "channel": "phone",
        "service_level": None,
        "occurred_at": NOW - timedelta(hours=1) + timedelta(minutes=number),
        "revised_at": NOW,
        "quiet": False,
        "title": LocalizedTitle(en=f"Friction {number}", ko=f"불편 {number}"),
        "document": "{}",
    }
    return ReportedFriction(**given | members)


def an_issue(**members: Any) -> Issue:
    """An open issue of customer `ann` in journey `j1`; `members` override."""
    given: dict[str, Any] = {
        "id": UUID(int=7),
        "fingerprint": fingerprint("ann", "j1", None),
        "occurrence": 1,
        "version": 1,
        "state": IssueState.OPEN,
        "customer_id": "ann",
        "journey_id": "j1",
        "reason": "billing",
        "severity": AlertSeverity.MEDIUM,
        "loud_severity": AlertSeverity.MEDIUM,
        "rules": ("repeat_contact_24h",),
        "channel": "phone",
        "service_level": "premium",
        "title": LocalizedTitle(en="Called twice", ko="두 번 전화"),
        "count": 1,
        "frictions": (str(UUID(int=1)),),
        "first_at": NOW - timedelta(hours=1),
        "last_at": NOW - timedelta(hours=1),
        "opened_at": NOW - timedelta(minutes=50),
        "updated_at": NOW - timedelta(minutes=50),
    }
    return Issue(**given | members)


@dataclass
class World:
    """What the tables would hold; `take` is one transaction."""

    frictions: dict[str, PlacedFriction] = field(default_factory=dict)
    issues: dict[UUID, Issue] = field(default_factory=dict)
    occurrences: dict[str, int] = field(default_factory=dict)
    journeys: dict[str, JourneyNow | None] = field(default_factory=dict)
    now: datetime = NOW
    _numbers: count = field(default_factory=lambda: count(1))  # type: ignore[type-arg]  # generic in the stub only

    def take(self, *arrivals: ReportedFriction) -> PlacementPlan:
        """Apply frictions together."""
        board = PlacementContext(
            frictions=self.frictions, issues=self.issues, occurrences=self.occurrences, journeys=self.journeys
        )
        placement = place(board, arrivals, now=self.now, new_id=self._new_id)
        for placed in placement.frictions:
            self.frictions[placed.friction.id] = placed
        for change in placement.changes:
            self.issues[change.after.id] = change.after
            self._unique_after_every_write(change)
        self.occurrences.update(placement.occurrences)
        return placement

    def set(self, issue: Issue, **members: Any) -> Issue:
        """Change an issue by hand, as people do."""
        self.issues[issue.id] = replace(issue, **members)
        return self.issues[issue.id]

    def resolve(self, issue: Issue, at: datetime | None = None) -> Issue:
        """Resolve an issue by hand."""
        moment = at or self.now
        return self.set(
            issue, state=IssueState.RESOLVED, resolved_at=moment, resolved_by="kim", resolution="called_back"
        )

    def issue_of(self, friction: ReportedFriction) -> Issue:
        """The issue that a friction is on."""
        issue_id = self.frictions[friction.id].issue_id
        assert issue_id is not None
        return self.issues[issue_id]

    def unresolved(self) -> list[Issue]:
        """Issues that somebody still has to deal with."""
        return [issue for issue in self.issues.values() if issue.unresolved]

    def grouping(self) -> dict[str, frozenset[str]]:
        """Standing frictions by the fingerprint of the issue they are on."""
        groups: dict[str, set[str]] = {}
        for placed in self.frictions.values():
            if placed.friction.stands:
                assert placed.issue_id is not None
                groups.setdefault(self.issues[placed.issue_id].fingerprint, set()).add(placed.friction.id)
        return {name: frozenset(members) for name, members in groups.items()}

    def _new_id(self) -> UUID:
        return UUID(int=1000 + next(self._numbers))

    def _unique_after_every_write(self, _change: IssueChange) -> None:
        """What the unique index checks, row by row."""
        prints = [issue.fingerprint for issue in self.unresolved()]
        assert len(prints) == len(set(prints)), "two unresolved issues of one fingerprint"


def all_standing_counted(world: World) -> Iterable[tuple[Issue, int]]:
    """Each unresolved issue with the standing frictions that are on it."""
    for issue in world.unresolved():
        held = [p for p in world.frictions.values() if p.issue_id == issue.id and p.friction.stands]
        yield issue, len(held)
