"""Says what the stored customers would be if a policy of identity had judged every touchpoint from the beginning.

The engine is the worker's: the same decisions about links, shared identifiers and holders. Nothing is written to the
database; what is compared stands in a copy on disk.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

import msgspec

from services.journey.domain.identity.facts import OperatorFact, link_key
from services.journey.domain.identity.identity_book import IdentityVersion
from services.journey.domain.identity.planning import IdentityPolicy
from services.journey.domain.projection import ProjectionPolicy
from services.journey.domain.rules.book import Rulebook
from services.journey.rehearsal import stored_evidence
from services.journey.rehearsal.friction_comparison import FrictionComparison, FrictionDifference
from services.journey.rehearsal.holder_walk import HolderWalk
from services.journey.rehearsal.part_walk import PartWalk
from services.journey.rehearsal.touchpoint_copy import TouchpointCopy
from services.runtime.clock import Clock
from services.runtime.postgres.pools import Pool, acquire

EXAMPLES = 20
"""Customers who would merge, and such who would split, that are named; the numbers are complete."""

CUSTOMERS_AT_ONCE = 10
"""Customers after which others get their turn."""

ANY_NUMBER = 2**62


class RehearsalStage(StrEnum):
    """What a rehearsal is busy with."""

    TOUCHPOINTS = "touchpoints"
    CUSTOMERS = "customers"
    FRICTIONS = "frictions"


RehearsalProgress = Callable[[RehearsalStage, int, int], None]
"""Told how much of a stage is done, of how much."""


class TooManyTouchpointsError(Exception):
    """More touchpoints are stored than the caller has time for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitExample:
    """A customer of whom others would be split off, and how many people it would be."""

    customer: UUID
    into: int


@dataclass(slots=True, kw_only=True)
class RehearsedPolicy:
    """What a policy would have made of the stored customers.

    `merged` customers would be part of others, `split` ones would be several people, `new_customers` the others of
    these; `touchpoints_moved` would be with somebody else, `touchpoints_of_nobody` would carry nothing that names a
    customer. `not_tried` customers are connected to more than is settled at once. Of `merging` each list is one person.
    """

    customers: int = 0
    touchpoints: int = 0
    merged: int = 0
    split: int = 0
    new_customers: int = 0
    touchpoints_moved: int = 0
    touchpoints_of_nobody: int = 0
    not_tried: int = 0
    frictions: FrictionDifference = field(default_factory=FrictionDifference)
    merging: list[list[UUID]] = field(default_factory=list)
    splitting: list[SplitExample] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRehearsal:
    """Tries a version of the policy of identity as the only one there ever was.

    Frictions are those of `rulebook`, as `projection` has contacts and journeys, of at most `history` touchpoints of a
    customer. With more than `most_touchpoints` stored, nothing is tried.
    """

    pool: Pool
    clock: Clock
    rulebook: Rulebook
    projection: ProjectionPolicy
    history: int
    most_touchpoints: int = ANY_NUMBER - 1

    async def rehearse(self, version: IdentityVersion, told: RehearsalProgress) -> RehearsedPolicy:
        """Return what `version` would have made of the stored customers.

        Raises:
            TooManyTouchpointsError: more are stored than `most_touchpoints`.
        """
        with TouchpointCopy(version.policy) as copy:
            return await self.rehearse_in(copy, version, told)

    async def rehearse_in(
        self, copy: TouchpointCopy, version: IdentityVersion, told: RehearsalProgress
    ) -> RehearsedPolicy:
        """Do the same in an empty copy, which afterwards says of each touchpoint whose it would be."""
        rehearsed = RehearsedPolicy()
        said = await self._fill(copy, version, rehearsed, told)
        await self._decide(copy, PartWalk(copy, version.constraints, said), rehearsed, told)
        await self._hold(copy, HolderWalk(copy, version.constraints))
        _count(copy, rehearsed)
        comparison = FrictionComparison(
            pool=self.pool,
            rulebook=self.rulebook,
            policy=self.projection,
            history=self.history,
            now=self.clock.now(),
        )
        rehearsed.frictions = await comparison.compare(
            copy, lambda done, whole: told(RehearsalStage.FRICTIONS, done, whole)
        )
        return rehearsed

    async def _fill(
        self, copy: TouchpointCopy, version: IdentityVersion, rehearsed: RehearsedPolicy, told: RehearsalProgress
    ) -> list[OperatorFact]:
        """Copy all touchpoints, as one moment has them, and return what operators said."""
        async with (
            acquire(self.pool) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            whole = await stored_evidence.how_many(connection, self.most_touchpoints + 1)
            if whole > self.most_touchpoints:
                raise TooManyTouchpointsError
            async for rows in stored_evidence.evidence_pages(connection):
                rehearsed.touchpoints = copy.add(rows)
                told(RehearsalStage.TOUCHPOINTS, rehearsed.touchpoints, whole)
            said = await stored_evidence.words(connection)
        return _respelt(said, version.policy)

    async def _decide(
        self, copy: TouchpointCopy, walk: PartWalk, rehearsed: RehearsedPolicy, told: RehearsalProgress
    ) -> None:
        rehearsed.customers = copy.complete()
        for number, customer in enumerate(copy.customers(), start=1):
            walk.decide(customer)
            if number % CUSTOMERS_AT_ONCE == 0 or number == rehearsed.customers:
                told(RehearsalStage.CUSTOMERS, number, rehearsed.customers)
                await asyncio.sleep(0)
        rehearsed.not_tried = walk.too_large

    async def _hold(self, copy: TouchpointCopy, walk: HolderWalk) -> None:
        """Label what belongs to whoever holds what it carries."""
        for number, point in enumerate(copy.floating(), start=1):
            label = walk.label_of(point)
            if label is not None:
                copy.label([(point, label)])
            if number % CUSTOMERS_AT_ONCE == 0:
                await asyncio.sleep(0)


def _respelt(said: Sequence[OperatorFact], policy: IdentityPolicy) -> list[OperatorFact]:
    """Return the words of operators about the identifiers as a policy spells them."""
    spelt = policy.spelt
    if spelt is None:
        return list(said)
    found = []
    for word in said:
        (left, one), (right, other) = word.key
        key = link_key((left, spelt(left, one)), (right, spelt(right, other)))
        if key[0] != key[1]:
            found.append(msgspec.structs.replace(word, key=key))
    return found


_COMPARED = """
CREATE INDEX seen_label ON seen (label) WHERE label IS NOT NULL;
CREATE TABLE belongs AS
    SELECT customer, label, count(*) AS touchpoints FROM seen WHERE label IS NOT NULL GROUP BY customer, label;
CREATE TABLE main AS SELECT customer, label FROM (
    SELECT customer, label, row_number() OVER (PARTITION BY customer ORDER BY touchpoints DESC, label) AS place
      FROM belongs) WHERE place = 1;
CREATE INDEX main_label ON main (label);
CREATE TABLE fresh AS SELECT DISTINCT label FROM belongs WHERE label NOT IN (SELECT label FROM main);
CREATE TABLE changed AS SELECT DISTINCT customer AS one FROM belongs
 WHERE customer IN (SELECT customer FROM belongs GROUP BY customer HAVING count(*) > 1)
    OR label IN (SELECT label FROM belongs GROUP BY label HAVING count(*) > 1);
CREATE TABLE becoming AS SELECT DISTINCT label AS one FROM belongs WHERE customer IN (SELECT one FROM changed);
"""
_MERGED = "SELECT coalesce(sum(k - 1), 0) FROM (SELECT count(*) AS k FROM main GROUP BY label)"
_SPLIT = "SELECT count(DISTINCT customer) FROM belongs WHERE label IN fresh"
_FRESH = "SELECT count(*) FROM fresh"
_MOVED = """
SELECT coalesce(sum(b.touchpoints), 0) FROM belongs AS b JOIN main AS m USING (customer) WHERE b.label <> m.label"""
_MERGING = "SELECT label FROM main GROUP BY label HAVING count(*) > 1 ORDER BY count(*) DESC, label LIMIT ?"
_TOGETHER = "SELECT customer FROM main WHERE label = ? ORDER BY customer LIMIT ?"
_SPLITTING = """
SELECT customer, count(*) + 1 FROM belongs WHERE label IN fresh GROUP BY customer ORDER BY 2 DESC, 1 LIMIT ?"""


def _count(copy: TouchpointCopy, rehearsed: RehearsedPolicy) -> None:
    """Count who would merge, who would split and what would move: a customer goes on where most touchpoints are."""
    copy.prepare(_COMPARED)
    rehearsed.merged = _number(copy.execute(_MERGED))
    rehearsed.split = _number(copy.execute(_SPLIT))
    rehearsed.new_customers = _number(copy.execute(_FRESH))
    rehearsed.touchpoints_of_nobody = copy.of_nobody
    rehearsed.touchpoints_moved = _number(copy.execute(_MOVED))
    for row in copy.execute(_MERGING, EXAMPLES).fetchall():
        rehearsed.merging.append([UUID(bytes=one) for (one,) in copy.execute(_TOGETHER, row[0], EXAMPLES)])
    rehearsed.splitting = [
        SplitExample(customer=UUID(bytes=one), into=into) for one, into in copy.execute(_SPLITTING, EXAMPLES)
    ]


def _number(cursor: sqlite3.Cursor) -> int:
    number: int = cursor.fetchone()[0]
    return number
