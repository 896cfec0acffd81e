"""Computes the whole state of one customer from the set of its touchpoints and the timers that have fired.

`project` is a pure function: any order, any duplication, any partition of the same touchpoints gives the same
projection. What is new about it is left to `services.journey.domain.comparison`; loading and writing to
`services.journey.renew`.
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise

import msgspec

from services.journey.domain.contacts.contact import Contact
from services.journey.domain.contacts.contact_policy import ContactPolicy
from services.journey.domain.definitions.definition_book import DefinitionBook
from services.journey.domain.definitions.passage import Passage
from services.journey.domain.friction import RuleFinding
from services.journey.domain.history import CustomerHistory
from services.journey.domain.journey import JourneyPolicy, JourneyProgress, JourneySegment, Segmentation
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


class SegmentedHistory:
    """The history of one customer with its journeys. What comes after all of it is added at little cost.

    Whoever has it alone may extend it; what was projected from it before is then no longer to be used.
    """

    __slots__ = ("_policy", "index", "segmentation")

    def __init__(
        self, history: Iterable[RecordedTouchpoint], policy: ProjectionPolicy, fired: Collection[TimerId] = ()
    ) -> None:
        """Order and segment `history`, which may come in any order and contain duplicates."""
        self._policy = policy
        self.index = CustomerHistory(history, policy.contacts, fired)
        self.segmentation = Segmentation(self.index, policy.journeys)

    def with_all_of(self, recorded: Sequence[RecordedTouchpoint], fired: Collection[TimerId]) -> "SegmentedHistory":
        """Return `recorded` as a segmented history: this one extended where that is the same, otherwise another."""
        if self._goes_on_as(recorded) and self.segmentation.extend(self.index.extend(recorded, fired)):
            return self
        return SegmentedHistory(recorded, self._policy, fired)

    def _goes_on_as(self, recorded: Sequence[RecordedTouchpoint]) -> bool:
        """Return whether `recorded` is this history, and then touchpoints that come after it, in order."""
        units = self.index.units
        known = len(units)
        if not 0 < known <= len(recorded):
            return False
        if recorded[0].touchpoint is not units[0].at or recorded[known - 1].touchpoint is not units[-1].at:
            return False
        fresh = recorded[known - 1 :]
        return all(one.touchpoint.order < other.touchpoint.order and not other.late for one, other in pairwise(fresh))


NOTHING_SAID = RuleEvaluation([], [], [])


class Projection(msgspec.Struct, frozen=True, gc=False):
    """The state of one customer, computed from the touchpoints.

    `history` holds the touchpoints that count: in order, each once, without late ones. `timers` are those that should
    be waiting: they have not fired and their follow-up is missing. `failures` name the rules that raised; what those
    would find is unknown. `passages` are the defined journeys, each with the number of the journey it was entered in.
    `tried` is what the rules in the shadow say; its timers are among `timers`. `contacts` are the customer's, in order.
    """

    history: list[RecordedTouchpoint]
    journeys: tuple[JourneySegment, ...]
    findings: list[RuleFinding]
    timers: list[Timer]
    failures: list[RuleFailure]
    passages: Sequence[tuple[int, Passage]] = ()
    tried: RuleEvaluation = NOTHING_SAID
    contacts: Sequence[Contact] = ()

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
    return project_segmented(SegmentedHistory(history, policy, fired), rulebook, definitions, shadow)


def project_segmented(
    history: SegmentedHistory,
    rulebook: Rulebook,
    definitions: DefinitionBook = NO_DEFINITIONS,
    shadow: ShadowBook = NOTHING_TRIED,
) -> Projection:
    """Return the projection of one customer from a history whose journeys are known."""
    index = history.index
    journeys = tuple(history.segmentation.journeys)
    said = rulebook.evaluate(index)
    passages = definitions.follow(index, index.fired)
    tried = shadow.evaluate(index) if shadow else NOTHING_SAID
    timers = said.timers + [timer for passage in passages for timer in passage.waiting] + tried.timers
    entered = _entered(index, passages)
    return Projection(index.recorded, journeys, said.findings, timers, said.failures, entered, tried, index.contacts)


def _entered(index: CustomerHistory, passages: Sequence[Passage]) -> list[tuple[int, Passage]]:
    """Return each defined journey with the number of the journey in which it was entered."""
    return [(index.journey_of[one.members[0]], one) for one in passages]
