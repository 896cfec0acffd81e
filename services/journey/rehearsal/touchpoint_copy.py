"""Copies what stored touchpoints say of identity to a file of its own, where any policy can be tried on them.

The tables of the ledger are found by the spelling and the links of the policies that were in force. Another policy has
others, so all touchpoints are read once and kept on disk: some 300 bytes each, in a file without a name that vanishes
with the process. In memory there is only a cache of fixed size.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from uuid import UUID

import msgspec

from services.journey.domain.identity.facts import IdentifierKey, IdentitySighting
from services.journey.domain.identity.planning import IdentityPolicy, sighting_among
from services.journey.domain.touchpoint import Identifier, OrderKey

CACHE_KIB = 64 * 1024

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -{cache};
CREATE TABLE seen (
    n INTEGER PRIMARY KEY, customer BLOB, occurred INTEGER, sequence INTEGER, source TEXT, id TEXT, carried BLOB,
    label INTEGER);
CREATE TABLE carried (key TEXT, n INTEGER, usable INTEGER);
CREATE TABLE standing (key TEXT PRIMARY KEY, label INTEGER, owned INTEGER, recognised INTEGER) WITHOUT ROWID;
CREATE TABLE floating (n INTEGER);
CREATE TABLE found (after INTEGER, rule TEXT, id BLOB);
"""
_INDEXES = """
CREATE INDEX seen_customer ON seen (customer);
CREATE INDEX carried_key ON carried (key, usable, n);
"""


class _Carried(msgspec.Struct, frozen=True, array_like=True, gc=False):
    usable: tuple[IdentifierKey, ...]
    others: tuple[IdentifierKey, ...]
    verified: tuple[IdentifierKey, ...]


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Carried)


@dataclass(frozen=True, slots=True)
class CopiedTouchpoint:
    """A touchpoint in the copy: its number there, who has it now, and what it says of identity under the policy.

    `verified` are those of its usable identifiers that the source proved.
    """

    number: int
    customer: UUID
    sighting: IdentitySighting
    verified: tuple[IdentifierKey, ...]


@dataclass(frozen=True, slots=True)
class CopiedStanding:
    """How an identifier stands under the policy: the customer it belongs to by itself, by number, and whether alone."""

    label: int
    owned: bool
    recognised: bool


class TouchpointCopy(AbstractContextManager["TouchpointCopy"]):
    """The copy. Customers under the policy are `labels`: numbers without another meaning.

    `of_nobody` counts touchpoints that carry nothing which names a customer under it.
    """

    def __init__(self, policy: IdentityPolicy) -> None:
        """Begin an empty copy, to be filled with what touchpoints say under `policy`."""
        self._policy = policy
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(_TABLES.format(cache=CACHE_KIB))
        self._copied = 0
        self.of_nobody = 0

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Throw the copy away."""
        self._database.close()

    def add(self, rows: Iterable[tuple[UUID, OrderKey, Mapping[str, Identifier]]]) -> int:
        """Copy touchpoints: who has each, its place in event order, and what it carries; return how many there are."""
        seen: list[tuple[object, ...]] = []
        carried: list[tuple[str, int, int]] = []
        for customer, order, carries in rows:
            number = self._copied = self._copied + 1
            sighting = sighting_among(order, carries, self._policy)
            self.of_nobody += not sighting.usable
            verified = tuple(key for key in sighting.usable if carries[key[0]].verified)
            blob = _ENCODER.encode(_Carried(sighting.usable, sighting.others, verified))
            occurred = (order[0] - _EPOCH) // _MICROSECOND
            seen.append((number, customer.bytes, occurred, *order[1:], blob))
            carried += [(_text(key), number, 1) for key in sighting.usable]
            carried += [(_text(key), number, 0) for key in sighting.others]
        self._database.executemany(
            "INSERT INTO seen (n, customer, occurred, sequence, source, id, carried) VALUES (?, ?, ?, ?, ?, ?, ?)", seen
        )
        self._database.executemany("INSERT INTO carried VALUES (?, ?, ?)", carried)
        return self._copied

    def prepare(self, script: str) -> None:
        """Make more tables of what is copied."""
        self._database.executescript(script)

    def complete(self) -> int:
        """Prepare to be asked, and return how many customers there are."""
        self._database.executescript(_INDEXES)
        number: int = self._database.execute("SELECT count(DISTINCT customer) FROM seen").fetchone()[0]
        return number

    def customers(self) -> Iterator[UUID]:
        """Yield every customer that has a touchpoint, in the order of their ids."""
        after = b""
        while row := self._database.execute(_NEXT_CUSTOMER, (after,)).fetchone():
            after = row[0]
            yield UUID(bytes=after)

    def of_customer(self, customer: UUID) -> list[CopiedTouchpoint]:
        """Return the touchpoints of a customer."""
        return self._select("SELECT {} FROM seen WHERE customer = ?", customer.bytes)

    def carrying(self, key: IdentifierKey, *, also_unusable: bool = False) -> list[CopiedTouchpoint]:
        """Return the touchpoints in which an identifier names the customer; or all that carry it."""
        return self._select(
            "SELECT {} FROM carried JOIN seen USING (n) WHERE key = ? AND usable >= ?", _text(key), not also_unusable
        )

    def floating(self) -> Iterator[CopiedTouchpoint]:
        """Yield the touchpoints that belong to whoever holds what they carry."""
        for number in self.each("floating", "n"):
            yield from self._select("SELECT {} FROM seen WHERE n = ?", number)

    def each(self, table: str, column: str) -> Iterator[object]:
        """Yield what a table of this copy has in a column, in the order in which it was noted; others may write."""
        query, after = _PAGE.format(table=table, column=column), 0
        while rows := self._database.execute(query, (after,)).fetchall():
            after = rows[-1][0]
            yield from (row[1] for row in rows)

    def _select(self, query: str, *arguments: object) -> list[CopiedTouchpoint]:
        return [_copied(row) for row in self._database.execute(query.format(_COLUMNS), arguments)]

    def label(self, labels: Iterable[tuple[CopiedTouchpoint, int]]) -> None:
        """Note whose touchpoints are under the policy."""
        rows = [(label, one.number) for one, label in labels]
        self._database.executemany("UPDATE seen SET label = ? WHERE n = ?", rows)

    def float(self, points: Iterable[CopiedTouchpoint]) -> None:
        """Note touchpoints that belong to whoever holds what they carry."""
        self._database.executemany("INSERT INTO floating VALUES (?)", [(one.number,) for one in points])

    def stand(self, standings: Mapping[IdentifierKey, CopiedStanding]) -> None:
        """Note how identifiers stand; a shared one that several parts name keeps its first label."""
        rows = [(_text(key), one.label, one.owned, one.recognised) for key, one in standings.items()]
        self._database.executemany("INSERT OR IGNORE INTO standing VALUES (?, ?, ?, ?)", rows)

    def standing(self, key: IdentifierKey) -> CopiedStanding | None:
        """Return how an identifier stands; None where nothing around it is other than plain."""
        row = self._database.execute(
            "SELECT label, owned, recognised FROM standing WHERE key = ?", (_text(key),)
        ).fetchone()
        return None if row is None else CopiedStanding(row[0], bool(row[1]), bool(row[2]))

    def execute(self, statement: str, *arguments: object) -> sqlite3.Cursor:
        """Ask something of the tables of this module, or note something in them."""
        return self._database.execute(statement, arguments)

    def note(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        """Note several rows in tables of this copy."""
        self._database.executemany(statement, rows)


_NEXT_CUSTOMER = "SELECT customer FROM seen WHERE customer > ? ORDER BY customer LIMIT 1"
_PAGE = "SELECT rowid, {column} FROM {table} WHERE rowid > ? ORDER BY rowid LIMIT 500"
_COLUMNS = "n, customer, occurred, sequence, source, id, carried"


def _copied(row: tuple[int, bytes, int, int, str, str, bytes]) -> CopiedTouchpoint:
    said = _DECODER.decode(row[6])
    order = (_EPOCH + row[2] * _MICROSECOND, row[3], row[4], row[5])
    sighting = IdentitySighting(order=order, usable=said.usable, others=said.others)
    return CopiedTouchpoint(row[0], UUID(bytes=row[1]), sighting, said.verified)


def _text(key: IdentifierKey) -> str:
    return "\0".join(key)
