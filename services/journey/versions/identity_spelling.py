"""Spells a value as the stored policies of identity do, for whoever looks a customer up."""

from collections.abc import Sequence

from services.journey.rulebook import identity_file
from services.journey.versions import policy_table
from services.journey.versions.policy_table import PolicyKind
from services.runtime.postgres.pools import Connection


async def spellings(connection: Connection, type_: str, values: Sequence[str]) -> tuple[str, ...]:
    """Return the other values under which an identifier may be stored; none where no version spells its type."""
    found: dict[str, None] = {}
    for row in await policy_table.load(connection, PolicyKind.IDENTITY, after=1):
        spelling = identity_file.decode(row.document).types.get(type_)
        if spelling is not None and spelling.spelling is not None:
            found.update((spelling.spelling.spelt(value), None) for value in values)
    return tuple(value for value in found if value not in values)
