"""What `waymark rules` reads and writes: files of people, and the versions in the database."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from services.alerts.feedback import feedback_store
from services.alerts.feedback.said_feedback import FeedbackCount
from services.journey.domain.rules.book import Rulebook
from services.journey.domain.rules.edition import UnknownRule
from services.journey.rulebook import rules_file, stored_rules
from services.journey.rulebook.rules_file import ResolvedRules, RulesRefusedError
from services.journey.shadowing import shadow_listing, shadow_versions
from services.journey.shadowing.shadow_listing import ShadowListing
from services.journey.shadowing.shadow_versions import NothingToTryError
from services.journey.store import shadow_rows
from services.journey.versions import rule_changes, rule_listing, storing
from services.journey.versions.policy_table import PolicyKind, PolicyVersion
from services.journey.versions.rule_changes import RuleChanges
from services.journey.versions.rule_listing import RulesListing
from services.journey.versions.storing import PolicyApplication
from services.runtime.postgres.pools import Connection
from waymark import policy_versions
from waymark.console import CommandError, say

DEFAULT = "default"
"""The word for the rules that come with this release, in place of a file."""


EXAMPLES = 5
"""Frictions that only one side has, of each rule in the shadow."""


def resolve(name: str) -> ResolvedRules:
    """Return a rules file, or the shipped one for `default`; raise `RulesRefusedError` or `CommandError`."""
    try:
        return rules_file.resolve_file(None if name == DEFAULT else Path(name))
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}", exit_code=2) from error


def read_file(name: str) -> ResolvedRules:
    """Return a rules file, or the shipped one for `default`; raise `CommandError` (exit code 2) with every mistake."""
    try:
        return resolve(name)
    except RulesRefusedError as error:
        raise CommandError(str(error), exit_code=2) from error


def apply(resolved: ResolvedRules, *, by: str, note: str) -> tuple[PolicyApplication, RuleChanges]:
    """Store a file as the next version and put it in force; return what came of it."""
    return _apply(lambda connection: _file(connection, resolved, by, note))


def apply_again(number: int, *, by: str, note: str) -> tuple[PolicyApplication, RuleChanges]:
    """Put an earlier version in force again, as the next one; raise `CommandError` if it cannot be used."""
    return _apply(lambda connection: policy_versions.put_again(connection, PolicyKind.RULES, number, by, note))


def try_in_shadow(resolved: ResolvedRules, *, by: str, note: str) -> PolicyVersion:
    """Put what a file changes into the shadow; raise `CommandError` if it changes nothing that can be tried."""
    return _shadow(lambda connection: shadow_versions.try_rules(connection, resolved, author=by, note=note)).version


def apply_from_shadow(*, by: str, note: str) -> tuple[PolicyApplication, RuleChanges]:
    """Put the file whose rules are in the shadow in force; raise `CommandError` if nothing is there."""
    applied = _shadow(lambda connection: shadow_versions.put_in_force(connection, author=by, note=note))
    before = applied.before
    return applied, rule_changes.compare(before.document if before else None, applied.version.document)


def end_shadow(*, by: str, note: str) -> PolicyVersion:
    """Take everything out of the shadow; raise `CommandError` if nothing is there."""
    return _shadow(lambda connection: shadow_versions.end(connection, author=by, note=note)).version


def _shadow(work: Callable[[Connection], Awaitable[PolicyApplication]]) -> PolicyApplication:
    try:
        applied = policy_versions.run(work)
    except NothingToTryError as error:
        raise CommandError(
            say(
                "there is nothing to try: the file switches on and changes nothing, or nothing is in the shadow",
                "시험할 규칙이 없습니다. 파일이 바꾸거나 켜는 것이 없거나, 그림자에 규칙이 없습니다",
            )
        ) from error
    _forget_what_is_over()
    return applied


def _forget_what_is_over() -> None:
    """Remove what trials found that are over: after the change, so that no worker waits for it."""

    async def forget(connection: Connection) -> None:
        await shadow_rows.forget(connection, await shadow_listing.numbers(connection))

    policy_versions.run(forget)


def shadow() -> ShadowListing | None:
    """Return what is in the shadow, None if nothing is."""
    return policy_versions.run(lambda connection: shadow_listing.read(connection, EXAMPLES))


def _apply(work: Callable[[Connection], Awaitable[PolicyApplication]]) -> tuple[PolicyApplication, RuleChanges]:
    applied = policy_versions.run(work)
    _forget_what_is_over()
    before = applied.before
    return applied, rule_changes.compare(before.document if before else None, applied.version.document)


async def _file(connection: Connection, resolved: ResolvedRules, by: str, note: str) -> PolicyApplication:
    return await shadow_versions.apply(connection, storing.of_rules(resolved, author=by, note=note))


def rules_in_force() -> Rulebook:
    """Return the rules of the latest version that this release knows, or the shipped ones where nothing is stored."""
    stored = policy_versions.load(PolicyKind.RULES)
    if not stored:
        return rules_file.load()
    rules = stored_rules.decode(stored[-1].document)
    return Rulebook([rule for rule in rules if not isinstance(rule, UnknownRule)])


def listing() -> RulesListing:
    """Return the version in force and its rules; raise `CommandError` if there is none."""
    found = policy_versions.run(rule_listing.read)
    if found is None:
        policy_versions.demand_any(PolicyKind.RULES, [])
    assert found is not None  # noqa: S101  `demand_any` has raised
    return found


def feedback(rule: str | None = None) -> list[FeedbackCount]:
    """Return what people said of issues, by rule and version; nothing where alerts has no database here yet."""

    async def count(connection: Connection) -> list[FeedbackCount]:
        if not await feedback_store.is_there(connection):
            return []
        return await feedback_store.count(connection, rule=rule)

    return policy_versions.run(count)


def shipped_differs(version: PolicyVersion) -> RuleChanges:
    """Return what the rules that come with this release would change."""
    shipped = stored_rules.encode(rules_file.resolve_file().rules)
    return rule_changes.compare(version.document, shipped)


def whole_rule(version: PolicyVersion, id_: str) -> dict[str, Any]:
    """Return a rule of a version; raise `CommandError` with the nearest ids if there is none."""
    from difflib import get_close_matches

    rules = rule_changes.rules_in(version.document)
    if id_ in rules:
        return rules[id_]
    near = get_close_matches(id_, rules, n=3, cutoff=0.5)
    hint = say("did you mean", "혹시") + f" {', '.join(near)}?" if near else ", ".join(rules)
    raise CommandError(
        say(
            f"there is no rule {id_} in version {version.version}; {hint}",
            f"버전 {version.version}에 {id_} 규칙이 없습니다. {hint}",
        )
    )
