"""Looks at what is due: held notifications, repeats, groups, and silences that end soon.

Everything it does is in rows, so it begins after a restart where it was; every replica runs it, and work that one has
done is done for all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from services.alerts.deliver import delivery_store, endpoint_store
from services.alerts.deliver.operational_messages import render_silence_message
from services.alerts.hold import escalation_store, silence_store, wait_store
from services.alerts.inbox.action_executor import ActionExecutor
from services.alerts.policy.silences import Silence
from services.alerts.upkeep.group_flush import AT_ONCE as GROUPS_AT_ONCE
from services.alerts.upkeep.group_flush import GroupFlusher
from services.alerts.wakeups import Wakeups
from services.runtime.clock import Clock
from services.runtime.postgres.pools import Connection, Pool, acquire, retrying, transaction
from services.runtime.process.outages import tolerated
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

AT_ONCE = 1000
RETRY_WITHIN_S = 5.0
SHORTEST_PAUSE_S = 0.01
SILENCES_KEPT_READ = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitLoop:
    """Runs until cancelled, in every replica."""

    pool: Pool
    clock: Clock
    executor: ActionExecutor
    flusher: GroupFlusher
    wakeups: Wakeups
    new_id: Callable[[], UUID]
    poll_s: float

    async def run(self) -> None:
        """Look at what is due until cancelled; in between sleep until the next due time, or until something waits."""
        while True:
            pause = self.poll_s
            with tolerated(_log, "what waits is not looked at"):
                await self.look()
                pause = await self._pause()
            await self.wakeups.wait(wait_store.WAKE, pause)

    async def look(self) -> None:
        """Look once at everything that is due now."""
        await self.look_again()
        while await retrying(self.flusher.flush_due, within_s=RETRY_WITHIN_S) == GROUPS_AT_ONCE:
            pass
        await self.escalate()
        await self.warn_of_ends()

    async def escalate(self) -> None:
        """Take the steps of escalations that are due."""
        async with acquire(self.pool) as connection:
            due = await escalation_store.due_issues(connection, self.clock.now(), AT_ONCE)
        for issue_id in due:
            await self.executor.escalate(issue_id)

    async def look_again(self) -> None:
        """Look again at the issues with a wait that is due."""
        async with acquire(self.pool) as connection:
            due = await wait_store.due_issues(connection, self.clock.now(), AT_ONCE)
        for issue_id in due:
            await self.executor.look_again(issue_id)

    async def warn_of_ends(self) -> None:
        """Tell the catch-all endpoints of silences that end soon, and stop reading those that ended long ago."""
        now = self.clock.now()
        async with transaction(self.pool) as connection:
            await silence_store.mark_over(connection, now - SILENCES_KEPT_READ)
            found = await silence_store.due_warnings(connection, now)
            for silence, count in found:
                await self._warn(connection, silence, count)
            await silence_store.mark_warned(connection, [silence.id for silence, _ in found], now)
            if found:
                await delivery_store.wake(connection)

    async def _warn(self, connection: Connection, silence: Silence, count: int) -> None:
        now = self.clock.now()
        endpoints = [e.id for e in await endpoint_store.list_endpoints(connection) if e.catch_all and e.enabled]
        body = render_silence_message(now, silence.id, [str(m) for m in silence.matchers], silence.ends_at, count)
        ids = {endpoint: delivery_store.delivery_id(self.new_id()) for endpoint in endpoints}
        if ids:
            await delivery_store.add_operational(
                connection, type_="silence.ending", reason="silence_ending", body=body, ids=ids, now=now
            )

    async def _pause(self) -> float:
        """Return the seconds until the next due time, at most those between two polls."""
        async with acquire(self.pool) as connection:
            due = await wait_store.next_due(connection)
        if due is None:
            return self.poll_s
        return min(self.poll_s, max(SHORTEST_PAUSE_S, (due - self.clock.now()).total_seconds()))
