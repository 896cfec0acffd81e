"""The traffic of the benchmarks: touchpoints of a seeded crowd, as records of the topic.

Nine in ten touchpoints are page views, orders and the like; one in ten is a contact, so that about one in twenty
completes a friction. `crowd` comes back: each customer has about `per_customer` touchpoints in what is drawn;
`passers_by` takes the customers as they are given.
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


def crowd(count: int, *, seed: int = 1, per_customer: int = 20) -> Iterator[Keyed]:
    """Yield `count` touchpoints in order of time, the last one now, ten milliseconds apart."""
    dice = Random(f"crowd {seed}")
    customers = max(1, count // per_customer)
    return passers_by([dice.randrange(customers) for _ in range(count)], seed=seed)


def passers_by(customers: Sequence[int], *, seed: int = 1, ends: datetime | None = None) -> Iterator[Keyed]:
    """Yield one touchpoint of each of `customers`, in order of time, the last one at `ends` (default: now)."""
    dice = Random(seed)
    began = (ends or datetime.now(UTC)) - SPACING * len(customers)
    for number, customer in enumerate(customers):
        at = (began + SPACING * number).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        document = {"source": "bench", "received_at": at, **touchpoint(dice, customer, number, at)}
        document["id"] = f"b{seed}-{name(customer)}-{number}"
        document["customer"] = {
            "customer_id": {"value": f"C-{name(customer)}", "verified": True},
            "phone": {"value": phone(customer), "verified": False},
        }
        yield Keyed(f"C-{name(customer)}".encode(), orjson.dumps(document))


def touchpoint(dice: Random, customer: int, number: int, at: str) -> dict[str, Any]:
    """Return what a producer would post about `customer` at `at`, without an id."""
    channel, kind, _ = dice.choices(KINDS, _WEIGHTS)[0]
    document: dict[str, Any] = {
        "occurred_at": at,
        "channel": channel,
        "kind": kind,
        "customer": {"customer_id": f"C-{name(customer)}", "phone": phone(customer)},
        "attributes": {"page": "product", "session": f"s-{name(customer)}-{number // 50}"},
    }
    if kind in {"call_ended", "chat_started"}:
        document |= {
            "direction": "inbound",
            "reason": dice.choice(REASONS),
            "interaction_id": f"i-{name(customer)}-{number}",
            "wait_s": dice.randrange(0, 200),
            "transfers": dice.choice((0, 0, 0, 1, 2)),
            "text": "배송이 아직 안 왔어요",
        }
    if kind in {"checkout_started", "order_placed", "payment_declined"}:
        document["refs"] = {"order_id": f"A-{name(customer)}"}
    return document


def name(customer: int) -> str:
    """Return what stands in everything that names a customer; `growth` makes other customers by changing it."""
    return f"n{customer:08d}"


def phone(customer: int) -> str:
    """Return the telephone number of a customer, below ten million: one that could exist, or ingest would drop it."""
    return f"+82102{customer:07d}"
