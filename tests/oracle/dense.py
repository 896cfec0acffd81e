"""Stories in which everything meets: few values of each field, moments on each other and on the edges of windows.

The stories of `people` are plausible, so they never have two touchpoints at one instant, a reply exactly at the end of
a window, two of a kind at once, a case whose touchpoints came in the wrong order, or a zone that put its clock back.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any, Final
from zoneinfo import ZoneInfo

from tests.oracle.people import instant

Json = dict[str, Any]

KINDS: Final = (
    *("call_started", "call_ended", "chat_started", "chat_ended", "email_received", "message_received"),
    *("store_visited", "case_opened", "case_worked", "case_waiting", "case_resolved", "case_closed"),
    *("callback_promised", "callback_made", "checkout_started", "order_placed", "payment_declined"),
    *("survey_answered", "page_viewed", "message_sent", "bot_replied", "bot_escalated"),
)
STARTS: Final = (
    datetime(2026, 11, 22, 3, tzinfo=UTC),
    datetime(2028, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC),  # a leap day follows
    datetime(2026, 10, 24, 23, tzinfo=UTC),  # in Europe the clock is put back in the night
    datetime(2026, 12, 31, 14, 59, 59, tzinfo=UTC),  # midnight of a new year in Seoul
)
ZONES: Final = (
    UTC,
    ZoneInfo("Asia/Seoul"),
    ZoneInfo("Europe/Berlin"),
    timezone(timedelta(hours=14)),
    timezone(-timedelta(hours=12)),
    timezone(timedelta(hours=5, minutes=45)),
)
EDGES: Final = tuple(
    timedelta(seconds=seconds)
    for minutes in (0, 10, 15, 30, 45, 60, 12 * 60, 24 * 60, 7 * 24 * 60, 14 * 24 * 60)
    for seconds in (minutes * 60 - 1e-6, minutes * 60, minutes * 60 + 1e-6)
)
"""Distances at which contacts, the shipped rules and the journeys change their mind, one microsecond to each side."""


def stories(seed: int, count: int) -> Iterator[list[Json]]:
    """So many stories, each the documents of one customer in no particular order; the same for the same seed."""
    for number in range(count):
        random = Random(f"{seed}/{number}")
        yield _story(random, f"C-{number}", random.choice((1, 2, 3, 5, 8, 13, 30)))


def _story(random: Random, customer: str, size: int) -> list[Json]:
    start = random.choice(STARTS)
    kinds = random.sample(KINDS, random.randint(1, 5)) if random.random() < 0.5 else KINDS
    moments = [start]
    documents = []
    for number in range(size):
        moment = random.choice(moments) + random.choice(EDGES) * random.choice((1, 1, 1, -1))
        moments.append(moment)
        document = _document(random, moment, random.choice(kinds))
        names = {"id": f"{customer}/{number}", "customer": {"customer_id": {"value": customer, "verified": True}}}
        if "interaction_id" in document:
            names["interaction_id"] = f"{customer}/{document['interaction_id']}"
        documents.append(document | names)
    return documents


def _document(random: Random, moment: datetime, kind: str) -> Json:
    def maybe(*values: Any) -> Any:
        return random.choice((None, *values)) if random.random() < 0.6 else None

    refs = {"case_id": maybe("1", "2"), "order_id": maybe("1", "8"), "cart_id": maybe("8"), "session_id": maybe("s")}
    if kind in {"email_received", "message_sent"}:
        refs |= {
            "thread_id": maybe("1", "2"),
            "campaign_id": maybe("1"),
            "message_id": maybe("1"),
        }  # one reads like a case
    document = {
        "source": random.choice(("crm", "ivr", "ivr", "kakao")),
        "occurred_at": moment.astimezone(random.choice(ZONES)).isoformat(timespec="microseconds"),
        "received_at": instant(moment + random.choice((timedelta(0), timedelta(hours=72), timedelta(hours=72.1)))),
        "channel": random.choice(("phone", "chat", "email", "messenger", "web")),
        "kind": kind,
        "direction": random.choice(("inbound", "inbound", "outbound", None)),
        "reason": maybe("billing", "delivery"),
        "outcome": maybe("resolved", "unresolved", "abandoned", "delivered"),
        "refs": {name: value for name, value in refs.items() if value} or None,
        "interaction_id": maybe("1", "i2"),  # one reads like the id of a touchpoint
        "sequence": maybe(0, 1, 2),
        "queue": maybe("A", "B", "C"),
        "wait_s": maybe(0, 119.5, 120, 120.5, 300),
        "transfers": maybe(0, 1, 2),
        "service_level": maybe("basic", "premium"),
        "score": maybe({"metric": "ces", "value": 3, "scale": 7}, {"metric": "ces", "value": 2.15, "scale": 5}),
        "due_at": instant(moment + random.choice(EDGES) * random.choice((1, 1, -1))) if random.random() < 0.8 else None,
    }
    return {name: value for name, value in document.items() if value is not None}
