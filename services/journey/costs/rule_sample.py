"""Measures what rules cost, on one customer in so many: looking at a clock after each rule is not free."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from services.journey.domain.rules.book import Rulebook

EVERY = 16
"""One customer in so many is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCosts:
    """What was measured: seconds by rule, and the touchpoints that came for the customers who were measured."""

    seconds: Mapping[str, float]
    touchpoints: int


@dataclass(slots=True, kw_only=True)
class RuleSample:
    """Picks the customers, and adds up what their rules take; `timer` gives seconds of a clock that goes forward.

    A batch that is tried again is measured again, on both sides of the division.
    """

    timer: Callable[[], float]
    every: int = EVERY
    _seen: int = 0
    _last: float = 0.0
    _touchpoints: int = 0
    _seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def of(self, rules: Rulebook, touchpoints: int) -> Rulebook:
        """Return the rules for a customer to whom `touchpoints` came, with a meter where the customer is measured.

        Nobody is measured to whom none came, as when a timer fires: such a cost has nothing to be divided by.
        """
        if not touchpoints:
            return rules
        self._seen += 1
        if self._seen % self.every:
            return rules
        self._touchpoints += touchpoints
        return rules.metered(self)

    def begin(self) -> None:
        """Note that the first rule is asked now."""
        self._last = self.timer()

    def spent(self, rule: str) -> None:
        """Note that a rule has been asked, and the next one is asked now."""
        now = self.timer()
        self._seconds[rule] += now - self._last
        self._last = now

    def take(self) -> RuleCosts:
        """Return what was measured since the last call."""
        taken = RuleCosts(seconds=dict(self._seconds), touchpoints=self._touchpoints)
        self._seconds.clear()
        self._touchpoints = 0
        return taken
