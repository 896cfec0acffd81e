"""Effort: how hard a journey has been so far, 0 to 100, as a sum of named parts that saturates. It knows no clock.

Only touchpoints are looked at, never frictions, so that a score can be explained by what happened and recomputed by
anyone who has the touchpoints.
"""

import msgspec


class EffortPart(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One share of the score: what weighed, how often, and how many points it gave (heaviest parts first)."""

    factor: str
    count: int
    points: float


class Effort(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`score` is 0 (none) to 100 with one decimal; `parts` explain it, heaviest first."""

    score: float
    parts: tuple[EffortPart, ...]


EASY = Effort(score=0.0, parts=())
