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
from services.ingest.results.item_result import DroppedIdentifier, ItemResult, reject
from services.ingest.sources.source import Source, SourceScope
from services.ingest.timing.touchpoint_time import TouchpointTime


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptanceRules:
    """The settings of acceptance: how far ahead a time may be, and the region of bare phone numbers."""

    future_tolerance: timedelta
    phone_region: str


class AcceptedTouchpoint(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A touchpoint in its normal form; `key` is the (type, value) of the identifier that keys its record."""

    touchpoint: TouchpointDocument
    key: tuple[str, str]
    dropped: tuple[DroppedIdentifier, ...] = ()


def accept(
    posted: PostedTouchpoint, source: Source, timed: TouchpointTime, received_at: datetime, rules: AcceptanceRules
) -> AcceptedTouchpoint | ItemResult:
    """Decide about one touchpoint that `source` posted: whether it may, the time can be right, and who is meant."""
    rejected = _not_allowed(posted, source) or _untimely(posted, timed, received_at, rules)
    if rejected is not None:
        return rejected
    customer, dropped = _usable(posted, rules.phone_region)
    if not customer:
        return reject(TouchpointRejection.NO_USABLE_IDENTIFIER, id_=posted.id, field="customer", dropped=dropped)
    normal = _normal(posted, customer, source, timed, received_at)
    strongest = min(customer, key=_strength)
    return AcceptedTouchpoint(touchpoint=normal, key=(strongest, customer[strongest].value), dropped=dropped)


def _normal(
    posted: PostedTouchpoint,
    customer: dict[str, IdentifierValue],
    source: Source,
    timed: TouchpointTime,
    received_at: datetime,
) -> TouchpointDocument:
    """Return the normal form; every member is named, which is twice as fast as a loop over their names."""
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
        sentiment=posted.sentiment if posted.sentiment_by is None else None,
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
        received_at=received_at,
        replay=posted.replay,
    )


def _utc(moment: datetime | None) -> datetime | None:
    return moment.astimezone(UTC) if moment is not None else None


def _not_allowed(posted: PostedTouchpoint, source: Source) -> ItemResult | None:
    if posted.source is not None and posted.source != source.name:
        return reject(TouchpointRejection.SOURCE_MISMATCH, id_=posted.id, field="source")
    if not source.allows(posted.channel):
        allowed = ", ".join(sorted(source.channels or ()))
        return reject(TouchpointRejection.CHANNEL_NOT_ALLOWED, id_=posted.id, field="channel", allowed=allowed)
    if posted.replay and SourceScope.REPLAY not in source.scopes:
        return reject(TouchpointRejection.REPLAY_NOT_ALLOWED, id_=posted.id, field="replay")
    if not posted.replay and SourceScope.WRITE not in source.scopes:
        return reject(TouchpointRejection.WRITE_NOT_ALLOWED, id_=posted.id, field="replay")
    return None


def _untimely(
    posted: PostedTouchpoint, timed: TouchpointTime, received_at: datetime, rules: AcceptanceRules
) -> ItemResult | None:
    if timed.occurred_at > received_at + rules.future_tolerance:
        limit = f"{rules.future_tolerance.total_seconds():g}"
        return reject(TouchpointRejection.OCCURRED_AT_IN_FUTURE, id_=posted.id, field="occurred_at", limit=limit)
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
