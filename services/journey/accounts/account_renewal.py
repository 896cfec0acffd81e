"""Renews one account: makes its stored journeys and timers what its touchpoints come to, in one transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from services.journey.accounts import account_records, account_rows
from services.journey.accounts.account_rows import AccountJourneyRow
from services.journey.domain.accounts.account_comparison import AccountChanges, AccountWindow, compare
from services.journey.domain.accounts.account_projection import AccountPassage, account_passages
from services.journey.domain.definitions.definition import JourneyScope
from services.journey.domain.projection import ProjectionPolicy
from services.journey.outbox import outbox_rows
from services.journey.store.rollups import funnel_rows
from services.journey.store.timer_rows import TimerReach
from services.journey.versions.in_force import HeldPolicies, PolicySource
from services.runtime.postgres.pools import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRenewal:
    """Renews accounts. `history` is the number of latest touchpoints that are looked at."""

    policies: PolicySource
    policy: ProjectionPolicy
    new_id: Callable[[], UUID]
    history: int
    publish: bool

    async def renew(self, connection: Connection, account_id: str, reach: TimerReach | None) -> bool | None:
        """Renew an account in the transaction of the caller.

        Returns whether there is something to publish; None where another worker holds the account, and does it.
        """
        held = await self.policies.hold(connection)  # before anything that others may wait for
        if not await account_rows.hold(connection, account_id):
            return None
        if reach is not None:
            await account_rows.fire(connection, reach, account_id)
        named = await account_rows.unapplied(connection, account_id)
        changes = await self._changes(connection, account_id, held)
        published = await self._write(connection, account_id, changes, held)
        if named:
            await account_rows.note_applied(connection, account_id, named)
        return published

    async def _changes(self, connection: Connection, account_id: str, held: HeldPolicies) -> AccountChanges:
        stored = await account_rows.stored(connection, account_id)
        recorded = []
        passages: list[AccountPassage] = []
        if held.definitions.has(JourneyScope.ACCOUNT):
            recorded = await account_rows.history(connection, account_id, self.history)
            passages = account_passages(recorded, stored.fired, held.definitions, self.policy)
        truncated = len(recorded) >= self.history
        window = AccountWindow(
            keys={one.touchpoint.key for one in recorded},
            since=min(one.touchpoint.occurred_at for one in recorded) if truncated else None,
        )
        return compare(passages, stored.journeys, stored.timers, window, self.new_id)

    async def _write(
        self, connection: Connection, account_id: str, changes: AccountChanges, held: HeldPolicies
    ) -> bool:
        outgoing = [account_records.journey(account_id, change, held.now) for change in changes.journeys]
        if changes.journeys:
            rows = [
                AccountJourneyRow(change=change, document=said.document)
                for change, said in zip(changes.journeys, outgoing, strict=True)
            ]
            await account_rows.write(connection, account_id, rows, held.now)
        if changes.gone:
            last = await account_rows.payloads(connection, [one.id for one in changes.gone])
            final = [account_records.gone_journey(account_id, last[one.id], one, held.now) for one in changes.gone]
            await account_rows.retire(connection, changes.gone, [one.document for one in final], held.now)
            outgoing += final
        if changes.armed:
            await account_rows.arm(connection, account_id, changes.armed)
        if changes.cancelled:
            await account_rows.cancel(connection, account_id, changes.cancelled)
        if differing := changes.funnels.rows():
            await funnel_rows.note(connection, differing)
        if outgoing and self.publish:
            await outbox_rows.add(connection, outgoing)
            return True
        return False
