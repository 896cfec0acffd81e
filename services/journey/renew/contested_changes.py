"""One friction, two customers: who holds it.

A friction is known by its rule and anchor, and a call may be the anchor of two customers while nothing ties the number
it came from to the account it was about. It is on one issue only, so one of them holds it: the one whose part of the
call began first, whatever arrived first. The other one's stays unsaid.
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


def one_each(said: Iterable[ContestedChange]) -> list[ContestedChange]:
    """Leave out, of changes to the same friction, all but that of the customer who should hold it."""
    best: dict[UUID, ContestedChange] = {}
    for one in said:
        friction = one[1].friction
        rival = best.get(friction.id)
        if rival is None or _rank(friction) < _rank(rival[1].friction):
            best[friction.id] = one
    return list(best.values())


def taken_over(lost: Sequence[ContestedChange], holders: Mapping[UUID, FrictionHolder]) -> list[ContestedChange]:
    """Of changes that met another holder, return those that win, as the next revision of what the holder said."""
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
    """The anchor's time, then its touchpoint, which belongs to one customer only: no two ranks are equal."""
    last = friction.touchpoints[-1]
    return friction.occurred_at, last.source, last.id
