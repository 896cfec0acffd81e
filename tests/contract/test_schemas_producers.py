"""What the services write is what the contract says, up to its bounds: a touchpoint that fits gives frictions that fit.

The way of one customer's touchpoints through the services' own code, without Kafka and PostgreSQL in between.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from schemas import validation
from schemas.documents import friction, issue
from services.alerts.issues import contract
from services.alerts.issues.placement import PlacementContext, place
from services.journey.domain.comparison.changes import CustomerChanges, diff
from services.journey.domain.touchpoint import Identifier
from services.journey.renew import publication
from tests.unit.journey.domain.making import DAYS, SHIPPED, Shelf, at, call, seen, told

NOW = at(9 * DAYS)

LONG: dict[str, Any] = {
    "source": "s" * 64,
    "reason": "요" * 128,
    "outcome": "o" * 128,
    "queue": "q" * 128,
    "agent": "a" * 255,
    "refs": {f"r{number}" + "x" * 60: "가" * 255 for number in range(20)},
    "service_level": "premium",
    "customer": {"customer_id": Identifier(value="C" * 255)},
}
"""Every member as long as the contract lets it be."""


def changes() -> CustomerChanges:
    """What a hard week of one customer makes: enough calls to overflow every list, and a promise that was not kept."""
    history = [
        call(
            f"{number:03}" + "i" * 252,
            number * 60,
            interaction_id=f"{number:03}" + "k" * 252,
            wait_s=2_678_400,
            transfers=9,
            **LONG,
        )
        for number in range(80)
    ]
    history.append(seen("p" * 255, 10, "callback_promised", due_at=at(20), **LONG))
    waiting = [timer.id for timer in told(*history).timers]
    shelf = Shelf()
    return diff(told(*history, fired=waiting), shelf.stored(), SHIPPED, shelf.moment(NOW))


@pytest.fixture(scope="module")
def written() -> CustomerChanges:
    return changes()


def frictions(written: CustomerChanges) -> Iterator[bytes]:
    """The published frictions."""
    for change in written.frictions:
        yield publication.friction(change.friction, None).record.value or b""


def test_frictions_are_as_the_contract_says(written: CustomerChanges) -> None:
    values = list(frictions(written))
    assert len({friction.decode(value).rule for value in values}) >= 4
    for value in values:
        assert validation.errors("friction.v1", json.loads(value)) == []


def test_journeys_are_as_the_contract_says(written: CustomerChanges) -> None:
    assert written.journeys
    for change in written.journeys:
        value = publication.journey(change.journey, NOW, None).record.value or b""
        assert validation.errors("journey.v1", json.loads(value)) == []


def test_issues_are_as_the_contract_says(written: CustomerChanges) -> None:
    arrivals = [contract.read_friction(value) for value in frictions(written)]
    ids = iter(range(1, 1000))
    board = PlacementContext(frictions={}, issues={}, occurrences={})
    placement = place(board, arrivals, now=NOW + timedelta(seconds=1), new_id=lambda: UUID(int=next(ids)))
    assert placement.changes
    for change in placement.changes:
        value = issue.encode(contract.write_issue(change.after))
        assert validation.errors("issue.v1", json.loads(value)) == []
