"""Reads what a rehearsal needs of the tables: every touchpoint with its customer, and what operators said."""

from collections.abc import AsyncIterator
from uuid import UUID

import msgspec

from services.journey.domain.identity.facts import OperatorFact, OperatorWord
from services.journey.domain.touchpoint import Identifier, OrderKey
from services.runtime.postgres.pools import Connection

ROWS_AT_ONCE = 500

EvidenceRow = tuple[UUID, OrderKey, dict[str, Identifier]]
"""Who has a touchpoint, its place in event order, and what it carries."""

_CUSTOMER = msgspec.json.Decoder(dict[str, Identifier])

_HOW_MANY = "SELECT count(*) FROM (SELECT FROM journey.touchpoints LIMIT $1) AS t"


async def how_many(connection: Connection, most: int) -> int:
    """Return how many touchpoints are stored, counting no further than `most`."""
    number: int = await connection.fetchval(_HOW_MANY, most)
    return number


_TOUCHPOINTS = """
SELECT coalesce(c.merged_into, c.customer_id), t.occurred_at, t.sequence, t.source, t.id, t.payload ->> 'customer'
  FROM journey.touchpoints AS t JOIN journey.customers AS c USING (customer_id)"""


async def evidence_pages(connection: Connection) -> AsyncIterator[list[EvidenceRow]]:
    """Yield every stored touchpoint, in no order. Call it in a transaction that sees one state of the tables."""
    cursor = await connection.cursor(_TOUCHPOINTS)
    while rows := await cursor.fetch(ROWS_AT_ONCE):
        yield [(row[0], (row[1], row[2], row[3], row[4]), _CUSTOMER.decode(row[5] or "{}")) for row in rows]


_WORDS = """
SELECT word, left_type, left_value, right_type, right_value, said_at FROM journey.identity_words
UNION ALL
SELECT 'retract', left_type, left_value, right_type, right_value, changed_at FROM journey.links
 WHERE state = 'retracted'"""


async def words(connection: Connection) -> list[OperatorFact]:
    """Return everything that operators said of identifiers, with the links that they took back."""
    return [
        OperatorFact(word=OperatorWord(row[0]), key=((row[1], row[2]), (row[3], row[4])), said_at=row[5])
        for row in await connection.fetch(_WORDS)
    ]
