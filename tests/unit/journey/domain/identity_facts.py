"""Parts of the ledger in a few words: what touchpoints carried, what operators said, who belongs together.

A touchpoint is written `"10: c=A! k=1"`: minutes from `DAY`, then identifiers by the letter of their type, `!` where
the source proved the value. Groups are written `"c=A k=1 | c=B"`.
"""

import random
from collections.abc import Iterable, Sequence
from itertools import count
from typing import TypeVar
from uuid import UUID

import msgspec

from services.journey.domain.identity.constraints import ConstraintPolicy, TypeConstraints
from services.journey.domain.identity.facts import (
    ConnectedPart,
    IdentifierKey,
    IdentitySighting,
    LinkFact,
    OperatorFact,
    OperatorWord,
    link_key,
)
from services.journey.domain.identity.partition import IdentityPartition
from services.journey.domain.identity.planning import counted_links
from services.journey.domain.identity.settlement import IdentitySettlement, settle
from tests.unit.journey.domain.making import at

T = TypeVar("T")

LETTERS = {
    "c": "customer_id",
    "a": "account_id",
    "e": "email",
    "p": "phone",
    "x": "partner_x",
    "y": "partner_y",
    "d": "device_id",
    "k": "cookie",
    "z": "kiosk_id",
}
_LETTER = {type_: letter for letter, type_ in LETTERS.items()}

TYPES = {
    "customer_id": TypeConstraints(strength=10, unique=True),
    "account_id": TypeConstraints(strength=20),
    "email": TypeConstraints(strength=40, personal=True),
    "phone": TypeConstraints(strength=50, personal=True),
    "device_id": TypeConstraints(strength=600, device=True),
    "cookie": TypeConstraints(strength=710, device=True),
    "kiosk_id": TypeConstraints(strength=650, shared=True),
}
POLICY = ConstraintPolicy(types=TYPES)


def policy(shared_after: int | None = 5, most_identifiers: int = 1_000, **changed: TypeConstraints) -> ConstraintPolicy:
    """The policy with other constraints for some types."""
    types = {name: msgspec.structs.replace(one, shared_after=shared_after) for name, one in (TYPES | changed).items()}
    return ConstraintPolicy(types=types, most_identifiers=most_identifiers)


def key(word: str) -> IdentifierKey:
    """`k=1` as an identifier."""
    letter, value = word.rstrip("!").split("=")
    return LETTERS[letter], value


def word_of(identifier: IdentifierKey) -> str:
    """An identifier as `k=1`."""
    return f"{_LETTER[identifier[0]]}={identifier[1]}"


def sighting(said: str, number: int = 0, rules: ConstraintPolicy = POLICY) -> IdentitySighting:
    """A touchpoint by its words."""
    minutes, words = said.split(":")
    carried = tuple(map(key, words.split()))
    usable = tuple(one for one in carried if not rules.of(one).shared) or carried[:1]
    return IdentitySighting(
        order=(at(float(minutes)), 0, "test", f"t{number:03}"),
        usable=usable,
        others=tuple(one for one in carried if one not in usable),
    )


def links(said: str, number: int, rules: ConstraintPolicy, shared_link: bool) -> list[LinkFact]:
    """The links that a touchpoint makes: its strongest usable identifier with each other one."""
    seen = sighting(said, number)
    proved = {key(word) for word in said.split() if word.endswith("!")}
    usable = seen.carried if shared_link else seen.usable
    made = counted_links(sorted(usable, key=rules.rank))
    return [LinkFact(key=link, first=seen.order, verified=proved.issuperset(link)) for link in made]


def operator(said: str) -> OperatorFact:
    """What an operator said: `"5: merge c=A c=B"`."""
    minutes, words = said.split(":")
    word, one, other = words.split()
    return OperatorFact(word=OperatorWord(word), key=link_key(key(one), key(other)), said_at=at(float(minutes)))


def part(
    *touchpoints: str, said: Iterable[str] = (), rules: ConstraintPolicy = POLICY, shared_link: bool = False
) -> ConnectedPart:
    """The part that touchpoints make; with `shared_link` also by types that were declared shared only later."""
    seen = [sighting(one, place) for place, one in enumerate(touchpoints)]
    return ConnectedPart(
        links=[row for place, one in enumerate(touchpoints) for row in links(one, place, rules, shared_link)],
        said=[operator(one) for one in said],
        sightings=seen,
        proved=frozenset(key(word) for one in touchpoints for word in one.split() if word.endswith("!")),
        first_seen={
            carried: one.occurred_at
            for one in sorted(seen, key=lambda one: one.order, reverse=True)
            for carried in one.carried
        },
    )


def settled(given: ConnectedPart, rules: ConstraintPolicy = POLICY, first_id: int = 1_000) -> IdentitySettlement:
    """The part, settled; new ids count from `first_id`."""
    ids = count(first_id)
    return settle(given, rules, lambda: UUID(int=next(ids)))


def shuffled(given: ConnectedPart, luck: random.Random) -> ConnectedPart:
    """The same facts in another order, some of them twice or more."""
    return msgspec.structs.replace(
        given,
        links=_shuffled(given.links, luck),
        said=_shuffled(given.said, luck),
        customers=_shuffled(given.customers, luck),
        owners=dict(_shuffled(list(given.owners.items()), luck)),
        sightings=[
            msgspec.structs.replace(one, usable=tuple(_shuffled(one.usable, luck)))
            for one in _shuffled(given.sightings, luck)
        ],
    )


def _shuffled(facts: Sequence[T], luck: random.Random) -> list[T]:
    twice = [*facts, *luck.choices(facts, k=luck.randrange(len(facts) + 1))] if facts else []
    luck.shuffle(twice)
    return twice


def groups(partition: IdentityPartition) -> str:
    """The components in words."""
    return " | ".join(sorted(" ".join(sorted(map(word_of, one))) for one in partition.components))


def refusals(partition: IdentityPartition) -> frozenset[str]:
    """The refused ties in words: `c=B k=1 unique`."""
    return frozenset(
        f"{' '.join(map(word_of, sorted(tie.key, key=POLICY.rank)))} {reason}"
        for tie, reason in partition.refused.items()
    )
