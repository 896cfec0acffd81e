"""Compares who is who, as stored, with the ledger of links, and repairs what differs.

Works on the database alone, whether workers run or not. A repair takes the journey worker's own settings (rule book,
how much history is looked at), because it projects customers anew as a worker does.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec

from services.ingest.inspector.masking import name, shape
from services.journey.administration import check_tables
from services.journey.domain.identity.facts import IdentifierKey
from services.journey.renew.renewal import CustomerRenewer
from services.journey.renewer import build_renewer, read_policy
from services.journey.repair.check import IdentityChecker, IdentityFindings
from services.journey.repair.differences import IdentityDifference
from services.journey.repair.fix import IdentityRepairer, RepairCounts
from services.journey.rulebook import rules_file
from services.journey.rulebook.rules_file import ResolvedRules
from services.journey.settings import WorkerSettings
from services.journey.settle.resettling import IdentityResettler
from services.journey.settle.settling import IdentitySettler
from services.journey.versions import storing
from services.journey.versions.in_force import PolicyCache
from services.runtime.clock import new_id
from services.runtime.postgres import pools
from services.runtime.postgres.pools import ConcurrentChangeError, Pool
from services.runtime.settings import SettingsError
from services.runtime.telemetry import logs
from waymark.console import CommandError, masked
from waymark.database import run_in_transaction

EXAMPLES = 5
"""Of each difference; the numbers are complete."""

PASSES = 6
"""How often all is looked at when mending: one look finds, one more what only then could be seen, one confirms."""

STATEMENT_TIMEOUT_S = 120.0

Told = Callable[[int, int], None]
"""Told how many customers are looked at, of how many."""


@dataclass(slots=True, kw_only=True)
class LedgerReport:
    """What the last pass looked at, what still differs, and what was repaired before."""

    customers: int = 0
    identifiers: int = 0
    touchpoints: int = 0
    differences: Counter[IdentityDifference] = field(default_factory=Counter)
    examples: dict[IdentityDifference, list[dict[str, Any]]] = field(default_factory=dict)
    found: dict[IdentityDifference, int] | None = None
    """What differed before anything was mended; None where nothing was to be mended."""

    mended: RepairCounts = field(default_factory=RepairCounts)
    seconds: float = 0.0

    @property
    def sound(self) -> bool:
        """Whether no difference was found."""
        return not self.differences.total()

    def document(self) -> dict[str, Any]:
        """Return the report for programs."""
        return {
            "sound": self.sound,
            "customers": self.customers,
            "identifiers": self.identifiers,
            "touchpoints": self.touchpoints,
            "differences": {str(what): self.differences[what] for what in IdentityDifference},
            "examples": {str(what): shown for what, shown in self.examples.items()},
            "found": None if self.found is None else {str(what): number for what, number in self.found.items()},
            "mended": msgspec.to_builtins(self.mended),
            "seconds": round(self.seconds, 1),
        }


@dataclass(frozen=True, slots=True)
class RepairTerms:
    """The settings of a worker, and the rules that they name."""

    settings: WorkerSettings
    rules: ResolvedRules


def check(url: str, environ: Mapping[str, str], told: Told, *, repair: bool) -> LedgerReport:
    """Compare, and with `repair` repair until nothing differs or nothing changes any more.

    Raises:
        CommandError: exit code 2, the database cannot be used, its tables are missing or older, or settings are wrong.
    """
    try:
        settings = WorkerSettings.load(environ)
        rules = rules_file.from_settings(settings)
    except SettingsError as error:
        raise CommandError("the settings are wrong:\n  " + "\n  ".join(error.problems), exit_code=2) from error
    logs.configure("identity", "WARNING", "text")
    _reach(url)
    try:
        return asyncio.run(_check(url, RepairTerms(settings, rules), told, repair=repair))
    except ConcurrentChangeError as error:
        raise CommandError("customers kept merging meanwhile; what is mended is kept: run it again") from error
    except pools.TRANSIENT as error:
        reason = str(error).strip() or type(error).__name__
        raise CommandError(f"PostgreSQL at {masked(url)} went away: {reason}; run it again", exit_code=2) from error


def _reach(url: str) -> None:
    """Find out first whether the tables exist."""
    try:
        run_in_transaction(url, check_tables)
    except CommandError as error:
        raise CommandError(str(error), exit_code=2) from error


async def _check(url: str, terms: RepairTerms, told: Told, *, repair: bool) -> LedgerReport:
    begun = time.monotonic()
    pool = await pools.create_pool(
        url, application_name="waymark-identity", size=2, statement_timeout_s=STATEMENT_TIMEOUT_S
    )
    try:
        repairer = await _mender(pool, terms) if repair else None
        report = await _repeat(IdentityChecker(pool=pool, settler=_settler()), repairer, told)
    finally:
        await pools.close_pool(pool)
    report.seconds = time.monotonic() - begun
    return report


async def _repeat(surveyor: IdentityChecker, repairer: IdentityRepairer | None, told: Told) -> LedgerReport:
    mended = RepairCounts()
    found: dict[IdentityDifference, int] | None = None
    for _ in range(PASSES):
        report = await _once(surveyor, repairer, told)
        mended.add(report.mended)
        found = dict(report.differences) if found is None else found
        if repairer is None or report.sound:
            break
    report.mended = mended
    report.found = found if repairer is not None else None
    return report


async def _once(surveyor: IdentityChecker, repairer: IdentityRepairer | None, told: Told) -> LedgerReport:
    report = LedgerReport()
    whole = await surveyor.how_many()
    told(0, whole)
    async for page in surveyor.pages():
        _add(report, page)
        if repairer is not None and page.differs:
            report.mended.add(await repairer.repair(page))
        told(report.customers, max(whole, report.customers))
    return report


def _add(report: LedgerReport, page: IdentityFindings) -> None:
    report.customers += page.customers
    report.identifiers += page.identifiers
    report.touchpoints += page.touchpoints
    for what, number, shown in _shown(page):
        if number:
            report.differences[what] += number
            kept = report.examples.setdefault(what, [])
            kept += shown[: EXAMPLES - len(kept)]


def _shown(page: IdentityFindings) -> list[tuple[IdentityDifference, int, list[dict[str, Any]]]]:
    """Return how many of each difference a page has, and the first examples."""
    split = [
        {
            "identifiers": [_masked(key) for key in link.key],
            "customers": [page.owners[key] for key in link.key],
            "evidence": {"source": link.source, "id": link.touchpoint_id},
        }
        for link in page.split[:EXAMPLES]
    ]
    strays = [
        {"source": stray.source, "id": stray.id, "customer": stray.holder, "strongest": _masked(stray.strongest)}
        for stray in page.strays[:EXAMPLES]
    ]
    journeys = [
        {"journey": one.journey_id, "holder": one.holder, "owner": one.owner} for one in page.journeys[:EXAMPLES]
    ]
    return [
        (IdentityDifference.SPLIT, len(page.split), split),
        (IdentityDifference.UNSETTLED, len(page.unsettled), _customers(page.unsettled_customers)),
        (IdentityDifference.TOUCHPOINT, len(page.strays), strays),
        (IdentityDifference.JOURNEY, len(page.journeys), journeys),
        (IdentityDifference.COUNT, len(page.miscounted), _customers(page.miscounted)),
    ]


def _customers(found: Sequence[UUID]) -> list[dict[str, Any]]:
    return [{"customer": customer} for customer in found[:EXAMPLES]]


def _masked(key: IdentifierKey) -> str:
    type_, value = key
    return f"{name(type_)}:{shape(value)}"


def _settler() -> IdentitySettler:
    return IdentitySettler(source=PolicyCache(), new_id=new_id)


async def _mender(pool: Pool, terms: RepairTerms) -> IdentityRepairer:
    resettler = await resettler_of(pool, terms)
    return IdentityRepairer(pool=pool, resettler=resettler, renewer=resettler.renewer)


async def resettler_of(pool: Pool, terms: RepairTerms) -> IdentityResettler:
    """Return what settles again."""
    return IdentityResettler(pool=pool, settler=_settler(), renewer=await renewer_of(pool, terms))


async def renewer_of(pool: Pool, terms: RepairTerms) -> CustomerRenewer:
    """Return what projects customers anew; it stores the first version of the rules where no worker has yet."""
    async with pools.transaction(pool) as connection:
        first = storing.first_rules(terms.rules, file=terms.settings.rules)
        await storing.begin(connection, first, named=False)
    return build_renewer(terms.settings, await read_policy(pool), PolicyCache())
