"""Keeps a worker's view of the policies fresh while nothing comes in, and tells it in readiness, metrics and log."""

import asyncio
from dataclasses import dataclass, field

from services.journey.metrics import PolicyMetrics
from services.journey.rulebook.rules_file import ResolvedRules
from services.journey.versions import storing
from services.journey.versions.in_force import PolicyCache, PolicyState
from services.runtime.postgres.pools import Pool, acquire, retrying, transaction
from services.runtime.process.outages import tolerated
from services.runtime.telemetry.health import CheckResult
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

EVERY_S = 1.0
"""A new version is prepared this soon, also by a worker without records, so that no batch has to."""


@dataclass(slots=True, kw_only=True)
class PolicyWatch:
    """Stores the first version, then looks every second. `cache` is the one that the transactions use."""

    pool: Pool
    metrics: PolicyMetrics
    cache: PolicyCache = field(init=False)

    def __post_init__(self) -> None:
        self.cache = PolicyCache(changed=self._tell)

    async def begin(self, rules: ResolvedRules, *, file: str) -> None:
        """Store the rules that the worker was started with, where they are to be; `file` is empty for the shipped.

        The policy of identity that ships is stored where there is none, so that a release which ships another judges by
        the same one beside this.
        """
        new = storing.first_rules(rules, file=file)

        async def once() -> storing.PolicyApplication:
            async with transaction(self.pool) as connection:
                await storing.begin(connection, storing.shipped_identity(), named=False)
                return await storing.begin(connection, new, named=bool(file))

        begun = await retrying(once)
        if file and begun.version.digest != new.digest:
            _log.warning(
                "another version of the rules is in force than the file that the settings name",
                version=begun.version.version,
                mend="waymark rules apply FILE",
            )
        async with acquire(self.pool) as connection:
            await self.cache.look(connection)

    async def run(self) -> None:
        """Look for a new version every second; never return."""
        while True:
            await asyncio.sleep(EVERY_S)
            with tolerated(_log, "policies not looked at"):
                async with acquire(self.pool) as connection:
                    await self.cache.look(connection)

    async def check(self) -> CheckResult:
        """Return which versions are in force; fails while a part of one is unknown to this release."""
        states = self.cache.states
        sound = bool(states) and not any(state.unknown or state.unreadable for state in states)
        detail = "; ".join(map(_told, states)) or "no version is stored yet"
        return CheckResult(name="policies", ok=sound, detail=detail, essential=False)

    def _tell(self, state: PolicyState) -> None:
        kind = state.kind
        self.metrics.version.labels(kind).set(state.version)
        self.metrics.in_force_from_seconds.labels(kind).set(state.in_force_from.timestamp())
        self.metrics.unknown.labels(kind).set(len(state.unknown))
        self.metrics.unreadable.labels(kind).set(state.unreadable)
        _log.info("policy in force", kind=kind, version=state.version, unknown=len(state.unknown))


def _told(state: PolicyState) -> str:
    told = f"{state.kind} version {state.version}, in force from {state.in_force_from:%Y-%m-%dT%H:%M:%SZ}"
    if state.unknown:
        told += f"; this release does not know {', '.join(state.unknown)}: upgrade this worker"
    if state.unreadable:
        told += f"; {state.unreadable} stored versions cannot be read, the last good one is kept"
    return told
