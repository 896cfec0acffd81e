"""The contacts of a customer, page by page: gathered from the stored touchpoints as the worker gathers them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest
from typing import Final, Self
from uuid import UUID

import msgspec

from services.journey.contact_catalogue import contact_policy
from services.journey.domain.contacts.contact import Contact
from services.journey.domain.contacts.contact_policy import ContactPolicy
from services.journey.domain.contacts.contact_summary import summarize
from services.journey.domain.contacts.sentiment_trend import sentiment_trend
from services.journey.domain.history import CustomerHistory
from services.journey.domain.touchpoint import OrderKey, RecordedTouchpoint, Touchpoint, TouchpointKey, in_order
from services.journey.read import view_rows
from services.journey.read.snapshots import CustomerReference, absorbed, customer_of, snapshot, stay
from services.journey.read.timeline import TimelineOrder, TimelinePart, TimelinePosition, frictions_about
from services.journey.read.views import ContactView, FrictionView, SentimentTrendView, TouchpointRefView
from services.runtime.postgres.pools import Connection, Pool, Row

MOST_TOUCHPOINTS: Final = 10_000
"""Touchpoints of one customer that are looked at, the latest: gathering them takes some 50 ms."""

MOST_NAMED: Final = 200
"""Touchpoints of one contact that are named."""

CONVERSATIONS_SINCE: Final = "SELECT moment FROM journey.moments WHERE name = 'conversations'"
_LATEST: Final = """
SELECT h.* FROM unnest($1::uuid[]) AS c (customer_id) CROSS JOIN LATERAL (
    SELECT t.payload, t.appended_at, t.journey_id FROM journey.touchpoints AS t
     WHERE t.customer_id = c.customer_id AND NOT t.late ORDER BY t.occurred_at DESC LIMIT $2) AS h
"""
_DECODER: Final = msgspec.json.Decoder(Touchpoint)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactListResult:
    """One page of contacts in the order asked for, and where the next page starts.

    `complete` says whether all of the customer's touchpoints were looked at.
    """

    customer_id: UUID
    contacts: list[ContactView]
    frictions: list[FrictionView]
    complete: bool
    next: TimelinePosition | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactsBeyond:
    """The contacts of a span beyond a position, in the order asked for, of which the first `limit` are a page."""

    contacts: list[Contact]
    policy: ContactPolicy
    limit: int

    @classmethod
    def of(cls, known: Sequence[RecordedTouchpoint], policy: ContactPolicy, part: TimelinePart) -> Self:
        """Gather the contacts of touchpoints that count, given in any order, and take those that `part` asks for."""
        gathered = CustomerHistory(known, policy).contacts
        return cls(contacts=_beyond(gathered, part), policy=policy, limit=part.limit)

    @property
    def named(self) -> list[TouchpointKey]:
        """The touchpoints of the page."""
        return [one.key for contact in self.contacts[: self.limit] for one in contact.everything]

    def page(
        self,
        customer_id: UUID,
        *,
        journeys: Mapping[TouchpointKey, UUID | None],
        frictions: Sequence[FrictionView],
        complete: bool,
    ) -> ContactListResult:
        """Return the page, with the journey of each touchpoint and the frictions that are about it."""
        evidence = view_rows.evidence_of(frictions)
        page = self.contacts[: self.limit]
        return ContactListResult(
            customer_id=customer_id,
            contacts=[_view(one, self.policy, journeys.get(one.at.key), evidence) for one in page],
            frictions=[one for one in frictions if one.retracted_at is None],
            complete=complete,
            next=_place(page[-1], customer_id) if len(self.contacts) > self.limit else None,
        )


class ContactReader:
    """Reads contacts from one pool."""

    def __init__(self, pool: Pool, most_touchpoints: int = MOST_TOUCHPOINTS) -> None:
        self._pool = pool
        self._most = most_touchpoints

    async def contacts(self, who: CustomerReference, part: TimelinePart) -> ContactListResult | None:
        """Return a part of the contacts of one customer; None if there is no such customer.

        A contact is in the span, and has its place in the list, by the touchpoint in which the customer turned to us.

        Raises:
            CustomerMovedError: the identifier has another customer than on the page before.
        """
        async with snapshot(self._pool) as connection:
            root = await customer_of(connection, who)
            if root is None:
                return None
            everyone = [root, *await absorbed(connection, root)]
            stay(None if part.after is None else part.after.customer_id, everyone)
            policy = contact_policy(await connection.fetchval(CONVERSATIONS_SINCE))
            known, complete = await self._history(connection, everyone)
            beyond = ContactsBeyond.of(known, policy, part)
            frictions = await frictions_about(connection, everyone, beyond.named)
        return beyond.page(
            root,
            journeys={one.touchpoint.key: one.journey_id for one in known},
            frictions=[view_rows.friction(row, root) for row in frictions],
            complete=complete,
        )

    async def _history(
        self, connection: Connection, everyone: Sequence[UUID]
    ) -> tuple[Sequence[RecordedTouchpoint], bool]:
        """Return the latest touchpoints that count, and whether they are all that there are."""
        rows = await connection.fetch(_LATEST, everyone, self._most + 1)
        known = recorded(rows)
        if len(known) <= self._most:
            return known, True
        return nlargest(self._most, known, key=in_order), False


def recorded(rows: Iterable[Row]) -> list[RecordedTouchpoint]:
    """Return rows of `journey.touchpoints` as the domain knows them."""
    return [
        RecordedTouchpoint(
            touchpoint=_DECODER.decode(row["payload"]), appended_at=row["appended_at"], journey_id=row["journey_id"]
        )
        for row in rows
    ]


def _beyond(contacts: list[Contact], part: TimelinePart) -> list[Contact]:
    """Return the contacts in the span of `part` that follow its position, in its order, also more than its limit."""
    newest_first, span = part.order is TimelineOrder.NEWEST_FIRST, part.span
    after = None if part.after is None else _key(part.after)
    return [
        one
        for one in (reversed(contacts) if newest_first else contacts)
        if (span.since is None or one.time >= span.since)
        and (span.until is None or one.time < span.until)
        and (after is None or (one.order < after if newest_first else one.order > after))
    ]


def _view(
    contact: Contact,
    policy: ContactPolicy,
    journey_id: UUID | None,
    evidence: Mapping[TouchpointKey, Sequence[UUID]],
) -> ContactView:
    said, view = summarize(contact, policy), contact.view
    frictions = dict.fromkeys(friction for one in contact.everything for friction in evidence.get(one.key, ()))
    reply = said.first_reply_after
    return ContactView(
        touchpoint=_ref(said.touchpoint),
        channel=said.channel,
        kind=view.kind,
        interaction_id=said.interaction_id,
        began_at=said.began_at,
        contacted_at=said.anchored_at,
        ended_at=said.ended_at,
        outcome=said.outcome,
        reason=view.reason,
        service_level=view.service_level,
        refs=view.refs,
        message_count=said.messages,
        turn_count=said.turns,
        first_reply_after_s=None if reply is None else reply.total_seconds(),
        handed_over_at=said.handed_over_at,
        sentiment=_trend(contact, policy),
        wait_s=view.wait_s,
        duration_s=view.duration_s,
        transfers=view.transfers,
        touchpoint_count=len(contact.everything),
        touchpoints=[_ref(one.key) for one in contact.everything[:MOST_NAMED]],
        journey_id=journey_id,
        friction_ids=list(frictions),
    )


def _trend(contact: Contact, policy: ContactPolicy) -> SentimentTrendView | None:
    trend = sentiment_trend(contact, policy)
    if trend is None:
        return None
    return SentimentTrendView(
        messages=trend.messages,
        computed=trend.computed,
        first_half=round(trend.first_half, 2),
        second_half=round(trend.second_half, 2),
        change=round(trend.second_half - trend.first_half, 2),
    )


def _ref(key: TouchpointKey) -> TouchpointRefView:
    return TouchpointRefView(source=key[0], id=key[1])


def _key(place: TimelinePosition) -> OrderKey:
    return place.occurred_at, place.sequence, place.source, place.id


def _place(contact: Contact, customer_id: UUID) -> TimelinePosition:
    occurred_at, sequence, source, id_ = contact.order
    return TimelinePosition(customer_id=customer_id, occurred_at=occurred_at, sequence=sequence, source=source, id=id_)
