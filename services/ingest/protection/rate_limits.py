"""Limits the requests and touchpoints per second of a source and of each of its keys, per replica.

It refuses with 429 and an integer Retry-After. Every response reports what is left, in the header fields of
draft-ietf-httpapi-ratelimit-headers-10. Leaves the total in flight to `admission`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from services.ingest.protection.token_buckets import BucketQuota, TokenBucket, TokenBuckets
from services.ingest.reasons import RequestRefusal, RequestRefusedError
from services.ingest.sources.source import Source, SourcePace
from services.runtime.clock import Clock
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

LONGEST_WAIT_S = 300
"""Of a Retry-After: producers' libraries do not believe more."""

_SAY_EVERY_S = 60.0
_REMEMBERED = 4_096
_BUCKETS_OF_A_KEY = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """The default limits of a source (0: no limit), and the seconds' worth of them that may come at once."""

    requests_per_s: float
    touchpoints_per_s: float
    burst_s: float


class _Limit:
    """One bucket that applies, under the name that producers see."""

    __slots__ = ("bucket", "name")

    def __init__(self, name: str, bucket: TokenBucket) -> None:
        self.name = name
        self.bucket = bucket


class _Meter:
    """All limits of one key; made once, since a request asks for them three times."""

    __slots__ = ("both", "policy", "requests", "source", "touchpoints")

    def __init__(self, source: Source, requests: tuple[_Limit, ...], touchpoints: tuple[_Limit, ...]) -> None:
        self.source = source
        self.requests = requests
        self.touchpoints = touchpoints
        self.both = requests + touchpoints
        self.policy = ", ".join(_policy(limit) for limit in self.both)

    def is_for(self, source: Source) -> bool:
        """Return whether `source` may send as fast as the one that this was made for."""
        if source is self.source:
            return True
        if source.pace != self.source.pace or source.key_pace != self.source.key_pace:
            return False
        self.source = source  # keys were read anew, and nothing changed
        return True


class RateLimiter:
    """The buckets of all sources and keys."""

    def __init__(self, rules: RateLimits, clock: Clock, *, capacity: int = 20_000) -> None:
        self._rules = rules
        self._clock = clock
        self._capacity = capacity
        self._buckets = TokenBuckets(capacity)
        self._meters: dict[tuple[str, str], _Meter] = {}
        self._said: dict[str, float] = {}

    def take_request(self, source: Source) -> None:
        """Count one request; raises `RequestRefusedError`."""
        self._take(source, self._meter(source).requests, 1, RequestRefusal.TOO_MANY_REQUESTS)

    def take_touchpoints(self, source: Source, count: int) -> None:
        """Count the touchpoints of one request; raises `RequestRefusedError`, and then none is counted."""
        self._take(source, self._meter(source).touchpoints, count, RequestRefusal.TOO_MANY_TOUCHPOINTS)

    def headers(self, source: Source) -> dict[str, str]:
        """Return the fields for an answer to `source`; none where nothing is limited."""
        meter = self._meter(source)
        if not meter.both:
            return {}
        now = self._clock.monotonic()
        left = ", ".join([_remaining(limit, now) for limit in meter.both])
        return {"ratelimit-policy": meter.policy, "ratelimit": left}

    def _take(self, source: Source, limits: tuple[_Limit, ...], amount: int, refusal: RequestRefusal) -> None:
        now = self._clock.monotonic()
        wait = 0.0
        for limit in limits:
            wait = max(wait, limit.bucket.wait(amount, now))
        if wait > 0.0:
            self._say(source.name, refusal, now)
            after = min(LONGEST_WAIT_S, max(1, math.ceil(wait)))
            raise RequestRefusedError(refusal, headers={"retry-after": str(after)}, retry_after=after)
        for limit in limits:
            limit.bucket.take(amount)

    def _meter(self, source: Source) -> _Meter:
        known = self._meters.get((source.name, source.key_id))
        if known is not None and known.is_for(source):
            return known
        if len(self._meters) * _BUCKETS_OF_A_KEY >= self._capacity:
            self._meters.clear()  # before a bucket is forgotten that a meter still fills
        meter = _Meter(source, tuple(self._found(source, "requests")), tuple(self._found(source, "touchpoints")))
        self._meters[source.name, source.key_id] = meter
        return meter

    def _found(self, source: Source, what: str) -> Iterator[_Limit]:
        now = self._clock.monotonic()
        default = self._rules.requests_per_s if what == "requests" else self._rules.touchpoints_per_s
        own = _per_s(source.pace, what) or default
        if own:
            quota = BucketQuota(per_s=own, burst=max(1.0, own * self._rules.burst_s))
            yield _Limit(what, self._buckets.of((source.name, what), quota, now))
        if of_key := _per_s(source.key_pace, what):
            quota = BucketQuota(per_s=of_key, burst=max(1.0, of_key * self._rules.burst_s))
            yield _Limit(f"key-{what}", self._buckets.of((source.name, source.key_id, what), quota, now))

    def _say(self, source: str, refusal: RequestRefusal, now: float) -> None:
        """Log once a minute which source is slowed down: metrics carry no names."""
        if now - self._said.get(source, -_SAY_EVERY_S) < _SAY_EVERY_S:
            return
        if len(self._said) >= _REMEMBERED:
            self._said.clear()
        self._said[source] = now
        _log.warning("source sends faster than it may", source=source, reason=str(refusal))


def _per_s(pace: SourcePace, what: str) -> float | None:
    return pace.requests if what == "requests" else pace.touchpoints


def _policy(limit: _Limit) -> str:
    quota = limit.bucket.quota
    unit = "" if limit.name.endswith("requests") else ';qu="touchpoints"'
    return f'"{limit.name}";q={int(quota.burst)};w={max(1, math.ceil(quota.window_s))}{unit}'


def _remaining(limit: _Limit, now: float) -> str:
    level = limit.bucket.level(now)
    return f'"{limit.name}";r={max(0, int(level))};t={math.ceil(limit.bucket.full_in(level))}'
