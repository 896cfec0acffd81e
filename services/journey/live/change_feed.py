"""Reads what workers publish, in the order in which it is committed, without a row being missed.

The rows are those of the outbox, which exist anyway. Ids become visible out of order, so nothing is read by
`id > last`: the feed remembers which rows behind its *floor* it gave out. The floor rises to the highest id of an
earlier look once every transaction that ran then has ended. Whoever resumes at a floor misses nothing, and may get
again what was given out behind it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from schemas.documents import friction as friction_v1
from schemas.documents import journey as journey_v1
from services.runtime.postgres.pools import Connection, Row

EVENTS: Final = {friction_v1.TOPIC: "friction", journey_v1.TOPIC: "journey"}
"""The name of the event by the topic of the record."""

LOOK_BACK: Final = 20_000
"""Ids below the highest one among which there may be some of transactions that still run when the feed begins."""

MOST_MISSED: Final = 100_000
"""Ids that a client may be behind and still resume."""

_LAST_ID: Final = 2**63 - 1

_SNAPSHOT: Final = """
SELECT pg_snapshot_xmin(s)::text AS oldest, pg_snapshot_xmax(s)::text AS latest,
       (SELECT coalesce(max(id), 0) FROM journey.outbox) AS highest
  FROM pg_current_snapshot() AS s"""
_VISIBLE: Final = "SELECT id FROM journey.outbox WHERE id > $1"
_NEW: Final = """
SELECT id, topic, customer_id, value FROM journey.outbox
 WHERE id > $1 AND NOT id = ANY ($2::bigint[]) ORDER BY id"""
_MISSED: Final = """
SELECT id, topic, customer_id, value FROM journey.outbox
 WHERE id > $1 AND ($2::uuid[] IS NULL OR customer_id = ANY ($2)) ORDER BY id LIMIT $3"""
_REACH: Final = "SELECT coalesce(min(id), 0) AS lowest, coalesce(max(id), 0) AS highest FROM journey.outbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeEntry:
    """One change of one customer: `document` is friction v1 or journey v1."""

    id: int
    event: str
    customer_id: UUID
    document: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedLook:
    """One look at the feed: new entries in the order of ids, the ids of all new rows, and which transactions ran."""

    entries: Sequence[ChangeEntry]
    ids: Sequence[int]
    oldest: int
    latest: int
    highest: int


def parse_floor(text: str) -> int | None:
    """Return the floor in the text of an event id, or None if it is not one of ours."""
    if not (text.isascii() and text.isdigit()) or len(text) > 19:
        return None
    floor = int(text)
    return floor if floor <= _LAST_ID else None


@dataclass(slots=True)
class ChangeFeed:
    """The feed of one process, which gives each row out once; `start` comes first."""

    floor: int = 0
    _given: set[int] = field(default_factory=set)
    _next: tuple[int, int] | None = None

    async def start(self, connection: Connection) -> None:
        """Begin behind everything that is visible now."""
        highest = (await connection.fetch(_SNAPSHOT))[0]["highest"]
        self.floor = max(0, highest - LOOK_BACK)
        self._given = {row["id"] for row in await connection.fetch(_VISIBLE, self.floor)}
        self._next = None

    async def look(self, connection: Connection) -> FeedLook:
        """Return what became visible since the last look; it counts as given out only after `give`."""
        moment = (await connection.fetch(_SNAPSHOT))[0]
        rows = await connection.fetch(_NEW, self.floor, list(self._given))
        return FeedLook(
            entries=entries(rows),
            ids=[row["id"] for row in rows],
            oldest=int(moment["oldest"]),
            latest=int(moment["latest"]),
            highest=moment["highest"],
        )

    def give(self, look: FeedLook) -> None:
        """Remember that the entries of a look are given out."""
        self._given.update(look.ids)
        self._rise(look.oldest, look.latest, look.highest)

    def _rise(self, oldest: int, latest: int, highest: int) -> None:
        """Raise the floor where no transaction of the look before runs any more, and note the present look."""
        if self._next is not None and oldest >= self._next[0]:
            self.floor = max(self.floor, self._next[1])
            self._given = {id_ for id_ in self._given if id_ > self.floor}
            self._next = None
        if self._next is None:
            self._next = (latest, highest)


async def can_resume(connection: Connection, floor: int) -> bool:
    """Return whether everything behind `floor` is still there, is of this database, and is not too much."""
    reach = (await connection.fetch(_REACH))[0]
    lowest, highest = int(reach["lowest"]), int(reach["highest"])
    return lowest - 1 <= floor <= highest and highest - floor <= MOST_MISSED


async def missed(connection: Connection, floor: int, customers: Sequence[UUID] | None, limit: int) -> list[ChangeEntry]:
    """Return up to `limit` entries behind `floor`, of these customers or of all."""
    return entries(await connection.fetch(_MISSED, floor, None if customers is None else list(customers), limit))


def entries(rows: Sequence[Row]) -> list[ChangeEntry]:
    """Return the rows that are events; other topics and rows without a document are none."""
    return [
        ChangeEntry(
            id=row["id"], event=EVENTS[row["topic"]], customer_id=row["customer_id"], document=row["value"].decode()
        )
        for row in rows
        if row["topic"] in EVENTS and row["value"] is not None
    ]
