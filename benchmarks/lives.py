"""Long lives: touchpoints of customers who come again and again, as records of the topic.

A life is made of episodes: most of them visits of the web site or the app, some purchases with their delivery, calls,
chats and mails, each with interaction ids, orders and threads of its own. About one touchpoint in ten is part of a
contact. *Spread*, the episodes lie anywhere in a year; *dense*, nine in ten lie in its last seven days.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from random import Random
from typing import Any

import orjson

from benchmarks.traffic import REASONS, Keyed, name, phone

YEAR = timedelta(days=365)
WEEK = timedelta(days=7)
DENSE_SHARE = 0.9
QUEUES = ("billing-ko", "delivery-ko", "returns-ko")

Step = tuple[float, dict[str, Any]]
"""Seconds from the begin of an episode, and what happens then."""


def past(customers: Sequence[int], length: int, ends: datetime, *, dense: bool, seed: int) -> list[Keyed]:
    """Return `length` touchpoints of each of `customers`, all in order of time, none after `ends`."""
    happened: list[tuple[datetime, int, dict[str, Any]]] = []
    for customer in customers:
        dice = Random(f"life {seed} {customer}")
        happened += [(at, customer, fields) for at, fields in _life(dice, customer, length, ends, dense=dense)]
    happened.sort(key=lambda one: one[0])
    return [
        record(customer, f"h{seed}-{name(customer)}-{number}", at, fields)
        for number, (at, customer, fields) in enumerate(happened)
    ]


def days(customer: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield what a customer does next, for ever, without times: episode after episode."""
    dice = Random(f"day {seed} {customer}")
    number = 0
    while True:
        number += 1
        for _, fields in _episode(dice, f"{name(customer)}-d{seed}-{number}"):
            yield fields


def record(customer: int, id_: str, at: datetime, fields: dict[str, Any]) -> Keyed:
    """Return a touchpoint of `customer` as a record of the topic."""
    when = at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    document = {
        "source": "bench",
        "id": id_,
        "occurred_at": when,
        "received_at": when,
        "customer": {
            "customer_id": {"value": f"C-{name(customer)}", "verified": True},
            "phone": {"value": phone(customer), "verified": False},
        },
        **fields,
    }
    return Keyed(f"C-{name(customer)}".encode(), orjson.dumps(document))


def _life(
    dice: Random, customer: int, length: int, ends: datetime, *, dense: bool
) -> Sequence[tuple[datetime, dict[str, Any]]]:
    happened: list[tuple[datetime, dict[str, Any]]] = []
    number = 0
    while len(happened) < length:
        number += 1
        within = WEEK if dense and dice.random() < DENSE_SHARE else YEAR
        begins = ends - within * dice.random()
        steps = _episode(dice, f"{name(customer)}-{number}")
        timed = [(begins + timedelta(seconds=after), fields) for after, fields in steps]
        happened += [one for one in timed if one[0] <= ends]
    return list(islice(happened, length))


def _episode(dice: Random, mark: str) -> list[Step]:
    """Return one episode; `mark` makes its references unique."""
    make: Callable[[Random, str], list[Step]] = dice.choices(
        (_visit, _purchase, _call, _chat, _mail), (0.66, 0.14, 0.09, 0.05, 0.06)
    )[0]
    return make(dice, mark)


def _visit(dice: Random, mark: str) -> list[Step]:
    channel = dice.choice(("web", "web", "app"))
    kinds = ["login_succeeded", *dice.choices(("page_viewed", "cart_updated", "search_no_result"), (90, 8, 2), k=12)]
    steps = []
    after = 0.0
    for number, kind in enumerate(kinds[: dice.randrange(3, 13)]):
        after += dice.uniform(2, 90)
        attributes = {"page": "product", "session": f"s-{mark}", "view": number}
        steps.append((after, {"channel": channel, "kind": kind, "attributes": attributes}))
    return steps


def _purchase(dice: Random, mark: str) -> list[Step]:
    steps = _visit(dice, mark)
    after, bought = steps[-1][0], {"channel": steps[-1][1]["channel"], "refs": {"order_id": f"A-{mark}"}}
    kinds = ["checkout_started", *(["payment_declined"] if dice.random() < 0.1 else []), "order_placed"]
    for kind in kinds:
        after += dice.uniform(20, 200)
        steps.append((after, {**bought, "kind": kind}))
    for day, kind in ((1, "order_shipped"), (2, "parcel_delivered")):
        steps.append((after + day * 86_400, {**bought, "channel": "field", "kind": kind}))
    return steps


def _call(dice: Random, mark: str) -> list[Step]:
    call = {
        "channel": "phone",
        "direction": "inbound",
        "interaction_id": f"i-{mark}",
        "reason": dice.choice(REASONS),
        "queue": dice.choice(QUEUES),
    }
    ended = {
        "wait_s": dice.randrange(200),
        "duration_s": dice.randrange(60, 900),
        "transfers": dice.choice((0, 0, 0, 1, 2)),
        "outcome": dice.choice(("resolved", "resolved", "unresolved")),
        "text": "배송이 아직 안 왔어요",
    }
    return [(0.0, {**call, "kind": "call_started"}), (dice.uniform(60, 900), {**call, **ended, "kind": "call_ended"})]


def _chat(dice: Random, mark: str) -> list[Step]:
    chat = {"channel": "chat", "interaction_id": f"i-{mark}", "reason": dice.choice(REASONS)}
    steps: list[Step] = [(0.0, {**chat, "kind": "chat_started", "direction": "inbound"})]
    for number in range(dice.randrange(2, 6)):
        ours = number % 2 == 0
        said = {"kind": "message_sent", "direction": "outbound"} if ours else {"kind": "message_received"}
        steps.append((steps[-1][0] + dice.uniform(5, 60), {**chat, "direction": "inbound", **said}))
    steps.append((steps[-1][0] + 30, {**chat, "kind": "chat_ended", "direction": "inbound", "outcome": "resolved"}))
    return steps


def _mail(dice: Random, mark: str) -> list[Step]:
    mail = {"channel": "email", "refs": {"thread_id": f"m-{mark}"}, "reason": dice.choice(REASONS)}
    return [
        (0.0, {**mail, "kind": "email_received", "direction": "inbound"}),
        (dice.uniform(600, 20_000), {**mail, "kind": "message_sent", "direction": "outbound"}),
    ]
