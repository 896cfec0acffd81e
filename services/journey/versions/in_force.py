"""What is in force, as a worker uses it: read in each transaction, prepared once for each version.

Two workers may be of different releases. Both read the same versions; a rule that only the newer one knows fails in the
older one, which keeps what was found and leaves the customer to the newer one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import msgspec

from services.journey.domain.rules.book import Rulebook
from services.journey.domain.rules.edition import RulesVersion
from services.journey.rulebook import stored_rules
from services.journey.versions import policy_table
from services.journey.versions.policy_table import PolicyKind, PolicyVersion
from services.runtime.postgres.pools import Connection
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

KINDS = (PolicyKind.RULES,)
"""The kinds that a worker reads."""


class NothingInForceError(RuntimeError):
    """No version of a kind is stored; a worker stores the first one when it starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPolicies:
    """The policies of one transaction, and the time of the database."""

    now: datetime
    rulebook: Rulebook


class PolicySource(Protocol):
    """Where a transaction gets the policies from."""

    async def hold(self, connection: Connection) -> HeldPolicies:
        """Return the policies of this transaction; no new version comes into force before it ends."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyState:
    """What a process knows of a kind: the latest version, since when it is in force, and what of it is unknown here.

    `unreadable` is the number of versions that are skipped, because nothing of them can be read.
    """

    kind: PolicyKind
    version: int
    in_force_from: datetime
    unknown: tuple[str, ...] = ()
    unreadable: int = 0


@dataclass(slots=True)
class PolicyCache:
    """Prepares each version once. `changed` is called with the new state whenever another version is read."""

    changed: Callable[[PolicyState], None] | None = None
    state: PolicyState | None = None
    _latest: tuple[int, ...] = ()
    _rules: list[RulesVersion] = field(default_factory=list)
    _unreadable: int = 0
    _rulebook: Rulebook | None = None

    async def hold(self, connection: Connection) -> HeldPolicies:
        """Return the policies of this transaction.

        Raises:
            NothingInForceError: the first version is not stored yet.
        """
        held = await policy_table.hold(connection, KINDS)
        return HeldPolicies(now=held.at, rulebook=await self._read(connection, held.latest))

    async def look(self, connection: Connection) -> PolicyState:
        """Read what is in force without holding it, and return the state; raises `NothingInForceError`."""
        seen = await policy_table.look(connection, KINDS)
        await self._read(connection, seen.latest)
        if self.state is None:
            raise NothingInForceError
        return self.state

    async def look_at_rules(self, connection: Connection) -> Rulebook:
        """Read the rules with all their versions without holding them; raises `NothingInForceError`."""
        seen = await policy_table.look(connection, KINDS)
        return await self._read(connection, seen.latest)

    async def _read(self, connection: Connection, latest: tuple[int, ...]) -> Rulebook:
        if self._rulebook is None or latest != self._latest:
            await self._renew(connection, latest)
        if self._rulebook is None:
            raise NothingInForceError
        return self._rulebook

    async def _renew(self, connection: Connection, latest: tuple[int, ...]) -> None:
        known = self._latest[0] if self._latest and self._latest[0] < latest[0] else 0
        rows = await policy_table.load(connection, PolicyKind.RULES, after=known)
        versions, unreadable = _readable(rows)
        if known:
            versions, unreadable = [*self._rules, *versions], self._unreadable + unreadable
        if not versions:
            return
        self._rules, self._unreadable, self._latest = versions, unreadable, latest
        self._rulebook = Rulebook.through(versions)
        self.state = PolicyState(
            kind=PolicyKind.RULES,
            version=rows[-1].version if rows else known,
            in_force_from=versions[-1].in_force_from,
            unknown=tuple(rule.id for rule in self._rulebook.unknown),
            unreadable=unreadable,
        )
        if self.changed is not None:
            self.changed(self.state)


def _readable(rows: Sequence[PolicyVersion]) -> tuple[list[RulesVersion], int]:
    """Return the versions that can be read; the one before one that cannot stays in force."""
    versions = []
    for row in rows:
        try:
            rules = stored_rules.decode(row.document)
        except msgspec.MsgspecError as error:
            _log.error("policy cannot be read", kind=row.kind, version=row.version, reason=type(error).__name__)
        else:
            versions.append(RulesVersion(in_force_from=row.in_force_from, rules=rules))
    return versions, len(rows) - len(versions)
