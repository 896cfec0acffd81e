"""The workload of the fault tests: touchpoints in the order in which the topic gets them, all from one seed.

Shuffled within the allowed lateness, some too late, some twice or three times, with poison between them, and spread
over partitions by the strongest identifier *of each touchpoint*, so that one person's links stand in several of them.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Any, Final

import orjson

from tests.faults.poison import poison
from tests.oracle.identity import usable
from tests.oracle.people import instant, lives
from tests.oracle.webs import web

Json = dict[str, Any]

SPAN: Final = timedelta(days=12)
"""How far back the stories reach."""

DUPLICATES: Final = 0.05
POISON: Final = 0.01
LATE: Final = 0.01
FAMILIES: Final = 0.02
PLACEHOLDERS: Final = 0.03

WEB_EVERY: Final = 8
"""After so many people comes a web of identifiers, all of it at once."""


class What(StrEnum):
    """What a record is."""

    TOUCHPOINT = "touchpoint"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    POISON = "poison"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """One record, and what it is."""

    what: What
    key: bytes
    value: bytes | None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Everything that will be written, in order, and the touchpoints in it that count."""

    seed: int
    touchpoints: list[Json]
    sendings: list[Sending]

    def count(self, what: What) -> int:
        """How many records are of one sort."""
        return sum(one.what is what for one in self.sendings)


def make(seed: int, touchpoints: int, until: datetime, span: timedelta = SPAN) -> Workload:
    """A workload of so many different touchpoints, whose stories reach from `span` before `until` up to it."""
    rng = Random(seed)
    told = _told(rng, touchpoints, until, span)
    _marry(rng, told)
    _hide(rng, told)
    for one in told:
        _receive(rng, one, until)
    accepted = sorted(told, key=lambda one: (one["received_at"], one["source"], one["id"]))
    return Workload(seed=seed, touchpoints=accepted, sendings=_sendings(rng, accepted))


def _told(rng: Random, touchpoints: int, until: datetime, span: timedelta) -> list[Json]:
    told: list[Json] = []
    for number, life in enumerate(lives(rng, until, span), 1):
        told += life
        if number % WEB_EVERY == 0:
            told += web(number // WEB_EVERY, rng, until - span * rng.random())
        if len(told) >= touchpoints:
            return told[:touchpoints]
    raise AssertionError("lives never end")


def _marry(rng: Random, told: list[Json]) -> None:
    """Give some touchpoints an identifier of somebody else: two people become one customer, with all their past."""
    for _ in range(int(len(told) * FAMILIES / 10)):
        one, other = rng.sample(told, 2)
        for name, held in other["customer"].items():
            if name not in one["customer"] and name in {"email", "phone", "device_id"}:
                one["customer"] = {**one["customer"], name: held}


def _hide(rng: Random, told: list[Json]) -> None:
    """Put placeholders that name nobody beside real identifiers: were they to link, all would be one customer."""
    for one in rng.sample(told, int(len(told) * PLACEHOLDERS)):
        name = rng.choice(("cookie", "device_id", "external_id", "email"))
        if name not in one["customer"]:
            value = rng.choice(("null", "undefined", "anonymous", "익명"))
            one["customer"] = {**one["customer"], name: {"value": value, "verified": False}}


def _receive(rng: Random, one: Json, until: datetime) -> None:
    """When ingest got it: mostly at once, often hours later, sometimes on the very edge of lateness or beyond.

    What came at once, in one request, stays together.
    """
    if "received_at" in one:
        return
    chance = rng.random()
    if chance < LATE:
        delay = timedelta(hours=72, microseconds=rng.choice((0, 1, 1, 10**9, 10**11)))
    elif chance < 0.25:
        delay = timedelta(hours=72 * rng.random() ** 3)
    else:
        delay = timedelta(milliseconds=rng.randint(20, 4000))
    one["received_at"] = instant(min(datetime.fromisoformat(one["occurred_at"]) + delay, until))


def _sendings(rng: Random, accepted: list[Json]) -> list[Sending]:
    """Records in the order of their arrival, repeats and poison in between."""
    placed: list[tuple[float, int, Sending]] = []

    def put(at: float, sending: Sending) -> None:
        placed.append((at, len(placed), sending))

    for place, one in enumerate(accepted):
        value = orjson.dumps(one)
        put(place, Sending(what=What.TOUCHPOINT, key=key_of(one), value=value))
    for place in rng.sample(range(len(accepted)), int(len(accepted) * DUPLICATES)):
        one = accepted[place]
        again = place + rng.choice((0.1, rng.random() * 50, rng.random() * len(accepted)))
        put(again, Sending(what=What.DUPLICATE, key=key_of(one), value=_again(rng, one)))
    for number in range(int(len(accepted) * POISON)):
        at = rng.random() * len(accepted)
        if rng.random() < 0.1:
            place = rng.randrange(int(at) + 1)
            one = {**accepted[place], "reason": f"changed afterwards {number}"}
            put(max(at, place + 0.5), Sending(what=What.CONFLICT, key=key_of(one), value=orjson.dumps(one)))
            continue
        note, raw = poison(number, rng)
        put(at, Sending(what=What.POISON, key=rng.randbytes(8), value=raw, note=note))
    return [sending for _, _, sending in sorted(placed, key=lambda entry: entry[:2])]


def _again(rng: Random, one: Json) -> bytes:
    """The same touchpoint as a producer's retry brings it: another arrival, members in another order."""
    received = datetime.fromisoformat(one["received_at"]) + timedelta(seconds=rng.randint(0, 60))
    repeat = {**one, "received_at": instant(received)}
    names = list(repeat)
    rng.shuffle(names)
    return orjson.dumps({name: repeat[name] for name in names})


def key_of(one: Json) -> bytes:
    """The key that the strongest usable identifier of a touchpoint gives."""
    kind, value = usable(one["customer"])[0]
    return hashlib.sha256(f"{kind}:{value}".encode()).digest()[:16]


def described(sendings: Iterable[Sending]) -> dict[str, int]:
    """How many records of each sort, for the report."""
    counts: dict[str, int] = {}
    for one in sendings:
        counts[one.what] = counts.get(one.what, 0) + 1
    return counts


NOON: Final = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
"""Noon in Seoul: when stories end, for tests that need no present."""
