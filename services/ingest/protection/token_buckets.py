"""Token buckets: a burst at once, and a rate per second on average. Pure: the monotonic time is an argument.

A request that costs more than the bucket holds passes when the bucket is full, and leaves it in debt. So the average
holds for requests of any size, and none is refused for ever.
"""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketQuota:
    """`per_s` on average, `burst` at once; both positive."""

    per_s: float
    burst: float

    @property
    def window_s(self) -> float:
        """Seconds in which an empty bucket fills."""
        return self.burst / self.per_s


class TokenBucket:
    """One bucket, full at first."""

    __slots__ = ("_at", "_level", "quota")

    def __init__(self, quota: BucketQuota, now: float) -> None:
        self.quota = quota
        self._level = quota.burst
        self._at = now

    def level(self, now: float) -> float:
        """Return what can be taken at once; negative while in debt."""
        if now > self._at:
            quota = self.quota
            self._level = min(quota.burst, self._level + (now - self._at) * quota.per_s)
            self._at = now
        return self._level

    def wait(self, amount: float, now: float) -> float:
        """Return the seconds until `amount` can be taken, 0 when it can be now."""
        level = self.level(now)
        if level >= amount:
            return 0.0
        missing = min(amount, self.quota.burst) - level
        return max(0.0, missing / self.quota.per_s)

    def take(self, amount: float) -> None:
        """Take `amount`, whether or not it is there; `wait` was asked before."""
        self._level -= amount

    def full_in(self, level: float) -> float:
        """Return the seconds until it is full again from `level`."""
        return (self.quota.burst - level) / self.quota.per_s


class TokenBuckets:
    """A bucket for each name, at most `capacity` of them: the one unused longest is forgotten, and is full again."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._known: OrderedDict[Hashable, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def find(self, name: Hashable) -> TokenBucket | None:
        """Return the bucket of that name if there is one."""
        return self._known.get(name)

    def of(self, name: Hashable, quota: BucketQuota, now: float) -> TokenBucket:
        """Return the bucket of that name, made anew when its quota is another one now."""
        bucket = self._known.get(name)
        if bucket is None or bucket.quota != quota:
            bucket = self._known[name] = TokenBucket(quota, now)
            if len(self._known) > self._capacity:
                self._known.popitem(last=False)
        self._known.move_to_end(name)
        return bucket
