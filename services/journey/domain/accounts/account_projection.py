"""Projects an account: the defined journeys that its touchpoints come to, and what is said of each.

A pure function of the touchpoints that name the account, and of the timers that have fired. Who the persons are is
not asked, so customers that merge or split change nothing. Only for counting contacts, persons are told apart: by the
identifiers that the account's touchpoints show together.
"""

from collections.abc import Collection, Iterable, Sequence

import msgspec

from services.journey.domain.contacts.contact import Contact
from services.journey.domain.contacts.contact_policy import ContactPolicy
from services.journey.domain.definitions.definition import JourneyScope
from services.journey.domain.definitions.definition_book import DefinitionBook
from services.journey.domain.funnels import FunnelPassage
from services.journey.domain.history import CustomerHistory
from services.journey.domain.journey import JourneyProgress, JourneySegment, described
from services.journey.domain.names import TimerId
from services.journey.domain.projection import ProjectionPolicy
from services.journey.domain.timer import Timer
from services.journey.domain.touchpoint import RecordedTouchpoint, TouchpointKey


class AccountPassage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One journey of an account. `members` are its touchpoints in order, the first of them entered it.

    `waiting` are the timers of its deadlines; `channel` and `service_level` are those of its entry.
    """

    members: tuple[TouchpointKey, ...]
    channel: str
    service_level: str | None
    progress: JourneyProgress
    said: JourneySegment
    waiting: tuple[Timer, ...]

    @property
    def entry(self) -> TouchpointKey:
        """The touchpoint that entered it."""
        return self.members[0]

    @property
    def counted(self) -> FunnelPassage:
        """What funnels count of it; an account's journeys are about no reason."""
        return FunnelPassage(
            entry=self.entry,
            channel=self.channel,
            reason=None,
            service_level=self.service_level,
            progress=self.progress,
        )


def account_passages(
    recorded: Iterable[RecordedTouchpoint],
    fired: Collection[TimerId],
    definitions: DefinitionBook,
    policy: ProjectionPolicy,
) -> list[AccountPassage]:
    """Return the journeys that the touchpoints of one account come to, in the order of their entries."""
    touchpoints = list(recorded)
    history = CustomerHistory(touchpoints, policy.contacts)
    passages = definitions.follow(history, fired, scope=JourneyScope.ACCOUNT)
    if not passages:
        return []
    contacts = _contacts(touchpoints, policy.contacts)
    found = []
    for passage in passages:
        points = [history.recorded[position].touchpoint for position in passage.members]
        keys = tuple(one.key for one in points)
        theirs = set(keys)
        spoken = [one for one in contacts if one.at.key in theirs]
        found.append(
            AccountPassage(
                members=keys,
                channel=points[0].channel,
                service_level=history.service_level_at(passage.members[0]),
                progress=passage.progress,
                said=described(points, spoken, policy.journeys),
                waiting=passage.waiting,
            )
        )
    return found


def _contacts(recorded: Sequence[RecordedTouchpoint], policy: ContactPolicy) -> list[Contact]:
    """Return the contacts of all persons, in order."""
    found = [contact for theirs in _by_person(recorded) for contact in CustomerHistory(theirs, policy).contacts]
    return sorted(found, key=lambda one: one.order)


def _by_person(recorded: Sequence[RecordedTouchpoint]) -> list[list[RecordedTouchpoint]]:
    """Return the touchpoints of each person: of identifiers that touchpoints of the account show together."""
    group_of: dict[tuple[str, str], list[RecordedTouchpoint]] = {}
    for one in recorded:
        identifiers = [(type_, said.value) for type_, said in one.touchpoint.customer.items()]
        groups = {id(known): known for key in identifiers if (known := group_of.get(key)) is not None}
        joined = [one] if not groups else max(groups.values(), key=len)
        if groups:
            for other in groups.values():
                if other is not joined:
                    joined += other
            joined.append(one)
        moved = [(type_, said.value) for member in joined for type_, said in member.touchpoint.customer.items()]
        group_of.update(dict.fromkeys(moved if len(groups) > 1 else identifiers, joined))
    return list({id(group): group for group in group_of.values()}.values())
