"""The oracle: what Waymark must have found once everything is applied and every due time has passed.

Written from docs/semantics.md alone, single-threaded, from the set of accepted touchpoints; it imports nothing of
Waymark and shares no code with it, so that a mistake would have to be made twice to go unnoticed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tests.oracle.facts import Fact, Json, Key, fact
from tests.oracle.identity import Identifier
from tests.oracle.journeys import journeys
from tests.oracle.shipped_rules import RULES, Found, Rule, find, history, name_of
from tests.oracle.whose import Person, owners

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What must stand in the end. Ids of customers and journeys are opaque, so only who belongs together is said."""

    customers: frozenset[frozenset[Identifier]]
    """Identifiers by person, of those who have a touchpoint."""

    touchpoints: dict[Key, bool]
    """Every touchpoint, and whether it is late."""

    whose: dict[Key, frozenset[Identifier]]
    """The person that has each touchpoint."""

    journeys: frozenset[frozenset[Key]]
    """Touchpoints by journey; late ones are in none."""

    frictions: dict[str, Found]
    """By id: those that are not retracted."""

    person_of: dict[str, frozenset[Identifier]]
    """Whose each friction is."""

    groups: frozenset[frozenset[str]]
    """Frictions by issue: one issue for each customer and journey."""


def expect(documents: Iterable[Json], rules: Sequence[Rule] = RULES) -> Expected:
    """Work out what must stand, from accepted touchpoints in any order, each once."""
    facts = [fact(one) for one in documents]
    whose = owners(facts)
    told: dict[Person, list[Fact]] = {}
    for one in facts:
        if not one.late:
            told.setdefault(whose[one.key], []).append(one)
    stories: list[frozenset[Key]] = []
    frictions: dict[str, Found] = {}
    person_of: dict[str, frozenset[Identifier]] = {}
    groups: list[frozenset[str]] = []
    for person, mine in told.items():
        mine.sort(key=lambda one: one.order)
        journey_of = journeys(mine)
        found = find(history(mine, journey_of), rules)
        frictions.update(found)
        person_of.update(dict.fromkeys(found, person))
        stories += _grouped((one.key, journey_of[one.key]) for one in mine)
        groups += _grouped((name, journey_of[one.anchor.key]) for name, one in found.items())
    return Expected(
        customers=frozenset(whose.values()),
        touchpoints={one.key: one.late for one in facts},
        whose=whose,
        journeys=frozenset(stories),
        frictions=frictions,
        person_of=person_of,
        groups=frozenset(groups),
    )


def _grouped(pairs: Iterable[tuple[T, int]]) -> list[frozenset[T]]:
    found: dict[int, set[T]] = {}
    for one, group in pairs:
        found.setdefault(group, set()).add(one)
    return [frozenset(members) for members in found.values()]


def expect_shadow(
    documents: Sequence[Json], tried: Sequence[Rule], rules: Sequence[Rule], since: int
) -> dict[str, tuple[bool, bool]]:
    """Work out what the shadow must hold: whether `tried` finds each friction, and whether `rules` in force do.

    Counted is what is named by a touchpoint that the broker appended at `since` (microseconds) or later: the first of
    its call, or the touchpoint itself. `rules` are those that `tried` are other wordings of.
    """
    first: dict[Key, int] = {}
    for one in map(fact, documents):
        call = (one.key[0], str(one.get("interaction_id"))) if one.get("interaction_id") else one.key
        first[call] = min(one.received, first.get(call, one.received))

    def counted(found: Found) -> bool:
        anchor = found.anchor
        call = (anchor.key[0], str(anchor.get("interaction_id")))
        return first[call if found.id == name_of(found.rule, anchor, call=True) else anchor.key] >= since

    shadow = {name for name, found in expect(documents, tried).frictions.items() if counted(found)}
    force = {name for name, found in expect(documents, rules).frictions.items() if counted(found)}
    return {name: (name in shadow, name in force) for name in shadow | force}
