"""Rules in the shadow as a list shows them: what each found since it was put there, beside the rule in force."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.journey.domain.shadow import ShadowBook, ShadowTrial, ShadowVersion
from services.journey.rulebook import stored_rules
from services.journey.shadowing import shadow_versions
from services.journey.store import frictions, shadow_rows
from services.journey.store.shadow_rows import ShadowCounts, ShadowExample
from services.journey.versions import policy_table, rule_changes
from services.journey.versions.policy_table import PolicyKind, PolicyVersion
from services.runtime.postgres.pools import Connection

NO_COUNTS = ShadowCounts()


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedRule:
    """A rule in the shadow; `differs` names the members that the rule in force says otherwise, if there is one.

    `examples` are the latest frictions that only one side has.
    `failing` is the number of customers for whom it raised and has not answered since.
    """

    rule: dict[str, Any]
    trial: ShadowTrial
    counts: ShadowCounts
    differs: tuple[str, ...]
    is_new: bool
    failing: int
    examples: Sequence[ShadowExample]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowListing:
    """What is in the shadow, in the order of its file; the version says who put it there, when and why."""

    version: PolicyVersion
    rules: Sequence[TriedRule]


async def read(connection: Connection, examples: int = 0) -> ShadowListing | None:
    """Return what is in the shadow, with so many examples of each rule; None if nothing is."""
    versions = await shadow_versions.trials(connection)
    if not versions:
        return None
    shadow = stored_rules.read_shadow(versions[-1].document)
    if not shadow.shadowed:
        return None
    trials = _trials(versions)
    counts = await shadow_rows.counts(connection, {trial.number for trial in trials.values()})
    failing = await frictions.failing_rules(connection)
    in_force = (await policy_table.load(connection, PolicyKind.RULES))[-1:]
    changes = rule_changes.compare(in_force[0].document if in_force else None, stored_rules.encode(shadow.rules))
    return ShadowListing(
        version=versions[-1],
        rules=[
            TriedRule(
                rule=rule,
                trial=trials[rule["id"]],
                counts=counts.get((trials[rule["id"]].number, rule["id"]), NO_COUNTS),
                differs=(
                    *(("enabled",) if rule["id"] in changes.on else ()),
                    *changes.changed.get(rule["id"], ()),
                ),
                is_new=rule["id"] in changes.new,
                failing=failing.get(trials[rule["id"]].name, 0),
                examples=await shadow_rows.examples(connection, trials[rule["id"]].number, rule["id"], examples),
            )
            for rule in shadow.tried
        ],
    )


async def numbers(connection: Connection) -> set[int]:
    """Return the versions at which the trials began that go on."""
    return {trial.number for trial in _trials(await shadow_versions.trials(connection)).values()}


def _trials(versions: Sequence[PolicyVersion]) -> dict[str, ShadowTrial]:
    book = ShadowBook(
        [
            ShadowVersion(
                number=one.version,
                in_force_from=one.in_force_from,
                rules=stored_rules.decode_shadow(one.document),
            )
            for one in versions
        ]
    )
    return {trial.rule: trial for trial in book.trials.values()}
