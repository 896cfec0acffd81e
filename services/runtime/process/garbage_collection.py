"""Makes Python's cycle collector run rarely: what our processes allocate lives for one request, without cycles."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

COLLECT_AFTER = 100_000
"""Values made, less those gone, after which the youngest are searched for cycles; Python's own is 700."""


def collect_less_often() -> None:
    """Look for cycles less often, and never again among what was imported.

    With Python's own threshold the collector walked over live values for a fifth of the processor time, in the worker
    as in ingest (measured).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 20)


@contextmanager
def without_collection() -> Iterator[None]:
    """Run no cycle collection within the block: for bounded work that allocates much and keeps it until the end."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
