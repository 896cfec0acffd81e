"""Silences: for a time, issues that match notify nobody; they are held, and told when the silence is over.

Pure. A silence has at least one matcher that an issue without labels does not fulfil. It can recur (`during` names
hours inside its time), and it can end by itself with an issue. Changing one keeps its id only while that says the same
thing; otherwise the old one ends and a new one begins.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from services.alerts.policy.hours import NamedHours, next_end
from services.alerts.policy.matchers import Labels, Matcher, all_match


class SilenceState(StrEnum):
    """The state of a silence."""

    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"


class SilenceError(ValueError):
    """A silence would be none; the message says what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A silence; `during` names hours inside its time, `issue_id` an issue that it ends with."""

    id: UUID
    matchers: tuple[Matcher, ...]
    starts_at: datetime
    ends_at: datetime
    comment: str
    created_by: str
    updated_at: datetime
    during: tuple[str, ...] = ()
    issue_id: UUID | None = None
    warn_before: timedelta | None = None
    warned_at: datetime | None = None

    def state(self, now: datetime) -> SilenceState:
        """Return its state at `now`."""
        if now < self.starts_at:
            return SilenceState.PENDING
        return SilenceState.ACTIVE if now < self.ends_at else SilenceState.EXPIRED

    def silent_until(self, hours: Mapping[str, NamedHours], now: datetime) -> datetime | None:
        """Return until when it silences what it matches; None if it does not silence now."""
        if self.state(now) is not SilenceState.ACTIVE:
            return None
        if not self.during:
            return self.ends_at
        named = [hours[name] for name in self.during if name in hours]
        if not any(one.contains(now) for one in named):
            return None
        return min(next_end(named, now) or self.ends_at, self.ends_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveSilence:
    """A silence that holds something now, and until when."""

    silence: Silence
    until: datetime


def find_silence(
    labels: Labels, silences: Iterable[Silence], hours: Mapping[str, NamedHours], now: datetime
) -> ActiveSilence | None:
    """Return the silence that holds an issue with these labels for longest, None if none does."""
    held = [
        ActiveSilence(silence=silence, until=until)
        for silence in silences
        if all_match(silence.matchers, labels) and (until := silence.silent_until(hours, now)) is not None
    ]
    return max(held, key=lambda one: (one.until, one.silence.id), default=None)


def check_silence(silence: Silence, hours: Sequence[str], now: datetime) -> None:
    """Raise `SilenceError` if a new silence would hold everything, nothing, or name hours that do not exist."""
    if all(matcher.takes_nothing for matcher in silence.matchers):
        raise SilenceError("at least one matcher must need a label, or the silence would hold every issue")
    if silence.ends_at <= silence.starts_at:
        raise SilenceError("ends_at must be later than starts_at")
    if silence.ends_at <= now:
        raise SilenceError("ends_at is in the past")
    if unknown := sorted(set(silence.during) - set(hours)):
        raise SilenceError(f"there are no hours named {', '.join(unknown)}")


def keeps_id(before: Silence, after: Silence, now: datetime) -> bool:
    """Return whether a changed silence is still the same one: it holds the same, from the same time on."""
    state = before.state(now)
    if state is SilenceState.EXPIRED or after.ends_at < now:
        return False
    same = set(before.matchers) == set(after.matchers) and before.during == after.during
    if state is SilenceState.ACTIVE:
        return same and before.starts_at == after.starts_at
    return same and after.starts_at >= now


def expire(silence: Silence, now: datetime) -> Silence:
    """Return the silence ended at `now`; one that is over stays as it is."""
    if silence.state(now) is SilenceState.EXPIRED:
        return silence
    starts = min(silence.starts_at, now)
    return replace(silence, starts_at=starts, ends_at=now, updated_at=now)
