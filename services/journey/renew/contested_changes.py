"""Decides which of two customers holds a friction that both would publish.

The rule and the anchor identify a friction, and one call may be the anchor for two customers as long as nothing links
its phone number to the account it was about. A friction belongs to one issue only, so one customer holds it: the one
whose part of the call began first, whatever arrived first. The change of the other customer is not published.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from services.journey.domain.comparison.revision import FrictionChange
from services.journey.domain.friction import Friction, FrictionState, decode
from services.journey.renew.customer_update import CustomerComparison
from services.journey.store.frictions import FrictionHolder

ContestedChange = tuple[CustomerComparison, FrictionChange]

_Rank = tuple[datetime, str, str]


def one_change_per_friction(said: Iterable[ContestedChange]) -> list[ContestedChange]:
    """Keep one change for each friction: that of the customer who should hold it."""
    best: dict[UUID, ContestedChange] = {}
    for one in said:
        friction = one[1].friction
        rival = best.get(friction.id)
        if rival is None or _rank(friction) < _rank(rival[1].friction):
            best[friction.id] = one
    return list(best.values())


def winning_changes(lost: Sequence[ContestedChange], holders: Mapping[UUID, FrictionHolder]) -> list[ContestedChange]:
    """Return those of the `lost` changes that win against the holder, as the next revision of what it published."""
    won = []
    for comparison, change in lost:
        holder = holders[change.friction.id]
        if holder.state is FrictionState.RETRACTED or _rank(change.friction) < _rank(decode(holder.payload)):
            friction = msgspec.structs.replace(
                change.friction, revision=holder.revision + 1, previous_customer_id=holder.customer_id
            )
            won.append((comparison, msgspec.structs.replace(change, friction=friction)))
    return won


def _rank(friction: Friction) -> _Rank:
    """Return the anchor's time and its touchpoint, which belongs to one customer only: no two ranks are equal."""
    last = friction.touchpoints[-1]
    return friction.occurred_at, last.source, last.id
