"""Waiting for a condition with a deadline: what tests do instead of sleeping."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")

FIRST_PAUSE_S = 0.005
LONGEST_PAUSE_S = 0.1


@overload
async def until(condition: Callable[[], Awaitable[T]], within: float = 10.0) -> T: ...


@overload
async def until(condition: Callable[[], T], within: float = 10.0) -> T: ...


async def until(condition: Callable[[], T | Awaitable[T]], within: float = 10.0) -> T:
    """Ask until the answer is true, and return it. Fails with the last answer when `within` seconds are up."""
    deadline = time.monotonic() + within
    pause = FIRST_PAUSE_S
    while True:
        answer = condition()
        value: T = await answer if inspect.isawaitable(answer) else answer
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not true within {within} s; the last answer was {value!r}: {_source(condition)}")
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_S)


def until_sync(condition: Callable[[], T], within: float = 10.0) -> T:
    """The same for tests without an event loop."""
    deadline = time.monotonic() + within
    pause = FIRST_PAUSE_S
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not true within {within} s; the last answer was {value!r}: {_source(condition)}")
        time.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_S)


def _source(condition: Callable[[], object]) -> str:
    try:
        return inspect.getsource(condition).strip()
    except (OSError, TypeError):
        return repr(condition)
