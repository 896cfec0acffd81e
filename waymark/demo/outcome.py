"""What the hour left behind, read from the database, and the memory that it took."""

import os
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import Self

import psutil

from services.alerts.admin import operator_access as alerts
from services.journey import administration as journey
from services.runtime.postgres.pools import Connection

SAMPLE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoCounts:
    """Counts from the tables of the services. `frictions` counts standing ones by rule."""

    inbox: alerts.AlertsCounts

    customers: int
    touchpoints: int
    contacts: int
    troubled: int
    frictions: Mapping[str, int] = field(default_factory=dict)


async def read_counts(connection: Connection) -> DemoCounts:
    """Count what the services wrote."""
    journeys = await journey.count_all(connection)
    inbox = await alerts.count_all(connection)
    return DemoCounts(**asdict(journeys), inbox=inbox)


class PeakMemory:
    """Watches this process and all below it for the length of a `with`; `mib` is the largest sum of PSS seen.

    PSS (proportional set size) shares each shared page among its users, so that the sum over PostgreSQL's processes
    counts their common buffers once. Where the system does not tell it, resident memory stands in and `exact` is False.
    """

    def __init__(self) -> None:
        self.mib = 0.0
        self.exact = True
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="peak memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join(timeout=5)

    def _watch(self) -> None:
        me = psutil.Process(os.getpid())
        while not self._done.wait(SAMPLE_S):
            total = sum(self._size(process) for process in [me, *me.children(recursive=True)])
            self.mib = max(self.mib, total / 2**20)

    def _size(self, process: psutil.Process) -> int:
        try:
            memory = process.memory_full_info()
            if hasattr(memory, "pss"):
                return int(memory.pss)
            self.exact = False
            return int(memory.rss)
        except psutil.AccessDenied:
            self.exact = False
        except psutil.NoSuchProcess:
            return 0
        try:
            return int(process.memory_info().rss)
        except psutil.Error:
            return 0
