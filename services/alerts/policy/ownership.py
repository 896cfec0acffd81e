"""Ownership: which teams and which person have the issues of a rule, whatever the routes say.

Pure. Every entry that matches counts, so an issue of two rules has the teams of both; the first person named is the
owner.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from uuid import UUID

from services.alerts.policy.matchers import Matcher, all_match
from services.alerts.policy.tree import RoutingFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """Who has the issues of these rules (`*` stands for anything), if they fulfil the matchers as well."""

    rules: tuple[str, ...]
    matchers: tuple[Matcher, ...] = ()
    teams: tuple[UUID, ...] = ()
    owner: str | None = None

    def holds(self, about: RoutingFacts) -> bool:
        """Return whether an issue with these facts is of its rules."""
        of_rules = any(fnmatchcase(rule, pattern) for rule in about.rules for pattern in self.rules)
        return of_rules and (not self.matchers or all_match(self.matchers, about.labels))


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """The teams that own an issue, in the order of the policy, and the person who does."""

    teams: tuple[UUID, ...] = ()
    person: str | None = None


def find_owners(about: RoutingFacts, ownerships: Iterable[Ownership]) -> Owners:
    """Return who owns an issue with these facts."""
    found = [one for one in ownerships if one.holds(about)]
    return Owners(
        teams=tuple(dict.fromkeys(team for one in found for team in one.teams)),
        person=next((one.owner for one in found if one.owner is not None), None),
    )
