"""Accepts one touchpoint in its normal form, or rejects it with a reason. Pure.

`services.ingest.touchpoint.contract` has already checked its form. Leaves writing to `services.ingest.publish`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import msgspec

from schemas import kinds
from schemas.documents.touchpoint import IdentifierValue, PostedTouchpoint, TouchpointDocument
from schemas.identifiers import identifier_types, spelling
from schemas.identifiers.spelling import DropReason
from schemas.vocabulary import Direction
from services.ingest.reasons import TouchpointRejection
from services.ingest.sources.source import Source, SourceScope
from services.ingest.timing.touchpoint_time import TouchpointTime


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptanceRules:
    """The settings of acceptance: how far ahead a time may be, and the region of bare phone numbers."""

    future_tolerance: timedelta
    phone_region: str


class TouchpointArrival(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The time of receipt of a touchpoint, and the time at which it happened."""

    at: datetime
    timed: TouchpointTime


class DroppedIdentifier(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An identifier that was left out: its type and why."""

    type: str
    reason: DropReason


class AcceptedTouchpoint(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A touchpoint in its normal form; `key` is the (type, value) of the identifier that keys its record."""

    touchpoint: TouchpointDocument
    key: tuple[str, str]
    dropped: tuple[DroppedIdentifier, ...] = ()


class RejectedTouchpoint(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A touchpoint that will never be accepted as it is: why, which member, and the fact that the wording needs."""

    reason: TouchpointRejection
    field: str
    fact: str = ""
    dropped: tuple[DroppedIdentifier, ...] = ()


def accept(
    posted: PostedTouchpoint, source: Source, arrival: TouchpointArrival, policy: AcceptanceRules
) -> AcceptedTouchpoint | RejectedTouchpoint:
    """Decide about one touchpoint that `source` posted."""
    refused = _not_allowed(posted, source) or _untimely(arrival, policy)
    if refused is not None:
        return refused
    customer, dropped = _usable(posted, policy.phone_region)
    if not customer:
        return RejectedTouchpoint(reason=TouchpointRejection.NO_USABLE_IDENTIFIER, field="customer", dropped=dropped)
    normal = _normal(posted, customer, source, arrival)
    strongest = min(customer, key=_strength)
    return AcceptedTouchpoint(touchpoint=normal, key=(strongest, customer[strongest].value), dropped=dropped)


def _normal(
    posted: PostedTouchpoint, customer: dict[str, IdentifierValue], source: Source, arrival: TouchpointArrival
) -> TouchpointDocument:
    """Return the normal form; every member is named, which is twice as fast as a loop over their names."""
    timed = arrival.timed
    return TouchpointDocument(
        id=posted.id,
        occurred_at=timed.occurred_at,
        channel=posted.channel,
        kind=posted.kind,
        direction=posted.direction or _implied_direction(posted.kind),
        outcome=posted.outcome,
        reason=posted.reason,
        refs=posted.refs,
        interaction_id=posted.interaction_id,
        wait_s=posted.wait_s,
        duration_s=posted.duration_s,
        hold_s=posted.hold_s,
        transfers=posted.transfers,
        queue=posted.queue,
        agent=posted.agent,
        sequence=posted.sequence,
        text=posted.text,
        sentiment=posted.sentiment,
        score=posted.score,
        value=posted.value,
        service_level=posted.service_level,
        due_at=_utc(posted.due_at),
        attributes=posted.attributes,
        sent_at=_utc(posted.sent_at),
        reported_at=timed.reported_at,
        time_quality=timed.quality,
        customer=customer,
        source=source.name,
        received_at=arrival.at,
        replay=posted.replay,
    )


def _utc(moment: datetime | None) -> datetime | None:
    return moment.astimezone(UTC) if moment is not None else None


def _not_allowed(posted: PostedTouchpoint, source: Source) -> RejectedTouchpoint | None:
    if posted.source is not None and posted.source != source.name:
        return RejectedTouchpoint(reason=TouchpointRejection.SOURCE_MISMATCH, field="source")
    if not source.allows(posted.channel):
        allowed = ", ".join(sorted(source.channels or ()))
        return RejectedTouchpoint(reason=TouchpointRejection.CHANNEL_NOT_ALLOWED, field="channel", fact=allowed)
    if posted.replay and SourceScope.REPLAY not in source.scopes:
        return RejectedTouchpoint(reason=TouchpointRejection.REPLAY_NOT_ALLOWED, field="replay")
    if not posted.replay and SourceScope.WRITE not in source.scopes:
        return RejectedTouchpoint(reason=TouchpointRejection.WRITE_NOT_ALLOWED, field="replay")
    return None


def _untimely(arrival: TouchpointArrival, policy: AcceptanceRules) -> RejectedTouchpoint | None:
    if arrival.timed.occurred_at > arrival.at + policy.future_tolerance:
        limit = f"{policy.future_tolerance.total_seconds():g}"
        return RejectedTouchpoint(reason=TouchpointRejection.OCCURRED_AT_IN_FUTURE, field="occurred_at", fact=limit)
    return None


def _usable(posted: PostedTouchpoint, region: str) -> tuple[dict[str, IdentifierValue], tuple[DroppedIdentifier, ...]]:
    usable: dict[str, IdentifierValue] = {}
    dropped: list[DroppedIdentifier] = []
    for type_, given in posted.customer.items():
        value, verified = (given, False) if isinstance(given, str) else (given.value, given.verified)
        spelt = spelling.identifier(type_, value, region)
        if isinstance(spelt, DropReason):
            dropped.append(DroppedIdentifier(type=type_, reason=spelt))
        else:
            usable[type_] = IdentifierValue(value=spelt.value, verified=verified)
    return usable, tuple(dropped)


@lru_cache(maxsize=1024)
def _implied_direction(kind: str) -> Direction | None:
    return kinds.load().implied_direction(kind)


@lru_cache(maxsize=1024)
def _strength(type_: str) -> tuple[bool, int, str]:
    return (identifier_types.get(type_).shared, *identifier_types.order(type_))
