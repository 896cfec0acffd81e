"""Touchpoints as the domain sees them: facts that are never edited, in one total order.

The members are those of touchpoint v1 on the topic, so stored JSON decodes straight into `Touchpoint`. Whether bytes
are a valid touchpoint is left to `services.journey.consume.decoding`; this module assumes that times are aware and in
UTC. It never changes the dictionaries that it is given.
"""

from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from operator import attrgetter
from typing import Any
from uuid import UUID

import msgspec

ALLOWED_LATENESS = timedelta(hours=72)
"""How long after it happened a touchpoint may be received and still count."""

TouchpointKey = tuple[str, str]
"""`(source, id)`: the key of a touchpoint."""

OrderKey = tuple[datetime, int, str, str]
"""`(occurred_at, sequence or 0, source, id)`: what touchpoints are sorted by."""


class Identifier(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The value of one identifier of the customer; `verified` if the source proved it."""

    value: str
    verified: bool = False


class SurveyScore(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An answer to a survey: `value` of at most `scale`."""

    metric: str
    value: int | float
    scale: int | float


class MonetaryValue(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The amount at stake, in units of an ISO 4217 `currency`."""

    amount: int | float
    currency: str


class Touchpoint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One contact of one customer with the company. Durations (`…_s`) are seconds; `sentiment` is -1 to 1.

    `sentiment_by` says who computed the sentiment, None if its producer gave it.
    """

    source: str
    id: str
    occurred_at: datetime
    received_at: datetime
    channel: str
    kind: str
    customer: dict[str, Identifier] = {}
    direction: str | None = None
    outcome: str | None = None
    reason: str | None = None
    refs: dict[str, str] = {}
    interaction_id: str | None = None
    wait_s: int | float | None = None
    duration_s: int | float | None = None
    hold_s: int | float | None = None
    transfers: int | None = None
    queue: str | None = None
    agent: str | None = None
    sequence: int | None = None
    text: str | None = None
    sentiment: int | float | None = None
    sentiment_by: str | None = None
    score: SurveyScore | None = None
    value: MonetaryValue | None = None
    service_level: str | None = None
    due_at: datetime | None = None
    attributes: dict[str, Any] = {}
    sent_at: datetime | None = None
    reported_at: datetime | None = None
    time_quality: str | None = None
    replay: bool = False

    @property
    def key(self) -> TouchpointKey:
        """The key that identifies the touchpoint."""
        return self.source, self.id

    @property
    def order(self) -> OrderKey:
        """The sort key among all touchpoints."""
        return self.occurred_at, self.sequence or 0, self.source, self.id


class RecordedTouchpoint(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A touchpoint with what the service recorded about it.

    `appended_at` is the broker's time of its record. A `late` touchpoint is kept as history and not projected.
    `journey_id` is the journey in which it was placed last, None if it is new. `friction` says whether a friction stood
    at it then, `rules` of which rules, sorted: none where that was not noted yet.
    """

    touchpoint: Touchpoint
    appended_at: datetime
    late: bool = False
    journey_id: UUID | None = None
    friction: bool = False
    rules: tuple[str, ...] = ()


def in_order(recorded: RecordedTouchpoint) -> OrderKey:
    """Return the key by which a history is sorted."""
    return recorded.touchpoint.order


def is_late(touchpoint: Touchpoint, allowed: timedelta = ALLOWED_LATENESS) -> bool:
    """Return whether the touchpoint was received more than `allowed` after it happened; a replay is never late."""
    return not touchpoint.replay and touchpoint.received_at - touchpoint.occurred_at > allowed


_UNTOLD = "received"
"""The `time_quality` of a touchpoint whose producer said no time."""

_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)

_CANONICAL = msgspec.json.Encoder(order="deterministic")

_NUMBERS = ("wait_s", "duration_s", "hold_s", "sentiment")
_numbers = attrgetter(*_NUMBERS)
_WITHOUT_FLOATS = frozenset({str, int, bool, type(None)})


def fingerprint(touchpoint: Touchpoint) -> bytes:
    """Return 16 bytes that are equal for equal content. What transport adds does not count.

    Transport adds `received_at`, `replay`, a sentiment that ingest computed, and every time but the one that the
    producer said: a message that is sent again has another `sent_at`, and its clock offset may have become known in
    between. Numbers are compared by value: `1`, `1.0` and `1e0` are equal, and so are two ways to write one moment. For
    two touchpoints with the same key, an equal fingerprint means a duplicate and a different one a conflict.
    """
    content = _content(touchpoint)
    if _may_hold_floats(content):
        content = _with_whole_numbers(content)
    return _digest(_CANONICAL.encode(content))


def first_fingerprint(touchpoint: Touchpoint) -> bytes:
    """Return the fingerprint as the first releases made it, with numbers as written; some are still stored."""
    return _digest(_CANONICAL.encode(_content(touchpoint)))


def _digest(encoded: bytes) -> bytes:
    return blake2b(encoded, digest_size=16).digest()


def _content(touchpoint: Touchpoint) -> Touchpoint:
    said = touchpoint.reported_at or touchpoint.occurred_at
    if touchpoint.time_quality == _UNTOLD:
        said = _ANY_TIME
    due_at = touchpoint.due_at
    return msgspec.structs.replace(
        touchpoint,
        occurred_at=_utc(said),
        received_at=_utc(said),
        due_at=None if due_at is None else _utc(due_at),
        sentiment=touchpoint.sentiment if touchpoint.sentiment_by is None else None,
        sentiment_by=None,
        sent_at=None,
        reported_at=None,
        time_quality=None,
        replay=False,
    )


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


def _may_hold_floats(content: Touchpoint) -> bool:
    """Return whether there may be a float: a quick test that errs only towards yes."""
    return (
        float in map(type, _numbers(content))
        or content.score is not None
        or content.value is not None
        or not _WITHOUT_FLOATS.issuperset(map(type, content.attributes.values()))
    )


def _with_whole_numbers(content: Touchpoint) -> Touchpoint:
    score, value = content.score, content.value
    return msgspec.structs.replace(
        content,
        **{name: _whole(getattr(content, name)) for name in _NUMBERS},
        score=score and SurveyScore(metric=score.metric, value=_whole(score.value), scale=_whole(score.scale)),
        value=value and MonetaryValue(amount=_whole(value.amount), currency=value.currency),
        attributes=_whole(content.attributes),
    )


def _whole(node: Any) -> Any:
    """Return `node` with every float that is a whole number as that number."""
    if isinstance(node, float):
        return int(node) if node.is_integer() else node
    if isinstance(node, dict):
        return {name: _whole(member) for name, member in node.items()}
    return [_whole(element) for element in node] if isinstance(node, list) else node
