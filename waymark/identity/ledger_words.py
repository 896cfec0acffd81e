"""What an operator asks of identity, or says of it: explanations, suppositions, merges, separations, unmerges.

Works on the database alone, whether workers run or not, and projects customers anew as a worker does.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from services.journey.administration import check_tables
from services.journey.domain.touchpoint import Identifier, Touchpoint
from services.journey.operate.identity_desk import IdentityDesk, UnreadableReferenceError, build_desk
from services.journey.repair.account import UnknownIdentifierError
from services.journey.rulebook import rules_file
from services.journey.settings import WorkerSettings
from services.journey.settle.part_reading import MOST_IN_PART, PartTooLargeError
from services.journey.versions.in_force import PolicyCache
from services.runtime.postgres import pools
from services.runtime.postgres.pools import ConcurrentChangeError
from services.runtime.settings import SettingsError
from services.runtime.telemetry import logs
from waymark.console import CommandError, masked, say, settings_wrong
from waymark.database import run_in_transaction
from waymark.identity.ledger_check import RepairTerms, renewer_of

T = TypeVar("T")

STATEMENT_TIMEOUT_S = 120.0


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
    except UnreadableReferenceError as error:
        raise CommandError(
            say(
                f"{error.reference}: write an identifier as TYPE:VALUE, for example email:ann@example.com",
                f"{error.reference}: 식별자는 TYPE:VALUE로 씁니다. 예: email:ann@example.com",
            ),
            exit_code=2,
        ) from error
    except UnknownIdentifierError as error:
        raise CommandError(
            say(f"nobody carried {error} yet", f"{error}: 아직 아무도 쓰지 않은 식별자입니다")
        ) from error
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
        desk = build_desk(
            pool,
            await renewer_of(pool, terms),
            PolicyCache(),
            region=environ.get("WAYMARK_INGEST_PHONE_REGION") or "KR",
            secret=(environ.get("WAYMARK_INGEST_PRIVACY_SECRET") or "").encode(),
        )
        return await ask(desk)
    finally:
        await pools.close_pool(pool)


def read_touchpoints(path: Path) -> list[Touchpoint]:
    """Return the lines of a file as identity needs them: native touchpoints, or only `{"customer": {...}}`.

    Raises:
        CommandError: the file or one of its lines cannot be read.
    """
    found = []
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}", exit_code=2) from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                found.append(_touchpoint(number, msgspec.json.decode(line)))
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
