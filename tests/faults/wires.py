"""A proxy for each service and engine: six wires, each of which can fail by itself.

Kafka tells its clients where to find it, so it gets a listener for each service that advertises that service's proxy.
All workers share a wire, as do all ingests and all alert services.
"""

from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from tests.faults.proxy import Proxy
from waymark.launchers.child_process import free_port
from waymark.launchers.kafka import ClientListener

SERVICES = ("ingest", "journey", "alerts")


class Wires:
    """The proxies, by engine and service. Ports are fixed before the engines start; entering it begins to forward."""

    def __init__(self) -> None:
        self.doors = {name.upper(): ClientListener(port=free_port(), advertised=free_port()) for name in SERVICES}
        self.kafka = {
            name: Proxy(target=door.port, port=door.advertised, name=f"{name} to Kafka")
            for name, door in zip(SERVICES, self.doors.values(), strict=True)
        }
        self.postgres: dict[str, Proxy] = {}
        self._stack = AsyncExitStack()

    async def start(self, postgres_port: int) -> None:
        """Begin to forward; the port of PostgreSQL is known once it was made."""
        self.postgres = {name: Proxy(target=postgres_port, name=f"{name} to PostgreSQL") for name in SERVICES}
        for proxy in self.all:
            await self._stack.enter_async_context(proxy)

    @property
    def all(self) -> list[Proxy]:
        """Every proxy."""
        return [*self.kafka.values(), *self.postgres.values()]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()
