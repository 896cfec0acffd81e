"""Decides what an answer means and when to try again: verdicts, the retry schedule, and the health of an endpoint.

Pure: jitter and the time are arguments. The schedule is the example of Standard Webhooks with additional early attempts
after 30 s and 2 min, because a notification about a friction loses its value quickly; it spans 75.6 hours. Sending is
left to the dispatcher.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

RETRY_SCHEDULE = (
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
"""Delays before the first attempt, the second, and so on. After the last failure the delivery is exhausted."""

JITTER = 0.2
"""The largest fraction of a delay that is added at random, so that many retries do not come at once."""

LONGEST_RETRY_AFTER = timedelta(hours=1)
BREAKER_OPENS_AFTER = 5
BREAKER_FIRST = timedelta(seconds=30)
BREAKER_LONGEST = timedelta(minutes=15)
DISABLE_AFTER = timedelta(days=5)
SILENT_AFTER = timedelta(minutes=10)
"""An endpoint that has accepted nothing for so long counts as silent, whatever it answers."""


class AttemptOutcome(StrEnum):
    """What happened in an attempt."""

    DELIVERED = "delivered"
    RETRY = "retry"
    PAUSE = "pause"
    """The receiver asks for time: this is not a failure, and the step of the schedule stays."""
    GONE = "gone"
    """410, or a vendor's word for it: the place or the permission to write there is gone."""
    REFUSED = "refused"
    """The receiver will never take this message, whatever its endpoint; the endpoint itself is well."""


class AttemptFailure(StrEnum):
    """Why an attempt failed; a metric label."""

    NONE = "none"
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    FORBIDDEN_TARGET = "ssrf"
    PROTOCOL = "protocol"
    SIGNING = "signing"
    """The secret cannot be derived: a master key is missing from the settings."""
    REDIRECT = "http_3xx"
    GONE = "http_410"
    REVOKED = "revoked"
    """The vendor says that the channel, the token or the flow is gone; the excerpt of the attempt has its word."""
    REFUSED = "refused"
    """The vendor says that this message is malformed or too long; sending it again changes nothing."""
    RENDERING = "rendering"
    """The message could not be rendered for this endpoint: a template of its own failed."""
    UNSEALABLE = "unsealable"
    """The endpoint's credentials cannot be opened: a master key is missing from the settings."""
    THROTTLED = "http_429"
    CLIENT_ERROR = "http_4xx"
    SERVER_ERROR = "http_5xx"
    ODD_STATUS = "http_1xx"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverAnswer:
    """What came back: a status, or the failure that prevented one."""

    status: int | None = None
    failure: AttemptFailure = AttemptFailure.NONE
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptVerdict:
    """What was decided about an answer: the outcome, the failure, and the pause that the receiver asked for."""

    outcome: AttemptOutcome
    failure: AttemptFailure
    pause: timedelta | None = None


def judge_answer(answer: ReceiverAnswer) -> AttemptVerdict:
    """Decide what `answer` means: only 2xx is a success, and a redirect is not followed."""
    if answer.status is None:
        return AttemptVerdict(outcome=AttemptOutcome.RETRY, failure=answer.failure)
    if 200 <= answer.status < 300:
        return AttemptVerdict(outcome=AttemptOutcome.DELIVERED, failure=AttemptFailure.NONE)
    if answer.status == 410:
        return AttemptVerdict(outcome=AttemptOutcome.GONE, failure=AttemptFailure.GONE)
    failure = _failure_of(answer.status)
    pause = min(answer.retry_after or timedelta(), LONGEST_RETRY_AFTER)
    if pause > timedelta() and answer.status in {429, 503}:
        return AttemptVerdict(outcome=AttemptOutcome.PAUSE, failure=failure, pause=pause)
    return AttemptVerdict(outcome=AttemptOutcome.RETRY, failure=failure)


def _failure_of(status: int) -> AttemptFailure:
    if status == 429:
        return AttemptFailure.THROTTLED
    classes = {3: AttemptFailure.REDIRECT, 4: AttemptFailure.CLIENT_ERROR, 5: AttemptFailure.SERVER_ERROR}
    return classes.get(status // 100, AttemptFailure.ODD_STATUS)


@dataclass(frozen=True, slots=True, kw_only=True)
class NextAttempt:
    """The next attempt of a delivery: its step in the schedule, and when; `at` is None after the last step."""

    step: int
    at: datetime | None


def next_attempt(step: int, verdict: AttemptVerdict, *, age: timedelta, now: datetime, jitter: float) -> NextAttempt:
    """Return when to try again after a failure on `step` (0 for the first attempt); `jitter` is from 0 to 1.

    A pause keeps the step, unless the delivery is older than the whole schedule: no receiver can pause for ever.
    """
    if verdict.outcome is AttemptOutcome.PAUSE and verdict.pause is not None and age < sum(RETRY_SCHEDULE, timedelta()):
        return NextAttempt(step=step, at=now + verdict.pause * (1 + JITTER * jitter))
    if step + 1 >= len(RETRY_SCHEDULE):
        return NextAttempt(step=step + 1, at=None)
    return NextAttempt(step=step + 1, at=now + RETRY_SCHEDULE[step + 1] * (1 + JITTER * jitter))


class HealthChange(StrEnum):
    """How an attempt changed the health of its endpoint; an audit event."""

    UNCHANGED = "unchanged"
    RECOVERED = "recovered"
    BREAKER_OPENED = "breaker_opened"
    PAUSED = "paused"
    REFUSED = "refused"
    DISABLED_GONE = "gone"
    DISABLED_FAILING = "failing"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointHealth:
    """The health of an endpoint. Until `paused_until` nothing is sent; afterwards one probe at a time is.

    Since `failing_since` it has accepted nothing, whether it fails or keeps asking for time.
    """

    consecutive_failures: int = 0
    failing_since: datetime | None = None
    paused_until: datetime | None = None

    @property
    def breaker_open(self) -> bool:
        """Whether it failed so often in a row that it counts as unreachable until it answers."""
        return self.consecutive_failures >= BREAKER_OPENS_AFTER

    def silent_since(self, now: datetime) -> datetime | None:
        """Return since when the endpoint has been silent, None if it is not.

        It is silent while the breaker is open, and also if it keeps asking for time, for then the breaker never opens.
        """
        since = self.failing_since
        if since is None:
            return None
        return since if self.breaker_open or now - since >= SILENT_AFTER else None


def health_after(
    health: EndpointHealth, verdict: AttemptVerdict, *, now: datetime
) -> tuple[EndpointHealth, HealthChange]:
    """Return the health of an endpoint after an attempt, and how it changed."""
    match verdict.outcome:
        case AttemptOutcome.DELIVERED:
            change = (
                HealthChange.RECOVERED if health.consecutive_failures >= BREAKER_OPENS_AFTER else HealthChange.UNCHANGED
            )
            return EndpointHealth(), change
        case AttemptOutcome.GONE:
            return health, HealthChange.DISABLED_GONE
        case AttemptOutcome.REFUSED:  # it answers, and it takes other messages: that is all that health is about
            return health, HealthChange.REFUSED
        case AttemptOutcome.PAUSE:
            pause = now + (verdict.pause or BREAKER_FIRST)
            return replace(health, failing_since=health.failing_since or now, paused_until=pause), HealthChange.PAUSED
        case AttemptOutcome.RETRY:
            return _failed(health, now)


def _failed(health: EndpointHealth, now: datetime) -> tuple[EndpointHealth, HealthChange]:
    failures = health.consecutive_failures + 1
    since = health.failing_since or now
    pause = breaker_pause(failures)
    worse = EndpointHealth(
        consecutive_failures=failures,
        failing_since=since,
        paused_until=now + pause if pause else health.paused_until,
    )
    if now - since >= DISABLE_AFTER:
        return worse, HealthChange.DISABLED_FAILING
    return worse, HealthChange.BREAKER_OPENED if pause else HealthChange.UNCHANGED


def breaker_pause(consecutive_failures: int) -> timedelta | None:
    """Return how long to pause an endpoint: 30 s after five failures in a row, doubled up to 15 min."""
    if consecutive_failures < BREAKER_OPENS_AFTER:
        return None
    doublings = min(consecutive_failures - BREAKER_OPENS_AFTER, 10)
    return min(BREAKER_FIRST * (1 << doublings), BREAKER_LONGEST)
