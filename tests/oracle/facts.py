"""Touchpoints as the oracle reads them: JSON documents of the topic, with times as whole microseconds.

Part of the oracle: it imports nothing of Waymark, on purpose. A mistake that two programs share proves nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
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
    received: int
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
        received=received,
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


def contacts(history: list[Fact], since: int = 0) -> list[Contact]:
    """The contacts of one customer, in order; `history` is ordered and without late ones.

    What was received before `since` is judged as it was before contacts were conversations.
    """
    found = [(one, [each for each in one if qualifies(each)]) for one in _conversations(history, since)]
    return sorted((_contact(members, all_, since) for all_, members in found if members), key=lambda one: one.order)


def qualifies(one: Fact) -> bool:
    """The customer turns to us in it."""
    return one.get("kind") in CONTACT_KINDS and one.get("direction") == "inbound"


def speaker(one: Fact) -> str | None:
    """Who speaks in a touchpoint: customer, company, bot or nobody."""
    who = SPEAKER.get(one.get("kind"))
    if who != "customer":
        return who
    return {"inbound": "customer", "outbound": "company"}.get(one.get("direction") or "")


def to_many(one: Fact) -> bool:
    """What the company or a bot says in a campaign is said to nobody in particular."""
    return speaker(one) in {"company", "bot"} and one.ref("campaign_id") is not None


def _conversations(history: list[Fact], since: int) -> list[list[Fact]]:
    """Which touchpoints are one conversation: first by what names it, the rest by silence."""
    named: dict[tuple[str | None, ...], list[Fact]] = {}
    written: dict[str, list[Fact]] = {channel: [] for channel in QUIET_TIME}
    for one in history:
        channel = one.get("channel")
        threads = [(type_, one.ref(type_)) for type_ in THREADS if one.ref(type_) is not None]
        if to_many(one) and one.received >= since:
            continue
        if one.interaction is not None:
            named.setdefault(("interaction", *one.interaction), []).append(one)
        elif one.received < since or channel not in QUIET_TIME or not (qualifies(one) or speaker(one)):
            named["alone", *one.key] = [one]
        elif channel == "email" and threads:
            named.setdefault(threads[0], []).append(one)
        else:
            written[channel].append(one)
    return [*named.values(), *(talk for channel in written for talk in _talks(written[channel], QUIET_TIME[channel]))]


def _talks(messages: list[Fact], quiet: int) -> list[list[Fact]]:
    """Messages of one channel as conversations: whose they are by their sources, parted by the quiet time."""
    talks: list[tuple[set[str], list[Fact]]] = []
    for one in messages:
        source = one.key[0]
        running = [talk for talk in talks if one.at - talk[1][-1].at <= quiet]
        running.sort(key=lambda talk: talk[1][-1].order)
        own = [talk for talk in running if source in talk[0]]
        unanswered = [talk for talk in running if not any(qualifies(each) for each in talk[1])]
        fitting = own or (unanswered if qualifies(one) else running)
        if not fitting:
            talks.append(({source}, [one]))
            continue
        sources, written = fitting[-1]
        written.append(one)
        if qualifies(one):
            sources.add(source)
    return [written for _, written in talks]


def _contact(members: list[Fact], everything: list[Fact], since: int) -> Contact:
    refs: dict[str, str] = {}
    for one in everything:
        refs = {**(one.get("refs") or {}), **refs}
    transfers = [one.get("transfers") for one in everything if one.get("transfers") is not None]
    return Contact(
        first=members[0],
        interaction=members[0].interaction,
        reason=first_known(one.get("reason") for one in members),
        outcome=first_known(
            one.get("outcome") for one in reversed(everything) if speaker(one) != "company" or one.received < since
        ),
        transfers=max(transfers, default=None),
        refs=refs,
        service_level=first_known(one.get("service_level") for one in everything),
        everything=tuple(everything),
    )


def first_known(values: Iterable[Any]) -> Any:
    """The first value that is not None, if there is one."""
    return next((value for value in values if value is not None), None)
