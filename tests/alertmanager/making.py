"""Configurations and alerts of Alertmanager by chance, from few words, so that much meets."""

from dataclasses import dataclass
from random import Random
from typing import Any

LABELS = ("a", "b", "c")
VALUES = ("", "1", "2", "12")
PATTERNS = ("1|2", "1.*", ".+", ".*", "2?", "[^1]", "", "1", "(1|2)2")
RECEIVERS = tuple(f"r{number}" for number in range(5))
FAR = "10m"
"""Long enough that nothing is sent while the answers are compared."""


@dataclass(frozen=True)
class Scene:
    """One configuration with the alerts and silences that it is tried on."""

    config: dict[str, Any]
    alerts: list[dict[str, str]]
    silences: list[list[dict[str, Any]]]


def a_scene(random: Random, run: str) -> Scene:
    """Make one; every alert has the label `run`, which no matcher names."""
    config = {
        "route": {"receiver": RECEIVERS[0], "group_wait": FAR, "group_interval": FAR, "repeat_interval": "4h"}
        | _group_by(random)
        | {"routes": [a_route(random, depth=3) for _ in range(random.randint(0, 4))]},
        "receivers": [{"name": name} for name in RECEIVERS],
        "inhibit_rules": [a_rule(random) for _ in range(random.randint(0, 3))],
    }
    alerts: dict[tuple[str, ...], dict[str, str]] = {}
    for _ in range(random.randint(2, 9)):
        values = tuple(random.choice(VALUES) for _ in LABELS)
        # a label whose value is empty is none
        alerts[values] = {"run": run} | {n: v for n, v in zip(LABELS, values, strict=True) if v}
    silences = [a_silence(random) for _ in range(random.randint(0, 2))]
    return Scene(config=config, alerts=list(alerts.values()), silences=silences)


def a_route(random: Random, depth: int) -> dict[str, Any]:
    """Make a route with routes below it."""
    children = random.randint(0, 3) if depth > 1 and random.random() < 0.6 else 0
    made: dict[str, Any] = _group_by(random)
    if random.random() < 0.7:
        made["receiver"] = random.choice(RECEIVERS)
    made |= _conditions(random)
    if random.random() < 0.4:
        made["continue"] = True
    if children:
        made["routes"] = [a_route(random, depth - 1) for _ in range(children)]
    return made


def _conditions(random: Random) -> dict[str, Any]:
    """Conditions in one of the three ways that there are to write them."""
    way = random.random()
    if way < 0.15:
        return {"match": {random.choice(LABELS): random.choice(VALUES)}}
    if way < 0.3:
        return {"match_re": {random.choice(LABELS): random.choice(PATTERNS)}}
    return {"matchers": [a_matcher(random) for _ in range(random.choice((0, 1, 1, 1, 2)))]}


def a_matcher(random: Random) -> str:
    """Make a matcher, with or without quotation marks."""
    operator = random.choice(("=", "!=", "=~", "!~"))
    value = random.choice(PATTERNS if "~" in operator else VALUES)
    plain = value and random.random() < 0.5
    return f"{random.choice(LABELS)}{operator}{value}" if plain else f'{random.choice(LABELS)} {operator} "{value}"'


def a_rule(random: Random) -> dict[str, Any]:
    """Make a rule of inhibition; some match an alert on both sides."""
    sides = {
        f"{side}_matchers": [a_matcher(random) for _ in range(random.randint(1, 2))] for side in ("source", "target")
    }
    return sides | {"equal": random.sample(LABELS, random.choice((0, 1, 1, 2)))}


def a_silence(random: Random) -> list[dict[str, Any]]:
    """Make the matchers of a silence that Alertmanager accepts: one of them needs a label."""
    needs: dict[str, Any] = {
        "name": random.choice(LABELS),
        "value": random.choice(("1", "2")),
        "isRegex": False,
        "isEqual": True,
    }
    found = [needs]
    if random.random() < 0.5:
        pattern = random.random() < 0.5
        value = random.choice(PATTERNS if pattern else VALUES)
        more = {"name": random.choice(LABELS), "value": value, "isRegex": pattern, "isEqual": random.random() < 0.5}
        found.append(more)
    return found


def _group_by(random: Random) -> dict[str, Any]:
    if random.random() < 0.5:
        return {}
    return {"group_by": random.choice((["..."], ["a"], ["b", "c"], ["a", "b", "c"], ["run"]))}
