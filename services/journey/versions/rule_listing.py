"""Rules as a list shows them: what each says, since which version, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.journey.costs import cost_rows
from services.journey.store import frictions
from services.journey.versions import policy_table, rule_changes
from services.journey.versions.policy_table import PolicyKind, PolicyVersion
from services.runtime.postgres.pools import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleListing:
    """A rule of a version: since which version it says what it says there, and how many of its frictions stand today.

    `failing` is the number of customers for whom it raised and has not answered since. `cost_us` are the microseconds
    that it took for a touchpoint in the last seven days, as it says what it says now; None where nothing was measured.
    """

    rule: dict[str, Any]
    since: PolicyVersion
    frictions: int
    failing: int
    cost_us: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesListing:
    """The rules of a version, in the order of the file."""

    version: PolicyVersion
    rules: Sequence[RuleListing]


async def read(connection: Connection, number: int | None = None) -> RulesListing | None:
    """Return the rules of a version, None for the latest; None if there is no such version. It counts all frictions."""
    stored = await policy_table.load(connection, PolicyKind.RULES)
    if number is not None:
        stored = [one for one in stored if one.version <= number]
    if not stored or number not in (None, stored[-1].version):
        return None
    standing = await frictions.standing(connection)
    failing = await frictions.failing_rules(connection)
    documents = [rule_changes.rules_in(one.document) for one in stored]
    since = {id_: stored[_since(documents, id_)] for id_ in documents[-1]}
    costs = await cost_rows.each(connection, {id_: version.in_force_from for id_, version in since.items()})
    return RulesListing(
        version=stored[-1],
        rules=[
            RuleListing(
                rule=rule,
                since=since[id_],
                frictions=standing.get(id_, 0),
                failing=failing.get(id_, 0),
                cost_us=round(1e6 * costs[id_], 2) if id_ in costs else None,
            )
            for id_, rule in documents[-1].items()
        ],
    )


def _since(documents: Sequence[dict[str, dict[str, Any]]], id_: str) -> int:
    """Return the place of the version since which the rule says what it says in the last one."""
    place = len(documents) - 1
    while place > 0 and documents[place - 1].get(id_) == documents[-1][id_]:
        place -= 1
    return place
