"""The producer for asyncio: `send` puts into a queue, one task posts what is there."""

import asyncio
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


class AsyncProducer:
    """Sends touchpoints to the ingest at `url` with a source's `key`, for the length of an `async with` block.

    As `waymark.producer.Producer`; `send` waits while `queue_size` touchpoints are under way.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        on_result: Callable[[TouchpointResult], None] | None = None,
        queue_size: int = 10_000,
        linger_s: float = 0.2,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = f"{url.rstrip('/')}{exchange.PATH}"
        self._client = httpx2.AsyncClient(headers=exchange.headers(key), timeout=30.0, transport=transport)
        self._results = ResultCounter(on_result)
        self._linger_s = linger_s
        self._queue: asyncio.Queue[PreparedTouchpoint] = asyncio.Queue(queue_size)
        self._held_back: PreparedTouchpoint | None = None
        self._refused: RequestRefused | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def counts(self) -> Counter[TouchpointStatus]:
        """How many touchpoints have each result."""
        return self._results.counts

    async def __aenter__(self) -> Self:
        """Begin to send in the background."""
        self._task = asyncio.create_task(self._work(), name="waymark-producer")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send what waits, for at most 30 s, and close; raises `RequestRefused` as `flush` does."""
        try:
            await self.flush()
        finally:
            await self._end()

    async def send(self, touchpoint: Mapping[str, Any]) -> str:
        """Queue one touchpoint and return its id, waiting for room.

        Raises:
            Refused: ingest refused an earlier request, and would refuse this one.
            TypeError: it holds what JSON cannot.
        """
        if self._refused is not None:
            raise self._refused
        ready = prepare(touchpoint, datetime.now(UTC))
        await self._queue.put(ready)
        return ready.id

    async def flush(self, timeout_s: float = 30.0) -> bool:
        """Wait until everything has its final result; return whether that came in time.

        Raises:
            Refused: ingest refuses what this producer sends.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self._queue.join()
            done = True
        except TimeoutError:
            done = False
        if self._refused is not None:
            raise self._refused
        return done

    async def _end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        left = [self._held_back] if self._held_back is not None else []
        while not self._queue.empty():
            left.append(self._queue.get_nowait())
        self._give_up(left)
        await self._client.aclose()

    async def _work(self) -> None:
        while True:
            batch: list[PreparedTouchpoint] = []
            try:
                await self._gather(batch)
                await self._deliver(batch)
            finally:  # refused, or cancelled while it waits for better times
                self._give_up(batch)

    async def _gather(self, batch: list[PreparedTouchpoint]) -> None:
        """Collect the next request: what arrives within the linger after the first, at most a full request."""
        batch.append(self._held_back or await self._queue.get())
        self._held_back = None
        size = len(batch[0].raw)
        try:
            async with asyncio.timeout(self._linger_s):
                while True:
                    more = await self._queue.get()
                    if not fits(len(batch), size, more):
                        self._held_back = more
                        break
                    batch.append(more)
                    size += len(more.raw)
        except TimeoutError:
            return

    async def _deliver(self, batch: list[PreparedTouchpoint]) -> None:
        """Send until each of `batch` has its final result; those that have one are removed from it."""
        vain = 0
        while batch and self._refused is None:
            try:
                answer = await self._post(batch)
            except RequestRefused as refused:
                self._refused = refused
                return
            before = len(batch)
            for one, result in zip(tuple(batch), answer.results, strict=True):
                if result.status is not TouchpointStatus.UNAVAILABLE:
                    batch.remove(one)
                    self._tell(replace(result, id=one.id))
            vain = vain + 1 if len(batch) == before else 0
            if batch:
                await asyncio.sleep(exchange.pause_s(vain, answer.retry_after_s))

    async def _post(self, batch: list[PreparedTouchpoint]) -> IngestAnswer:
        now = datetime.now(UTC)
        try:
            said = await self._client.post(self._url, content=exchange.body([one.stamped(now) for one in batch]))
        except httpx2.TransportError:
            return exchange.unavailable(len(batch))
        return exchange.read(said.status_code, said.content, said.headers.get("retry-after", ""), len(batch))

    def _give_up(self, batch: list[PreparedTouchpoint]) -> None:
        code = self._refused.code if self._refused else ""
        for one in batch:
            self._tell(TouchpointResult(status=TouchpointStatus.UNAVAILABLE, id=one.id, code=code))

    def _tell(self, result: TouchpointResult) -> None:
        self._results.tell(result)
        self._queue.task_done()
