"""What readers of both languages share: a finding in a text, and what all findings of a text come to. Pure."""

from collections.abc import Iterable, Sequence
from math import sqrt

import msgspec

_SPREAD = 6.0
"""The square of the weight that makes a sentiment of 0.71: one strong word makes 0.7, three weak ones as much."""


class WeightedWord(msgspec.Struct, frozen=True, gc=False):
    """A word that tells how the writer feels, at a position of the text, with its weight as the text means it."""

    at: int
    word: str
    weight: float


def sentiment_of(findings: Sequence[WeightedWord]) -> float | None:
    """Return -1 (very bad) to 1 (very good), in hundredths; None if nothing was found, for then nothing is known."""
    if not findings:
        return None
    total = sum(finding.weight for finding in findings)
    return round(total / sqrt(total * total + _SPREAD), 2)


def weigh_contrast(findings: Iterable[WeightedWord], last_contrast: int) -> list[WeightedWord]:
    """Return `findings` with those before the last "but" halved and those after it made stronger by half.

    Without anything after it, it ends the text in the way of speech, and contrasts nothing.
    """
    found = list(findings)
    if last_contrast < 0 or not any(one.at > last_contrast and one.weight for one in found):
        return found
    return [msgspec.structs.replace(one, weight=one.weight * (1.5 if one.at > last_contrast else 0.5)) for one in found]
