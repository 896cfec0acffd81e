"""Touchpoints as the oracle reads them: JSON documents of the topic, with times as whole microseconds.

Part of the oracle: it imports nothing of Waymark, on purpose. A mistake that two programs share proves nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

Json = dict[str, Any]
Key = tuple[str, str]
"""`(source, id)` of a touchpoint."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

LATE_AFTER: Final = 72 * HOUR
CONTACT_KINDS: Final = frozenset(
    {
        "call_started",
        "call_ended",
        "chat_started",
        "chat_ended",
        "email_received",
        "message_received",
        "store_visited",
        "case_opened",
    }
)

SPEAKER: Final = {
    "case_opened": "customer",
    "chat_started": "customer",
    "email_received": "customer",
    "message_received": "customer",
    "message_sent": "company",
    "bot_escalated": "bot",
    "bot_no_match": "bot",
    "bot_replied": "bot",
}
QUIET_TIME: Final = {
    "chat": 10 * MINUTE,
    "messenger": 30 * MINUTE,
    "sms": 30 * MINUTE,
    "email": 12 * HOUR,
    "social": 12 * HOUR,
}
"""How long nobody may write in a conversation, by message-like channel."""

THREADS: Final = ("thread_id", "case_id")
"""References that tell one e-mail conversation from another; the first that is given does."""


def microseconds(text: str) -> int:
    """An RFC 3339 time as microseconds since 1970."""
    return (datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One touchpoint. `order` is where it stands among all of them."""

    key: Key
    at: int
    order: tuple[int, int, str, str]
    late: bool
    doc: Json = field(repr=False, compare=False)

    def get(self, name: str) -> Any:
        """A field of the document; null and absent are the same."""
        return self.doc.get(name)

    def ref(self, name: str) -> str | None:
        """A reference, None where it has none of that type."""
        return (self.doc.get("refs") or {}).get(name)

    @property
    def interaction(self) -> Key | None:
        """`(source, interaction_id)`, where it is part of one."""
        inner = self.doc.get("interaction_id")
        return None if inner is None else (self.key[0], inner)


def fact(doc: Json) -> Fact:
    """Read one document."""
    at, received = microseconds(doc["occurred_at"]), microseconds(doc["received_at"])
    return Fact(
        key=(doc["source"], doc["id"]),
        at=at,
        order=(at, doc.get("sequence") or 0, doc["source"], doc["id"]),
        late=received - at > LATE_AFTER and not doc.get("replay", False),
        doc=doc,
    )


def agree(one: Any, other: Any) -> bool:
    """Equal, or at least one unknown."""
    return one is None or other is None or one == other


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contact:
    """One conversation in which the customer turned to us: a call, a chat, letters. `first` is its touchpoint."""

    first: Fact
    interaction: Key | None
    reason: str | None
    outcome: str | None
    transfers: float | None
    refs: dict[str, str]
    service_level: str | None
    everything: tuple[Fact, ...] = ()

    @property
    def at(self) -> int:
        """When it began."""
        return self.first.at

    @property
    def order(self) -> tuple[int, int, str, str]:
        """Where it stands: where its touchpoint does."""
        return self.first.order


def contacts(history: list[Fact]) -> list[Contact]:
    """The contacts of one customer, in order; `history` is ordered and without late ones."""
    found = [(one, [each for each in one if qualifies(each)]) for one in _conversations(history)]
    return sorted((_contact(members, all_) for all_, members in found if members), key=lambda one: one.order)


def qualifies(one: Fact) -> bool:
    """The customer turns to us in it."""
    return one.get("kind") in CONTACT_KINDS and one.get("direction") == "inbound"


def speaker(one: Fact) -> str | None:
    """Who speaks in a touchpoint: customer, company, bot or nobody."""
    who = SPEAKER.get(one.get("kind"))
    if who != "customer":
        return who
    return {"inbound": "customer", "outbound": "company"}.get(one.get("direction") or "")


def _conversations(history: list[Fact]) -> list[list[Fact]]:
    """Which touchpoints are one conversation: first by what names it, the rest by silence."""
    named: dict[tuple[str | None, ...], list[Fact]] = {}
    written: dict[str, list[Fact]] = {channel: [] for channel in QUIET_TIME}
    for one in history:
        channel = one.get("channel")
        threads = [(type_, one.ref(type_)) for type_ in THREADS if one.ref(type_) is not None]
        if one.interaction is not None:
            named.setdefault(("interaction", *one.interaction), []).append(one)
        elif channel not in QUIET_TIME or not (qualifies(one) or speaker(one)):
            named["alone", *one.key] = [one]
        elif channel == "email" and threads:
            named.setdefault(threads[0], []).append(one)
        else:
            written[channel].append(one)
    return [*named.values(), *(part for channel in written for part in _parted(written[channel], QUIET_TIME[channel]))]


def _parted(messages: list[Fact], quiet: int) -> list[list[Fact]]:
    """Messages of one channel, parted where nobody wrote for longer than the quiet time."""
    cuts = [place for place in range(1, len(messages)) if messages[place].at - messages[place - 1].at > quiet]
    return [messages[start:end] for start, end in pairwise((0, *cuts, len(messages))) if start < end]


def _contact(members: list[Fact], everything: list[Fact]) -> Contact:
    refs: dict[str, str] = {}
    for one in everything:
        refs = {**(one.get("refs") or {}), **refs}
    transfers = [one.get("transfers") for one in everything if one.get("transfers") is not None]
    return Contact(
        first=members[0],
        interaction=members[0].interaction,
        reason=first_known(one.get("reason") for one in members),
        outcome=first_known(one.get("outcome") for one in reversed(everything) if speaker(one) != "company"),
        transfers=max(transfers, default=None),
        refs=refs,
        service_level=first_known(one.get("service_level") for one in everything),
        everything=tuple(everything),
    )


def first_known(values: Iterable[Any]) -> Any:
    """The first value that is not None, if there is one."""
    return next((value for value in values if value is not None), None)
