"""Keeps open outbreaks up to date: counts them, ends them when it is quiet again, and hands out what outlives them.

Every replica runs it. Each outbreak is looked at in a transaction of its own, under the lock of its key; a step that a
dead process left is found again, because all of it is rows.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from services.alerts.inbox.action_executor import ActionExecutor
from services.alerts.inbox.actions import verdict_of
from services.alerts.issues import issue_store
from services.alerts.issues.model import AlertSeverity, Issue, IssueChange, OutbreakFacts
from services.alerts.notify.change_writer import ChangeWriter
from services.alerts.notify.notification import NotificationPlan
from services.alerts.outbreaks import outbreak_store as store
from services.alerts.outbreaks.detection import QUIET_FOR, is_over, key_of_text, keys_of
from services.alerts.outbreaks.outbreak_holding import RULES_NAMED, counted_outbreak, ended_outbreak, fold, hand_out
from services.alerts.outbreaks.outbreak_store import OpenOutbreak, OutbreakCounts
from services.runtime.clock import Clock
from services.runtime.postgres.pools import Pool, acquire, retrying, transaction

RETRY_WITHIN_S = 5.0
GATHERED_FOR = timedelta(minutes=2)
"""So long after its opening an outbreak gathers what came before."""
HAND_OUT_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutbreakWatch:
    """Looks at every open outbreak; one that is over hands out `hand_out` of its open issues a minute."""

    pool: Pool
    clock: Clock
    writer: ChangeWriter
    executor: ActionExecutor
    hand_out: int

    async def look(self) -> int:
        """Bring all outbreaks up to date, and return how many are still open."""
        async with acquire(self.pool) as connection:
            running = await store.all_open(connection)
        rules: defaultdict[UUID, set[str]] = defaultdict(set)
        for one in running:
            rules[one.id].add(key_of_text(one.key).rule)
        for one in running:
            if self.clock.now() - one.opened_at < GATHERED_FOR:
                await self._gather(one, rules[one.id])
        still = [await retrying(partial(self._look_at, one), within_s=RETRY_WITHIN_S) for one in rules]
        await self._hand_out()
        return sum(still)

    async def _gather(self, outbreak: OpenOutbreak, rules: Collection[str]) -> None:
        """Add what came before it was called an outbreak, or at the same moment through another replica."""
        key = key_of_text(outbreak.key)
        async with transaction(self.pool) as connection:
            found = await store.frictions_since(connection, key.rule, outbreak.started_at)
            ours = [one for one in found if key in keys_of(one.friction)]
            belonging = [(outbreak.id, one.friction) for one in ours]
            await store.add_frictions(connection, belonging, self.clock.now())
        for issue_id in dict.fromkeys(one.issue_id for one in ours if one.loose):
            await self.executor.execute(
                issue_id, lambda issue, _: verdict_of(fold(issue, outbreak.id, rules, now=self.clock.now()))
            )

    async def _look_at(self, outbreak_id: UUID) -> bool:
        """Bring one outbreak up to date; return whether it is still open."""
        now = self.clock.now()
        async with transaction(self.pool) as connection:
            keys = await store.open_keys(connection, outbreak_id)
            await store.lock_keys(connection, {key_of_text(one.key).broad.text for one in keys})
            found = await issue_store.lock_issue(connection, outbreak_id)
            keys = await store.open_keys(connection, outbreak_id)  # whoever joins has the lock of the issue
            if not keys:
                return False
            if found is None or not found[0].unresolved:
                await store.end_outbreak(connection, outbreak_id, now)
                return False
            counts = await store.counts_of(
                connection, outbreak_id, key_of_text(keys[0].key).rule, lately_since=now - QUIET_FOR
            )
            over = _all_over(keys, counts, now)
            change = _change(found[0], keys, counts, over=over, now=now)
            plans: list[NotificationPlan] = []
            if change is not None:
                plans = await self.writer.write(connection, [change], now)
            if over:
                await store.end_outbreak(connection, outbreak_id, now)
        self.writer.count(plans)
        return not over

    async def _hand_out(self) -> None:
        """Hand out some of the open issues of each outbreak that is over, the most urgent first."""
        async with acquire(self.pool) as connection:
            waiting = await store.over_with_issues(connection)
        for outbreak_id in waiting:
            async with transaction(self.pool) as connection:
                ours = await store.take_turn(connection, outbreak_id, self.clock.now(), HAND_OUT_EVERY)
                held = await store.held_issues(connection, outbreak_id, self.hand_out) if ours else []
            for issue_id in held:
                await self.executor.execute(
                    issue_id, lambda issue, _: verdict_of(hand_out(issue, now=self.clock.now(), why="over"))
                )


def _all_over(keys: Sequence[OpenOutbreak], counts: OutbreakCounts, now: datetime) -> bool:
    """Return whether it was quiet for long enough under every key of an outbreak."""
    return all(
        now - one.opened_at >= QUIET_FOR
        and is_over(counts.lately_by_rule.get(key_of_text(one.key).rule, 0), one.opened_by)
        for one in keys
    )


def _change(
    issue: Issue, keys: Sequence[OpenOutbreak], counts: OutbreakCounts, *, over: bool, now: datetime
) -> IssueChange | None:
    """Return the change of the issue of an outbreak that was counted, None if there is none."""
    places = {(key.field, key.value) for key in (key_of_text(one.key) for one in keys)}
    field, value = places.pop() if len(places) == 1 else ("", "")
    facts = OutbreakFacts(
        segment=field or None,
        value=value or None,
        started_at=issue.outbreak.started_at if issue.outbreak else keys[0].started_at,
        usual=round(sum(one.usual for one in keys), 2),
        frictions=counts.frictions,
        customers=counts.customers,
        lately=counts.lately,
        segments=_plain(counts.segments),
        rules=dict(list(counts.rules.items())[:RULES_NAMED]),
        held=counts.held,
        over_at=now if over else None,
    )
    severities = [AlertSeverity(name) for name in counts.severities]
    last_at = counts.last_minute or issue.last_at
    change = counted_outbreak(issue, facts, severities, last_at=last_at, now=now)
    return ended_outbreak(change, now) if over and change is not None else change


def _plain(segments: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    return {field: dict(values) for field, values in segments.items()}
