"""Reads what was appended by a moment, lets `standing` compute, and answers in the form of the present."""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from schemas.documents.friction import FrictionDocumentState
from schemas.vocabulary import Channel, ServiceLevel, Severity
from services.journey import policies
from services.journey.domain.contacts.contact_policy import ContactPolicy
from services.journey.domain.friction import Friction
from services.journey.domain.journey import Journey
from services.journey.domain.names import TimerId
from services.journey.domain.touchpoint import RecordedTouchpoint, Touchpoint, TouchpointKey
from services.journey.past.standing import PastEngine, PastStanding, as_customer, standing
from services.journey.read import view_rows
from services.journey.read.contact_reading import ContactListResult, ContactsBeyond
from services.journey.read.snapshots import CustomerReference, absorbed, customer_of, snapshot, stay
from services.journey.read.timeline import TimelineOrder, TimelinePart, TimelinePosition, TimelineResult, TimeSpan
from services.journey.read.views import (
    CustomerView,
    FrictionView,
    IdentifierView,
    JourneyStateView,
    JourneySummaryView,
    TextView,
    TouchpointRefView,
)
from services.journey.versions.in_force import NothingInForceError, PolicyCache
from services.runtime.postgres.pools import Connection, Pool, Row

_DECODER = msgspec.json.Decoder(Touchpoint)

_APPENDED: Final = """
SELECT t.* FROM unnest($1::uuid[]) AS c (customer_id) CROSS JOIN LATERAL (
    SELECT t.* FROM journey.touchpoints AS t
     WHERE t.customer_id = c.customer_id AND t.appended_at <= $2 ORDER BY t.occurred_at DESC LIMIT $3) AS t"""
_FIRED: Final = """
SELECT timer_id FROM journey.timers WHERE customer_id = ANY ($1) AND state = 'fired' AND due_at <= $2"""
_DETECTED: Final = "SELECT friction_id, detected_at FROM journey.frictions WHERE friction_id = ANY ($1)"
_ABSORBED: Final = "SELECT absorbed FROM journey.merges WHERE absorbed = ANY ($1) AND merged_at <= $2 ORDER BY absorbed"
_CONVERSATIONS: Final = "SELECT moment FROM journey.moments WHERE name = 'conversations'"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Past:
    """What was read, and what follows from it."""

    customer_id: UUID
    absorbed: list[UUID]
    stood: PastStanding
    rows: dict[TouchpointKey, Row]
    detected: dict[UUID, datetime]
    contacts: ContactPolicy
    at: datetime


class PastReader:
    """Answers how customers stood, from one pool; `history` is the number of latest touchpoints that are looked at."""

    def __init__(self, pool: Pool, new_id: Callable[[], UUID], history: int) -> None:
        self._pool = pool
        self._new_id = new_id
        self._history = history
        self._policies = PolicyCache()

    async def customer(self, who: CustomerReference, at: datetime) -> CustomerView | None:
        """Return the customer as they stood at `at`; None if there was no such customer yet."""
        past = await self._read(who, at, None)
        if past is None:
            return None
        stood = past.stood
        journeys = [_journey(past, change.journey) for change in stood.changes.journeys]
        still_open = [one for one in journeys if one.state is JourneyStateView.OPEN]
        levels = (one.touchpoint.service_level for one in reversed(stood.touchpoints) if not one.late)
        level = next((level for level in levels if level is not None), None)
        frictions = _frictions(past)
        return CustomerView(
            customer_id=past.customer_id,
            merged_from=past.absorbed,
            service_level=None if level is None else ServiceLevel(level),
            identifiers=[
                IdentifierView(
                    type=one.key[0],
                    value=one.key[1],
                    verified=one.verified,
                    first_seen_at=one.first_seen,
                    last_seen_at=one.last_seen,
                )
                for one in stood.identifiers
            ],
            effort=max((one.effort for one in still_open), default=0),
            journeys=sorted(still_open, key=lambda one: one.last_at, reverse=True)[:100],
            frictions=sorted(frictions, key=lambda one: one.occurred_at, reverse=True)[:200],
            first_seen_at=stood.touchpoints[0].touchpoint.occurred_at,
            last_seen_at=stood.touchpoints[-1].touchpoint.occurred_at,
        )

    async def timeline(self, who: CustomerReference, part: TimelinePart, at: datetime) -> TimelineResult | None:
        """Return a part of what was known at `at`; raises `CustomerMovedError`."""
        past = await self._read(who, at, part.after)
        if past is None:
            return None
        shown = _shown(past.stood.touchpoints, part)
        page = shown[: part.limit]
        keys = {one.touchpoint.key for one in page}
        frictions = _frictions_about(past, keys)
        evidence = view_rows.evidence_of(frictions)
        placed = past.stood.placed
        named = {placed[key] for key in keys if key in placed}
        journeys = [_journey(past, change.journey) for change in past.stood.changes.journeys]
        return TimelineResult(
            customer_id=past.customer_id,
            touchpoints=[
                view_rows.touchpoint(past.rows[one.touchpoint.key], evidence).model_copy(
                    update={"journey_id": placed.get(one.touchpoint.key)}
                )
                for one in page
            ],
            journeys=sorted((one for one in journeys if one.id in named), key=lambda one: one.opened_at),
            frictions=frictions,
            next=_place(page[-1], past.customer_id) if len(shown) > part.limit else None,
        )

    async def contacts(self, who: CustomerReference, part: TimelinePart, at: datetime) -> ContactListResult | None:
        """Return a part of the contacts as they were known at `at`; raises `CustomerMovedError`."""
        past = await self._read(who, at, part.after)
        if past is None:
            return None
        beyond = ContactsBeyond.of([one for one in past.stood.touchpoints if not one.late], past.contacts, part)
        return beyond.page(
            past.customer_id,
            journeys=past.stood.placed,
            frictions=_frictions_about(past, set(beyond.named)),
            complete=len(past.rows) <= self._history,
        )

    async def _read(self, who: CustomerReference, at: datetime, after: TimelinePosition | None) -> _Past | None:
        async with snapshot(self._pool) as connection:
            root = await customer_of(connection, who)
            if root is None:
                return None
            everyone = [root, *await absorbed(connection, root)]
            stay(None if after is None else after.customer_id, everyone)
            try:
                engine = await self._engine(connection)
            except NothingInForceError:
                return None  # no worker has ever started here, so there was nobody
            rows = await connection.fetch(_APPENDED, everyone, at, self._history + 1)
            fired = [TimerId(row["timer_id"]) for row in await connection.fetch(_FIRED, everyone, at)]
            spelt = () if isinstance(who, UUID) else engine.identity.spellings(*who)
            asked = [(who[0], value) for value in spelt] if not isinstance(who, UUID) else []
            recorded = [_recorded(row) for row in rows]
            stood = standing(recorded, asked, fired, engine, as_customer(root, at, engine))
            if stood is None:
                return None
            found = [change.friction.id for change in stood.changes.frictions]
            detected = await connection.fetch(_DETECTED, found)
            merged = await connection.fetch(_ABSORBED, everyone, at)
        return _Past(
            customer_id=root,
            absorbed=[row["absorbed"] for row in merged],
            stood=stood,
            rows={(row["source"], row["id"]): row for row in rows},
            detected={row["friction_id"]: row["detected_at"] for row in detected},
            contacts=engine.policy.contacts,
            at=at,
        )

    async def _engine(self, connection: Connection) -> PastEngine:
        looked_at = await self._policies.look_at_all(connection)
        return PastEngine(
            rulebook=looked_at.rulebook,
            definitions=looked_at.definitions,
            policy=policies.projection(await connection.fetchval(_CONVERSATIONS)),
            identity=looked_at.identity,
            new_id=self._new_id,
            history=self._history,
        )


def _recorded(row: Row) -> RecordedTouchpoint:
    return RecordedTouchpoint(
        touchpoint=_DECODER.decode(row["payload"]),
        appended_at=row["appended_at"],
        late=row["late"],
        journey_id=row["journey_id"],
    )


def _shown(touchpoints: Sequence[RecordedTouchpoint], part: TimelinePart) -> list[RecordedTouchpoint]:
    """Return those of the span beyond the position, in the order asked for."""
    newest = part.order is TimelineOrder.NEWEST_FIRST
    shown = [one for one in touchpoints if _within(one, part.span)]
    if part.after is not None:
        place = part.after.occurred_at, part.after.sequence, part.after.source, part.after.id
        shown = [one for one in shown if (one.touchpoint.order < place if newest else one.touchpoint.order > place)]
    return shown[::-1] if newest else shown


def _within(one: RecordedTouchpoint, span: TimeSpan) -> bool:
    at = one.touchpoint.occurred_at
    return (span.since is None or at >= span.since) and (span.until is None or at < span.until)


def _journey(past: _Past, journey: Journey) -> JourneySummaryView:
    own_id = past.stood.journey_ids[journey.id]
    level = journey.service_level
    return JourneySummaryView(
        id=own_id,
        customer_id=past.customer_id,
        state=JourneyStateView(journey.state),
        version=0,
        reason=journey.reason,
        refs=journey.refs,
        channels=[Channel(channel) for channel in journey.channels],
        service_level=None if level is None else ServiceLevel(level),
        outcome=journey.outcome,
        touchpoint_count=journey.touchpoint_count,
        contact_count=journey.contact_count,
        friction_count=journey.friction_count,
        effort=journey.effort.score,
        opened_at=journey.opened_at,
        last_at=journey.last_at,
        closed_at=journey.closed_at,
        updated_at=past.at,
        progress=view_rows.progress(journey.progress),
    )


def _frictions(past: _Past) -> list[FrictionView]:
    return [_friction(past, change.friction) for change in past.stood.changes.frictions]


def _frictions_about(past: _Past, keys: Set[TouchpointKey]) -> list[FrictionView]:
    return [one for one in _frictions(past) if keys & {(ref.source, ref.id) for ref in one.touchpoints}]


def _friction(past: _Past, friction: Friction) -> FrictionView:
    evidence: dict[str, Any] = friction.evidence
    detected_at = min(past.detected.get(friction.id, past.at), past.at)
    return FrictionView(
        id=friction.id,
        rule=friction.rule,
        rule_version=friction.rule_version,
        state=FrictionDocumentState.DETECTED,
        revision=0,
        severity=Severity(friction.severity),
        customer_id=past.customer_id,
        journey_id=None if friction.journey_id is None else past.stood.journey_ids.get(friction.journey_id),
        title=TextView(en=friction.title.en, ko=friction.title.ko),
        explanation=TextView(en=friction.explanation.en, ko=friction.explanation.ko),
        channel=Channel(friction.channel),
        reason=friction.reason,
        refs=friction.refs,
        touchpoints=[TouchpointRefView(source=ref.source, id=ref.id) for ref in friction.touchpoints],
        evidence=evidence,
        quiet=friction.quiet,
        occurred_at=friction.occurred_at,
        detected_at=detected_at,
        revised_at=past.at,
    )


def _place(one: RecordedTouchpoint, customer_id: UUID) -> TimelinePosition:
    occurred_at, sequence, source, id_ = one.touchpoint.order
    return TimelinePosition(customer_id=customer_id, occurred_at=occurred_at, sequence=sequence, source=source, id=id_)
