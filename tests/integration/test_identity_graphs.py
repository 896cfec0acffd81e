"""Who is who in the database, for graphs of every shape: customers, identifiers, touchpoints and journeys agree."""

from collections import Counter

import pytest

from tests.fixtures.journey_bench import JourneyBench, open_bench
from tests.fixtures.journey_identity import UNCONSTRAINED, cases, expected, groups, send, spelt, stored
from tests.identity_graphs import Case

pytestmark = pytest.mark.local

GRAPHS = 300
AT_ONCE = 50


async def everything_agrees(bench: JourneyBench, sent: list[Case]) -> None:
    """Nothing in the database speaks of another customer than the ledger's components do."""
    assert await groups(bench) == expected(sent)
    owners = await stored(bench)
    rows = await bench.rows("SELECT id, customer_id, journey_id FROM journey.touchpoints")
    whose = {row["id"]: row["customer_id"] for row in rows}
    assert whose == {
        f"g{number}-{place}": owners[spelt(number, case.traits.usable(carried)[0])]
        for number, case in enumerate(sent)
        for place, carried in enumerate(case.carried)
    }
    journeys = await bench.rows("SELECT journey_id, customer_id FROM journey.journeys")
    assert {(row["journey_id"], row["customer_id"]) for row in rows} == {tuple(row) for row in journeys}
    survivors = await bench.rows(
        "SELECT customer_id, identifier_count, merge_count,"
        " (SELECT count(*) FROM journey.customers AS a WHERE a.merged_into = c.customer_id) AS absorbed"
        " FROM journey.customers AS c WHERE merged_into IS NULL"
    )
    assert {row["customer_id"]: row["identifier_count"] for row in survivors} == Counter(owners.values())
    assert all(row["merge_count"] == row["absorbed"] for row in survivors)
    links = await bench.rows("SELECT left_type, left_value, right_type, right_value, state FROM journey.links")
    assert {((row[0], row[1]), (row[2], row[3])) for row in links} == {
        tuple(sorted(spelt(number, node) for node in link)) for number, case in enumerate(sent) for link in case.links()
    }
    assert {row["state"] for row in links} <= {"active"}
    assert await bench.value("SELECT count(*) FROM journey.dead_letters") == 0


@pytest.mark.parametrize("first", range(0, GRAPHS, AT_ONCE))
async def test_graphs_of_every_shape_are_stored_as_their_components(database: str, first: int) -> None:
    sent = cases(range(first, first + AT_ONCE))
    async with open_bench(database, constraints=UNCONSTRAINED) as bench:
        await send(bench, sent)
        await everything_agrees(bench, sent)
