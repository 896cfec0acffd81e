"""Gathers the ordered touchpoints of one customer into contacts, in one pass (docs/semantics.md, Contacts)."""

from collections.abc import Sequence
from datetime import datetime

from services.journey.domain.contacts.contact import Contact, CountedUnit, merge_contact
from services.journey.domain.contacts.contact_policy import ContactPolicy
from services.journey.domain.touchpoint import Touchpoint


class _Conversation:
    """A conversation while it is being gathered: all its touchpoints, and those in which the customer turns to us.

    `first` is the unit of the first of those, `last` the time of its latest touchpoint.
    """

    __slots__ = ("everything", "first", "last", "members")

    def __init__(self, last: datetime) -> None:
        self.everything: list[Touchpoint] = []
        self.members: list[Touchpoint] = []
        self.first: CountedUnit | None = None
        self.last = last


class ConversationWalk:
    """Takes the units of one customer in order and keeps the conversations that they belong to."""

    __slots__ = ("_begun", "_by_interaction", "_by_thread", "_policy", "_running")

    def __init__(self, policy: ContactPolicy) -> None:
        """Begin with nothing."""
        self._policy = policy
        self._by_interaction: dict[tuple[str, str], _Conversation] = {}
        self._by_thread: dict[tuple[str, str, str], _Conversation] = {}
        self._running: dict[str, _Conversation] = {}
        self._begun: list[_Conversation] = []

    def take(self, unit: CountedUnit) -> None:
        """Put the next touchpoint into its conversation, if it belongs to one."""
        touchpoint = unit.at
        role = self._policy.roles.get(touchpoint.kind)
        qualifies = role is not None and role.contact and touchpoint.direction == "inbound"
        conversation = self._conversation(touchpoint, qualifies=qualifies)
        if conversation is None:
            return
        conversation.last = touchpoint.occurred_at
        conversation.everything.append(touchpoint)
        if qualifies:
            conversation.members.append(touchpoint)
            if conversation.first is None:
                conversation.first = unit
                self._begun.append(conversation)

    def _conversation(self, touchpoint: Touchpoint, *, qualifies: bool) -> _Conversation | None:
        """Return the conversation of `touchpoint`, a new one where none is there; None if it belongs to none."""
        interaction = touchpoint.interaction_id
        if interaction is not None:
            key = (touchpoint.source, interaction)
            known = self._by_interaction.get(key)
            if known is None:
                known = self._by_interaction[key] = _Conversation(touchpoint.occurred_at)
            return known
        if touchpoint.channel in self._policy.quiet_for:
            speaks = qualifies or self._policy.speaker_of(touchpoint) is not None
            return self._of_message(touchpoint) if speaks else None
        return _Conversation(touchpoint.occurred_at) if qualifies else None

    def _of_message(self, touchpoint: Touchpoint) -> _Conversation:
        """Return the conversation of a message without an interaction id: its thread's, or the running one."""
        channel, time = touchpoint.channel, touchpoint.occurred_at
        for type_ in self._policy.thread_refs.get(channel, ()):
            thread = touchpoint.refs.get(type_)
            if thread is not None:
                return self._by_thread.setdefault((channel, type_, thread), _Conversation(time))
        running = self._running.get(channel)
        if running is None or time - running.last > self._policy.quiet_for[channel]:
            running = self._running[channel] = _Conversation(time)
        return running

    def contacts(self) -> list[Contact]:
        """Return the conversations in which the customer turned to us, in the order of their touchpoints."""
        return [_contact(one, first, self._policy) for one in self._begun if (first := one.first) is not None]


def _contact(conversation: _Conversation, first: CountedUnit, policy: ContactPolicy) -> Contact:
    everything: Sequence[Touchpoint] = conversation.everything
    view = first.at if len(everything) == 1 else merge_contact(first.at, conversation.members, everything, policy)
    return Contact(view, first.at, first.position, first.time, first.order, everything)
