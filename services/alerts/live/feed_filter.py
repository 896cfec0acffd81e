"""Decides which changes of issues a reader of the live stream is told, and when an issue left what they asked for.

Pure. A reader names severities, teams and owners; an aspect that they leave out does not restrict them.
"""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

OPENED = "issue.opened"
"""The type of a first version: there was nothing before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueAspects:
    """What readers choose issues by: how severe one is, the names of the teams that have it, and its owner."""

    severity: str
    teams: frozenset[str] = frozenset()
    owner: str | None = None


class FeedVerdict(StrEnum):
    """What a reader is told of a change."""

    TOLD = "told"
    LEFT = "left"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedFilter:
    """Which issues a reader of the live stream asked for."""

    severities: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()
    owners: frozenset[str] = frozenset()

    @property
    def takes_all(self) -> bool:
        """Whether nothing is left out."""
        return not (self.severities or self.teams or self.owners)

    def takes(self, issue: IssueAspects) -> bool:
        """Return whether the reader asked for such an issue."""
        return (
            (not self.severities or issue.severity in self.severities)
            and (not self.teams or not self.teams.isdisjoint(issue.teams))
            and (not self.owners or issue.owner in self.owners)
        )

    def verdict(self, change: str, was: IssueAspects | None, now: IssueAspects) -> FeedVerdict:
        """Return what the reader is told of a change of the type `change`.

        A change that came from the release before does not say how the issue was: to leave twice does no harm.
        """
        if self.takes(now):
            return FeedVerdict.TOLD
        if change == OPENED or (was is not None and not self.takes(was)):
            return FeedVerdict.NOTHING
        return FeedVerdict.LEFT


EVERYTHING = FeedFilter()


class _Share(msgspec.Struct, frozen=True):
    name: str


class _Aspects(msgspec.Struct, frozen=True, omit_defaults=True):
    """The members of issue v1 that readers choose by; the same form keeps how an issue was."""

    severity: str = ""
    team: str | None = None
    teams: tuple[_Share, ...] = ()
    owner: str | None = None


_ASPECTS = msgspec.json.Decoder(_Aspects)


def aspects_in(document: str) -> IssueAspects:
    """Return the aspects of an issue in issue v1, or in a text that `aspects_text` made."""
    found = _ASPECTS.decode(document)
    names = {share.name for share in found.teams} | ({found.team} if found.team is not None else set())
    return IssueAspects(severity=found.severity, teams=frozenset(names), owner=found.owner)


def aspects_text(aspects: IssueAspects) -> str:
    """Return the text by which the feed keeps how an issue was."""
    teams = tuple(_Share(name) for name in sorted(aspects.teams))
    return msgspec.json.encode(_Aspects(severity=aspects.severity, teams=teams, owner=aspects.owner)).decode()
