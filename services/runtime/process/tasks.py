"""Long-lived tasks with an owner, a name and a guard.

A background job that dies, or ends when it should not, must never go unnoticed: the owner stops its siblings and
raises.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

T = TypeVar("T")


class UnexpectedEndError(RuntimeError):
    """A task that was to run for the life of the process returned."""


class TaskOwner:
    """Owns named tasks; on leaving, cancels them in the reverse order of their start and waits for each.

    `async with TaskOwner() as owner:` … `owner.start("relay", relay.run)`. A failure ends the `async with` body by
    cancelling it and is raised from there.
    """

    def __init__(self, *, stop_within_s: float = 10.0) -> None:
        self._stop_within_s = stop_within_s
        self._tasks: list[asyncio.Task[None]] = []
        self._body: asyncio.Task[Any] | None = None
        self._failure: BaseException | None = None
        self._stopping = False

    async def __aenter__(self) -> Self:
        self._body = asyncio.current_task()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        await self.stop()
        if self._failure is not None:
            if isinstance(error, asyncio.CancelledError) and self._body is not None:
                self._body.uncancel()
            raise self._failure
        return False

    def start(self, name: str, job: Callable[[], Coroutine[Any, Any, None]], *, may_end: bool = False) -> None:
        """Run `job()` as a task called `name`; unless it `may_end`, its end is a failure like any other."""
        task = asyncio.create_task(self._guarded(name, job, may_end=may_end), name=name)
        self._tasks.append(task)
        if may_end:
            task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        if task in self._tasks:
            self._tasks.remove(task)

    async def stop(self) -> None:
        """Cancel every task, the youngest first, and wait for each within the deadline."""
        self._stopping = True
        for task in reversed(list(self._tasks)):
            task.cancel()
            _, pending = await asyncio.wait([task], timeout=self._stop_within_s)
            if pending:
                _log.error("task did not stop", task=task.get_name(), waited_s=self._stop_within_s)
        self._tasks.clear()

    async def _guarded(self, name: str, job: Callable[[], Coroutine[Any, Any, None]], *, may_end: bool) -> None:
        try:
            await job()
        except asyncio.CancelledError:
            if not self._stopping:
                self._fail(name, UnexpectedEndError(f"task {name} was cancelled from outside"))
            raise
        except Exception as error:  # noqa: BLE001  the guarded task: every failure is logged and handed to the owner
            self._fail(name, error)
        else:
            if not may_end and not self._stopping:
                self._fail(name, UnexpectedEndError(f"task {name} ended"))

    def _fail(self, name: str, error: BaseException) -> None:
        _log.error("task failed", task=name, exc_info=error)
        if self._failure is None:
            self._failure = error
            if self._body is not None and not self._stopping:
                self._body.cancel()


@asynccontextmanager
async def run_beside(name: str, job: Coroutine[Any, Any, T]) -> AsyncIterator[asyncio.Task[T]]:
    """Run `job` as a task called `name` beside the block, and return when both have ended.

    The task's `result()` is available after the block, or raises what the job raised. A block that fails stops the job.
    """
    task = asyncio.create_task(job, name=name)
    try:
        yield task
        await asyncio.wait([task])
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # looked at, so that it is not reported as lost where the block's own failure is raised
