"""The table of identity: each row in fifty orders, with facts repeated, gives what is written there."""

import random

import pytest

from tests.unit.journey.domain.identity_facts import groups, key, part, refusals, settled, shuffled, sighting
from tests.unit.journey.domain.identity_scenarios import SCENARIOS, Scenario
from tests.unit.journey.domain.operator_scenarios import OPERATORS

ORDERS = 50

TABLE = (*SCENARIOS, *OPERATORS)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_who_is_who(row: Scenario) -> None:
    given = part(*row.touchpoints, said=row.said, rules=row.rules, shared_link=row.shared_link)
    result = settled(given, row.rules)
    whose = {said: result.ownership.of(sighting(said)) for said in row.owners}
    expected = {said: result.partition.component_of[key(word)] for said, word in row.owners.items()}

    assert (groups(result.partition), refusals(result.partition)) == (row.groups, row.refused)
    assert whose == expected


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_order_and_repetition_say_nothing(row: Scenario) -> None:
    given = part(*row.touchpoints, said=row.said, rules=row.rules, shared_link=row.shared_link)
    expected = settled(given, row.rules)
    luck = random.Random(row.name)

    assert all(settled(shuffled(given, luck), row.rules) == expected for _ in range(ORDERS))


def test_the_table_is_long_enough_and_names_each_row_once() -> None:
    assert len({row.name for row in TABLE}) == len(TABLE) >= 40
