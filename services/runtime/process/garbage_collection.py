"""Python's search for cycles, made rare: what our processes make lives for one request or batch, in no cycle."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

COLLECT_AFTER = 100_000
"""Values made, less those gone, after which the youngest are searched for cycles; Python's own is 700."""


def calm_the_collector() -> None:
    """Look for cycles less often, and never again among what was imported.

    With Python's own threshold the collector walked over live values for a fifth of the processor time, in the worker
    as in ingest (measured).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 20)


@contextmanager
def uncollected() -> Iterator[None]:
    """Search for no cycles within the block: for bounded work that makes much, all of it alive until its end."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
