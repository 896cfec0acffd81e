"""What holds of issues at every moment, whatever frictions, people and the clock do between: laws over random lives."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import validation
from schemas.documents import issue as issue_v1
from services.alerts.inbox import actions
from services.alerts.inbox.actions import ActionVerdict
from services.alerts.issues.aggregates import severity_rose, with_aggregates
from services.alerts.issues.contract import write_issue
from services.alerts.issues.model import (
    SYSTEM,
    AlertSeverity,
    Issue,
    IssueChange,
    IssueEventKind,
    ReportedFriction,
    TimelineStep,
    fingerprint,
    worst_severity,
)
from services.alerts.issues.placement import PlacementPlan
from tests.unit.alerts.builders import NOW, World, a_friction

WAITS = (timedelta(0), timedelta(seconds=1), timedelta(hours=1), timedelta(days=3), timedelta(days=7, seconds=1))
STEPS = tuple(
    TimelineStep(occurred_at=NOW + timedelta(minutes=n // 2), channel="phone", kind="call_ended") for n in range(4)
)


@dataclass
class Life:
    """A world, the latest revision of each friction that was made, and the laws that are checked after each step."""

    world: World = field(default_factory=World)
    made: dict[str, ReportedFriction] = field(default_factory=dict)
    reopened_by_hand: set[UUID] = field(default_factory=set)

    def deliver(self, frictions: Sequence[ReportedFriction]) -> None:
        before = dict(self.world.issues)
        news = any(self._is_news(f) for f in frictions)
        placement = self.world.take(*frictions)
        assert news or {i.id for i in self.world.unresolved()} <= {i for i, issue in before.items() if issue.unresolved}
        self._check(before, placement)

    def _is_news(self, friction: ReportedFriction) -> bool:
        """Whether it may wake somebody: all but a retraction, and more about what a person has dealt with."""
        placed = self.world.frictions.get(friction.id)
        if placed is None or placed.issue_id is None or not placed.friction.stands:
            return True
        issue = self.world.issues[placed.issue_id]
        return issue.unresolved or (not friction.quiet and severity_rose(issue.severity, friction.severity))

    def person(self, issue: Issue, act: Callable[[Issue], ActionVerdict]) -> None:
        change = act(issue).change
        if change is not None:
            self.world.issues[issue.id] = change.after
            if change.events[0].kind is IssueEventKind.REOPENED:
                self.reopened_by_hand.add(issue.id)
            self._check_versions({issue.id: issue}, [change])
        self._hold()

    def _check(self, before: dict[UUID, Issue], placement: PlacementPlan) -> None:
        self._check_versions(before, placement.changes)
        assert {p.friction.id for p in placement.frictions} == set(placement.outcomes)
        self._hold()

    def _check_versions(self, before: dict[UUID, Issue], changes: Sequence[IssueChange]) -> None:
        for change in changes:
            was = before.get(change.after.id)
            assert change.before == was
            assert change.after.version == (was.version if was else 0) + 1
            assert change.after.updated_at == self.world.now
            assert change.events

    def _hold(self) -> None:
        for issue in self.world.issues.values():
            self._holds(issue)
        numbered = [(issue.fingerprint, issue.occurrence) for issue in self.world.issues.values()]
        assert len(numbered) == len(set(numbered)), "two issues of one fingerprint bear one number"

    def _holds(self, issue: Issue) -> None:
        standing = self._standing_on(issue)
        assert issue.fingerprint == fingerprint(issue.customer_id, issue.journey_id, issue.reason)
        assert {f.fingerprint for f in standing} <= {issue.fingerprint}
        assert issue.count == len(standing)
        assert issue.unresolved == (issue.resolved_at is None)
        if issue.unresolved:
            assert standing or issue.id in self.reopened_by_hand
            assert (issue.resolution, issue.resolved_by, issue.merged_into) == (None, None, None)
        elif standing:
            assert issue.resolved_by != SYSTEM, "the service never resolves what something stands for"
        if standing:
            assert worst_severity(issue.severity, *(f.severity for f in standing)) is issue.severity
            assert (
                worst_severity(issue.loud_severity, *(f.severity for f in standing if not f.quiet))
                is issue.loud_severity
            )
            again = with_aggregates(issue, standing, keep_severity=True)
            assert again == issue, "what an issue says depends on what stands, not on how that came"
        assert (issue.merged_into is not None) == (issue.resolution == "merged")
        assert self._end_of(issue).id in self.world.issues
        assert validation.errors("issue.v1", json.loads(issue_v1.encode(write_issue(issue)))) == []

    def _standing_on(self, issue: Issue) -> list[ReportedFriction]:
        placed = (p for p in self.world.frictions.values() if p.issue_id == issue.id)
        return [p.friction for p in placed if p.friction.stands]

    def _end_of(self, issue: Issue) -> Issue:
        seen = {issue.id}
        while issue.merged_into is not None:
            assert issue.merged_into not in seen, "a circle of merged issues"
            seen.add(issue.merged_into)
            issue = self.world.issues[issue.merged_into]
        return issue


@st.composite
def next_revisions(draw: st.DrawFn, life: Life) -> list[ReportedFriction]:
    """Some frictions found, changed, moved, taken back or found again; some of it out of order or once more."""
    batch: list[ReportedFriction] = []
    for number in draw(st.lists(st.integers(1, 5), min_size=1, max_size=4)):
        known = life.made.get(a_friction(number).id)
        friction = a_friction(
            number,
            revision=known.revision + 1 if known else 1,
            stands=known is None or draw(st.booleans()),
            customer_id=draw(st.sampled_from(["ann", "bob"])),
            journey_id=draw(st.sampled_from(["j1", "j2", None])),
            reason=draw(st.sampled_from(["billing", "배송", None])),
            severity=draw(st.sampled_from(list(AlertSeverity))),
            quiet=draw(st.booleans()),
            occurred_at=NOW + timedelta(minutes=draw(st.integers(0, 1))),
            channel=draw(st.sampled_from(["phone", "chat"])),
            service_level=draw(st.sampled_from(["basic", "premium", None])),
            refs=draw(st.dictionaries(st.sampled_from(["case_id", "order_id"]), st.sampled_from(["1", "2"]))),
            timeline=tuple(draw(st.lists(st.sampled_from(STEPS), max_size=3))),
        )
        life.made[friction.id] = friction
        batch.append(friction)
        if known is not None and draw(st.booleans()):
            batch.append(known)
    return draw(st.permutations(batch))


def actions_on(life: Life) -> st.SearchStrategy[Callable[[Issue], ActionVerdict]]:
    """What a person, or the end of a snooze, may do to an issue now."""
    now = life.world.now

    def superseded(issue: Issue) -> bool:
        return any(o.fingerprint == issue.fingerprint and o.id != issue.id for o in life.world.unresolved())

    return st.sampled_from(
        [
            lambda issue: actions.acknowledge(issue, actor="kim", now=now),
            lambda issue: actions.resolve(issue, actor="kim", now=now, resolution="called_back"),
            lambda issue: actions.reopen(issue, actor="kim", now=now, superseded=superseded(issue)),
            lambda issue: actions.snooze(issue, actor="kim", now=now, until=now + timedelta(hours=1)),
            lambda issue: actions.end_snooze(issue, now=now),
            lambda issue: actions.add_note(issue, actor="kim", now=now, text="메모"),
        ]
    )


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_laws_of_issues_hold_whatever_happens(data: st.DataObject) -> None:
    life = Life()
    for _ in range(data.draw(st.integers(1, 12))):
        life.world.now += data.draw(st.sampled_from(WAITS))
        if data.draw(st.booleans()) and life.world.issues:
            issue = data.draw(st.sampled_from(sorted(life.world.issues.values(), key=lambda i: i.id)))
            life.person(issue, data.draw(actions_on(life)))
        else:
            life.deliver(data.draw(next_revisions(life)))
