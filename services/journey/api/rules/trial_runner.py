"""Runs trials over stored customers for callers of the API: one at a time, in processes of their own, told as they go.

A trial is a stream of lines: how far it is, twice a second at most, and at the end what it found or why it did not. It
ends with its caller's connection, and leaves nothing behind.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar, cast

from services.journey.trial import page_run
from services.journey.trial.case import CaseReader
from services.journey.trial.page_run import PageOrder, Tally
from services.runtime.postgres.pools import Connection, is_transient
from services.runtime.postgres.sessions import CONNECT_FAILURES, open_command_session

T = TypeVar("T", bound=Tally)

EVERY_S = 0.5
"""At least so long between two lines about how far a trial is."""

CLOSE_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialMeans:
    """What rules are tried with: a reader of cases, and the database whose customers are read; without a URL none."""

    cases: CaseReader
    database: str = ""


class TrialFault(StrEnum):
    """Why a trial has no result."""

    RUNNING = "trial_running"
    TOO_LONG = "trial_too_long"
    STORE_UNAVAILABLE = "store_unavailable"
    PROCESS_ENDED = "trial_process_ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialProgress:
    """How far a trial is. `remaining_s` is None until it can be known."""

    customers: int
    of: int
    touchpoints: int
    seconds: float
    remaining_s: float | None


@asynccontextmanager
async def open_reading(url: str, name: str) -> AsyncIterator[Connection]:
    """Open a session that reads; a standby will do."""
    session = await open_command_session(url, application_name=name, writes=False)
    try:
        yield cast(Connection, session)  # what a pool lends is a session behind a proxy; stores ask no more of it
    finally:
        with suppress(*CONNECT_FAILURES):
            await session.close(timeout=CLOSE_S)


@dataclass(slots=True, kw_only=True)
class TrialRunner:
    """Runs one trial at a time over the database at `url`, for `most_s` at most. Without processes it runs none."""

    url: str
    processes: int
    most_s: float
    executor: Callable[[int], Executor] = page_run.processes_of
    _is_running: bool = field(default=False, init=False)

    @property
    def is_running(self) -> bool:
        """Whether a trial runs."""
        return self._is_running

    async def run(
        self, order: PageOrder[T], document: Callable[[T, float], dict[str, Any]]
    ) -> AsyncGenerator[TrialProgress | TrialFault | dict[str, Any]]:
        """Yield how far the trial is, and at last its `document`, or why there is none."""
        if self._is_running:
            yield TrialFault.RUNNING
            return
        self._is_running = True
        executor = self.executor(self.processes)
        teller = _Teller()
        running = asyncio.create_task(page_run.carry_out(order, executor, self.processes, teller.told), name="trial")
        try:
            while not running.done() and (left := self.most_s - teller.seconds) > 0:
                await asyncio.wait((running,), timeout=min(EVERY_S, left))
                if (progress := teller.take()) is not None:
                    yield progress
            yield _result(running, document, teller.seconds) if running.done() else TrialFault.TOO_LONG
        finally:
            running.cancel()
            executor.shutdown(wait=False, cancel_futures=True)
            await asyncio.wait((running,))
            self._is_running = False


def _result(
    running: asyncio.Task[T], document: Callable[[T, float], dict[str, Any]], seconds: float
) -> dict[str, Any] | TrialFault:
    try:
        return document(running.result(), seconds)
    except BrokenProcessPool:
        return TrialFault.PROCESS_ENDED
    except CONNECT_FAILURES as error:
        if not is_transient(error):
            raise
        return TrialFault.STORE_UNAVAILABLE


@dataclass(slots=True)
class _Teller:
    """Keeps the latest that was told, for whoever asks."""

    _began: float = field(default_factory=time.monotonic)
    _latest: tuple[int, int, int] | None = None

    @property
    def seconds(self) -> float:
        """Return for how many seconds it has been running."""
        return time.monotonic() - self._began

    def told(self, done: int, whole: int, touchpoints: int) -> None:
        """Note how many customers are done, of how many."""
        self._latest = done, whole, touchpoints

    def take(self) -> TrialProgress | None:
        """Return what is new, None if nothing is."""
        if self._latest is None:
            return None
        (done, whole, touchpoints), self._latest = self._latest, None
        seconds = self.seconds
        left = seconds * (whole - done) / done if done else None
        return TrialProgress(
            customers=done,
            of=whole,
            touchpoints=touchpoints,
            seconds=round(seconds, 1),
            remaining_s=None if left is None else round(left, 1),
        )
