"""Whose each touchpoint is, by the oracle: connected parts first, then each under its constraints.

Part of the oracle: it imports nothing of Waymark, on purpose.
"""

from collections.abc import Iterable

from tests.oracle.constrained_identity import resolve
from tests.oracle.facts import Fact, Key
from tests.oracle.identity import Components, Identifier, usable
from tests.oracle.identity_terms import Sighting

Person = frozenset[Identifier]


def owners(facts: Iterable[Fact]) -> dict[Key, Person]:
    """The person that has each touchpoint, by all their identifiers, under the policy as shipped."""
    whole = list(facts)
    components = Components(whole)
    parts: dict[Identifier, list[Sighting]] = {}
    for one in whole:
        parts.setdefault(components.owner(one), []).append(_sighting(one))
    return {key: person for part in parts.values() for key, person in resolve(part).owners.items()}


def _sighting(one: Fact) -> Sighting:
    proved = {name: bool(held.get("verified")) for name, held in one.get("customer").items()}
    at, sequence, source, id_ = one.order
    return Sighting(
        source=source,
        id=id_,
        occurred_at=at,
        sequence=sequence,
        customer={name: (value, proved[name]) for name, value in usable(one.get("customer"))},
    )
