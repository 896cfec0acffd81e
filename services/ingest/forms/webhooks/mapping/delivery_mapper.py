"""Maps the deliveries of one channel system to touchpoints, and answers the handshakes of its vendor. Pure.

A member that cannot be read is left out and reported. The intake decides whether the rest is a valid touchpoint, as it
does for every producer. The time of receipt is an argument.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import msgspec

from services.ingest.forms.mapping.members import merged
from services.ingest.forms.mapping.paths import elements
from services.ingest.forms.mapping.rules import UnreadableMember
from services.ingest.forms.webhooks import delivery as deliveries
from services.ingest.forms.webhooks.delivery import InboundDelivery, MalformedDeliveryError
from services.ingest.forms.webhooks.mapping.compiler import CompiledEntry, SystemCompiler, SystemProblem, VendorAnswer
from services.ingest.forms.webhooks.mapping.event_paths import EventContext
from services.ingest.forms.webhooks.mapping.system_schema import ChannelSystem


class UnusableSystemError(Exception):
    """A system's file cannot be used; `problems` lists everything that is wrong with it."""

    def __init__(self, problems: Sequence[SystemProblem]) -> None:
        super().__init__("; ".join(f"{problem.place}: {problem.message}" for problem in problems))
        self.problems = tuple(problems)


class TooManyEventsError(Exception):
    """A delivery has more events than the limit, `most`."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedTouchpoint:
    """One touchpoint of a delivery: the entry of the file that made it, its document, and the event as sent."""

    entry: int
    document: dict[str, Any]
    raw: bytes
    unread: tuple[UnreadableMember, ...] = ()
    untimed: bool = False
    """Whether it says no time, or none that can be read, where its system may say none: it happened when it came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedDelivery:
    """A delivery after mapping: its number of events, how many of them no entry matches, and its touchpoints.

    `answer` is the response that the vendor expects, if the system's file defines one.
    """

    events: int
    ignored: int
    mapped: Sequence[MappedTouchpoint]
    answer: VendorAnswer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryContext:
    """What the mapping uses besides the delivery: the time of receipt, and the options of the source."""

    received_at: datetime
    options: Mapping[str, str] = field(default_factory=dict)


class DeliveryMapper:
    """Maps the deliveries of one system.

    Raises:
        UnusableSystemError: the system's file cannot be used.
    """

    def __init__(self, system: ChannelSystem) -> None:
        self.system = system
        make = SystemCompiler(system)
        self._steps = [make.step(number, entry) for number, entry in enumerate(system.touchpoints)]
        self._handshakes = [make.handshake(number, shake) for number, shake in enumerate(system.handshakes)]
        self._answer = make.answer("answer", system.answer) if system.answer is not None else None
        self._split = _places(system.split)
        if make.problems:
            raise UnusableSystemError(make.problems)

    def handshake(self, delivery: InboundDelivery, facts: DeliveryContext, *, proven: bool) -> VendorAnswer | None:
        """Return the answer to a vendor that only tests the address; `proven` says whether its signature is valid."""
        near = [found for found in self._handshakes if found.method == delivery.method and (proven or not found.signed)]
        if not near:
            return None
        try:
            whole = deliveries.parsed_body(delivery, self.system.body, self.system.unwrap)
        except MalformedDeliveryError:
            whole = None  # a HEAD has no body, and needs none
        view = self._view(delivery, facts, whole)
        return next((found.answer(view) for found in near if found.test(view)), None)

    def open(self, delivery: InboundDelivery, facts: DeliveryContext, most: int) -> MappedDelivery:
        """Return the touchpoints that a delivery becomes, of at most `most` events.

        Raises:
            MalformedDeliveryError: it is not what the system sends.
            TooManyEventsError: it holds more events.
        """
        whole = deliveries.parsed_body(delivery, self.system.body, self.system.unwrap)
        view = self._view(delivery, facts, whole)
        views = [view] if self._split is None else self._events(view, self._split, most)
        mapped: list[MappedTouchpoint] = []
        ignored = 0
        for each in views:
            made = [
                _made(number, step, one)
                for number, step in enumerate(self._steps)
                for one in _views_of(step, each)
                if step.rule.test(one)
            ]
            mapped += made
            ignored += not made
            if len(mapped) > most:
                raise TooManyEventsError(most)
        answer = self._answer(view) if self._answer is not None else None
        return MappedDelivery(events=len(views), ignored=ignored, mapped=mapped, answer=answer)

    def _events(self, view: EventContext, split: Sequence[Sequence[str]], most: int) -> list[EventContext]:
        raws = deliveries.slices(view.raw, split)
        if len(raws) > most:
            raise TooManyEventsError(most)
        return [
            EventContext(
                event=msgspec.json.decode(raw),
                whole=view.whole,
                delivery=view.delivery,
                received_at=view.received_at,
                raw=raw,
                at=at,
                options=view.options,
            )
            for at, raw in enumerate(raws)
        ]

    def _view(self, delivery: InboundDelivery, facts: DeliveryContext, whole: Any) -> EventContext:
        return EventContext(
            event=whole,
            whole=whole,
            delivery=delivery,
            received_at=facts.received_at,
            raw=deliveries.keepable_body(delivery),
            options={**self.system.options, **facts.options},
        )


def _places(split: str | tuple[str, ...] | None) -> list[list[str]] | None:
    if split is None:
        return None
    return [[name for name in place.split(".") if name] for place in ((split,) if isinstance(split, str) else split)]


def _views_of(step: CompiledEntry, view: EventContext) -> list[EventContext]:
    if step.each is None:
        return [view]
    return [replace(view, element=element) for element in elements(view.event, step.each)]


def _made(entry: int, step: CompiledEntry, view: EventContext) -> MappedTouchpoint:
    document: dict[str, Any] = {}
    unread = step.rule.fill(document, view)
    given = step.native(view) if step.native is not None else None
    if isinstance(given, dict):
        document = merged(document, {name: value for name, value in given.items() if value is not None})
    untimed = step.has_no_time and document.get("occurred_at") is None
    return MappedTouchpoint(entry=entry, document=document, raw=view.raw, unread=tuple(unread), untimed=untimed)
