"""The traffic of the benchmarks: touchpoints of a seeded crowd, as records of the topic.

Nine in ten touchpoints are page views, orders and the like; one in ten is a contact, so that about one in twenty
completes a friction. Customers come back: each has about `per_customer` touchpoints.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

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


@dataclass(frozen=True, slots=True)
class Keyed:
    """One record to produce."""

    key: bytes
    value: bytes


def crowd(count: int, *, seed: int = 1, per_customer: int = 20, ends: datetime | None = None) -> Iterator[Keyed]:
    """Yield `count` touchpoints in order of time, the last one at `ends` (default: now), ten milliseconds apart."""
    dice = Random(seed)
    customers = max(1, count // per_customer)
    began = (ends or datetime.now(UTC)) - timedelta(milliseconds=10) * count
    weights: Sequence[float] = [share for _, _, share in KINDS]
    for number in range(count):
        customer = dice.randrange(customers)
        channel, kind, _ = dice.choices(KINDS, weights)[0]
        at = (began + timedelta(milliseconds=10) * number).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        document: dict[str, object] = {
            "id": f"b{seed}-{number}",
            "source": "bench",
            "occurred_at": at,
            "received_at": at,
            "channel": channel,
            "kind": kind,
            "customer": {
                "customer_id": {"value": f"C-{customer}", "verified": True},
                "phone": {"value": f"+8210{customer:08d}", "verified": False},
            },
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
        yield Keyed(f"C-{customer}".encode(), orjson.dumps(document))
