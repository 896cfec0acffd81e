"""Runs over stored customers for one command: the session that each process opens, and errors that say what to do."""

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager
from typing import TypeVar

from services.journey.administration import check_tables
from services.journey.trial import page_run
from services.journey.trial.page_run import PageOrder, Tally, Told
from services.runtime.postgres.pools import Connection
from waymark.console import CommandError
from waymark.database import open_session

T = TypeVar("T", bound=Tally)


@asynccontextmanager
async def open_reading(url: str, name: str) -> AsyncIterator[Connection]:
    """Open a session that reads; raises `CommandError` of the plain type, which can travel between processes."""
    try:
        async with open_session(url, name, writes=False) as connection:
            await check_tables(connection)
            yield connection
    except CommandError as error:
        raise CommandError(str(error)) from None


def run(order: PageOrder[T], workers: int, told: Told) -> tuple[T, float]:
    """Judge every customer of the window; return the sum, and the seconds that it took.

    Raises:
        CommandError: the database cannot be used, or a process ended before its work was done.
    """
    began = time.monotonic()
    executor = page_run.processes_of(workers)
    try:
        tally = asyncio.run(page_run.carry_out(order, executor, workers, told))
    except BrokenProcessPool as error:
        raise CommandError(
            "a process ended before its work was done, perhaps for want of memory: try --workers 1"
        ) from error
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
    return tally, time.monotonic() - began
