"""Graphs of identifiers through the real applier, and what the database then says about who is who."""

from collections.abc import Iterator
from typing import Any

from schemas.documents import touchpoint as touchpoint_v1
from schemas.documents.touchpoint import IdentifierValue
from schemas.vocabulary import Channel, Direction
from services.journey.domain.identity import _Planning
from services.journey.domain.names import CustomerId
from tests.identity_graphs import Case, Node, make
from tests.integration.journey_log import Bench, at

SPELLING = {"email": "{0}@mail.example", "phone": "+8210{1:08d}"}
"""How values of some types must look; others may be anything."""


def spelt(number: int, node: Node) -> Node:
    """A node of the graph `number` as it is sent: graphs do not know each other."""
    type_, value = node
    return type_, SPELLING.get(type_, "{0}").format(f"g{number}-{value}", number * 100 + int(value[1:]))


def touchpoints(number: int, case: Case) -> Iterator[list[touchpoint_v1.TouchpointDocument]]:
    """The batches of a case; most touchpoints are calls, so that frictions are found."""
    place = 0
    for batch in case.batches:
        found = []
        for carried in batch:
            customer = {
                type_: IdentifierValue(value=value, verified=node in carried.verified)
                for node in carried.nodes
                for type_, value in (spelt(number, node),)
            }
            found.append(
                touchpoint_v1.TouchpointDocument(
                    id=f"g{number}-{place}",
                    source="ivr",
                    occurred_at=at(place // 2),  # every two at one time
                    received_at=at(place // 2),
                    channel=Channel.PHONE,
                    kind="call_started" if place % 3 else "page_viewed",
                    direction=Direction.INBOUND if place % 3 else None,
                    reason="billing",
                    customer=customer,
                )
            )
            place += 1
        yield found


async def send(bench: Bench, cases: list[Case]) -> None:
    """Apply the batches of all cases: the first ones of all together, then the second ones, and so on."""
    waiting = [list(touchpoints(number, case)) for number, case in enumerate(cases)]
    for round_ in range(max(map(len, waiting))):
        for number, batches in enumerate(waiting):
            if round_ < len(batches):
                for point in batches[round_]:
                    bench.log.append(number % bench.log.partitions, point)
        await bench.apply(batch=100_000)


def expected(cases: list[Case]) -> set[frozenset[Node]]:
    """Who is who in all of them."""
    return {
        frozenset(spelt(number, node) for node in person)
        for number, case in enumerate(cases)
        for person in case.people()
    }


def cases(seeds: range) -> list[Case]:
    """Graphs whose links were never retracted."""
    return [make(seed, retracting=False) for seed in seeds]


_STORED = """
SELECT coalesce(c.merged_into, c.customer_id) AS root, i.type, i.value
  FROM journey.identifiers AS i JOIN journey.customers AS c USING (customer_id)"""


async def stored(bench: Bench) -> dict[Node, Any]:
    """The surviving customer of each identifier."""
    return {(row["type"], row["value"]): row["root"] for row in await bench.rows(_STORED)}


async def groups(bench: Bench) -> set[frozenset[Node]]:
    """Identifiers by surviving customer."""
    found: dict[Any, set[Node]] = {}
    for node, root in (await stored(bench)).items():
        found.setdefault(root, set()).add(node)
    return {frozenset(group) for group in found.values()}


def halving(planning: _Planning, customer: CustomerId) -> CustomerId:
    """How a customer's root was found once: it cuts a grandparent that is no root off from its own."""
    parent = planning._parent
    while parent[customer] != customer:
        customer = parent[customer] = parent[parent[customer]]
    return customer
