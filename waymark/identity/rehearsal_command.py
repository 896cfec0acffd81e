"""`waymark identity simulate --policy FILE`: who would be who if a file of policy had judged everything."""

import asyncio
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.journey.administration import check_tables
from services.journey.domain.identity.identity_book import SINCE_EVER
from services.journey.domain.rules.book import Rulebook
from services.journey.rehearsal.policy_rehearsal import (
    PolicyRehearsal,
    RehearsalProgress,
    RehearsalStage,
    RehearsedPolicy,
)
from services.journey.renewer import read_policy
from services.journey.rulebook import rules_file
from services.journey.rulebook.identity_file import IdentityRefusedError, IdentitySettings
from services.journey.settings import WorkerSettings
from services.journey.versions.in_force import NothingInForceError, PolicyCache
from services.runtime.clock import SystemClock
from services.runtime.postgres import pools
from services.runtime.postgres.pools import Pool, acquire
from services.runtime.settings import SettingsError
from services.runtime.telemetry import logs
from waymark.console import CommandError, err, masked, out, print_json, say, settings_wrong
from waymark.database import run_in_transaction
from waymark.identity import policy_commands
from waymark.target import find_target

STATEMENT_TIMEOUT_S = 600.0
"""For one statement; the longest one counts the touchpoints."""


def rehearse(path: Path, *, as_json: bool) -> None:
    """Rehearse a file of policy on the stored customers, and report."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    try:
        settings = policy_commands.load(path).settings
    except IdentityRefusedError as error:
        raise CommandError(str(error), exit_code=2) from error
    begun = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        shown = {stage: progress.add_task(_STAGES[stage](), total=None, visible=False) for stage in RehearsalStage}

        def told(stage: RehearsalStage, done: int, whole: int) -> None:
            progress.update(shown[stage], completed=done, total=whole, visible=True)

        target = find_target(os.environ)
        found = _run(target.postgres_direct or target.postgres, os.environ, settings, told)
    if as_json:
        print_json(document(found))
    else:
        _report(found, time.monotonic() - begun)


def _run(url: str, environ: Mapping[str, str], settings: IdentitySettings, told: RehearsalProgress) -> RehearsedPolicy:
    try:
        worker = WorkerSettings.load(environ)
        rules = rules_file.from_settings(worker).book
    except SettingsError as error:
        raise CommandError(settings_wrong(error.problems), exit_code=2) from error
    logs.configure("identity", "WARNING", "text")
    run_in_transaction(url, check_tables)
    try:
        return asyncio.run(_rehearse(url, worker, rules, settings, told))
    except pools.TRANSIENT as error:
        raise CommandError(f"PostgreSQL at {masked(url)} went away: {type(error).__name__}", exit_code=2) from error


async def _rehearse(
    url: str, worker: WorkerSettings, rules: Rulebook, settings: IdentitySettings, told: RehearsalProgress
) -> RehearsedPolicy:
    pool = await pools.create_pool(
        url, application_name="waymark-identity", size=2, statement_timeout_s=STATEMENT_TIMEOUT_S, writes=False
    )
    try:
        rehearsal = PolicyRehearsal(
            pool=pool,
            clock=SystemClock(),
            rulebook=await _rules_in_force(pool) or rules,
            projection=await read_policy(pool),
            history=worker.history_touchpoints,
        )
        return await rehearsal.rehearse(settings.version(SINCE_EVER), told)
    finally:
        await pools.close_pool(pool)


async def _rules_in_force(pool: Pool) -> Rulebook | None:
    """Return the rules in all their versions; None where no worker has stored any yet."""
    async with acquire(pool) as connection:
        try:
            return (await PolicyCache().look_at_all(connection)).rulebook
        except NothingInForceError:
            return None


def document(found: RehearsedPolicy) -> dict[str, Any]:
    """Return what a policy would have made of the customers, for programs."""
    return {
        "customers": found.customers,
        "touchpoints": found.touchpoints,
        "merged": found.merged,
        "split": found.split,
        "new_customers": found.new_customers,
        "touchpoints_moved": found.touchpoints_moved,
        "touchpoints_of_nobody": found.touchpoints_of_nobody,
        "not_tried": found.not_tried,
        "frictions": {
            "kept": found.frictions.kept,
            "new": dict(sorted(found.frictions.new.items())),
            "gone": dict(sorted(found.frictions.gone.items())),
        },
        "examples": {
            "merging": found.merging,
            "splitting": [{"customer": one.customer, "into": one.into} for one in found.splitting],
        },
    }


def _report(found: RehearsedPolicy, seconds: float) -> None:
    lines = [
        say(
            f"{found.customers:,} customers, {found.touchpoints:,} touchpoints, {seconds:.1f} s; nothing was changed",
            f"고객 {found.customers:,}, 접점 {found.touchpoints:,}, {seconds:.1f}초. 아무것도 바꾸지 않았습니다",
        ),
        say(
            "If this policy had judged everything from the beginning:",
            "이 정책이 처음부터 모든 것을 판단했다면:",
        ),
        say(
            f"  {found.merged:,} customers would be part of others, {found.split:,} would be split into "
            f"{found.split + found.new_customers:,}",
            f"  다른 고객과 하나일 고객 {found.merged:,}, 나뉠 고객 {found.split:,}"
            f" → {found.split + found.new_customers:,}",
        ),
        say(
            f"  {found.touchpoints_moved:,} touchpoints would be with somebody else",
            f"  다른 고객에게 갈 접점 {found.touchpoints_moved:,}",
        ),
        say(
            f"  {found.frictions.new.total():,} frictions more, {found.frictions.gone.total():,} fewer",
            f"  늘어날 불편 {found.frictions.new.total():,}, 줄어들 불편 {found.frictions.gone.total():,}",
        ),
    ]
    lines += [f"    + {number:,} {rule}" for rule, number in found.frictions.new.most_common()]
    lines += [f"    - {number:,} {rule}" for rule, number in found.frictions.gone.most_common()]
    lines += [say("  one person: ", "  한 사람: ") + ", ".join(map(str, each)) for each in found.merging[:_SHOWN]]
    lines += [
        say(f"  {one.into} people: {one.customer}", f"  {one.into}명: {one.customer}")
        for one in found.splitting[:_SHOWN]
    ]
    if found.touchpoints_of_nobody:
        lines.append(
            say(
                f"  {found.touchpoints_of_nobody:,} touchpoints would name nobody",
                f"  누구의 것도 아닌 접점 {found.touchpoints_of_nobody:,}",
            )
        )
    if found.not_tried:
        lines.append(
            say(
                f"  {found.not_tried:,} customers were not tried: too much is connected to them",
                f"  연결된 것이 너무 많아 시험하지 못한 고객 {found.not_tried:,}",
            )
        )
    for line in lines:
        out.print(line, markup=False, highlight=False)


_SHOWN = 5

_STAGES = {
    RehearsalStage.TOUCHPOINTS: lambda: say("touchpoints", "접점"),
    RehearsalStage.CUSTOMERS: lambda: say("customers", "고객"),
    RehearsalStage.FRICTIONS: lambda: say("frictions", "불편"),
}
