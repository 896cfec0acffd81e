"""Gathers the ordered touchpoints of one customer into contacts, in one pass (docs/semantics.md, Contacts)."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from services.journey.domain.contacts.contact import Contact, CountedUnit, merge_contact
from services.journey.domain.contacts.contact_policy import ContactPolicy, ContactSpeaker
from services.journey.domain.touchpoint import OrderKey, Touchpoint


class _Conversation:
    """A conversation while it is being gathered: all its touchpoints, and those in which the customer turns to us.

    `first` is the unit of the first of those, `last` where its latest touchpoint stands, `outcome` the one that was
    stated last. `positions` are those of all its touchpoints; `number` is its place among the contacts, None if it is
    none so far.
    """

    __slots__ = ("everything", "first", "last", "members", "number", "outcome", "positions")

    def __init__(self, last: OrderKey) -> None:
        self.everything: list[Touchpoint] = []
        self.members: list[Touchpoint] = []
        self.positions: list[int] = []
        self.first: CountedUnit | None = None
        self.number: int | None = None
        self.last = last
        self.outcome: str | None = None

    def is_running(self, at: datetime, quiet: timedelta) -> bool:
        """Return whether a message may still come at the time `at`."""
        return at - self.last[0] <= quiet


class ConversationWalk:
    """Takes the units of one customer in order and keeps the conversations that they belong to."""

    __slots__ = ("_begun", "_by_interaction", "_by_thread", "_policy", "_running")

    def __init__(self, policy: ContactPolicy) -> None:
        """Begin with nothing."""
        self._policy = policy
        self._by_interaction: dict[tuple[str, str], _Conversation] = {}
        self._by_thread: dict[tuple[str, str, str], _Conversation] = {}
        self._running: dict[str, dict[str, _Conversation]] = {}
        self._begun: list[_Conversation] = []

    def take(self, unit: CountedUnit, appended_at: datetime) -> int | None:
        """Put the next touchpoint, which the broker appended at `appended_at`, into its conversation if it has one.

        Return the number of the contact that it changed, or began; None if there is none.
        """
        touchpoint, policy = unit.at, self._policy
        role = policy.roles.get(touchpoint.kind)
        qualifies = role is not None and role.contact and touchpoint.direction == "inbound"
        speaks = role is not None and role.speaker is not None
        before = policy.since is not None and appended_at < policy.since
        if speaks and touchpoint.refs and not before and policy.is_to_many(touchpoint):
            return None
        conversation = self._conversation(unit, qualifies=qualifies, alone=before)
        if conversation is None:
            return None
        conversation.last = unit.order
        conversation.everything.append(touchpoint)
        conversation.positions.append(unit.position)
        if touchpoint.outcome is not None and (before or not (speaks and self._says_company(touchpoint))):
            conversation.outcome = touchpoint.outcome
        if qualifies:
            conversation.members.append(touchpoint)
            if conversation.first is None:
                conversation.first = unit
                conversation.number = len(self._begun)
                self._begun.append(conversation)
        return conversation.number

    def _says_company(self, touchpoint: Touchpoint) -> bool:
        """Return whether the company speaks; the outcome of its message is what became of the message."""
        return self._policy.speaker_of(touchpoint) is ContactSpeaker.COMPANY

    def _conversation(self, unit: CountedUnit, *, qualifies: bool, alone: bool) -> _Conversation | None:
        """Return the conversation of `unit`, a new one where none is there; None if it belongs to none.

        With `alone`, only an interaction id joins it to others.
        """
        touchpoint = unit.at
        interaction = touchpoint.interaction_id
        if interaction is not None:
            key = (touchpoint.source, interaction)
            known = self._by_interaction.get(key)
            if known is None:
                known = self._by_interaction[key] = _Conversation(unit.order)
            return known
        if touchpoint.channel in self._policy.quiet_for and not alone:
            speaks = qualifies or self._policy.speaker_of(touchpoint) is not None
            return self._of_message(unit, qualifies=qualifies) if speaks else None
        return _Conversation(unit.order) if qualifies else None

    def _of_message(self, unit: CountedUnit, *, qualifies: bool) -> _Conversation:
        """Return the conversation of a message without an interaction id: its thread's, or a running one."""
        touchpoint = unit.at
        channel, source = touchpoint.channel, touchpoint.source
        for type_ in self._policy.thread_refs.get(channel, ()):
            thread = touchpoint.refs.get(type_)
            if thread is not None:
                return self._by_thread.setdefault((channel, type_, thread), _Conversation(unit.order))
        quiet = self._policy.quiet_for[channel]
        running = self._running.setdefault(channel, {})
        own = running.get(source)
        if own is not None and own.is_running(unit.time, quiet):
            return own
        other = _latest(
            one for one in running.values() if one.is_running(unit.time, quiet) and _is_open(one, by_customer=qualifies)
        )
        if other is None or qualifies:
            running[source] = other = other or _Conversation(unit.order)
        return other

    def contacts(self) -> list[Contact]:
        """Return the conversations in which the customer turned to us, in the order of their touchpoints."""
        return [_contact(one, first) for one in self._begun if (first := one.first) is not None]

    def contact(self, number: int) -> Contact:
        """Return the contact with this number as it is now."""
        conversation = self._begun[number]
        assert conversation.first is not None  # noqa: S101 - it has begun
        return _contact(conversation, conversation.first)

    def positions(self, number: int) -> Sequence[int]:
        """Return the positions of all touchpoints of the contact with this number."""
        return self._begun[number].positions


def _is_open(conversation: _Conversation, *, by_customer: bool) -> bool:
    """Return whether a message of another source may join: the company's always, the customer's only as the first."""
    return not by_customer or conversation.first is None


def _latest(conversations: Iterable[_Conversation]) -> _Conversation | None:
    """Return the conversation in which somebody wrote last."""
    return max(conversations, key=lambda one: one.last, default=None)


def _contact(conversation: _Conversation, first: CountedUnit) -> Contact:
    everything = conversation.everything
    view = first.at
    if len(everything) > 1:
        view = merge_contact(view, conversation.members, everything, conversation.outcome)
    return Contact(view, first.at, first.position, first.time, first.order, everything)
