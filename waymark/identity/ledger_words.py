"""What an operator asks of identity, or says of it: explanations, suppositions, merges, separations, unmerges.

Works on the database alone, whether workers run or not, and projects customers anew as a worker does.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from services.journey import policies
from services.journey.administration import check_tables
from services.journey.domain.identity.facts import IdentifierKey, OperatorWord
from services.journey.domain.identity.planning import IdentityEvidence, identity_evidence
from services.journey.domain.touchpoint import Identifier, Touchpoint
from services.journey.read import lookup
from services.journey.read.lookup import IdentifierReference
from services.journey.repair.account import (
    IdentityAccount,
    IdentityAccountant,
    SupposedIdentity,
    UnknownIdentifierError,
)
from services.journey.repair.unmerge import Unmerger, UnmergeResult
from services.journey.rulebook import rules_file
from services.journey.settings import WorkerSettings
from services.journey.settle.part_reading import MOST_IN_PART, PartTooLargeError
from services.journey.settle.resettling import Resettlement
from services.journey.store import identity_ledger
from services.runtime.postgres import pools
from services.runtime.postgres.pools import ConcurrentChangeError, Pool
from services.runtime.settings import SettingsError
from services.runtime.telemetry import logs
from waymark.console import CommandError, masked, say, settings_wrong
from waymark.database import run_in_transaction
from waymark.identity.ledger_check import RepairTerms, resettler_of

T = TypeVar("T")

STATEMENT_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityDesk:
    """Everything that a command about identity needs, over one pool."""

    pool: Pool
    accountant: IdentityAccountant
    unmerger: Unmerger
    region: str
    secret: bytes

    async def find(self, reference: str) -> IdentifierKey:
        """Return the identifier that a reference `TYPE:VALUE` means, as it is stored.

        Raises:
            CommandError: it cannot be read, or nobody carried it.
        """
        candidates = self.spell(reference)
        known = await self.accountant.known(candidates)
        if known is None:
            raise CommandError(
                say(f"nobody carried {reference} yet", f"{reference}: 아직 아무도 쓰지 않은 식별자입니다")
            )
        return known

    def spell(self, reference: str) -> list[IdentifierKey]:
        """Return the forms in which an identifier may be stored.

        Raises:
            CommandError: the reference cannot be read.
        """
        meant = lookup.parse(reference, self.region, self.secret)
        if not isinstance(meant, IdentifierReference):
            raise CommandError(
                say(
                    f"{reference}: write an identifier as TYPE:VALUE, for example email:ann@example.com",
                    f"{reference}: 식별자는 TYPE:VALUE로 씁니다. 예: email:ann@example.com",
                ),
                exit_code=2,
            )
        return [(meant.type, value) for value in meant.values]

    async def why(self, references: Sequence[str]) -> IdentityAccount:
        """Give account of one identifier, or of two."""
        return await self.accountant.why([await self.find(one) for one in references])

    async def suppose(self, path: Path) -> SupposedIdentity:
        """Return what the touchpoints in a file would do to the stored customers."""
        return await self.accountant.suppose(read_evidence(path))

    async def say(self, word: OperatorWord, one: str, other: str, by: str, note: str) -> Resettlement:
        """Write that two identifiers are one customer, or are not."""
        return await self.unmerger.say(word, await self.find(one), await self.find(other), by=by, note=note)

    async def latest(self, standing: str, most: int) -> list[IdentifierKey]:
        """Return identifiers that are `between` customers, or `shared`, those first that were seen last."""
        async with pools.acquire(self.pool) as connection:
            return await identity_ledger.latest(connection, standing, most)

    async def unmerge(self, one: str, other: str, by: str) -> UnmergeResult:
        """Take the link between two identifiers back."""
        return await self.unmerger.unmerge(await self.find(one), await self.find(other), by=by)


def at_desk(url: str, environ: Mapping[str, str], ask: Callable[[IdentityDesk], Awaitable[T]]) -> T:
    """Open the database, ask, and return the answer.

    Raises:
        CommandError: the database cannot be used, settings are wrong, or what was asked cannot be done now.
    """
    try:
        settings = WorkerSettings.load(environ)
        terms = RepairTerms(settings, rules_file.from_settings(settings))
    except SettingsError as error:
        raise CommandError(settings_wrong(error.problems), exit_code=2) from error
    logs.configure("identity", "WARNING", "text")
    run_in_transaction(url, check_tables)
    try:
        return asyncio.run(_ask(url, terms, environ, ask))
    except ConcurrentChangeError as error:
        raise CommandError(
            say("customers kept changing meanwhile: run it again", "그 사이 고객이 계속 바뀌었습니다. 다시 실행하세요")
        ) from error
    except UnknownIdentifierError as error:
        raise CommandError(say("nobody carried this identifier yet", "아직 아무도 쓰지 않은 식별자입니다")) from error
    except PartTooLargeError as error:
        raise CommandError(
            say(
                f"more than {MOST_IN_PART:,} identifiers are connected here; separate a shared one first",
                f"여기에 연결된 식별자가 {MOST_IN_PART:,}개를 넘습니다. 여럿이 함께 쓰는 식별자를 먼저 분리하세요",
            )
        ) from error
    except pools.TRANSIENT as error:
        raise CommandError(f"PostgreSQL at {masked(url)} went away: {type(error).__name__}", exit_code=2) from error


async def _ask(
    url: str, terms: RepairTerms, environ: Mapping[str, str], ask: Callable[[IdentityDesk], Awaitable[T]]
) -> T:
    pool = await pools.create_pool(
        url, application_name="waymark-identity", size=2, statement_timeout_s=STATEMENT_TIMEOUT_S
    )
    try:
        resettler = await resettler_of(pool, terms)
        desk = IdentityDesk(
            pool=pool,
            accountant=IdentityAccountant(pool=pool, settler=resettler.settler),
            unmerger=Unmerger(resettler=resettler),
            region=environ.get("WAYMARK_INGEST_PHONE_REGION") or "KR",
            secret=(environ.get("WAYMARK_INGEST_PRIVACY_SECRET") or "").encode(),
        )
        return await ask(desk)
    finally:
        await pools.close_pool(pool)


def read_evidence(path: Path) -> list[IdentityEvidence]:
    """Return what the lines of a file say of identity: native touchpoints, or only `{"customer": {...}}`.

    Raises:
        CommandError: the file or one of its lines cannot be read.
    """
    policy, found = policies.identity(), []
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}", exit_code=2) from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                found.append(identity_evidence(_touchpoint(number, msgspec.json.decode(line)), policy))
            except (msgspec.DecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
                raise CommandError(
                    f'{path}:{number}: not a touchpoint; write {{"customer": {{"phone": "+821012345678"}}}}',
                    exit_code=2,
                ) from error
    return found


def _touchpoint(number: int, said: Any) -> Touchpoint:
    when = datetime.fromisoformat(said["occurred_at"]) if "occurred_at" in said else datetime.now(UTC)
    return Touchpoint(
        source="supposed",
        id=str(said.get("id", number)),
        occurred_at=when,
        received_at=when,
        channel="",
        kind="",
        customer={
            type_: Identifier(value=one["value"], verified=one.get("verified", False))
            if isinstance(one, dict)
            else Identifier(value=str(one))
            for type_, one in said["customer"].items()
        },
    )
