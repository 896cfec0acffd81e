"""Spans of the way of a touchpoint, for an OTLP collector; off unless an address is set, and then nothing is imported.

Contexts are passed on explicitly, as W3C `traceparent` texts: in records' headers, and beside rows that are sent later.
A batch is a trace of its own with links to the records in it; each record that is sampled has a span in its own trace
as well. Where tracing is off, what is handed in is handed on.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Final, Protocol

TraceFollower = Callable[[str | None], str | None]
"""Takes the context of a record, and returns the one to hand on."""


class SpanRole(StrEnum):
    """What a span is to those of other processes."""

    SERVER = "server"
    PRODUCER = "producer"
    CONSUMER = "consumer"
    CLIENT = "client"


class OpenSpan(Protocol):
    """A span that has begun."""

    @property
    def traceparent(self) -> str | None:
        """The context to hand on."""

    def describe(self, facts: Mapping[str, str | int]) -> None:
        """Add attributes; nothing personal."""

    def failed(self, reason: str) -> None:
        """Say that what the span stands for did not come about."""


class OpenBatch(Protocol):
    """A batch that has begun."""

    def follow(self, traceparent: str | None) -> str | None:
        """Begin the span of one of its records, with which it ends, and return the context to hand on."""


class SpanRecorder(Protocol):
    """Where spans go; `on` spares those who would prepare something for nobody."""

    on: bool

    def span(self, name: str, role: SpanRole, parent: str | None) -> AbstractContextManager[OpenSpan]:
        """Open a span for the length of a block; an exception out of it is its failure."""

    def batch(self, name: str, item: str, role: SpanRole) -> AbstractContextManager[OpenBatch]:
        """Open the span of a batch, whose records have spans with the name `item`."""

    def close(self) -> None:
        """Send what is left, for a few seconds at most."""


class _NoSpan:
    """Stands for every span and batch where tracing is off."""

    traceparent: str | None = None

    def describe(self, facts: Mapping[str, str | int]) -> None:
        """Do nothing: there is no span."""

    def failed(self, reason: str) -> None:
        """Do nothing: there is no span."""

    def follow(self, traceparent: str | None) -> str | None:
        """Hand on what was handed in."""
        return traceparent

    def __enter__(self) -> "_NoSpan":
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: nothing was opened."""


class _NoTracing:
    """Makes no spans; one stands for all of them, so that it costs nothing."""

    on = False
    _none = _NoSpan()

    def span(self, *_: object) -> _NoSpan:
        """Open nothing and return what stands for it."""
        return self._none

    def batch(self, *_: object) -> _NoSpan:
        """Open nothing and return what stands for it."""
        return self._none

    def close(self) -> None:
        """Do nothing: nothing is left to send."""


NO_TRACING: Final[SpanRecorder] = _NoTracing()


def trace_id(traceparent: str | None) -> str | None:
    """Return the id of the trace of a context that is sampled, for exemplars and logs; None of any other."""
    if traceparent is None or len(traceparent) != 55 or int(traceparent[-1], 16) & 1 == 0:
        return None
    return traceparent[3:35]


def traceparent_of(headers: Iterable[tuple[str, bytes]]) -> str | None:
    """Return the W3C trace context among the headers of a record, None without one."""
    for name, value in headers:
        if name == "traceparent":
            return value.decode("ascii", "replace")
    return None
