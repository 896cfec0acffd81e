"""Turns rows of the journey schema into views: one function for each kind of row, without SQL and HTTP.

A column takes precedence over a payload: every change writes the columns, but a payload is the document that was
published last.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec
from pydantic import TypeAdapter

from schemas.documents import friction as friction_v1
from schemas.documents import journey as journey_v1
from schemas.documents import touchpoint as touchpoint_v1
from schemas.documents.friction import FrictionDocumentState as FrictionState
from schemas.documents.journey import JourneyProgressDocument
from schemas.vocabulary import ServiceLevel
from services.journey.domain.effort import EffortPoint
from services.journey.domain.journey import JourneyProgress
from services.journey.read.views import (
    CustomerView,
    EffortPartView,
    EffortPointView,
    FrictionView,
    IdentifierView,
    JourneyProgressView,
    JourneyStateView,
    JourneySummaryView,
    JourneyView,
    TextView,
    TimelineTouchpointView,
    TouchpointRefView,
)
from services.runtime.postgres.pools import Row

_PROGRESS = TypeAdapter(list[JourneyProgressView])

_EFFORT_PARTS = TypeAdapter(list[EffortPartView])

FrictionsOf = Mapping[tuple[str, str], list[UUID]]
"""Maps each touchpoint `(source, id)` to the frictions that it is evidence of."""


def identifier(row: Row) -> IdentifierView:
    """Return one row of `journey.identifiers` as a view."""
    return IdentifierView(
        type=row["type"],
        value=row["value"],
        verified=row["verified"],
        first_seen_at=row["first_seen"],
        last_seen_at=row["last_seen"],
    )


def journey(row: Row, owner: UUID) -> JourneySummaryView:
    """Return one row of `journey.journeys`, which belongs to the customer `owner`, as a view."""
    stored = journey_v1.decode(row["payload"].encode())
    return JourneySummaryView(
        id=row["journey_id"],
        customer_id=owner,
        state=JourneyStateView(row["state"]),
        version=row["version"],
        reason=row["reason"],
        refs=stored.refs,
        channels=list(stored.channels),
        service_level=stored.service_level,
        outcome=stored.outcome,
        touchpoint_count=stored.touchpoint_count,
        contact_count=stored.contact_count,
        friction_count=stored.friction_count,
        effort=stored.effort,
        opened_at=row["started_at"],
        last_at=row["last_at"],
        closed_at=row["closed_at"],
        updated_at=row["updated_at"],
        progress=progress(stored.progress),
    )


def progress(said: Sequence[JourneyProgressDocument | JourneyProgress]) -> list[JourneyProgressView]:
    """Return how far a customer has come in defined journeys as views."""
    return _PROGRESS.validate_python(msgspec.to_builtins(said))


def friction(row: Row, owner: UUID) -> FrictionView:
    """Return one row of `journey.frictions`, which belongs to the customer `owner`, as a view."""
    stored = friction_v1.decode(row["payload"].encode())
    state = FrictionState(row["state"])
    return FrictionView(
        id=row["friction_id"],
        rule=row["rule"],
        rule_version=row["rule_version"],
        state=state,
        revision=row["revision"],
        severity=row["severity"],
        customer_id=owner,
        journey_id=row["journey_id"],
        title=TextView(en=stored.title.en, ko=stored.title.ko),
        explanation=TextView(en=stored.explanation.en, ko=stored.explanation.ko),
        channel=row["channel"],
        reason=stored.reason,
        refs=stored.refs,
        touchpoints=[TouchpointRefView(source=ref.source, id=ref.id) for ref in stored.touchpoints],
        evidence=stored.evidence,
        quiet=row["quiet"],
        occurred_at=row["occurred_at"],
        detected_at=row["detected_at"],
        revised_at=row["updated_at"],
        retracted_at=row["updated_at"] if state is FrictionState.RETRACTED else None,
    )


def touchpoint(row: Row, frictions_of: FrictionsOf) -> TimelineTouchpointView:
    """Return one row of `journey.touchpoints` as a view."""
    stored = touchpoint_v1.decode(row["payload"].encode())
    return TimelineTouchpointView(
        source=row["source"],
        id=row["id"],
        occurred_at=row["occurred_at"],
        received_at=row["received_at"],
        reported_at=stored.reported_at,
        time_quality=stored.time_quality,
        channel=row["channel"],
        kind=row["kind"],
        direction=stored.direction,
        outcome=stored.outcome,
        reason=stored.reason,
        interaction_id=stored.interaction_id,
        queue=stored.queue,
        wait_s=stored.wait_s,
        duration_s=stored.duration_s,
        hold_s=stored.hold_s,
        transfers=stored.transfers,
        due_at=stored.due_at,
        text=stored.text,
        sentiment=stored.sentiment,
        sentiment_by=stored.sentiment_by,
        sealed_text=_sealed_text(stored.attributes.get(touchpoint_v1.SEALED_TEXT)),
        refs=stored.refs,
        late=row["late"],
        replay=row["replay"],
        journey_id=row["journey_id"],
        friction_ids=frictions_of.get((row["source"], row["id"]), []),
    )


def _sealed_text(found: object) -> str | list[str] | None:
    """Return an encrypted text; attributes are free, so a producer may have written anything there."""
    if isinstance(found, list):
        return found if all(isinstance(part, str) for part in found) else None
    return found if isinstance(found, str) else None


def evidence_of(frictions: Iterable[FrictionView]) -> FrictionsOf:
    """Map each touchpoint to the detected frictions that it is evidence of, in the order of `frictions`."""
    found: defaultdict[tuple[str, str], list[UUID]] = defaultdict(list)
    for one in frictions:
        if one.state is FrictionState.DETECTED:
            for ref in one.touchpoints:
                found[ref.source, ref.id].append(one.id)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class EffortAccount:
    """What explains a journey's effort: the JSON of its column, and how it came about."""

    parts: str
    course: Sequence[EffortPoint]


def whole_journey(
    summary: JourneySummaryView,
    effort: EffortAccount,
    *,
    known_as: Sequence[UUID],
    asked_as: UUID,
    frictions: Sequence[FrictionView],
    touchpoints: Sequence[Row],
) -> JourneyView:
    """Return a journey with its frictions and touchpoints, for a caller who asked for the id `asked_as`."""
    evidence = evidence_of(frictions)
    return JourneyView(
        **dict(summary),
        merged_into=None if asked_as == summary.id else summary.id,
        aliases=list(known_as),
        effort_parts=_EFFORT_PARTS.validate_json(effort.parts),
        effort_course=[EffortPointView(occurred_at=one.occurred_at, effort=one.score) for one in effort.course],
        frictions=list(frictions),
        touchpoints=[touchpoint(row, evidence) for row in touchpoints],
    )


def customer(
    row: Row,
    aliases: Sequence[UUID],
    identifiers: Sequence[IdentifierView],
    journeys: Sequence[JourneySummaryView],
    frictions: Sequence[FrictionView],
) -> CustomerView:
    """Return one row of `journey.customers`, with everything that belongs to the customer, as a view."""
    level = row["service_level"]
    return CustomerView(
        customer_id=row["customer_id"],
        merged_from=list(aliases),
        service_level=None if level is None else ServiceLevel(level),
        identifiers=list(identifiers),
        effort=max((one.effort for one in journeys), default=0),
        journeys=list(journeys),
        frictions=list(frictions),
        first_seen_at=row["first_at"],
        last_seen_at=row["last_at"],
    )
