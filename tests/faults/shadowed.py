"""Rules in the shadow under fault: put there before the workload, held against the oracle after it."""

from collections.abc import Sequence
from typing import Final

import asyncpg

from services.journey.rulebook import rules_file
from services.journey.shadowing import shadow_versions
from services.runtime.postgres.pools import close_pool, create_pool, transaction
from tests.faults.checker import Check, verdict
from tests.oracle.expected import expect_shadow
from tests.oracle.facts import DAY, HOUR, Json
from tests.oracle.shipped_rules import repeat_contact

FILE: Final = """
extends: default
change:
  repeat_contact_24h: {within: 3h}
  repeat_contact_7d: {within: 2d}
"""
TRIED: Final = (
    repeat_contact("repeat_contact_24h", "high", 3 * HOUR),
    repeat_contact("repeat_contact_7d", "medium", 2 * DAY),
)
IN_FORCE: Final = (
    repeat_contact("repeat_contact_24h", "high", DAY),
    repeat_contact("repeat_contact_7d", "medium", 7 * DAY),
)


async def put_in_shadow(database: str) -> None:
    """Have every worker ask narrower windows beside those in force."""
    file = rules_file.resolve(FILE, name="shadow.yaml")
    pool = await create_pool(database, application_name="faults-shadow", size=1)
    try:
        async with transaction(pool) as connection:
            await shadow_versions.try_rules(connection, file, author="faults", note="beside those in force")
    finally:
        await close_pool(pool)


_ROWS = """
SELECT friction_id::text AS id, bool_or(in_shadow) AS in_shadow, bool_or(in_force) AS in_force
  FROM journey.shadow_frictions GROUP BY friction_id"""


async def read_shadow(database: str) -> dict[str, tuple[bool, bool]]:
    """What the shadow holds: each friction, and which side found it."""
    connection = await asyncpg.connect(database)
    try:
        return {row["id"]: (row["in_shadow"], row["in_force"]) for row in await connection.fetch(_ROWS)}
    finally:
        await connection.close()


def shadow(documents: Sequence[Json], found: dict[str, tuple[bool, bool]]) -> Check:
    """Whether the shadow holds the oracle's frictions, with the side that found each."""
    wanted = expect_shadow(documents, TRIED, IN_FORCE, since=0)
    problems = [f"{name} is {found.get(name)}, not {side}" for name, side in wanted.items() if found.get(name) != side]
    problems += [f"{name} is {found[name]}, and not of the oracle" for name in found.keys() - wanted.keys()]
    both = sum(side == (True, True) for side in found.values())
    return verdict("the shadow holds what both sides find", problems, f"{len(found)} frictions, {both} of both sides")
