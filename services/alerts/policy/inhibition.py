"""Inhibition: while an issue of one kind is open, issues of another kind that share labels with it notify nobody.

Pure. As in Alertmanager: a target is inhibited while an open source matches the rule and has the same values of the
labels in `equal` (a missing label is empty); an issue that matches both sides is not inhibited by another one that
matches both too. A source is known by its rule and those values, so finding one is a look-up, however many are open.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.alerts.policy.matchers import NO_VALUE, Labels, Matcher, all_match

_SEPARATOR = "\x1f"
_BETWEEN_VALUES = "\x1e"


@dataclass(frozen=True, slots=True, kw_only=True)
class InhibitRule:
    """Which issues inhibit which others."""

    id: UUID
    name: str
    source_matchers: tuple[Matcher, ...]
    target_matchers: tuple[Matcher, ...]
    equal: tuple[str, ...] = ()

    def key(self, labels: Labels) -> str:
        """Return the values of the labels in `equal` as one text."""
        values = (_BETWEEN_VALUES.join(labels.get(name) or NO_VALUE) for name in sorted(self.equal))
        return _SEPARATOR.join((str(self.id), *values))


@dataclass(frozen=True, slots=True, kw_only=True)
class InhibitionSource:
    """An open issue that inhibits others under a key; `matches_both` if it is a target of the rule too."""

    key: str
    issue_id: UUID
    matches_both: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Inhibitor:
    """What inhibits an issue: the rule and one open source."""

    rule: InhibitRule
    source: UUID
    key: str


def sources_of(issue_id: UUID, labels: Labels, rules: Iterable[InhibitRule]) -> list[InhibitionSource]:
    """Return what an open issue with these labels inhibits."""
    return [
        InhibitionSource(key=rule.key(labels), issue_id=issue_id, matches_both=all_match(rule.target_matchers, labels))
        for rule in rules
        if all_match(rule.source_matchers, labels)
    ]


def target_keys(labels: Labels, rules: Iterable[InhibitRule]) -> list[str]:
    """Return the keys under which a source would inhibit an issue with these labels."""
    return [rule.key(labels) for rule in rules if all_match(rule.target_matchers, labels)]


def find_inhibitor(
    labels: Labels, rules: Iterable[InhibitRule], sources: Mapping[str, Sequence[InhibitionSource]]
) -> Inhibitor | None:
    """Return what inhibits an issue with these labels, None if nothing does."""
    for rule in rules:
        if not all_match(rule.target_matchers, labels):
            continue
        is_source = all_match(rule.source_matchers, labels)
        key = rule.key(labels)
        for source in sources.get(key, ()):
            if not (is_source and source.matches_both):
                return Inhibitor(rule=rule, source=source.issue_id, key=key)
    return None
