"""Limits the requests and the bytes of bodies in flight; beyond the limits, requests get 503 instead of queueing.

Bodies of unknown senders (whose key is in the body) share a quarter of the bytes, so that a stranger with a few small
decompression bombs cannot take the memory that known sources need.
"""

from typing import Self

from services.ingest.metrics import IngestMetrics
from services.ingest.reasons import RequestRefusal, RequestRefusedError

STRANGERS_SHARE = 4
"""Unknown senders may hold one part in so many of the bytes."""


class AdmissionControl:
    """Counts what is in flight, and refuses requests beyond the limits."""

    def __init__(self, metrics: IngestMetrics, *, most_requests: int, most_bytes: int, retry_after_s: int) -> None:
        self._most_requests = most_requests
        self._most_bytes = most_bytes
        self._retry_after_s = retry_after_s
        self._requests = 0
        self._bytes = 0
        self._strangers_bytes = 0
        metrics.in_flight_requests.set_function(lambda: self._requests)
        metrics.in_flight_bytes.set_function(lambda: self._bytes)

    def request(self) -> "AdmittedRequest":
        """Return a context manager that counts one request while its block runs."""
        return AdmittedRequest(self)

    def enter(self) -> None:
        """Count one request; raises `RequestRefusedError` when there are too many."""
        if self._requests >= self._most_requests:
            raise self._overloaded()
        self._requests += 1

    def leave(self, amount: int, *, known: bool) -> None:
        """Release one request and the `amount` of bytes that it held."""
        self._requests -= 1
        self._bytes -= amount
        if not known:
            self._strangers_bytes -= amount

    def hold(self, amount: int, *, known: bool) -> None:
        """Count `amount` more bytes; raises `RequestRefusedError` when there are too many."""
        if self._bytes + amount > self._most_bytes:
            raise self._overloaded()
        if not known:
            if self._strangers_bytes + amount > self._most_bytes // STRANGERS_SHARE:
                raise self._overloaded()
            self._strangers_bytes += amount
        self._bytes += amount

    def mark_known(self, amount: int) -> None:
        """Note that `amount` bytes that a stranger held belong to a known source now."""
        self._strangers_bytes -= amount

    def _overloaded(self) -> RequestRefusedError:
        after = self._retry_after_s
        return RequestRefusedError(RequestRefusal.OVERLOADED, headers={"retry-after": str(after)}, retry_after=after)


class AdmittedRequest:
    """What one request holds while its block runs; entering may raise `RequestRefusedError`."""

    __slots__ = ("_admission", "bytes", "known")

    def __init__(self, admission: AdmissionControl) -> None:
        self._admission = admission
        self.bytes = 0
        self.known = False

    def __enter__(self) -> Self:
        self._admission.enter()
        return self

    def __exit__(self, *_raised: object) -> None:
        self._admission.leave(self.bytes, known=self.known)

    def hold_more(self, amount: int) -> None:
        """Hold `amount` more bytes; raises `RequestRefusedError`."""
        self._admission.hold(amount, known=self.known)
        self.bytes += amount

    def mark_known(self) -> None:
        """Note that the sender is known now."""
        if not self.known:
            self.known = True
            self._admission.mark_known(self.bytes)
