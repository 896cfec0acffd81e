"""The room one fault has to itself: a folder, engines, fleets, and the promise that nothing outlives it.

`async with Lab(...) as lab`: whatever was started through it is ended when the block is left, by success, failure,
deadline or Ctrl-C alike.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.faults.fleet import Engines, Fleet

Say = Callable[[str], None]


class Lab:
    """A folder for logs and data, a voice for progress, and a stack of what must be ended."""

    def __init__(self, folder: Path, say: Say = lambda _: None) -> None:
        self.folder = folder
        self.say = say
        self.stack = AsyncExitStack()
        """For what a fault starts by itself: `lab.stack.callback(process.kill)`."""

    async def __aenter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stack.aclose()

    async def engines(self, *, nodes: int = 1, wired: bool = False) -> Engines:
        """Apache Kafka of one node or three, and PostgreSQL, empty, with topics and tables; `wired`: behind proxies."""
        engines = Engines.prepare(self.folder / "engines", nodes=nodes, wired=wired)
        self.say(f"starting Apache Kafka ({nodes} nodes) and PostgreSQL")
        self.stack.callback(engines.kill)  # before the start: one that fails half-way leaves processes too
        await asyncio.to_thread(engines.start_all)
        if engines.wires is not None:
            await self.stack.enter_async_context(engines.wires)
            await engines.wires.start(engines.postgres.port)
        return engines

    def fleet(self, engines: Engines, **settings: str) -> Fleet:
        """A fleet without processes yet, `settings` for every process of it."""
        fleet = Fleet(engines=engines, folder=self.folder, extra=settings)
        self.stack.callback(fleet.kill)
        return fleet
