"""Makes one HTTP attempt: posts signed bytes and returns the answer within hard limits of time and size.

It never raises for a failure of the receiver. It follows no redirects, uses no proxies and no `.netrc` from the
environment, keeps no cookies and decompresses nothing. Connections are kept briefly and reused: the guard checked the
address of each when it was opened, and a connection keeps its address. The meaning of an answer is left to `retry`.
"""

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache, partial
from itertools import islice, pairwise
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler

from services.alerts.deliver.http.target_guard import ForbiddenTargetError, TargetGuard
from services.alerts.deliver.retry import AttemptFailure, ReceiverAnswer
from services.runtime.clock import Clock

TOTAL_S = 15.0
CONNECT_S = 5.0
EXCERPT_S = 2.0
"""How long the body of an answer is read: the status decides, and the body is only an excerpt for people."""

BODY_BYTES = 16 * 1024
EXCERPT_BYTES = 1024
KEPT_S = 1.5
"""How long an idle connection is kept: shorter than receivers keep theirs, so that reuse rarely fails."""

KEPT_AT_MOST = 256
"""Connections to one receiver, idle or busy; each endpoint limits the busy ones by `max_in_flight`."""

RENEWED_EVERY = 100
"""One in so many requests closes its connection, so that a changed DNS name is resolved again soon."""

USER_AGENT = "Waymark-Alerts/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class SendResult:
    """The result of sending: the answer, the start of its body (untrusted), and the guard's refusal if there is one."""

    answer: ReceiverAnswer
    seconds: float
    body: bytes = b""
    refusal: str | None = None

    @property
    def excerpt(self) -> str:
        """The first KiB of the body as text, for people."""
        return self.body[:EXCERPT_BYTES].decode("utf-8", "replace").replace("\0", "�")


@dataclass(frozen=True, slots=True, kw_only=True)
class SendExtent:
    """How a request differs from the usual: its method, a shorter time, more bytes of the answer."""

    method: str = "POST"
    within_s: float | None = None
    reads: int = BODY_BYTES


class _GuardedResolver(AbstractResolver):
    """A resolver that refuses a DNS answer with any forbidden address."""

    def __init__(self, guard: TargetGuard, resolver: AbstractResolver) -> None:
        self._guard = guard
        self._resolver = resolver

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        self._guard.check_addresses([entry["host"] for entry in found])
        return found

    async def close(self) -> None:
        await self._resolver.close()


class _HeadBeforeBody(ResponseHandler):
    """Parses the head of an answer before its body.

    aiohttp parses both at once if they arrive in one packet, and an invalid body (longer than announced, badly chunked,
    after a 204) would then lose the status.
    """

    _END = re.compile(rb"\r?\n\r?\n")
    _HEADS = 3
    """Heads that are looked for in one packet: a 100 or 103 can precede the answer."""

    _before = b""

    def data_received(self, data: bytes) -> None:
        seen = len(self._before)
        found = islice(self._END.finditer(self._before + data), self._HEADS)
        cuts = [end for end in (match.end() - seen for match in found) if 0 < end < len(data)]
        self._before = (self._before + data)[-3:]
        for start, end in pairwise([0, *cuts, len(data)]):
            super().data_received(data[start:end])


class EndpointSender:
    """Sends bytes to any URL that the guard allows; an async context manager.

    `resolver` defaults to the one of the system.
    """

    def __init__(
        self, guard: TargetGuard, clock: Clock, *, total_s: float = TOTAL_S, resolver: AbstractResolver | None = None
    ) -> None:
        self._guard = guard
        self._resolver = resolver
        self._clock = clock
        self._total_s = total_s
        self._targets = lru_cache(maxsize=1024)(guard.check_url)  # of the URL alone; addresses are asked at every dial
        self._session: aiohttp.ClientSession | None = None
        self._posted = 0

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            resolver=_GuardedResolver(self._guard, self._resolver or aiohttp.ThreadedResolver()),
            socket_factory=self._guard.dial,
            use_dns_cache=False,
            keepalive_timeout=KEPT_S,
            limit=0,
            limit_per_host=KEPT_AT_MOST,
        )
        protocols: Any = partial(_HeadBeforeBody, loop=asyncio.get_running_loop())
        connector._factory = protocols  # there is no other way in; a test notices should it close
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_S),  # the total is `send`'s
            trust_env=False,
            auto_decompress=False,
            headers={"user-agent": USER_AGENT, "accept-encoding": "identity", "content-type": "application/json"},
            trace_configs=[_trace_of_reuse()],
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(
        self, url: str, body: bytes, headers: Mapping[str, str], *, extent: "SendExtent | None" = None
    ) -> SendResult:
        """Post `body` and return the result; a failure is a result too."""
        started = self._clock.monotonic()
        given = extent or SendExtent()
        request = SenderRequest(method=given.method, url=url, body=body, headers=headers, reads=given.reads)
        try:
            async with asyncio.timeout(given.within_s or self._total_s) as limit:
                answer, start = await self._send_once_more(request, limit)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return _not_answered(error, self._clock.monotonic() - started)
        return SendResult(answer=answer, seconds=self._clock.monotonic() - started, body=start)

    async def _send_once_more(self, request: "SenderRequest", limit: asyncio.Timeout) -> tuple[ReceiverAnswer, bytes]:
        """Send, and send again on a new connection if a reused one broke before an answer."""
        use = _ConnectionUse()
        try:
            return await self._send(request, use, limit)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientResponseError):
            if not use.reused:
                raise
        return await self._send(request.alone(), _ConnectionUse(), limit)

    async def _send(
        self, request: "SenderRequest", use: "_ConnectionUse", limit: asyncio.Timeout
    ) -> tuple[ReceiverAnswer, bytes]:
        """Make one request; `limit` ends with the head of the answer, because nothing after it is a failure."""
        if self._session is None:
            raise RuntimeError("the sender was not started")
        target = self._targets(request.url)
        self._posted += 1
        if self._posted % RENEWED_EVERY == 0:
            request = request.alone()
        async with self._session.request(
            request.method,
            target,
            data=request.body,
            headers=request.headers,
            allow_redirects=False,
            trace_request_ctx=use,
        ) as response:
            limit.reschedule(None)
            start = await _start_of(response, request.reads)
            answer = ReceiverAnswer(
                status=response.status,
                retry_after=retry_after(response.headers.get("retry-after"), self._clock.now()),
            )
            return answer, start


def _not_answered(error: Exception, seconds: float) -> SendResult:
    """Return the result of a request without an answer: the guard refused its target, or it failed."""
    refused = next((one for one in _causes(error) if isinstance(one, ForbiddenTargetError)), None)
    failure = AttemptFailure.FORBIDDEN_TARGET if refused else _failure(error)
    refusal = refused.refusal if refused else None
    return SendResult(answer=ReceiverAnswer(failure=failure), seconds=seconds, refusal=refusal)


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderRequest:
    """One request to make."""

    method: str
    url: str
    body: bytes
    headers: Mapping[str, str]
    reads: int

    def alone(self) -> "SenderRequest":
        """Return the request on a connection of its own, which is closed afterwards."""
        return replace(self, headers={**self.headers, "connection": "close"})


@dataclass(slots=True)
class _ConnectionUse:
    """How a request used its connection: whether the connection had been used before."""

    reused: bool = False


def _trace_of_reuse() -> aiohttp.TraceConfig:
    async def reused(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: object) -> None:
        context.trace_request_ctx.reused = True

    trace = aiohttp.TraceConfig()
    trace.on_connection_reuseconn.append(reused)
    return trace


async def _start_of(response: aiohttp.ClientResponse, most: int) -> bytes:
    """Read the body for at most 2 s and `most` bytes; a body without a proper end closes its connection."""
    start = bytearray()
    try:
        async with asyncio.timeout(EXCERPT_S):
            while len(start) < most and (chunk := await response.content.read(most - len(start))):
                start += chunk
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        response.close()
    if not response.content.at_eof() or (response.status == 204 and _announces_a_body(response)):
        response.close()
    return bytes(start)


def _announces_a_body(response: aiohttp.ClientResponse) -> bool:
    return response.headers.get("content-length", "0") != "0" or "transfer-encoding" in response.headers


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """Return the delay that a Retry-After header asks for, as seconds or as a date; None if it asks for none.

    Zero and a date in the past ask for none: the retry schedule decides then.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        wait = timedelta(seconds=int(text[:10]))  # more digits than a century has are as good as these
    else:
        try:
            moment = parsedate_to_datetime(text)
            wait = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now
        except (ValueError, OverflowError):
            return None
    return wait if wait > timedelta() else None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and all its causes, through groups and aiohttp's wrappers."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        found = waiting.pop()
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        waiting += [found.__cause__, found.__context__]
        waiting += found.exceptions if isinstance(found, BaseExceptionGroup) else []


_FAILURES: tuple[tuple[type[BaseException], AttemptFailure], ...] = (
    (TimeoutError, AttemptFailure.TIMEOUT),
    (aiohttp.ClientConnectorDNSError, AttemptFailure.DNS),
    (aiohttp.ClientSSLError, AttemptFailure.TLS),
    (aiohttp.ClientConnectorError, AttemptFailure.CONNECT),
    (aiohttp.ServerDisconnectedError, AttemptFailure.PROTOCOL),
    (aiohttp.ClientOSError, AttemptFailure.CONNECT),
    (OSError, AttemptFailure.CONNECT),
)
"""Checked in this order, because some of them are subclasses of others."""


def _failure(error: BaseException) -> AttemptFailure:
    return next((failure for kind, failure in _FAILURES if isinstance(error, kind)), AttemptFailure.PROTOCOL)
