"""Turns frictions and journeys into the documents and records that other services read.

The values of the domain have the members of friction v1 and, except for the parts of the effort, of journey v1.
"""

from datetime import datetime
from uuid import UUID

import msgspec

from schemas.cloudevents import CloudEventType, headers, origin
from schemas.codec import Codec
from schemas.documents import friction as friction_v1
from schemas.documents import journey as journey_v1
from services.journey.domain.friction import Friction
from services.journey.domain.journey import Journey
from services.journey.outbox.outbox_rows import OutgoingRecord
from services.journey.store.journeys import RetiredJourney
from services.runtime.kafka.record import ProducerRecord

_ORIGIN = origin("journey")
_FRICTION = Codec(Friction)


def friction(said: Friction, trace: str | None) -> OutgoingRecord:
    """Return a friction as friction v1, keyed by its customer; `trace` is the W3C trace context of its cause."""
    revised_at = said.revised_at or said.detected_at
    attributes = headers(
        CloudEventType.FRICTION, id=f"{said.id}.{said.revision}", origin=_ORIGIN, time=revised_at, traceparent=trace
    )
    key = str(said.customer_id).encode()
    return OutgoingRecord(
        customer_id=said.customer_id,
        record=ProducerRecord(topic=friction_v1.TOPIC, key=key, value=_FRICTION.encode(said), headers=attributes),
    )


def journey(said: Journey, now: datetime, trace: str | None) -> OutgoingRecord:
    """Return a journey as journey v1, updated `now`, keyed by its id."""
    members = msgspec.structs.asdict(said)
    for name in ("id", "customer_id"):
        members[name] = str(members[name])
    members.pop("idle_at")
    members["effort"] = said.effort.score
    members["updated_at"] = now
    return _journey(said.customer_id, msgspec.convert(members, journey_v1.JourneyDocument, from_attributes=True), trace)


def gone_journey(last: str, gone: RetiredJourney, now: datetime, trace: str | None) -> OutgoingRecord:
    """Return the final record of a retired journey, made from the document published `last`."""
    target = gone.merged_into
    said = msgspec.structs.replace(
        journey_v1.decode(last.encode()),
        version=gone.what.version,
        state=journey_v1.JourneyDocumentState.DISSOLVED if target is None else journey_v1.JourneyDocumentState.MERGED,
        customer_id=str(gone.customer_id),
        merged_into=None if target is None else str(target),
        updated_at=now,
    )
    return _journey(gone.customer_id, said, trace)


def _journey(customer_id: UUID, said: journey_v1.JourneyDocument, trace: str | None) -> OutgoingRecord:
    value = journey_v1.encode(said)
    record = ProducerRecord(
        topic=journey_v1.TOPIC, key=said.id.encode(), value=value, headers=journey_v1.headers(said, trace)
    )
    return OutgoingRecord(customer_id=customer_id, record=record)
