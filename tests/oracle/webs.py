"""Webs of identifiers that come at once: chains, rings and trees, in pairs first and then what ties them together.

A synchronisation of devices, an export of a CRM: within one request and one transaction many customers are made and
found to be one. What ties a chain together comes last, from its end to its beginning or in any order.
"""

from datetime import datetime, timedelta
from random import Random
from typing import Final

from tests.oracle.people import Json, instant

Pair = tuple[int, int]

TYPES: Final = ("cookie", "device_id", "email", "phone")
LONGEST: Final = 18
"""Identifiers of one web: no more touchpoints than one request has."""


def web(number: int, rng: Random, at: datetime) -> list[Json]:
    """The touchpoints of one web, in the order in which they arrive, all at one time."""
    size = rng.randrange(4, LONGEST + 1)
    pairs, ties = _chain(size) if rng.random() < 0.7 else _tree(rng, size)
    if rng.random() < 0.3:
        ties.append((0, size - 1))
    order = rng.randrange(3)
    if order == 0:
        ties.reverse()
    elif order == 1:
        rng.shuffle(ties)
    named = [_named(number, place) for place in range(size)]
    moment = instant(at)
    return [
        {
            "id": f"web-{number}-{place}",
            "occurred_at": moment,
            "received_at": instant(at + timedelta(microseconds=place + 1)),
            "sequence": place,
            "channel": "app",
            "kind": "page_viewed",
            "customer": {type_: {"value": value, "verified": False} for type_, value in (named[one], named[other])},
            "source": "web",
        }
        for place, (one, other) in enumerate([*pairs, *ties])
    ]


def _chain(size: int) -> tuple[list[Pair], list[Pair]]:
    """Pairs side by side, and the links between one pair and the next."""
    return [(at, at + 1) for at in range(0, size - 1, 2)], [(at, at + 1) for at in range(1, size - 1, 2)]


def _tree(rng: Random, size: int) -> tuple[list[Pair], list[Pair]]:
    """Pairs side by side; each hangs by its even end on an odd end before it, so that the types differ."""
    pairs = [(at, at + 1) for at in range(0, size - 1, 2)]
    return pairs, [(rng.randrange(1, at, 2), at) for at in range(2, size, 2)]


def _named(number: int, place: int) -> tuple[str, str]:
    """The identifier at a place: even ones are cookies or e-mails, odd ones devices or telephones."""
    whole = number * 100 + place
    if place % 4 == 0:
        return "email", f"web{whole}@mail.example"
    if place % 4 == 1:
        return "phone", f"+8210{50_000_000 + whole:08d}"
    return TYPES[place % 2], f"web-{whole:06d}"
