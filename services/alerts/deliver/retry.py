"""What an answer means and when to try again: the verdict on one attempt, the ladder, and the health of an endpoint.

Jitter is an argument. The ladder is the one of Standard Webhooks' example with early steps at 30 s and 2 min, because
news of friction is perishable; it spans 75.7 hours. Leaves sending to the dispatcher.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

LADDER = (
    timedelta(seconds=0),
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""Waits before the first try, the second, … After the last failure the delivery is exhausted: kept, not tried."""

JITTER = 0.2
"""The largest part of a wait that is added at random, so that retries of many do not come together."""

LONGEST_RETRY_AFTER = timedelta(hours=1)
BREAKER_OPENS_AFTER = 5
BREAKER_FIRST = timedelta(seconds=30)
BREAKER_LONGEST = timedelta(minutes=15)
DISABLE_AFTER = timedelta(days=5)
SILENT_AFTER = timedelta(minutes=10)
"""An endpoint that was tried and has taken nothing for so long counts as one that nobody hears, whatever it answers."""


class Outcome(StrEnum):
    """What an attempt came to."""

    DELIVERED = "delivered"
    RETRY = "retry"
    PAUSE = "pause"
    """The receiver asks for time: not its fault, and no step down the ladder."""
    GONE = "gone"
    """410: the receiver wants nothing any more."""


class Failure(StrEnum):
    """Why an attempt did not deliver; a metric label."""

    NONE = "none"
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    FORBIDDEN_TARGET = "ssrf"
    PROTOCOL = "protocol"
    SIGNING = "signing"
    """Its secret cannot be made: a master key is missing from the settings."""
    REDIRECT = "http_3xx"
    GONE = "http_410"
    THROTTLED = "http_429"
    CLIENT_ERROR = "http_4xx"
    SERVER_ERROR = "http_5xx"
    ODD_STATUS = "http_1xx"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: a status, or the failure that kept one from coming."""

    status: int | None = None
    failure: Failure = Failure.NONE
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome, its reason, and how long the receiver asked to be left alone (bounded)."""

    outcome: Outcome
    failure: Failure
    pause: timedelta | None = None


def judge(answer: Answer) -> Verdict:
    """Decide what `answer` means. Only 2xx is success; a redirect is never followed and never a success."""
    if answer.status is None:
        return Verdict(outcome=Outcome.RETRY, failure=answer.failure)
    if 200 <= answer.status < 300:
        return Verdict(outcome=Outcome.DELIVERED, failure=Failure.NONE)
    if answer.status == 410:
        return Verdict(outcome=Outcome.GONE, failure=Failure.GONE)
    failure = _failure_of(answer.status)
    pause = min(answer.retry_after or timedelta(), LONGEST_RETRY_AFTER)
    if pause > timedelta() and answer.status in {429, 503}:
        return Verdict(outcome=Outcome.PAUSE, failure=failure, pause=pause)
    return Verdict(outcome=Outcome.RETRY, failure=failure)


def _failure_of(status: int) -> Failure:
    if status == 429:
        return Failure.THROTTLED
    classes = {3: Failure.REDIRECT, 4: Failure.CLIENT_ERROR, 5: Failure.SERVER_ERROR}
    return classes.get(status // 100, Failure.ODD_STATUS)


@dataclass(frozen=True, slots=True, kw_only=True)
class NextTry:
    """Where a delivery goes on: its step on the ladder and when; `at` None: the ladder is used up."""

    step: int
    at: datetime | None


def next_try(step: int, verdict: Verdict, *, age: timedelta, now: datetime, jitter: float) -> NextTry:
    """Return when to try again after a failure on `step` (0 for the first try). `jitter` is in 0 to 1.

    A pause takes no step, unless the delivery is older than the whole ladder: a receiver cannot pause for ever.
    """
    if verdict.outcome is Outcome.PAUSE and verdict.pause is not None and age < sum(LADDER, timedelta()):
        return NextTry(step=step, at=now + verdict.pause * (1 + JITTER * jitter))
    if step + 1 >= len(LADDER):
        return NextTry(step=step + 1, at=None)
    return NextTry(step=step + 1, at=now + LADDER[step + 1] * (1 + JITTER * jitter))


class Turn(StrEnum):
    """What an attempt did to the standing of its endpoint."""

    UNCHANGED = "unchanged"
    RECOVERED = "recovered"
    BREAKER_OPENED = "breaker_opened"
    PAUSED = "paused"
    DISABLED_GONE = "gone"
    DISABLED_FAILING = "failing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How an endpoint is doing. While `paused_until` lies ahead nothing is sent; after it, one probe at a time.

    `failing_since`: it has taken nothing since then, whether it fails or asks for time again and again.
    """

    consecutive_failures: int = 0
    failing_since: datetime | None = None
    paused_until: datetime | None = None

    @property
    def breaker_open(self) -> bool:
        """Whether it failed so often in a row that it counts as unreachable until it answers."""
        return self.consecutive_failures >= BREAKER_OPENS_AFTER

    def silent_since(self, now: datetime) -> datetime | None:
        """Since when nobody hears what is sent there; None: there is no reason to think so.

        That is so while the breaker is open, and for a receiver that asks for time again and again: its breaker never
        opens.
        """
        since = self.failing_since
        if since is None:
            return None
        return since if self.breaker_open or now - since >= SILENT_AFTER else None


def after(health: Health, verdict: Verdict, *, now: datetime) -> tuple[Health, Turn]:
    """Return the endpoint's health after an attempt, and what turned."""
    match verdict.outcome:
        case Outcome.DELIVERED:
            turn = Turn.RECOVERED if health.consecutive_failures >= BREAKER_OPENS_AFTER else Turn.UNCHANGED
            return Health(), turn
        case Outcome.GONE:
            return health, Turn.DISABLED_GONE
        case Outcome.PAUSE:
            pause = now + (verdict.pause or BREAKER_FIRST)
            return replace(health, failing_since=health.failing_since or now, paused_until=pause), Turn.PAUSED
        case Outcome.RETRY:
            return _failed(health, now)


def _failed(health: Health, now: datetime) -> tuple[Health, Turn]:
    failures = health.consecutive_failures + 1
    since = health.failing_since or now
    pause = breaker_pause(failures)
    worse = Health(
        consecutive_failures=failures,
        failing_since=since,
        paused_until=now + pause if pause else health.paused_until,
    )
    if now - since >= DISABLE_AFTER:
        return worse, Turn.DISABLED_FAILING
    return worse, Turn.BREAKER_OPENED if pause else Turn.UNCHANGED


def breaker_pause(consecutive_failures: int) -> timedelta | None:
    """Return how long to leave an endpoint alone: 30 s after five failures in a row, doubling to 15 min."""
    if consecutive_failures < BREAKER_OPENS_AFTER:
        return None
    doublings = min(consecutive_failures - BREAKER_OPENS_AFTER, 10)
    return min(BREAKER_FIRST * (1 << doublings), BREAKER_LONGEST)
