"""The shape *response*: a customer who wrote and got no reply in time (docs/semantics.md, response)."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from operator import attrgetter
from typing import ClassVar

import msgspec

from services.journey.domain.contacts.contact import Contact, CountedUnit
from services.journey.domain.history import CustomerHistory
from services.journey.domain.rules.business_time import BusinessTime
from services.journey.domain.rules.evaluator import FindingCandidate, RuleEvaluator
from services.journey.domain.rules.placeholders import Placeholders, duration_of, when_due
from services.journey.domain.rules.rule import Matcher, Rule, RuleScope
from services.journey.domain.rules.rule_checks import check_channels, demand, positive
from services.journey.domain.rules.shapes.waiting import WaitingClock, waiting_numbers
from services.journey.domain.rules.units import FieldAgreement, UnitPicker


class ReplyTurn(StrEnum):
    """Which reply of a contact is waited for: the first one, or each later one."""

    FIRST = "first"
    NEXT = "next"


class ResponseRule(Rule, frozen=True, kw_only=True, tag="response"):
    """No reply in time: in a contact, a touchpoint that matches `after` waits for one that matches `expect`.

    `reply` says whether the first reply of the contact is meant, or each later one. The reply comes within the time
    that `within_by_channel` gives the channel, else `within`; a channel that has neither waits for nothing. It is part
    of the contact, or of none, and agrees with the contact on the fields in `same`. The time runs in
    `active_time_interval` only.
    """

    reply: ReplyTurn
    after: Matcher
    expect: Matcher
    within: timedelta | None = None
    within_by_channel: dict[str, timedelta] = msgspec.field(default_factory=dict)
    same: tuple[str, ...] = ()
    active_time_interval: BusinessTime | None = None
    per: ClassVar[RuleScope] = RuleScope.CUSTOMER

    placeholders: ClassVar[Placeholders] = {"due_at": when_due, "waited": duration_of("waited_s")}

    def check(self) -> None:
        """Raise `InvalidRuleError` if the members of the shape do not fit together."""
        demand(self.within is not None or bool(self.within_by_channel), "within or within_by_channel is needed")
        positive("within", self.within)
        check_channels("within_by_channel", self.within_by_channel)
        for channel, within in self.within_by_channel.items():
            positive(f"within_by_channel.{channel}", within)

    def evaluator(self) -> RuleEvaluator:
        """Return what evaluates this rule; raise `InvalidRuleError` if it cannot be prepared."""
        return ResponseEvaluator(self)


class CustomerWait(msgspec.Struct, frozen=True, gc=False):
    """A time in which a contact waits: from the unit that asks until the reply, None if there is none."""

    since: CountedUnit
    turn: ReplyTurn
    reply: CountedUnit | None


class ResponseEvaluator:
    """A prepared response rule. Its candidates have a due time; whether it has passed is left to the rulebook."""

    def __init__(self, rule: ResponseRule) -> None:
        """Prepare `rule`; raise `InvalidRuleError` if it cannot be prepared."""
        self._after = UnitPicker(rule.after)
        self._expect = UnitPicker(rule.expect)
        self._turn = rule.reply
        self._within = rule.within
        self._by_channel = rule.within_by_channel
        self._agreement = FieldAgreement(rule.same)
        self._clock = WaitingClock(rule.active_time_interval, self._agreement)

    def evaluate(self, history: CustomerHistory) -> Iterable[FindingCandidate]:
        """Yield a candidate for each wait whose reply is missing, or came too late."""
        asking = self._after.pick(history)
        if not asking:
            return
        replies = self._expect.pick(history)
        answered = {one.position for one in replies}
        asks = _by_contact((one for one in asking if one.position not in answered), history)
        told = _by_contact(replies, history)
        outside = [one for one in replies if history.contact_of(one.position) is None]
        for position, units in asks.items():
            contact = history.contact_of(position)
            if contact is None:
                continue
            sources = (told.get(position, ()), outside)
            for wait in _waits(units, sources, self._agreement.with_(contact)):
                yield from self._judged(wait)

    def _judged(self, wait: CustomerWait) -> Iterator[FindingCandidate]:
        since = wait.since
        within = self._by_channel.get(since.at.channel, self._within)
        if wait.turn is not self._turn or within is None:
            return
        due_at = self._clock.after(since.time, within)
        if due_at is not None and (wait.reply is None or wait.reply.time > due_at):
            yield FindingCandidate(since, (since,), waiting_numbers(since.time, due_at), due_at)


Agrees = Callable[[CountedUnit], bool] | None


def _by_contact(units: Iterable[CountedUnit], history: CustomerHistory) -> dict[int, list[CountedUnit]]:
    """Return the units of each contact, in order, by its position; those that are in none are left out."""
    found: dict[int, list[CountedUnit]] = {}
    for unit in units:
        contact: Contact | None = history.contact_of(unit.position)
        if contact is not None:
            found.setdefault(contact.position, []).append(unit)
    return found


def _waits(
    asks: Sequence[CountedUnit], replies: Sequence[Sequence[CountedUnit]], agrees: Agrees
) -> Iterator[CustomerWait]:
    """Yield the waits of one contact; what is asked at the moment of a reply was asked before it."""
    turn, at = ReplyTurn.FIRST, 0
    while at < len(asks):
        since = asks[at]
        found = [one for each in replies if (one := _first_from(since.time, each, agrees)) is not None]
        reply = min(found, key=_time, default=None)
        yield CustomerWait(since, turn, reply)
        if reply is None:
            return
        turn, at = ReplyTurn.NEXT, bisect_right(asks, reply.time, key=_time)


def _first_from(moment: datetime, replies: Sequence[CountedUnit], agrees: Agrees) -> CountedUnit | None:
    """Return the first of `replies`, which are in order, that comes at `moment` or later and agrees."""
    for index in range(bisect_left(replies, moment, key=_time), len(replies)):
        if agrees is None or agrees(replies[index]):
            return replies[index]
    return None


_time = attrgetter("time")
