"""Computes the whole state of one customer from the set of its touchpoints and the timers that have fired.

`project` is a pure function: any order, any duplication, any partition of the same touchpoints gives the same
projection. What is new about it is left to `services.journey.domain.comparison`; loading and writing to
`services.journey.renew`.
"""

from collections.abc import Collection, Iterable, Sequence

import msgspec

from services.journey.domain.contacts.contact_policy import ContactPolicy
from services.journey.domain.definitions.definition_book import DefinitionBook
from services.journey.domain.definitions.passage import Passage
from services.journey.domain.friction import RuleFinding
from services.journey.domain.history import CustomerHistory
from services.journey.domain.journey import JourneyPolicy, JourneyProgress, JourneySegment, segment
from services.journey.domain.names import TimerId
from services.journey.domain.rules.book import Rulebook, RuleEvaluation
from services.journey.domain.rules.rule import RuleFailure
from services.journey.domain.shadow import NOTHING_TRIED, ShadowBook
from services.journey.domain.timer import Timer
from services.journey.domain.touchpoint import RecordedTouchpoint


class ProjectionPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What a projection needs to know: what is one contact, and what is one journey."""

    contacts: ContactPolicy
    journeys: JourneyPolicy = JourneyPolicy()


NOTHING_SAID = RuleEvaluation([], [], [])


class Projection(msgspec.Struct, frozen=True, gc=False):
    """The state of one customer, computed from the touchpoints.

    `history` holds the touchpoints that count: in order, each once, without late ones. `timers` are those that should
    be waiting: they have not fired and their follow-up is missing. `failures` name the rules that raised; what those
    would find is unknown. `passages` are the defined journeys, each with the number of the journey it was entered in.
    `tried` is what the rules in the shadow say; its timers are among `timers`.
    """

    history: list[RecordedTouchpoint]
    journeys: tuple[JourneySegment, ...]
    findings: list[RuleFinding]
    timers: list[Timer]
    failures: list[RuleFailure]
    passages: Sequence[tuple[int, Passage]] = ()
    tried: RuleEvaluation = NOTHING_SAID

    def progress(self) -> dict[int, tuple[JourneyProgress, ...]]:
        """Return what each journey, by its number, tells of the defined journeys that were entered in it."""
        told: dict[int, list[JourneyProgress]] = {}
        for number, passage in self.passages:
            told.setdefault(number, []).append(passage.progress)
        return {number: tuple(each[-MOST_PROGRESS:]) for number, each in told.items()}


NO_DEFINITIONS = DefinitionBook()

MOST_PROGRESS = 100
"""How many defined journeys one journey tells of: the latest entered ones."""


def project(
    history: Iterable[RecordedTouchpoint],
    *,
    fired: Collection[TimerId] = (),
    rulebook: Rulebook,
    policy: ProjectionPolicy,
    definitions: DefinitionBook = NO_DEFINITIONS,
    shadow: ShadowBook = NOTHING_TRIED,
) -> Projection:
    """Return the projection of one customer from `history`, in any order; `fired` are the timers that have fired."""
    index = CustomerHistory(history, policy.contacts, fired)
    journeys = segment(index, policy.journeys)
    said = rulebook.evaluate(index)
    passages = definitions.follow(index, fired)
    tried = shadow.evaluate(index) if shadow else NOTHING_SAID
    timers = said.timers + [timer for passage in passages for timer in passage.waiting] + tried.timers
    return Projection(index.recorded, journeys, said.findings, timers, said.failures, _entered(index, passages), tried)


def _entered(index: CustomerHistory, passages: Sequence[Passage]) -> list[tuple[int, Passage]]:
    """Return each defined journey with the number of the journey in which it was entered."""
    return [(index.journey_of[one.members[0]], one) for one in passages]
