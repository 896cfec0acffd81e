"""Limits how often one address may present wrong keys; beyond the limit its unknown keys are not looked up.

A valid key that is held in memory is never refused because of its neighbours: many producers share one address.
"""

import math

from services.ingest.protection.rate_limits import LONGEST_WAIT_S
from services.ingest.protection.token_buckets import BucketQuota, TokenBuckets
from services.runtime.clock import Clock

_BURST_S = 60.0


class WrongKeyLimiter:
    """A bucket of failures for each address; `per_minute` 0 counts nothing."""

    def __init__(self, clock: Clock, *, per_minute: int, capacity: int) -> None:
        self._clock = clock
        self._quota = BucketQuota(per_s=per_minute / _BURST_S, burst=float(per_minute)) if per_minute else None
        self._buckets = TokenBuckets(capacity)

    def __len__(self) -> int:
        return len(self._buckets)

    def wait_s(self, address: str) -> int:
        """Return for how many seconds `address` has to leave off presenting unknown keys; 0 when it may go on."""
        bucket = self._buckets.find(address)
        if bucket is None:
            return 0
        return min(LONGEST_WAIT_S, math.ceil(bucket.wait(1.0, self._clock.monotonic())))

    def count(self, address: str) -> None:
        """Count one failure; a bucket does not go into debt, so leaving off for a moment is enough."""
        if self._quota is not None:
            bucket = self._buckets.of(address, self._quota, self._clock.monotonic())
            if bucket.level(self._clock.monotonic()) >= 1.0:
                bucket.take(1.0)
