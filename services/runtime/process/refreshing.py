"""Keeps a copy of database rows in memory fresh; during an outage the last copy stays in use."""

import asyncio
from collections.abc import Awaitable, Callable

from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)


async def refresh_for_ever(
    refresh: Callable[[], Awaitable[None]], *, what: str, every_s: float, outages: tuple[type[BaseException], ...]
) -> None:
    """Call `refresh` at once and every `every_s` seconds; one of `outages` is logged when it begins and ends."""
    away = False
    while True:
        try:
            await refresh()
        except outages as error:
            if not away:
                _log.warning("not read again; what is held serves on", what=what, reason=type(error).__name__)
            away = True
        else:
            if away:
                _log.info("read again", what=what)
            away = False
        await asyncio.sleep(every_s)
