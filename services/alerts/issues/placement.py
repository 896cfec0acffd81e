"""Decides which issue a friction is on; `consume` carries the decision out.

`place` takes a context (every friction and issue that the arrivals can touch, locked by the caller) and returns what to
write. Pure. The rule is in the docstring of the package. Notifying people is left to `notify`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from services.alerts.issues.aggregates import latest_revision, severity_rose, with_aggregates
from services.alerts.issues.lifecycle import open_issue, reopen_issue, resolve_empty
from services.alerts.issues.model import (
    SYSTEM,
    Issue,
    IssueChange,
    IssueEvent,
    IssueEventKind,
    IssueResolution,
    JourneyNow,
    PlacedFriction,
    ReportedFriction,
)
from services.alerts.issues.situation import follow

REOPEN_WINDOW = timedelta(days=7)


class PlacementOutcome(StrEnum):
    """What happened to one reported friction; a metric label."""

    STALE = "stale"
    OPENED = "opened"
    JOINED = "joined"
    REOPENED = "reopened"
    ADDED_SILENTLY = "added_silently"
    UPDATED = "updated"
    MOVED = "moved"
    RETRACTED = "retracted"
    FORESTALLED = "forestalled"
    """Retracted before it was ever seen: it is recorded and on no issue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementContext:
    """What is known before a placement: frictions, issues, and how many issues each fingerprint has had.

    It must hold the arrivals' frictions, every issue these are on, every issue of the fingerprints involved that is
    unresolved or resolved of late, and all frictions of those issues.
    """

    frictions: Mapping[str, PlacedFriction]
    issues: Mapping[UUID, Issue]
    occurrences: Mapping[str, int]
    journeys: Mapping[str, JourneyNow | None] = field(default_factory=dict)
    """What is known of the journeys of the arrivals; None for one that is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementPlan:
    """What to write: frictions with their issues, and changed issues in an order that keeps fingerprints unique."""

    outcomes: Mapping[str, PlacementOutcome]
    stale: int
    frictions: tuple[PlacedFriction, ...]
    changes: tuple[IssueChange, ...]
    occurrences: Mapping[str, int]


def place(
    context: PlacementContext,
    arrivals: Sequence[ReportedFriction],
    *,
    now: datetime,
    new_id: Callable[[], UUID],
    reopen_window: timedelta = REOPEN_WINDOW,
) -> PlacementPlan:
    """Decide about `arrivals`, the frictions of one transaction in any order."""
    workspace = _Workspace(context, now=now, new_id=new_id, reopen_window=reopen_window)
    fresh = _newest(context, arrivals)
    workspace.move_whole(_held_by(context, fresh), fresh)
    for friction in sorted(fresh.values(), key=lambda f: (f.occurred_at, f.id)):
        workspace.put(friction)
    changes = workspace.finish()
    return PlacementPlan(
        outcomes=workspace.outcomes,
        stale=len(arrivals) - len(fresh),
        frictions=tuple(workspace.frictions[friction_id] for friction_id in fresh),
        changes=changes,
        occurrences={f: n for f, n in workspace.occurrences.items() if context.occurrences.get(f, 0) != n},
    )


def _newest(context: PlacementContext, arrivals: Sequence[ReportedFriction]) -> dict[str, ReportedFriction]:
    """Return the highest arrived revision of each friction if it is higher than the known one."""
    newest: dict[str, ReportedFriction] = {}
    for friction in arrivals:
        known = context.frictions.get(friction.id)
        seen = newest.get(friction.id)
        floor = max(known.friction.revision if known else 0, seen.revision if seen else 0)
        if friction.revision > floor:
            newest[friction.id] = friction
    return newest


def _held_by(context: PlacementContext, fresh: Iterable[str]) -> list[UUID]:
    """Return the issues that hold any of `fresh`, the oldest first."""
    held = {placed.issue_id for fid in fresh if (placed := context.frictions.get(fid)) and placed.issue_id}
    return sorted(held, key=lambda issue_id: (context.issues[issue_id].opened_at, issue_id))


@dataclass(slots=True)
class _Draft:
    """An issue that is being changed, and what happened to it.

    `left_for`: where one of its frictions went in this transaction. `causes`: frictions that a revision put on it, or
    changed there.
    """

    before: Issue | None
    issue: Issue
    left_for: UUID | None = None
    events: list[IssueEvent] = field(default_factory=list)
    causes: list[ReportedFriction] = field(default_factory=list)

    @property
    def at_start(self) -> Issue:
        """The issue at the beginning of the transaction; a new issue as it was opened."""
        return self.before or self.issue

    def note(self, kind: IssueEventKind, **detail: str | int | list[str] | None) -> None:
        self.events.append(IssueEvent(kind=kind, actor=SYSTEM, detail=detail))


class _Workspace:
    """The placements of this transaction on top of what was known before."""

    def __init__(
        self, context: PlacementContext, *, now: datetime, new_id: Callable[[], UUID], reopen_window: timedelta
    ) -> None:
        self.now = now
        self.new_id = new_id
        self.reopen_window = reopen_window
        self.frictions: dict[str, PlacedFriction] = dict(context.frictions)
        self.on_issue: dict[UUID, set[str]] = {}
        for fid, placed in context.frictions.items():
            if placed.issue_id is not None:
                self.on_issue.setdefault(placed.issue_id, set()).add(fid)
        self.drafts = {issue_id: _Draft(issue, issue) for issue_id, issue in context.issues.items()}
        self.by_fingerprint: dict[str, dict[UUID, None]] = {}
        for issue in context.issues.values():
            self._index(issue)
        self.touched: dict[UUID, None] = {}
        self.occurrences: dict[str, int] = dict(context.occurrences)
        self.outcomes: dict[str, PlacementOutcome] = {}
        self.journeys = context.journeys

    def move_whole(self, held: Iterable[UUID], fresh: Mapping[str, ReportedFriction]) -> None:
        """Move whole issues whose frictions all go to one new fingerprint without an unresolved issue.

        One issue can make room for another, so the rest is tried again after every move.
        """
        going = {i: target for i in held if (target := self._common_destination(self.drafts[i].issue, fresh))}
        while ready := next((i for i, target in going.items() if self._has_room(self.drafts[i].issue, target)), None):
            self._move(self.drafts[ready], going.pop(ready))

    def _has_room(self, issue: Issue, target: ReportedFriction) -> bool:
        return not issue.unresolved or self._unresolved(target.fingerprint) is None

    def _move(self, draft: _Draft, target: ReportedFriction) -> None:
        draft.note(
            IssueEventKind.MOVED,
            from_customer=draft.issue.customer_id,
            to_customer=target.customer_id,
            from_journey=draft.issue.journey_id,
            to_journey=target.journey_id,
        )
        draft.issue = replace(
            draft.issue,
            fingerprint=target.fingerprint,
            occurrence=self._next_occurrence(target.fingerprint),
            customer_id=target.customer_id,
            journey_id=target.journey_id,
            reason=target.reason,
            journey=None,
        )
        self._index(draft.issue)
        self._touch(draft.issue.id)

    def _common_destination(self, issue: Issue, fresh: Mapping[str, ReportedFriction]) -> ReportedFriction | None:
        """Return one of the standing frictions if all of them have the same fingerprint and it is not the issue's."""
        held = [fresh.get(fid, self.frictions[fid].friction) for fid in self.on_issue.get(issue.id, ())]
        standing = [f for f in held if f.stands]
        fingerprints = {f.fingerprint for f in standing}
        if len(fingerprints) != 1 or issue.fingerprint in fingerprints:
            return None
        return max(standing, key=lambda f: (f.occurred_at, f.id))

    def put(self, friction: ReportedFriction) -> None:
        """Place one friction and record the effect on the issues that it leaves and joins."""
        known = self.frictions.get(friction.id)
        home = known.issue_id if known else None
        if not friction.stands:
            self._retract(friction, known, home)
        elif home is None or known is None or not known.friction.stands:
            self._join(friction, None)
        else:
            self._revise(friction, home)
        self._leave(friction.id, home)

    def _retract(self, friction: ReportedFriction, known: PlacedFriction | None, home: UUID | None) -> None:
        self._set(friction, home)
        if home is None:
            self.outcomes[friction.id] = PlacementOutcome.FORESTALLED
            return
        self.outcomes[friction.id] = PlacementOutcome.RETRACTED
        if known is not None and known.friction.stands:
            self._touch(home).note(IssueEventKind.FRICTION_RETRACTED, friction=friction.id, rule=friction.rule)

    def _revise(self, friction: ReportedFriction, home: UUID) -> None:
        """Place a friction that stands on `home` already; what was resolved there stays so unless it became worse."""
        draft = self.drafts[home]
        at_home = draft.issue.fingerprint == friction.fingerprint
        worse = not friction.quiet and severity_rose(draft.issue.severity, friction.severity)
        dealt_with = not draft.at_start.unresolved and not worse
        if at_home and (dealt_with or draft.issue.unresolved):
            self._update(friction, home)
        elif dealt_with:
            self._add(friction, self._dealt_with(friction, draft.at_start), home)
        else:
            self._join(friction, home)

    def _update(self, friction: ReportedFriction, home: UUID) -> None:
        self._set(friction, home)
        self.outcomes[friction.id] = PlacementOutcome.UPDATED
        draft = self._touch(home)
        draft.causes.append(friction)
        draft.note(IssueEventKind.FRICTION_UPDATED, friction=friction.id, revision=friction.revision)

    def _join(self, friction: ReportedFriction, origin: UUID | None) -> None:
        """Put a friction on the issue of its fingerprint; `origin` is the issue that it was on."""
        issue_id, outcome = self._destination(friction, origin)
        self._add(friction, issue_id, origin, outcome)

    def _add(
        self,
        friction: ReportedFriction,
        issue_id: UUID,
        origin: UUID | None,
        outcome: PlacementOutcome = PlacementOutcome.MOVED,
    ) -> None:
        moved_from = origin if origin != issue_id else None
        self.outcomes[friction.id] = PlacementOutcome.MOVED if moved_from else outcome
        draft = self._touch(issue_id)
        draft.causes.append(friction)
        self._set(friction, issue_id)
        draft.note(
            IssueEventKind.FRICTION_ADDED,
            friction=friction.id,
            rule=friction.rule,
            severity=friction.severity,
            moved_from=str(moved_from) if moved_from else None,
        )

    def _leave(self, friction_id: str, home: UUID | None) -> None:
        """Record on its former issue that a friction left."""
        now_on = self.frictions[friction_id].issue_id
        if home is None or now_on == home or now_on is None:
            return
        draft = self._touch(home)
        draft.note(IssueEventKind.FRICTION_LEFT, friction=friction_id, to_issue=str(now_on))
        draft.left_for = now_on

    def _destination(self, friction: ReportedFriction, origin: UUID | None) -> tuple[UUID, PlacementOutcome]:
        unresolved = self._unresolved(friction.fingerprint)
        if unresolved is not None:
            return unresolved, PlacementOutcome.JOINED
        recent = self._recently_resolved(friction.fingerprint)
        if recent is None:
            left = self.drafts[origin].issue if origin else None
            return self._open(friction, left if left and left.unresolved else None), PlacementOutcome.OPENED
        if friction.quiet and self.drafts[recent].issue.resolution != IssueResolution.RETRACTED:
            return recent, PlacementOutcome.ADDED_SILENTLY
        self._reopen(recent, friction)
        return recent, PlacementOutcome.REOPENED

    def _dealt_with(self, friction: ReportedFriction, origin: Issue) -> UUID:
        """Return a resolved issue for a friction that was dealt with on `origin` and has a new fingerprint now."""
        for issue in self._of(friction.fingerprint):
            started = self.drafts[issue.id].at_start
            if not started.unresolved and started.resolution not in {IssueResolution.RETRACTED, IssueResolution.MERGED}:
                return issue.id
        return self._open(friction, origin)

    def _index(self, issue: Issue) -> None:
        self.by_fingerprint.setdefault(issue.fingerprint, {})[issue.id] = None

    def _of(self, fingerprint: str) -> list[Issue]:
        """Return the issues with this fingerprint; the index also contains those that moved on."""
        named = (self.drafts[issue_id].issue for issue_id in self.by_fingerprint.get(fingerprint, ()))
        return [issue for issue in named if issue.fingerprint == fingerprint]

    def _unresolved(self, fingerprint: str) -> UUID | None:
        return next((issue.id for issue in self._of(fingerprint) if issue.unresolved), None)

    def _recently_resolved(self, fingerprint: str) -> UUID | None:
        candidates = [
            issue
            for issue in self._of(fingerprint)
            if issue.resolved_at is not None
            and issue.merged_into is None
            and self.now - issue.resolved_at <= self.reopen_window
        ]
        latest = max(candidates, key=lambda i: (i.resolved_at, i.occurrence), default=None)
        return latest.id if latest else None

    def _open(self, friction: ReportedFriction, origin: Issue | None) -> UUID:
        occurrence = self._next_occurrence(friction.fingerprint)
        issue = open_issue(friction, issue_id=self.new_id(), occurrence=occurrence, now=self.now, origin=origin)
        self.drafts[issue.id] = _Draft(None, issue)
        self._index(issue)
        draft = self._touch(issue.id)
        draft.note(IssueEventKind.OPENED, occurrence=occurrence)
        if not issue.unresolved and origin is not None:
            draft.note(IssueEventKind.RESOLVED, resolution=issue.resolution, split_off=str(origin.id))
        return issue.id

    def _reopen(self, issue_id: UUID, friction: ReportedFriction) -> None:
        draft = self._touch(issue_id)
        self.touched[issue_id] = self.touched.pop(
            issue_id
        )  # the issue that had the fingerprint before is written before
        draft.issue = reopen_issue(draft.issue, self.now)
        draft.note(IssueEventKind.REOPENED, friction=friction.id, rule=friction.rule)

    def _next_occurrence(self, fingerprint: str) -> int:
        self.occurrences[fingerprint] = self.occurrences.get(fingerprint, 0) + 1
        return self.occurrences[fingerprint]

    def _set(self, friction: ReportedFriction, issue_id: UUID | None) -> None:
        known = self.frictions.get(friction.id)
        if known is not None and known.issue_id is not None:
            self.on_issue[known.issue_id].discard(friction.id)
        if issue_id is not None:
            self.on_issue.setdefault(issue_id, set()).add(friction.id)
        self.frictions[friction.id] = PlacedFriction(friction=friction, issue_id=issue_id)

    def _touch(self, issue_id: UUID) -> _Draft:
        self.touched.setdefault(issue_id)
        return self.drafts[issue_id]

    def finish(self) -> tuple[IssueChange, ...]:
        """Compute the aggregates of every touched issue, resolve empty issues, and number the versions."""
        return tuple(self._finished(self.drafts[issue_id]) for issue_id in self.touched)

    def _finished(self, draft: _Draft) -> IssueChange:
        held = (self.frictions[fid].friction for fid in self.on_issue.get(draft.issue.id, ()))
        standing = [friction for friction in held if friction.stands]
        was = draft.before
        fresh_start = was is None or (not was.unresolved and draft.issue.unresolved)
        issue = with_aggregates(draft.issue, standing, keep_severity=not fresh_start)
        if was is not None and not fresh_start and severity_rose(was.severity, issue.severity):
            draft.note(IssueEventKind.SEVERITY_RAISED, from_severity=was.severity, to_severity=issue.severity)
        if not standing and issue.unresolved:
            issue = resolve_empty(issue, self.now, into=draft.left_for)
            draft.note(
                IssueEventKind.RESOLVED,
                resolution=issue.resolution,
                merged_into=str(issue.merged_into) if issue.merged_into else None,
            )
        elif issue.unresolved and issue.journey_id is not None:
            issue, closed = follow(issue, self.journeys.get(issue.journey_id), standing, now=self.now)
            draft.events += [closed] if closed else []
        version = was.version if was else 0
        return IssueChange(
            before=was,
            after=replace(issue, version=version + 1, updated_at=self.now),
            events=tuple(draft.events),
            revised_at=latest_revision(draft.causes),
            trace=next((f.trace for f in reversed(draft.causes) if f.trace), None),
        )
