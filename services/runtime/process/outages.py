"""Failures that pass by themselves: noted, and the work goes on. Everything else is a bug, and is raised.

A loop that talks to PostgreSQL puts each of its rounds inside `tolerated` and comes back a pause later.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from structlog.stdlib import BoundLogger

from services.runtime.postgres.pools import is_transient


class Outage:
    """Whether the block inside `tolerated` was broken off, and by what."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def __bool__(self) -> bool:
        return self.error is not None


@contextmanager
def tolerated(
    log: BoundLogger, event: str, *, also: tuple[type[Exception], ...] = (), **fields: object
) -> Iterator[Outage]:
    """Log a failure of the database that will pass, or one of `also`, as `event`, and go on behind the block.

    The value of the block says afterwards whether it was broken off. `fields` go into the log line.
    """
    outage = Outage()
    try:
        yield outage
    except Exception as error:
        if not (is_transient(error) or isinstance(error, also)):
            raise
        outage.error = error
        log.warning(event, reason=type(error).__name__, **fields)
