"""Consistent snapshots of the tables, and customers found in them through their merges.

Every transaction is REPEATABLE READ and READ ONLY, so an answer never shows half of a batch. Rows that still name an
absorbed customer belong to the survivor.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from services.journey.versions.identity_spelling import spellings
from services.runtime.postgres.pools import Connection, Pool, acquire

_ROOTS: Final = """
WITH RECURSIVE up AS (
    SELECT customer_id AS asked, customer_id, merged_into FROM journey.customers WHERE customer_id = ANY($1)
    UNION ALL
    SELECT up.asked, c.customer_id, c.merged_into
      FROM journey.customers c JOIN up ON c.customer_id = up.merged_into
)
SELECT asked, customer_id FROM up WHERE merged_into IS NULL
"""
_ALIASES: Final = """
WITH RECURSIVE down AS (
    SELECT customer_id FROM journey.customers WHERE merged_into = $1
    UNION ALL
    SELECT c.customer_id FROM journey.customers c JOIN down ON c.merged_into = down.customer_id
)
SELECT customer_id FROM down ORDER BY customer_id
"""
_OWNER: Final = """
SELECT customer_id, standing FROM journey.identifiers WHERE type = $1 AND value = ANY($2)
 ORDER BY array_position($2, value) LIMIT 1
"""


CustomerReference = UUID | tuple[str, tuple[str, ...]]
"""A customer: by an id that was given out, or by an identifier: its type, and the values it may be stored under."""


class CustomerMovedError(Exception):
    """The identifier belongs to another customer than on the page before, so the next page would be somebody else's."""


class IdentifierOfManyError(Exception):
    """Several customers have the identifier, so it leads to none of them; what holds it is told by `why`."""


@asynccontextmanager
async def snapshot(pool: Pool) -> AsyncIterator[Connection]:
    """Open a transaction that sees one state of the database and changes nothing."""
    async with acquire(pool) as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        yield connection


async def customer_of(connection: Connection, who: CustomerReference) -> UUID | None:
    """Return the customer that `who` leads to through any merge, None if there is none.

    Raises:
        IdentifierOfManyError: it is an identifier between customers, or one that many people share.
    """
    owner = who if isinstance(who, UUID) else await _owner(connection, who)
    return None if owner is None else (await roots(connection, [owner])).get(owner)


async def _owner(connection: Connection, identifier: tuple[str, tuple[str, ...]]) -> UUID | None:
    row = await connection.fetchrow(_OWNER, *identifier)
    if row is None and (others := await spellings(connection, *identifier)):
        row = await connection.fetchrow(_OWNER, identifier[0], others)
    if row is None:
        return None
    owner: UUID | None = row["customer_id"]
    if owner is None and row["standing"] != "owned":
        raise IdentifierOfManyError
    return owner


async def roots(connection: Connection, customers: Sequence[UUID]) -> dict[UUID, UUID]:
    """Return what each of these customers was merged into, or itself."""
    return {row["asked"]: row["customer_id"] for row in await connection.fetch(_ROOTS, customers)}


async def absorbed(connection: Connection, customer_id: UUID) -> list[UUID]:
    """Return the customers that were merged into this one, over any number of steps."""
    return [row["customer_id"] for row in await connection.fetch(_ALIASES, customer_id)]


def stay(began_with: UUID | None, everyone: Sequence[UUID]) -> None:
    """Raise `CustomerMovedError` unless `everyone` includes the customer of the page before."""
    if began_with is not None and began_with not in everyone:
        raise CustomerMovedError
