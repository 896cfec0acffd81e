"""Time and fresh identifiers, as things that are handed in.

The only module that reads the machine's clock or makes random identifiers. Everything else takes `now` as an argument
or holds a `Clock`, so that tests move time by hand.
"""

import os
import random
import time
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID


class Clock(Protocol):
    """Where a process gets its time from."""

    def now(self) -> datetime:
        """Return the present as an aware UTC time."""

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start that never run backwards; for durations only."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the present as an aware UTC time."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start that never run backwards."""
        return time.monotonic()


def new_id() -> UUID:
    """Return a fresh, time-ordered UUID version 7 (RFC 9562 section 5.7): good locality in B-tree indexes."""
    milliseconds = time.time_ns() // 1_000_000
    random_bits = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & (1 << 48) - 1) << 80
    value |= 0x7 << 76
    value |= (random_bits >> 68 & 0xFFF) << 64
    value |= 0b10 << 62
    value |= random_bits & (1 << 62) - 1
    return UUID(int=value)


def new_trace_id() -> str:
    """Return 32 hexadecimal digits for a trace that nobody began: unique, and no secret, so it needs no system call."""
    return f"{random.getrandbits(128):032x}"
