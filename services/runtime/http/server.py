"""Serves an application on an address, and finishes open requests before it stops.

What is served is left to `application` and to the services.
"""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp

from services.runtime.http.heads import GuardedProtocol
from services.runtime.http.prefix import PrefixStripper


class _Server(uvicorn.Server):
    """uvicorn, leaving signals alone: the process decides when it stops, and in which order."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave all signals alone."""
        yield


@asynccontextmanager
async def serving(app: ASGIApp, host: str, port: int, *, drain_s: float = 10.0, prefix: str = "") -> AsyncIterator[int]:
    """Serve `app` for the length of the block and yield the port; on leaving, finish open requests within `drain_s`.

    `prefix` is a path (`/waymark`) that a proxy leaves before those of `app`.

    Raises:
        OSError: the address cannot be had.
    """
    listener = _listen(host, port)
    config = uvicorn.Config(
        PrefixStripper(app, prefix) if prefix else app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(drain_s),
        timeout_keep_alive=30,
        http=GuardedProtocol,
        proxy_headers=False,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="http server")
    try:
        while not server.started:
            if task.done():
                await task
                raise OSError("the application did not start; its log says why")
            await asyncio.sleep(0.01)
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        await task


def _listen(host: str, port: int) -> socket.socket:
    """Bind before the application starts, so that a taken address is an error of its own."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, not left to the default 0: asyncio turns Nagle's algorithm off only then (else +40 ms an answer).
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listener


async def until_stopped() -> None:
    """Wait for SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


OnReady = Callable[[int], Awaitable[None]]

"""Called once a process answers, with the port it listens on."""
