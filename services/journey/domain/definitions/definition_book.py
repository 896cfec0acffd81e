"""All definitions of all versions: which one is in force when, and which journeys they see in a history."""

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from operator import itemgetter

import msgspec

from services.journey.domain.definitions.definition import DefinitionRefusedError, JourneyDefinition, JourneyScope
from services.journey.domain.definitions.passage import JourneyFollower, Passage, follow
from services.journey.domain.history import CustomerHistory
from services.journey.domain.names import TimerId
from services.journey.domain.rules.matching import mentions_field


class DefinitionsVersion(msgspec.Struct, frozen=True, kw_only=True):
    """All definitions of one version, in force from a moment on until the next version is."""

    in_force_from: datetime
    definitions: Sequence[JourneyDefinition]


_Period = tuple[datetime, JourneyFollower | None]


class DefinitionBook:
    """The definitions of every version. It is built once and shared, because it holds no state of any customer.

    `definitions` are those of the latest version, disabled ones too. `known` has the latest wording of every id.
    """

    def __init__(self, versions: Sequence[DefinitionsVersion] = ()) -> None:
        """Prepare `versions`, which come in order; raise `DefinitionRefusedError` for one that cannot be used."""
        self.definitions: tuple[JourneyDefinition, ...] = tuple(versions[-1].definitions) if versions else ()
        self.known = {one.id: one for version in versions for one in version.definitions}
        prepared: dict[bytes, JourneyFollower] = {}
        self._periods: dict[str, list[_Period]] = {}
        for version in versions:
            now: dict[str, JourneyFollower] = {}
            for definition in version.definitions:
                if definition.id in now:
                    raise DefinitionRefusedError(definition.id, "this id is given twice")
                content = _CONTENT.encode(definition)
                if content not in prepared:
                    prepared[content] = JourneyFollower(definition)
                now[definition.id] = prepared[content]
            for id_ in {**self._periods, **now}:
                follower = now.get(id_)
                enabled = follower if follower is not None and follower.definition.enabled else None
                self._periods.setdefault(id_, []).append((version.in_force_from, enabled))
        self._scoped = {scope: _of_scope(self._periods, scope) for scope in JourneyScope}
        self._entries = {
            scope: {id_: _entry_kinds(periods) for id_, periods in scoped.items()}
            for scope, scoped in self._scoped.items()
        }
        self._knows_levels = any(mentions_field(one.definition, "service_level") for one in prepared.values())

    def has(self, scope: JourneyScope) -> bool:
        """Return whether any version ever defined a journey of this scope."""
        return bool(self._scoped[scope])

    def follow(
        self,
        history: CustomerHistory,
        fired: Collection[TimerId] = (),
        *,
        scope: JourneyScope = JourneyScope.CUSTOMER,
    ) -> list[Passage]:
        """Return the defined journeys in `history`, in the order of their entries; `fired` are timers that have.

        `history` has the touchpoints of one customer, or of one account, as the `scope` says.
        """
        if self._knows_levels:
            history.spread_service_levels()
        passages: list[Passage] = []
        for id_, periods in self._scoped[scope].items():
            entries = self._entries[scope][id_]
            if entries is None or not entries.isdisjoint(history.by_kind):
                passages += follow(partial(_in_force_at, periods), history, fired)
        passages.sort(key=lambda one: (one.members[0], one.progress.definition))
        return passages


_CONTENT = msgspec.json.Encoder(order="deterministic")


def _in_force_at(periods: Sequence[_Period], moment: datetime) -> JourneyFollower | None:
    at = bisect_right(periods, moment, key=itemgetter(0))
    return periods[at - 1][1] if at else None


def _of_scope(periods: Mapping[str, Sequence[_Period]], scope: JourneyScope) -> dict[str, list[_Period]]:
    """Return the periods of the definitions of one scope; in those of another one, nothing is in force for it."""
    scoped: dict[str, list[_Period]] = {}
    for id_, all_ in periods.items():
        own = [(at, one if one is not None and one.definition.scope is scope else None) for at, one in all_]
        if any(follower is not None for _, follower in own):
            scoped[id_] = own
    return scoped


def _entry_kinds(periods: Sequence[_Period]) -> frozenset[str] | None:
    """Return the only kinds of touchpoint that can enter; None if any kind may."""
    kinds: set[str] = set()
    for _, follower in periods:
        if follower is not None:
            if follower.entry.kinds is None:
                return None
            kinds |= follower.entry.kinds
    return frozenset(kinds)
