"""Definitions of journeys that an analyst might write, at random: every member, over the fields of dense stories."""

from random import Random
from typing import Any, Final

from tests.oracle.dense import KINDS

Json = dict[str, Any]

TIMES: Final = ("10m", "15m", "30m", "45m", "1h", "12h", "24h", "7d")
KEYS: Final = ("refs.case_id", "refs.order_id", "reason", "channel", "attributes.plan")
WORDS: Final = {"en": "x", "ko": "엑스"}
CLAUSES: Final[tuple[Json, ...]] = (
    {"direction": "inbound"},
    {"channel": ["phone", "chat"]},
    {"service_level": "premium"},
    {"reason": {"exists": True}},
    {"outcome": {"not": "resolved"}},
    {"wait_s": {"gte": 120}},
)
"""Conditions besides the kind."""


def a_definition(random: Random, number: int, version: int = 1) -> Json:
    """A definition as a file has it."""
    definition = {
        "id": f"odd_{number}",
        "title": WORDS,
        "version": version,
        "entry": _matcher(random, most=6),
        "stages": [_stage(random, place) for place in range(random.randint(1, 4))],
        "reached": _matcher(random, most=2),
        "inactivity": random.choice(TIMES[3:]),
        **_deadline(random, share=0.4),
    }
    if random.random() < 0.5:
        definition["abandoned"] = _matcher(random, most=2)
    if random.random() < 0.7:
        definition["key"] = random.sample(KEYS, random.randint(1, 2))
    again = random.random()
    if again < 0.2:
        definition["once"] = True
    elif again < 0.4:
        definition["reentry_after"] = random.choice(TIMES)
    if random.random() < 0.1:
        definition["enabled"] = False
    return definition


def versions(random: Random, kinds: int, moments: list[int]) -> list[tuple[int, list[Json]]]:
    """One to three versions of so many definitions; all but the first come into force at one of the `moments`."""
    since = sorted(random.sample(sorted(set(moments)), min(len(set(moments)), random.randint(0, 2))))
    found = []
    for version, moment in enumerate((0, *since), start=1):
        ids = [number for number in range(kinds) if random.random() < 0.9]
        found.append((moment, [a_definition(random, number, version) for number in ids]))
    return found


def _stage(random: Random, place: int) -> Json:
    stage: Json = {"id": f"s{place}", "title": WORDS, **_deadline(random, share=0.5)}
    if place:
        stage["begins"] = _matcher(random, most=4)
        if random.random() < 0.4:
            stage["again"] = True
    if len(stage) > 2 and any(name.startswith("within") for name in stage) and random.random() < 0.4:
        stage["when_over"] = "timed_out"
    return stage


def _deadline(random: Random, share: float) -> Json:
    members: Json = {}
    if random.random() < share:
        members["within"] = random.choice(TIMES)
    if random.random() < share / 2:
        members["within_by_service_level"] = {level: random.choice(TIMES) for level in ("basic", "premium")}
    return members


def _matcher(random: Random, most: int) -> Json:
    clause: Json = {"kind": random.sample(KINDS, random.randint(1, most))}
    if random.random() < 0.3:
        clause |= random.choice(CLAUSES)
    if random.random() < 0.05:
        del clause["kind"]
        clause |= random.choice(CLAUSES)
    return clause
