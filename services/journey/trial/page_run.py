"""Has several processes judge the stored customers, page by page. It writes nothing.

What is judged is left to a `PageTask`: a backtest, what came before a rule's frictions, or effort against answers.

Each page is read in one snapshot, so every customer is seen as one transaction left it; the whole need not be.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from multiprocessing import get_context
from typing import Generic, Protocol, Self, TypeVar
from uuid import UUID

from services.journey import policies
from services.journey.domain.projection import ProjectionPolicy
from services.journey.domain.rules.book import Rulebook
from services.journey.rulebook import rules_file
from services.journey.store import moments
from services.journey.trial import stored_histories
from services.journey.trial.backtest import BacktestWindow, StoredHistory
from services.runtime.postgres.pools import Connection

CUSTOMERS_AT_ONCE = 400
"""Customers in one page. The number bounds the memory of a process, and how long a snapshot is held."""

PAGES_AHEAD = 3
"""Pages that wait for each process, so that none is idle."""

NAME = "waymark-rules"

T = TypeVar("T", bound="Tally")
T_co = TypeVar("T_co", bound="Tally", covariant=True)

Told = Callable[[int, int, int], None]
"""Told how many customers are judged, of how many, and how many touchpoints were read."""


OpenSession = Callable[[str, str], AbstractAsyncContextManager[Connection]]
"""Opens a session that reads, from a URL and under a name. It goes to every process, so it is a plain function."""


class Tally(Protocol):
    """What pages of customers give, to be added up in any order."""

    judged: int
    read: int

    def add(self, other: Self) -> None:
        """Add what another page gave."""


class Judge(Protocol[T_co]):
    """Judges customers with their histories."""

    def empty(self) -> T_co:
        """Return what no customers give."""
        ...

    def judge(self, histories: Iterable[StoredHistory]) -> T_co:
        """Return what these customers give."""
        ...


class PageTask(Protocol[T_co]):
    """What is to be done with each page. It goes to every process, and is equal where it says the same."""

    def judge(self, rulebook: Rulebook, policy: ProjectionPolicy, window: BacktestWindow, /) -> Judge[T_co]:
        """Return who judges the pages of customers."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOrder(Generic[T]):
    """What to do, with the text of a rules file, checked already, and the window. Goes to every process.

    `conversations_since` is read from the database: since when contacts are conversations there.
    """

    task: PageTask[T]
    url: str
    open: OpenSession
    rules: str
    name: str
    window: BacktestWindow
    latest: int
    conversations_since: datetime | None = None


def processes_of(number: int) -> Executor:
    """Return so many processes to judge in."""
    return ProcessPoolExecutor(number, mp_context=get_context("spawn"), initializer=_ignore_interrupts)


def _ignore_interrupts() -> None:
    """Leave Ctrl-C to the parent, which ends the others in order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


async def carry_out(order: PageOrder[T], executor: Executor, workers: int, told: Told) -> T:
    """Judge every customer of the window by so many workers of the executor, and return the sum.

    Raises:
        BrokenProcessPool: a process ended before its work was done.
        whatever opening a session raises.
    """
    loop = asyncio.get_running_loop()
    async with order.open(order.url, NAME) as connection:
        order = replace(order, conversations_since=await moments.conversations(connection))
        whole: T = _judge_of(order).empty()
        number = await stored_histories.count_customers(connection, order.window)
        told(0, number, 0)
        waiting: set[asyncio.Future[T]] = set()
        async for page in stored_histories.pages(connection, order.window, CUSTOMERS_AT_ONCE):
            waiting.add(loop.run_in_executor(executor, _judge_page, order, page))
            if len(waiting) >= workers * PAGES_AHEAD:
                waiting = await _collect(waiting, whole)
                told(whole.judged, max(number, whole.judged), whole.read)
        while waiting:
            waiting = await _collect(waiting, whole)
            told(whole.judged, max(number, whole.judged), whole.read)
    return whole


async def _collect(waiting: set[asyncio.Future[T]], into: T) -> set[asyncio.Future[T]]:
    """Add the pages that are done to the whole; return those that are not."""
    done, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for one in done:
        into.add(one.result())
    return pending


def _judge_page(order: PageOrder[T], customers: list[UUID]) -> T:
    """Read and judge one page. Runs in a process of its own."""
    tally: T = asyncio.run(_read_and_judge(order, customers))
    return tally


async def _read_and_judge(order: PageOrder[T], customers: list[UUID]) -> T:
    async with _snapshot(order) as connection:
        histories = await stored_histories.read(connection, customers, order.window, order.latest)
    tally: T = _judge_of(order).judge(histories)
    return tally


@asynccontextmanager
async def _snapshot(order: PageOrder[T]) -> AsyncIterator[Connection]:
    async with (
        order.open(order.url, NAME) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        yield connection


@lru_cache(maxsize=1)
def _judge_of(order: PageOrder[T]) -> Judge[T]:
    rulebook = rules_file.read(order.rules, name=order.name)
    return order.task.judge(rulebook, policies.projection(order.conversations_since), order.window)


def default_workers() -> int:
    """Return how many processes there are for the machine's processors."""
    return len(os.sched_getaffinity(0))
