"""Computes how a customer stood at a moment, from the touchpoints that were appended by then. Pure.

Who they were follows from the identifiers that those touchpoints carried together; journeys and frictions are what the
projection makes of them. So a friction that later data took back stands, and a merge that came later has not happened.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from services.journey.domain.comparison.changes import ComparisonContext, CustomerChanges, StoredCustomer, diff
from services.journey.domain.definitions.definition_book import DefinitionBook
from services.journey.domain.history import latest_of
from services.journey.domain.identity.facts import IdentifierKey
from services.journey.domain.identity.identity_book import IdentityBook
from services.journey.domain.identity.planning import components, counted_links
from services.journey.domain.names import CustomerId, TimerId
from services.journey.domain.projection import NO_DEFINITIONS, ProjectionPolicy, project
from services.journey.domain.rules.book import Rulebook
from services.journey.domain.touchpoint import RecordedTouchpoint, TouchpointKey, in_order


class PastEngine(msgspec.Struct, frozen=True, kw_only=True):
    """What decides: rules and definitions with all their versions, and the policies.

    `history` is how many touchpoints count.
    """

    rulebook: Rulebook
    policy: ProjectionPolicy
    identity: IdentityBook
    new_id: Callable[[], UUID]
    history: int
    definitions: DefinitionBook = NO_DEFINITIONS


class PastIdentifier(msgspec.Struct, frozen=True, gc=False):
    """An identifier of the customer as it was known then."""

    key: IdentifierKey
    verified: bool
    first_seen: datetime
    last_seen: datetime


class PastStanding(msgspec.Struct, frozen=True, kw_only=True):
    """How a customer stood: `touchpoints` in event order, late ones too, and what the projection said of them.

    `journey_ids` has for each journey in `changes` the id that it has today.
    """

    touchpoints: list[RecordedTouchpoint]
    identifiers: list[PastIdentifier]
    changes: CustomerChanges
    journey_ids: dict[UUID, UUID]
    placed: dict[TouchpointKey, UUID]


def standing(
    recorded: Sequence[RecordedTouchpoint],
    asked: Collection[IdentifierKey],
    fired: Collection[TimerId],
    engine: PastEngine,
    context: ComparisonContext,
) -> PastStanding | None:
    """Return how the customer who was asked for stood at `context.now`; None if nobody knew them by then.

    `recorded` are all touchpoints appended by then of today's customer. Asked by an identifier, the customer is who it
    led to then; asked by an id (`asked` is empty), who had the earliest touchpoint, because they keep the id.
    """
    group = _group(recorded, asked, engine.identity)
    mine = sorted((one for one in recorded if group.intersection(_usable(one, engine.identity))), key=in_order)
    if not mine:
        return None
    counted = [one for one in mine if not one.late]
    truncated = len(counted) > engine.history
    latest = latest_of(counted, engine.history)
    unplaced = [msgspec.structs.replace(one, journey_id=None, friction=False, rules=()) for one in latest]
    projection = project(
        unplaced, fired=fired, rulebook=engine.rulebook, policy=engine.policy, definitions=engine.definitions
    )
    changes = diff(projection, StoredCustomer(truncated=truncated), engine.rulebook, context)
    today = {one.touchpoint.key: one.journey_id for one in counted}
    journey_ids: dict[UUID, UUID] = {}
    for placement in changes.placements:
        journey_ids.setdefault(placement.journey_id, today.get(placement.touchpoint) or placement.journey_id)
    return PastStanding(
        touchpoints=mine,
        identifiers=_identifiers(mine, group, engine.identity),
        changes=changes,
        journey_ids=journey_ids,
        placed={one.touchpoint: journey_ids[one.journey_id] for one in changes.placements},
    )


def _group(
    recorded: Sequence[RecordedTouchpoint], asked: Collection[IdentifierKey], book: IdentityBook
) -> frozenset[IdentifierKey]:
    """Return the identifiers of the customer who is meant; none if nothing of theirs was known."""
    carried = [_usable(one, book) for one in sorted(recorded, key=in_order)]
    known = {key for keys in carried for key in keys}
    wanted = [key for key in asked if key in known] if asked else [keys[0] for keys in carried[:1] if keys]
    if not wanted:
        return frozenset()
    groups = components(known, {link for keys in carried if keys for link in counted_links(keys)})
    return next((group for group in groups if wanted[0] in group), frozenset())


def _usable(one: RecordedTouchpoint, book: IdentityBook) -> tuple[IdentifierKey, ...]:
    return book.usable(one.touchpoint.customer, one.appended_at)


def _identifiers(
    touchpoints: Sequence[RecordedTouchpoint], group: frozenset[IdentifierKey], book: IdentityBook
) -> list[PastIdentifier]:
    found: dict[IdentifierKey, PastIdentifier] = {}
    for one in touchpoints:
        at = one.touchpoint.occurred_at
        for key in group.intersection(_usable(one, book)):
            identifier = one.touchpoint.customer[key[0]]
            was = found.get(key, PastIdentifier(key, verified=False, first_seen=at, last_seen=at))
            found[key] = PastIdentifier(
                key, was.verified or identifier.verified, min(was.first_seen, at), max(was.last_seen, at)
            )
    return [found[key] for key in sorted(found)]


def as_customer(customer_id: UUID, now: datetime, engine: PastEngine) -> ComparisonContext:
    """Return the circumstances of a comparison for `customer_id` at `now`."""
    return ComparisonContext(customer_id=CustomerId(customer_id), now=now, new_id=engine.new_id)
