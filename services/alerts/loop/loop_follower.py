"""Keeps watches up to date in the caller's transaction: after changes of issues, of journeys, and of time.

Call it when everything else of the transaction is written: what became of a watch is worked out from the tables.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.alerts.issues.model import IssueChange, JourneyNow
from services.alerts.loop import watch_store
from services.alerts.loop.watch_changes import WatchPolicy, begin_watches, follow_issues
from services.alerts.loop.watch_store import WatchRow
from services.alerts.loop.watches import Recontact, Watch, WatchState, judge_watches
from services.runtime.postgres.pools import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopFollower:
    """Follows resolved issues and their customers."""

    policy: WatchPolicy
    new_id: Callable[[], UUID]

    async def follow(
        self, connection: Connection, changes: Sequence[IssueChange], now: datetime, *, customers: Collection[str] = ()
    ) -> None:
        """Begin and change the watches that these changes of issues touch, and judge those of all their customers.

        `customers` are others of whom something else changed.
        """
        resolved = {c.after.id for c in changes if c.before is not None and not c.before.unresolved}
        resolved |= {change.after.id for change in changes if change.after.merged_into is not None}
        touched = {issue.customer_id for change in changes for issue in (change.before, change.after) if issue}
        touched.discard("")  # an outbreak has no customer
        known = await watch_store.lock_watches(connection, resolved, touched | set(customers), now)
        begun = begin_watches(changes, known, policy=self.policy, new_id=self.new_id)
        if not known and not begun:
            return
        followed = [*follow_issues(known, changes, now=now), *begun]
        judged = await self._judge(connection, followed, now)
        before = {watch.id: watch for watch in known}
        changed = [watch for watch in judged if before.get(watch.id) != watch]
        rows = [WatchRow(watch=w, recheck_until=w.until + self.policy.late) for w in changed]
        await watch_store.save_watches(connection, rows)
        news = [w for w in changed if _came_back(w) and not ((old := before.get(w.id)) and _came_back(old))]
        await watch_store.add_events(connection, news, now)

    async def watched(self, connection: Connection, journeys: Sequence[JourneyNow], now: datetime) -> set[str]:
        """Return the watched customers whom these journeys tell of, or told of so far."""
        customers = {journey.customer_id for journey in journeys}
        return await watch_store.watched_customers(connection, customers, {j.id for j in journeys}, now)

    async def end_due(self, connection: Connection, now: datetime, limit: int) -> int:
        """Judge the watches whose time is over, a bounded number, and return of how many customers."""
        due = await watch_store.customers_due(connection, now, limit)
        await self.follow(connection, (), now, customers=due)
        return len(due)

    async def _judge(self, connection: Connection, watches: Sequence[Watch], now: datetime) -> list[Watch]:
        since = min(watch.resolved_at for watch in watches)
        customers = {watch.customer_id for watch in watches}
        frictions = await watch_store.frictions_since(connection, customers, since)
        contacts = await watch_store.contacts_since(connection, customers, since)
        facts = {one: [*frictions.get(one, ()), *contacts.get(one, ())] for one in customers}
        named = {w.matter.journey_id for w in watches} | {
            f.matter.journey_id for found in facts.values() for f in found
        }
        current = await watch_store.current_journeys(connection, {name for name in named if name})
        judged: dict[UUID, Watch] = {}
        for customer in customers:
            theirs = [_about_now(w, current) for w in watches if w.customer_id == customer]
            known = [_told_now(fact, current) for fact in facts[customer]]
            judged |= {watch.id: watch for watch in judge_watches(theirs, known, now=now)}
        return [judged[watch.id] for watch in watches]


def _came_back(watch: Watch) -> bool:
    return watch.state is WatchState.RECONTACTED


def _about_now(watch: Watch, current: dict[str, str]) -> Watch:
    """Return the watch with the journey that holds its touchpoints now."""
    journey = watch.matter.journey_id
    return replace(watch, matter=replace(watch.matter, journey_id=current.get(journey, journey) if journey else None))


def _told_now(fact: Recontact, current: dict[str, str]) -> Recontact:
    journey = fact.matter.journey_id
    return replace(fact, matter=replace(fact.matter, journey_id=current.get(journey, journey) if journey else None))
