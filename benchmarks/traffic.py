"""The traffic of the benchmarks: touchpoints of a seeded crowd, as records of the topic.

Nine in ten touchpoints are page views, orders and the like; one in ten is a contact, so that about one in twenty
completes a friction. `crowd` comes back: each customer has about `per_customer` touchpoints in what is drawn.
`passers_by` is drawn evenly from a population, however large.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import orjson

KINDS = (
    ("web", "page_viewed", 0.55),
    ("web", "checkout_started", 0.10),
    ("web", "order_placed", 0.10),
    ("app", "login_succeeded", 0.10),
    ("phone", "call_ended", 0.08),
    ("chat", "chat_started", 0.04),
    ("web", "payment_declined", 0.03),
)
REASONS = ("billing", "delivery", "returns", "product")
SPACING = timedelta(milliseconds=10)
_WEIGHTS: Sequence[float] = [share for _, _, share in KINDS]


@dataclass(frozen=True, slots=True)
class Keyed:
    """One record to produce."""

    key: bytes
    value: bytes


def crowd(count: int, *, seed: int = 1, per_customer: int = 20, ends: datetime | None = None) -> Iterator[Keyed]:
    """Yield `count` touchpoints in order of time, the last one at `ends` (default: now), ten milliseconds apart."""
    return passers_by(count, customers=max(1, count // per_customer), seed=seed, ends=ends)


def passers_by(count: int, *, customers: int, seed: int = 1, ends: datetime | None = None) -> Iterator[Keyed]:
    """Yield `count` touchpoints of customers drawn evenly from `customers`, in order of time, ending at `ends`."""
    dice = Random(seed)
    began = (ends or datetime.now(UTC)) - SPACING * count
    for number in range(count):
        customer = dice.randrange(customers)
        at = (began + SPACING * number).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        document = {"source": "bench", "received_at": at, **touchpoint(dice, customer, number, at)}
        document["id"] = f"b{seed}-{number}"
        document["customer"] = {
            "customer_id": {"value": f"C-{customer}", "verified": True},
            "phone": {"value": phone(customer), "verified": False},
        }
        yield Keyed(f"C-{customer}".encode(), orjson.dumps(document))


def touchpoint(dice: Random, customer: int, number: int, at: str) -> dict[str, Any]:
    """Return what a producer would post about `customer` at `at`, without an id."""
    channel, kind, _ = dice.choices(KINDS, _WEIGHTS)[0]
    document: dict[str, Any] = {
        "occurred_at": at,
        "channel": channel,
        "kind": kind,
        "customer": {"customer_id": f"C-{customer}", "phone": phone(customer)},
        "attributes": {"page": "product", "session": f"s-{customer}-{number // 50}"},
    }
    if kind in {"call_ended", "chat_started"}:
        document |= {
            "direction": "inbound",
            "reason": dice.choice(REASONS),
            "interaction_id": f"i-{number}",
            "wait_s": dice.randrange(0, 200),
            "transfers": dice.choice((0, 0, 0, 1, 2)),
            "text": "배송이 아직 안 왔어요",
        }
    if kind in {"checkout_started", "order_placed", "payment_declined"}:
        document["refs"] = {"order_id": f"A-{customer}"}
    return document


def phone(customer: int) -> str:
    """Return the telephone number of a customer."""
    return f"+8210{customer:08d}"
