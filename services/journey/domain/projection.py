"""Everything about one customer, computed from the set of its touchpoints and from which timers have fired.

`project` is a pure function: any order, any duplication, any partition of the same touchpoints gives the same
projection. What is new about it is left to `services.journey.domain.comparison`; loading and writing to
`services.journey.renew`.
"""

from collections.abc import Collection, Iterable

import msgspec

from services.journey.domain.friction import Finding
from services.journey.domain.history import History
from services.journey.domain.journey import JourneyPolicy, Segment, segment
from services.journey.domain.names import TimerId
from services.journey.domain.rules.book import Rulebook
from services.journey.domain.rules.shape import RuleFailed
from services.journey.domain.timer import Timer
from services.journey.domain.touchpoint import Recorded


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What a projection must know of the world: `contact_kinds` come from the catalogue of kinds."""

    contact_kinds: frozenset[str]
    journeys: JourneyPolicy = JourneyPolicy()


class Projection(msgspec.Struct, frozen=True, gc=False):
    """What the touchpoints of one customer say.

    `history` is what counted: ordered, each once, late ones left out. `timers` are those that ought to be waiting:
    not yet fired, their follow-up missing. `failures` name the rules that raised; nothing is known about those.
    """

    history: list[Recorded]
    journeys: tuple[Segment, ...]
    findings: list[Finding]
    timers: list[Timer]
    failures: list[RuleFailed]


def project(
    history: Iterable[Recorded], *, fired: Collection[TimerId] = (), rulebook: Rulebook, policy: Policy
) -> Projection:
    """The projection of one customer's `history`, in any order; `fired` are the timers that the stream has passed."""
    index = History(history, policy.contact_kinds, fired)
    journeys = segment(index, policy.journeys)
    said = rulebook.evaluate(index)
    return Projection(index.recorded, journeys, said.findings, said.timers, said.failures)
