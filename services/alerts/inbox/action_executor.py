"""Executes actions on issues, each in its own transaction.

The decisions are left to `actions`, and HTTP to `api`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.alerts.feedback import feedback_store
from services.alerts.hold import escalation_store, wait_store
from services.alerts.inbox.actions import ActionOutcome, ActionVerdict
from services.alerts.issues import issue_store
from services.alerts.issues.model import Issue
from services.alerts.loop.loop_follower import LoopFollower
from services.alerts.metrics import StateMetrics
from services.alerts.notify.change_writer import ChangeWriter
from services.alerts.notify.notification import NotificationPlan
from services.runtime.clock import Clock
from services.runtime.postgres.pools import ConcurrentChangeError, Connection, Pool, retrying, transaction

Action = Callable[[Issue, bool], ActionVerdict]
"""Decides about an issue; the flag says whether a later issue of the same fingerprint is unresolved."""

_Work = Callable[[Connection, Issue, datetime], Awaitable[list[NotificationPlan]]]

MOVE_RETRIES = 5
RETRY_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionResult:
    """The issue after an action, and what happened."""

    outcome: ActionOutcome
    issue: Issue


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionExecutor:
    """Executes the actions of people and of the clock."""

    pool: Pool
    clock: Clock
    writer: ChangeWriter
    loop: LoopFollower
    metrics: StateMetrics

    async def execute(self, issue_id: UUID, action: Action) -> ActionResult | None:
        """Execute `action` on an issue; return None if there is no such issue."""
        for _ in range(MOVE_RETRIES):
            try:
                return await retrying(lambda: self._execute(issue_id, action), within_s=RETRY_WITHIN_S)
            except ConcurrentChangeError:
                continue
        raise ConcurrentChangeError

    async def look_again(self, issue_id: UUID) -> None:
        """Look at an issue whose wait is due, and notify if nothing holds it any more."""
        await self._carry_on(issue_id, self.writer.look_again)

    async def escalate(self, issue_id: UUID) -> None:
        """Take the steps of an issue's escalations that are due."""
        await self._carry_on(issue_id, self.writer.escalate)

    async def _carry_on(self, issue_id: UUID, work: "_Work") -> None:
        for _ in range(MOVE_RETRIES):
            try:
                await retrying(lambda: self._with_issue(issue_id, work), within_s=RETRY_WITHIN_S)
            except ConcurrentChangeError:
                continue
            return
        raise ConcurrentChangeError

    async def _with_issue(self, issue_id: UUID, work: "_Work") -> None:
        async with transaction(self.pool) as connection:
            found = await issue_store.lock_issue(connection, issue_id)
            if found is None:
                await wait_store.forget(connection, issue_id)
                await escalation_store.end(connection, [issue_id])
                return
            plans = await work(connection, found[0], self.clock.now())
        self.writer.count(plans)

    async def _execute(self, issue_id: UUID, action: Action) -> ActionResult | None:
        async with transaction(self.pool) as connection:
            found = await issue_store.lock_issue(connection, issue_id)
            if found is None:
                return None
            issue, superseded = found
            verdict = action(issue, superseded)
            if verdict.change is None:
                return ActionResult(outcome=verdict.outcome, issue=issue)
            now = self.clock.now()
            plans = await self.writer.write(connection, [verdict.change], now)
            changes = [plan.change for plan in plans]
            await self.loop.follow(connection, changes, now)
            await feedback_store.follow_outcomes(connection, changes, now)
        self.writer.count(plans)
        after = plans[0].change.after
        if issue.acknowledged_at is None and after.acknowledged_at is not None:
            self.metrics.time_to_acknowledge.observe((self.clock.now() - issue.opened_at).total_seconds())
        return ActionResult(outcome=verdict.outcome, issue=after)
