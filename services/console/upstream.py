"""Speaks to the three APIs: with the key of whoever asks, over connections that are kept, for as long as is allowed.

Which requests are forwarded is decided elsewhere. What an API answers is passed on as it came.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Self

import httpx2

from services.console.forwarded import ApiName
from services.console.metrics import ConsoleMetrics
from services.console.settings import ConsoleSettings
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

STREAM_SILENT_S = 45.0
"""Each API says that its stream is alive every 15 seconds."""

CONNECT_S = 3.0
PROBE_S = 0.8


class UnansweredError(Exception):
    """An API did not answer; `api` is which."""

    def __init__(self, api: ApiName) -> None:
        super().__init__(api)
        self.api = api


class UpstreamAnswer:
    """What an API answers, whose body is still to be read."""

    def __init__(self, answer: httpx2.Response, failed: Callable[[Exception], UnansweredError]) -> None:
        self._answer = answer
        self._failed = failed

    @property
    def status(self) -> int:
        """The HTTP status that the API answered with."""
        return self._answer.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, whose names are found in any case."""
        return self._answer.headers

    async def read(self) -> bytes:
        """Return the whole body.

        Raises:
            UnansweredError: it did not come to its end in time.
        """
        try:
            return await self._answer.aread()
        except httpx2.TransportError as error:
            raise self._failed(error) from error

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body of a stream as it comes, until the API ends it or goes away: its reader resumes either way."""
        try:
            async for piece in self._answer.aiter_raw():
                yield piece
        except httpx2.TransportError:
            return


class Upstream:
    """The three APIs, inside `async with`."""

    def __init__(self, settings: ConsoleSettings, metrics: ConsoleMetrics) -> None:
        self._urls = {
            ApiName.INGEST: settings.ingest_url,
            ApiName.JOURNEY: settings.journey_url,
            ApiName.ALERTS: settings.alerts_url,
        }
        self._metrics = metrics
        self._patience = httpx2.Timeout(settings.answer_within_s, connect=CONNECT_S)
        self._endless = httpx2.Timeout(settings.answer_within_s, connect=CONNECT_S, read=STREAM_SILENT_S)
        room = settings.stream_clients + 100
        self._client = httpx2.AsyncClient(
            trust_env=False,
            follow_redirects=False,
            limits=httpx2.Limits(max_connections=room, max_keepalive_connections=50),
        )
        self._silent: set[ApiName] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    @asynccontextmanager
    async def asking(
        self,
        api: ApiName,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str],
        body: bytes = b"",
        streams: bool = False,
    ) -> AsyncIterator[UpstreamAnswer]:
        """Ask and yield the answer, whose body is still to be read.

        Raises:
            UnansweredError: nobody answered in time.
        """
        request = self._client.build_request(
            method,
            f"{self._urls[api]}{target}",
            headers=dict(headers),
            content=body or None,
            timeout=self._endless if streams else self._patience,
        )
        try:
            answer = await self._client.send(request, stream=True)
        except (httpx2.TransportError, httpx2.InvalidURL) as error:
            raise self.failed(api, error) from error
        self._silent.discard(api)
        try:
            yield UpstreamAnswer(answer, lambda error: self.failed(api, error))
        finally:
            await answer.aclose()

    async def read(self, api: ApiName, target: str, *, key: str = "") -> tuple[int, bytes]:
        """Return status and body of a GET.

        Raises:
            UnansweredError: nobody answered in time.
        """
        headers = {"authorization": f"Bearer {key}"} if key else {}
        async with self.asking(api, "GET", target, headers=headers) as answer:
            return answer.status, await answer.read()

    async def is_ready(self, api: ApiName) -> bool | None:
        """Return whether an API says that it is ready; None if it says nothing. Not counted: nobody waits for it."""
        try:
            answer = await self._client.get(f"{self._urls[api]}/readyz", timeout=PROBE_S)
        except httpx2.TransportError:
            return None
        return answer.status_code == httpx2.codes.OK

    def failed(self, api: ApiName, error: Exception) -> UnansweredError:
        """Count that an API did not answer, log it once an outage, and return the error to raise."""
        if api not in self._silent:
            _log.warning("an API does not answer", api=api.value, reason=type(error).__name__)
        self._silent.add(api)
        self._metrics.unanswered(api)
        return UnansweredError(api)
