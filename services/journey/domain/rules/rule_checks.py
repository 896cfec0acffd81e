"""Checks what the schema of a rules file cannot: combinations that parse and yet have no meaning.

What only one shape has is left to that shape, in its own words of `demand` and `positive`.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from difflib import get_close_matches
from itertools import pairwise
from typing import TypeVar

import msgspec

from services.journey.domain.rules.matching import InvalidRuleError
from services.journey.domain.rules.rule import LevelParameters, Rule, caps_of

Shaped = TypeVar("Shaped", bound=Rule)

NOTHING = timedelta(0)
LONGEST = timedelta(days=3653)
"""Ten years. Nobody needs more, and adding centuries to a touchpoint's time would overflow."""


CHANNELS = frozenset(
    {"web", "app", "phone", "ivr", "chat", "email", "sms", "social", "messenger", "store", "kiosk", "field", "device"}
    | {"mail", "api"}
)


def check_shared(rule: Rule) -> None:
    """Raise `InvalidRuleError` if the members that all shapes share do not fit together."""
    positive("cooldown", rule.cooldown)
    positive("expires_after", rule.expires_after)
    caps = caps_of(rule.cap)
    for cap in caps:
        positive("cap.within", cap.within)
        demand(cap.max >= 1, "cap.max is at least 1")
    for first, second in pairwise(sorted(caps, key=lambda cap: cap.within)):
        demand(first.max < second.max, "cap: a longer time has a larger max; otherwise the shorter one says nothing")
    for closing in rule.closes_when:
        check_channels("closes_when", (closing.channel,) if isinstance(closing.channel, str) else closing.channel)


def check_channels(member: str, channels: Iterable[str]) -> None:
    """Raise `InvalidRuleError` if one of `channels` is none; the message begins with the `member` that names it."""
    for channel in channels:
        if channel not in CHANNELS:
            near = get_close_matches(channel, sorted(CHANNELS), n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(CHANNELS))}"
            raise InvalidRuleError(f"{member}: {channel} is no channel; {hint}")


def at_level(rule: Shaped, level: str) -> Shaped:
    """Return `rule` with the parameters of a service level; raise `InvalidRuleError` for one that the shape lacks."""
    parameters = rule.by_service_level.get(level, LevelParameters())
    given = {
        name: value for name in LevelParameters.__struct_fields__ if (value := getattr(parameters, name)) is not None
    }
    for name in given:
        demand(
            name in rule.__struct_fields__,
            f"by_service_level.{level}.{name}: the shape {rule.__struct_config__.tag} has no {name}",
        )
    channels = given.get("within_by_channel")
    if channels is not None:  # a level says only the channels that it has otherwise
        given["within_by_channel"] = {**getattr(rule, "within_by_channel", {}), **channels}
    return msgspec.structs.replace(rule, **given)


def positive(name: str, value: timedelta | None) -> None:
    """Raise `InvalidRuleError` unless the duration `name` is left out, or more than nothing and not too long."""
    demand(value is None or value > NOTHING, f"{name} is more than nothing")
    demand(value is None or value <= LONGEST, f"{name} is at most {LONGEST.days}d")


def demand(holds: bool, otherwise: str) -> None:
    """Raise `InvalidRuleError` with the message `otherwise` unless it holds."""
    if not holds:
        raise InvalidRuleError(otherwise)


def implication_problems(rules: Sequence[Rule]) -> list[str]:
    """Return what is wrong with `implies` in a whole rulebook: rules that do not exist, and circles."""
    implied = {rule.id: rule.implies for rule in rules}
    problems = [
        f"{rule}: implies: there is no rule {name}{_near(name, implied)}"
        for rule, names in implied.items()
        for name in names
        if name not in implied
    ]
    return problems + [
        f"{rule}: implies: it implies itself, in the end" for rule in implied if rule in _reached(rule, implied)
    ]


def _near(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _reached(rule: str, implied: Mapping[str, Sequence[str]]) -> set[str]:
    reached: set[str] = set()
    left = list(implied[rule])
    while left:
        if (name := left.pop()) not in reached:
            reached.add(name)
            left += implied.get(name, ())
    return reached
