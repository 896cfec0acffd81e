"""Twins: the rows of a customer of the sample made another customer's, for `prefill` to copy.

Ids that are made of content (frictions, timers) and digests (frictions, journeys) are made anew with the domain's own
functions, so that the worker finds nothing to mend when such a customer comes back.
"""

import hashlib
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import msgspec

from benchmarks.traffic import name, phone
from schemas.documents import journey as journey_v1
from services.journey.domain import friction as friction_domain
from services.journey.domain import journey as journeys_domain
from services.journey.domain.effort import Effort, EffortPart
from services.journey.domain.friction import Friction, RuleFinding
from services.journey.domain.journey import Journey, JourneyPolicy
from services.journey.domain.names import CustomerId, JourneyId, friction_id, timer_id

COPY_ROOM = 10_000
"""Numbers of customers are so far apart from copy to copy."""

NAME, PHONE = name(0)[:-4], phone(0)[:-4]
"""How names and telephone numbers of the sample begin: `n0000`, and a prefix with three digits for the copy."""

Row = dict[str, Any]
"""A row of a table by column; json as text."""


def of_friction(row: Row, copy: int) -> Row:
    """Return the friction of copy number `copy`."""
    said = friction_domain.decode(named(row["payload"], copy).encode())
    anchor = said.anchor
    friction = friction_id(
        said.rule, anchor.source, interaction_id=anchor.interaction_id, touchpoint_id=anchor.touchpoint_id or ""
    )
    ids = said.journey_ids or ((said.journey_id,) if said.journey_id else ())
    journeys = tuple(JourneyId(twin(one, copy)) for one in ids)
    made = msgspec.structs.replace(
        said,
        id=friction,
        customer_id=CustomerId(twin(said.customer_id, copy)),
        journey_id=journeys[0] if journeys else None,
        journey_ids=journeys if len(journeys) > 1 else (),
    )
    return {
        **row,
        "friction_id": friction,
        "customer_id": made.customer_id,
        "journey_id": made.journey_id,
        "digest": _digest(made, journeys),
        "payload": friction_domain.encode(made).decode(),
    }


def _digest(said: Friction, journeys: tuple[JourneyId, ...]) -> bytes:
    """Return the digest that the domain gives what is said: of a finding, which only lends it its members here."""
    finding = SimpleNamespace(
        rule_version=said.rule_version,
        severity=said.severity,
        at=SimpleNamespace(occurred_at=said.occurred_at, channel=said.channel),
        touchpoints=tuple((one.source, one.id) for one in said.touchpoints),
        evidence=said.evidence,
        timeline=said.timeline,
        reason=said.reason,
        service_level=said.service_level,
        refs=said.refs,
    )
    return friction_domain.digest(cast(RuleFinding, finding), journeys)


def of_journey(row: Row, copy: int) -> Row:
    """Return the journey of copy number `copy`."""
    said = journey_v1.decode(named(row["payload"], copy).encode())
    made = msgspec.structs.replace(
        said, id=str(twin(row["journey_id"], copy)), customer_id=str(twin(row["customer_id"], copy))
    )
    return {
        **row,
        "journey_id": UUID(made.id),
        "customer_id": UUID(made.customer_id),
        "digest": journeys_domain.digest(_as_compared(made, row["effort_parts"])),
        "payload": journey_v1.encode(made).decode(),
    }


def _as_compared(said: journey_v1.JourneyDocument, effort_parts: str) -> Journey:
    """Return what the worker compares: a journey without its version, but with what is not published of it."""
    members = msgspec.structs.asdict(said)
    del members["updated_at"], members["merged_into"]
    parts = tuple(msgspec.json.decode(effort_parts, type=list[EffortPart]))
    more = {
        "version": 0,
        "idle_at": said.last_at + JourneyPolicy().idle_after,
        "effort": Effort(float(said.effort), parts),
    }
    return msgspec.convert(members | more, Journey, from_attributes=True)


def of_timer(row: Row, copy: int) -> Row:
    """Return the timer of copy number `copy`."""
    touchpoint_id = named(row["touchpoint_id"], copy)
    return {
        **row,
        "timer_id": timer_id(row["rule"], row["source"], touchpoint_id),
        "customer_id": twin(row["customer_id"], copy),
        "touchpoint_id": touchpoint_id,
    }


def twin(id_: UUID, copy: int) -> UUID:
    """Return what `prefill.twin` returns; the sample is copy 0 and its own twin."""
    if copy == 0:
        return id_
    return UUID(hashlib.md5(f"{id_}{copy}".encode(), usedforsecurity=False).hexdigest())


def named(text: str, copy: int) -> str:
    """Return what `prefill.named` returns."""
    return text.replace(NAME, name(copy * COPY_ROOM)[:-4]).replace(PHONE, phone(copy * COPY_ROOM)[:-4])
