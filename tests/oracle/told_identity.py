"""Touchpoints for identity, told in lines: `1d2h cookie:k customer_id:A! #2`.

First the time since the beginning (`d h m s u`, `u` is a microsecond), then the identifiers; `!` is verified, `#2` the
sequence. The touchpoints of a story are `t01`, `t02`… of one source, in the order of the lines.

Part of the oracle: it imports nothing of Waymark, on purpose.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from tests.oracle.facts import DAY, HOUR, MINUTE, SECOND
from tests.oracle.identity import Identifier
from tests.oracle.identity_terms import Picture, Sighting

SOURCE: Final = "told"
UNITS: Final = {"d": DAY, "h": HOUR, "m": MINUTE, "s": SECOND, "u": 1}


def span(text: str) -> int:
    """A span of time in microseconds: `0`, `90m`, `30d1u`."""
    return sum(int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+)([dhmsu])", text))


def identifier(text: str) -> Identifier:
    """An identifier: `type:value`, verified or not."""
    type_, _, value = text.rstrip("!").partition(":")
    return type_, value


def told(*lines: str) -> list[Sighting]:
    """The touchpoints of a story."""
    return [_sighting(number, *line.split()) for number, line in enumerate(lines, start=1)]


def _sighting(number: int, after: str, *words: str) -> Sighting:
    said = [word for word in words if not word.startswith("#")]
    return Sighting(
        source=SOURCE,
        id=f"t{number:02d}",
        occurred_at=span(after),
        sequence=next((int(word[1:]) for word in words if word.startswith("#")), 0),
        customer={identifier(word)[0]: (identifier(word)[1], word.endswith("!")) for word in said},
    )


def lines(sightings: Iterable[Sighting]) -> list[str]:
    """The lines of touchpoints, in event order, the time since the first one: to read a part that was made at random.

    Their sources and ids are lost.
    """
    seen = sorted(sightings, key=lambda one: one.order)
    return [" ".join(_words(one, seen[0].occurred_at)) for one in seen]


def _words(sighting: Sighting, beginning: int) -> Iterator[str]:
    rest, after = sighting.occurred_at - beginning, ""
    for unit, size in UNITS.items():
        number, rest = divmod(rest, size)
        after += f"{number}{unit}" if number else ""
    yield after or "0"
    yield from (f"{name}:{value}{'!' if sure else ''}" for name, (value, sure) in sighting.customer.items())
    if sighting.sequence:
        yield f"#{sighting.sequence}"


def owners(picture: Picture, labels: str) -> str:
    """Whose each touchpoint of a story is: its label of `labels` where that fits, else all values of the owner.

    A label fits if it is a value of the owner, and stands for one owner only.
    """
    found: list[str] = []
    meant: dict[str, frozenset[Identifier]] = {}
    for key, label in zip(sorted(picture.owners), labels.split(), strict=True):
        owner = picture.owners[key]
        values = {value for _, value in owner}
        fits = label in values and meant.setdefault(label, owner) == owner
        known = next((name for name, its in meant.items() if its == owner), None)
        found.append(label if fits and known == label else known or "+".join(sorted(values)))
    return " ".join(found)
