"""The producer for threads: `send` puts into a queue, one background thread posts what is there."""

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import httpx2

from waymark.producer import exchange
from waymark.producer.exchange import IngestAnswer, RequestRefused, TouchpointResult, TouchpointStatus
from waymark.producer.parcel import PreparedTouchpoint, fits, prepare
from waymark.producer.results import ResultCounter


class QueueFullError(Exception):
    """The queue has no room, because ingest has taken no touchpoint for a while."""


class Producer:
    """Sends touchpoints to the ingest at `url` with a source's `key`; safe to use from several threads.

    `on_result` hears, in the background thread, what became of each touchpoint, in the end accepted, duplicate or
    rejected; what is still unsent when `close` gives up is unavailable, and is nowhere but with the caller. Up to
    `queue_size` touchpoints wait while ingest cannot take any; a batch leaves after `linger_s`, or when it is full.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        on_result: Callable[[TouchpointResult], None] | None = None,
        queue_size: int = 10_000,
        linger_s: float = 0.2,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self._url = f"{url.rstrip('/')}{exchange.PATH}"
        self._client = httpx2.Client(headers=exchange.headers(key), timeout=30.0, transport=transport)
        self._results = ResultCounter(on_result)
        self._linger_s = linger_s
        self._queue: queue.Queue[PreparedTouchpoint] = queue.Queue(queue_size)
        self._held_back: PreparedTouchpoint | None = None
        self._hurry = threading.Event()
        self._stop = threading.Event()
        self._over = threading.Condition()
        self._unsettled = 0
        self._refused: RequestRefused | None = None
        self._thread = threading.Thread(target=self._work, name="waymark-producer", daemon=True)
        self._thread.start()

    @property
    def counts(self) -> Counter[TouchpointStatus]:
        """How many touchpoints have each result."""
        return self._results.counts

    def __enter__(self) -> Self:
        """Return the producer; leaving the block sends what waits and closes."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def send(self, touchpoint: Mapping[str, Any], *, timeout_s: float = 10.0) -> str:
        """Queue one touchpoint and return its id; waits up to `timeout_s` for room.

        Raises:
            QueueFullError: there was none.
            Refused: ingest refused an earlier request, and would refuse this one.
            TypeError: it holds what JSON cannot.
        """
        if self._refused is not None:
            raise self._refused
        ready = prepare(touchpoint, datetime.now(UTC))
        with self._over:
            self._unsettled += 1
        try:
            self._queue.put(ready, timeout=timeout_s)
        except queue.Full:
            self._settle(1)
            raise QueueFullError(f"{self._queue.maxsize} touchpoints wait already") from None
        return ready.id

    def flush(self, timeout_s: float = 30.0) -> bool:
        """Send what waits now; return whether everything has its final result.

        Raises:
            Refused: ingest refuses what this producer sends.
        """
        self._hurry.set()
        with self._over:
            done = self._over.wait_for(lambda: not self._unsettled, timeout_s)
        self._hurry.clear()
        if self._refused is not None:
            raise self._refused
        return done

    def close(self, timeout_s: float = 30.0) -> None:
        """Send what waits, for at most `timeout_s`, then give up. Raises `RequestRefused` as `flush` does."""
        try:
            self.flush(timeout_s)
        finally:
            self._stop.set()
            self._thread.join(self._client.timeout.read or 30.0)
            self._client.close()

    def _work(self) -> None:
        while not self._stop.is_set():
            batch = self._gather()
            if batch:
                self._deliver(batch)
        self._give_up(self._gather())

    def _gather(self) -> list[PreparedTouchpoint]:
        """Return the next request, at most a full one; after a while of waiting, possibly none."""
        batch: list[PreparedTouchpoint] = []
        size = 0
        until = time.monotonic() + self._linger_s
        while (more := self._next(until)) is not None:
            if not fits(len(batch), size, more):
                self._held_back = more
                break
            batch.append(more)
            size += len(more.raw)
        return batch

    def _next(self, until: float) -> PreparedTouchpoint | None:
        if self._held_back is not None:
            held, self._held_back = self._held_back, None
            return held
        wait = 0.0 if self._hurry.is_set() or self._stop.is_set() else until - time.monotonic()
        try:
            return self._queue.get(timeout=wait) if wait > 0 else self._queue.get_nowait()
        except queue.Empty:
            if self._hurry.is_set():
                self._stop.wait(0.01)  # a flush without anything to send must not spin
            return None

    def _deliver(self, batch: list[PreparedTouchpoint]) -> None:
        """Send until each of `batch` has its final result, or the producer is closed."""
        vain = 0
        while batch and not self._stop.is_set() and self._refused is None:
            try:
                answer = self._post(batch)
            except RequestRefused as refused:
                self._refused = refused
                break
            left = [one for one, result in zip(batch, answer.results, strict=True) if self._unfinished(one, result)]
            vain = vain + 1 if len(left) == len(batch) else 0
            batch = left
            if batch:
                self._stop.wait(exchange.pause_s(vain, answer.retry_after_s))
        self._give_up(batch)

    def _post(self, batch: list[PreparedTouchpoint]) -> IngestAnswer:
        now = datetime.now(UTC)
        try:
            said = self._client.post(self._url, content=exchange.body([one.stamped(now) for one in batch]))
        except httpx2.TransportError:
            return exchange.unavailable(len(batch))
        return exchange.read(said.status_code, said.content, said.headers.get("retry-after", ""), len(batch))

    def _unfinished(self, one: PreparedTouchpoint, result: TouchpointResult) -> bool:
        if result.status is TouchpointStatus.UNAVAILABLE:
            return True
        self._tell(replace(result, id=one.id))
        return False

    def _give_up(self, batch: list[PreparedTouchpoint]) -> None:
        for one in batch:
            self._tell(
                TouchpointResult(
                    status=TouchpointStatus.UNAVAILABLE, id=one.id, code=self._refused.code if self._refused else ""
                )
            )

    def _tell(self, result: TouchpointResult) -> None:
        self._results.tell(result)
        self._settle(1)

    def _settle(self, count: int) -> None:
        with self._over:
            self._unsettled -= count
            self._over.notify_all()
