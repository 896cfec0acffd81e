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
from tests.oracle.shipped_rules import RULES, Found, Rule, find, history
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
