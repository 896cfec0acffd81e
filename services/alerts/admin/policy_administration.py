"""Changes the policy of notifying and its silences; each change is one transaction, and releases what waits.

HTTP is left to `api`, and files to the command.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from services.alerts.hold import inhibition_store, silence_store, wait_store
from services.alerts.issues import issue_store
from services.alerts.issues.issue_store import unresolved_issues
from services.alerts.issues.model import Issue
from services.alerts.notify import directory_store
from services.alerts.notify.routing import RoutingDirectory
from services.alerts.policy.alert_policy import AlertPolicy
from services.alerts.policy.escalation import Escalation, EscalationStep
from services.alerts.policy.inhibition import InhibitRule
from services.alerts.policy.matchers import Matcher, all_match
from services.alerts.policy.silences import Silence, SilenceState, check_silence, expire, keeps_id
from services.alerts.policy.tree import all_routes, routing_facts
from services.runtime.clock import Clock
from services.runtime.postgres.pools import Connection, Pool, acquire, transaction

PREVIEW_SHOWN = 20
ENDED_SHOWN = timedelta(days=1)
"""Silences that ended longer ago are not listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SilencePreview:
    """What a silence would hold now: how many open issues, and some of them."""

    count: int
    issues: tuple[Issue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationDraft:
    """An escalation as somebody asks for it; `hours` is a name."""

    name: str
    steps: tuple[EscalationStep, ...]
    repeat: int
    hours: str | None


class UnknownPeopleError(Exception):
    """A step of an escalation names an endpoint or a team that does not exist."""


class UnknownHoursError(Exception):
    """An escalation names hours that the policy does not have."""


class EscalationInUseError(Exception):
    """A route names the escalation."""


def _escalation(draft: EscalationDraft, directory: RoutingDirectory) -> Escalation:
    """Return the escalation of a draft; raises `UnknownPeopleError`, `UnknownHoursError`."""
    for step in draft.steps:
        if set(step.endpoints) - directory.endpoints.keys() or set(step.teams) - directory.teams.keys():
            raise UnknownPeopleError
    hours = directory.policy.hours_by_name.get(draft.hours or "")
    if draft.hours is not None and hours is None:
        raise UnknownHoursError
    return Escalation(name=draft.name, steps=draft.steps, repeat=draft.repeat, hours=hours)


async def apply_policy(
    connection: Connection, policy: AlertPolicy, *, actor: str, change: str, now: datetime, note: str = ""
) -> int:
    """Put a policy in force as a new version, look again at everything that waits, and return the version.

    It keeps the writers of issues away until the transaction ends, so that all that follows is of one policy.
    """
    await directory_store.lock_policy(connection)
    await directory_store.lock_routes(connection)
    before = await directory_store.load_directory(connection)
    version = await directory_store.replace_policy(connection, policy, actor=actor, change=change, now=now, note=note)
    if before.inhibit_rules != policy.inhibit_rules:
        await inhibition_store.rebuild(connection, policy.inhibit_rules)
    if before.levels != policy.levels:
        await issue_store.renew_priorities(connection)
    await wait_store.release_all(connection, now)
    await wait_store.wake(connection)
    return version


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyAdministration:
    """Carries out the changes of administrators to inhibition and silences."""

    pool: Pool
    clock: Clock
    new_id: Callable[[], UUID]

    async def apply(self, policy: AlertPolicy, *, actor: str, change: str, note: str = "") -> int:
        """Put a policy in force and return its version."""
        async with transaction(self.pool) as connection:
            return await apply_policy(connection, policy, actor=actor, change=change, now=self.clock.now(), note=note)

    async def edit_inhibitions(
        self, edit: Callable[[Sequence[InhibitRule]], Sequence[InhibitRule] | None], *, actor: str
    ) -> bool:
        """Change the rules of inhibition; return false if `edit` found nothing to change."""

        def change(directory: RoutingDirectory) -> AlertPolicy | None:
            edited = edit(directory.inhibit_rules)
            return None if edited is None else replace(directory.policy, inhibit_rules=tuple(edited))

        return await self._edit(change, actor=actor, what="inhibitions changed")

    async def put_escalation(self, escalation: EscalationDraft, *, actor: str) -> None:
        """Add an escalation, or put it in the place of the one of its name.

        Raises:
            UnknownPeopleError: a step names an endpoint or a team that does not exist.
            UnknownHoursError: there are no hours of this name.
        """

        def change(directory: RoutingDirectory) -> AlertPolicy:
            fresh = _escalation(escalation, directory)
            kept = [one for one in directory.escalations if one.name != fresh.name]
            return replace(directory.policy, escalations=(*kept, fresh))

        await self._edit(change, actor=actor, what="escalation changed")

    async def remove_escalation(self, name: str, *, actor: str) -> bool:
        """Delete an escalation; return false if there is none of this name. Those under way go on.

        Raises:
            EscalationInUseError: a route names it.
        """

        def change(directory: RoutingDirectory) -> AlertPolicy | None:
            kept = tuple(one for one in directory.escalations if one.name != name)
            if len(kept) == len(directory.escalations):
                return None
            options = (directory.root, *(route.options for route in all_routes(directory.routes)))
            if any(one.escalation == name for one in options):
                raise EscalationInUseError
            return replace(directory.policy, escalations=kept)

        return await self._edit(change, actor=actor, what="escalation deleted")

    async def _edit(self, change: Callable[[RoutingDirectory], AlertPolicy | None], *, actor: str, what: str) -> bool:
        async with transaction(self.pool) as connection:
            await directory_store.lock_policy(connection)
            policy = change(await directory_store.load_directory(connection))
            if policy is None:
                return False
            await apply_policy(connection, policy, actor=actor, change=what, now=self.clock.now())
        return True

    async def list_silences(self) -> list[Silence]:
        """Return the silences that are not over for longer than a day."""
        async with acquire(self.pool) as connection:
            return await silence_store.list_silences(connection, ended_after=self.clock.now() - ENDED_SHOWN)

    async def add_silence(self, silence: Silence) -> None:
        """Add a silence.

        Raises:
            SilenceError: it would hold everything or nothing.
        """
        async with transaction(self.pool) as connection:
            await self._check(connection, silence)
            await silence_store.save_silence(connection, silence)

    async def change_silence(self, silence_id: UUID, change: Callable[[Silence], Silence]) -> Silence | None:
        """Change a silence; one that says something else from then on gets a new id, and the old one ends.

        Raises:
            SilenceError: it would hold everything or nothing.
        """
        now = self.clock.now()
        async with transaction(self.pool) as connection:
            before = await silence_store.lock_silence(connection, silence_id)
            if before is None:
                return None
            after = replace(change(before), updated_at=now, warned_at=None)
            if not keeps_id(before, after, now):
                await silence_store.save_silence(connection, expire(before, now))
                after = replace(after, id=self.new_id(), starts_at=max(after.starts_at, now))
            await self._check(connection, after)
            await silence_store.save_silence(connection, after)
            await self._let_go(connection, silence_id)
        return after

    async def end_silence(self, silence_id: UUID) -> Silence | None:
        """End a silence now and let go what it holds; one that is over stays as it is."""
        async with transaction(self.pool) as connection:
            before = await silence_store.lock_silence(connection, silence_id)
            if before is None:
                return None
            after = expire(before, self.clock.now())
            if before.state(self.clock.now()) is not SilenceState.EXPIRED:
                await silence_store.save_silence(connection, after)
                await self._let_go(connection, silence_id)
        return after

    async def preview(self, matchers: Sequence[Matcher]) -> SilencePreview:
        """Return which open issues a silence with these matchers would hold now."""
        count, shown = 0, []
        async with acquire(self.pool) as connection:
            async for issue in unresolved_issues(connection):
                if all_match(matchers, routing_facts(issue).labels):
                    count += 1
                    shown += [issue] if count <= PREVIEW_SHOWN else []
        return SilencePreview(count=count, issues=tuple(shown))

    async def _check(self, connection: Connection, silence: Silence) -> None:
        directory = await directory_store.load_directory(connection)
        check_silence(silence, list(directory.policy.hours_by_name), self.clock.now())

    async def _let_go(self, connection: Connection, silence_id: UUID) -> None:
        await wait_store.release(connection, [str(silence_id)], self.clock.now())
        await wait_store.wake(connection)
