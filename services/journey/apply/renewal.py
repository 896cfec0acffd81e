"""Renewal: project customers anew from their touchpoints and write what changed.

The one code path behind a batch of records, a fired timer and a mended rule. The customers are locked by the caller.
What a projection says, and what is new about it, is the domain's; writing it is `writing`'s.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

from services.journey.apply.news import Comparison, News
from services.journey.apply.writing import Writer, Written
from services.journey.domain.changes import Moment, Stored, diff
from services.journey.domain.friction import StoredFriction
from services.journey.domain.journeys import StoredJourney
from services.journey.domain.names import CustomerId
from services.journey.domain.projection import Policy, project
from services.journey.domain.rules.book import Rulebook
from services.journey.domain.timers import StoredTimer, TimerState
from services.journey.domain.touchpoint import Recorded, in_order
from services.journey.store import frictions, journeys, timers, touchpoints
from services.runtime.postgres import Connection

GROUP = 200
"""Customers whose histories are in memory together."""

MARGIN = timedelta(days=31)
"""How far before the first touchpoint that is looked at something may lie that still has to do with it: a contact that
went on for weeks."""

BREATH_S = 0.5
"""After so long without a word the server is spoken to: it ends transactions that idle for 3 s, and others want the
event loop too."""


Step = Callable[[], None]
"""Told that a part of the work is done."""


def unheard() -> None:
    """Be a step that nobody wants to hear of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """What is stored about the customers of a group, absorbed ones included."""

    histories: Mapping[UUID, list[Recorded]]
    frictions: Mapping[UUID, list[StoredFriction]]
    journeys: Mapping[UUID, list[StoredJourney]]
    timers: Mapping[UUID, list[StoredTimer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewer:
    """Renews customers. `history` is how many touchpoints of each are looked at."""

    rulebook: Rulebook
    policy: Policy
    new_id: Callable[[], UUID]
    stale_after_s: float
    history: int
    writer: Writer

    async def renew(
        self,
        connection: Connection,
        news: Mapping[CustomerId, News],
        now: datetime,
        step: Step = unheard,
    ) -> Written:
        """Write what changes about each customer in `news`; `now` is the database's time, `step` told of each group."""
        written = Written()
        waiting = iter(sorted(news))
        while group := list(islice(waiting, GROUP)):
            kept = await _load(connection, group, news, self.history + 1)
            comparisons = await self._compare_all(connection, group, news, kept, now)
            await self.writer.write(connection, comparisons, now, written)
            step()
        return written

    async def _compare_all(
        self,
        connection: Connection,
        group: Sequence[CustomerId],
        news: Mapping[CustomerId, News],
        kept: _Kept,
        now: datetime,
    ) -> list[Comparison]:
        loop = asyncio.get_running_loop()
        spoken = loop.time()
        comparisons = []
        for customer in group:
            comparisons.append(self._compare(customer, news[customer], kept, now))
            if loop.time() - spoken > BREATH_S:
                await connection.execute("SELECT 1")
                spoken = loop.time()
        return comparisons

    def _compare(self, customer: CustomerId, news: News, kept: _Kept, now: datetime) -> Comparison:
        recorded = [*kept.histories.get(customer, ()), *(fresh.recorded for fresh in news.fresh if not fresh.late)]
        truncated = len(recorded) > self.history
        if truncated:
            recorded = sorted(recorded, key=in_order)[-self.history :]
        everyone = (customer, *news.absorbed)
        stored = Stored(
            frictions=[friction for one in everyone for friction in kept.frictions.get(one, ())],
            journeys=[journey for one in everyone for journey in kept.journeys.get(one, ())],
            timers=kept.timers.get(customer, ()),
            truncated=truncated,
        )
        fired = frozenset(timer.id for timer in stored.timers if timer.state is TimerState.FIRED)
        projection = project(recorded, fired=fired, rulebook=self.rulebook, policy=self.policy)
        moment = Moment(customer_id=customer, now=now, new_id=self.new_id, stale_after_s=self.stale_after_s)
        changes = diff(projection, stored, self.rulebook, moment)
        return Comparison(customer_id=customer, news=news, projection=projection, changes=changes)


async def _load(
    connection: Connection, group: Sequence[CustomerId], news: Mapping[CustomerId, News], latest: int
) -> _Kept:
    histories = await touchpoints.history(connection, group, latest)
    since: dict[UUID, datetime | None] = {
        customer: _floor(histories[customer]) if len(histories.get(customer, ())) >= latest else None
        for customer in group
    }
    absorbed = dict.fromkeys(one for customer in group for one in news[customer].absorbed)
    return _Kept(
        histories=histories,
        journeys=await journeys.load(connection, {**since, **absorbed}),
        frictions=await frictions.load(connection, {**since, **absorbed}),
        timers=await timers.load(connection, since),
    )


def _floor(history: Sequence[Recorded]) -> datetime:
    """From when on the past of a customer matters of whom only the latest touchpoints are looked at."""
    return min(one.touchpoint.occurred_at for one in history) - MARGIN
