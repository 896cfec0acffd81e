"""What a worker takes for in force: each version read once, the last good one kept, journeys and rules side by side."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from services.journey.rulebook import definitions_file, rules_file
from services.journey.versions import storing
from services.journey.versions.in_force import NothingInForceError, PolicyCache, PolicyState
from services.journey.versions.policy_table import NewPolicy, PolicyKind
from services.runtime.postgres.pools import Connection

DAY = datetime(2026, 11, 22, tzinfo=UTC)
RULES = storing.of_rules(rules_file.resolve_file(), author="kim", note="")
RETAIL = storing.of_journeys(definitions_file.load("retail"), author="kim", note="")
BANKING = storing.of_journeys(definitions_file.load("banking"), author="kim", note="")


@dataclass(slots=True)
class Stored:
    """The table of policies, and how often versions were loaded from it. Stands in for a connection."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    loads: int = 0

    def add(self, new: NewPolicy) -> None:
        version = sum(row["kind"] == new.kind for row in self.rows) + 1
        self.rows.append(
            {
                "kind": str(new.kind),
                "version": version,
                "in_force_from": DAY + timedelta(minutes=len(self.rows)),
                "document": new.document.decode(),
                "written": new.written,
                "digest": new.digest,
                "author": new.author,
                "note": new.note,
                "stored_at": DAY,
            }
        )

    async def fetchrow(self, query: str, kinds: list[str]) -> dict[str, Any]:
        assert "hold_policies" in query or "max(p.version)" in query
        latest = [max((row["version"] for row in self.rows if row["kind"] == kind), default=None) for kind in kinds]
        return {"at": DAY, "latest": latest}

    async def fetch(self, query: str, kind: str, after: int) -> list[dict[str, Any]]:
        assert "version > $2" in query
        self.loads += 1
        return [row for row in self.rows if row["kind"] == kind and row["version"] > after]


def connection(stored: Stored) -> Connection:
    return cast(Connection, stored)


async def test_without_rules_nothing_is_judged() -> None:
    with pytest.raises(NothingInForceError):
        await PolicyCache().hold(connection(Stored()))


async def test_rules_and_journeys_stand_side_by_side_and_each_version_is_read_once() -> None:
    told: list[PolicyState] = []
    stored, cache = Stored(), PolicyCache(told.append)
    stored.add(RULES)
    held = await cache.hold(connection(stored))
    assert (len(held.rulebook.rules) > 0, held.definitions.definitions) == (True, ())
    stored.add(RETAIL)
    held = await cache.hold(connection(stored))
    assert [one.id for one in held.definitions.definitions] == ["purchase", "delivery", "refund", "service_case"]
    loads = stored.loads
    again = await cache.hold(connection(stored))
    assert (again.definitions is held.definitions, again.rulebook is held.rulebook) == (True, True)
    assert stored.loads == loads
    assert [(state.kind, state.version) for state in told] == [(PolicyKind.RULES, 1), (PolicyKind.JOURNEYS, 1)]


async def test_the_latest_version_of_the_journeys_is_in_force() -> None:
    stored, cache = Stored(), PolicyCache()
    for new in (RULES, RETAIL, BANKING):
        stored.add(new)
        await cache.look(connection(stored))
    held = await cache.hold(connection(stored))
    assert next(one.id for one in held.definitions.definitions) == "account_opening"
    assert [(state.kind, state.version) for state in cache.states] == [
        (PolicyKind.RULES, 1),
        (PolicyKind.JOURNEYS, 2),
    ]


@pytest.mark.logs_error("policy cannot be read")
async def test_definitions_of_a_later_release_leave_the_last_good_ones_in_force() -> None:
    stored, cache = Stored(), PolicyCache()
    stored.add(RULES)
    stored.add(RETAIL)
    raw = json.loads(RETAIL.document)
    raw["journeys"][0]["of_a_later_release"] = True
    document = json.dumps(raw).encode()
    stored.add(NewPolicy(kind=PolicyKind.JOURNEYS, document=document, written="", author="kim"))
    held = await cache.hold(connection(stored))
    assert len(held.definitions.definitions) == len(json.loads(RETAIL.document)["journeys"])
    assert [state.unreadable for state in cache.states] == [0, 1]
