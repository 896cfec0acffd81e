"""One HTTP attempt: signed bytes out, an answer back, within a hard limit of time and size; never an exception.

No redirects, no proxies and no `.netrc` from the environment, no cookies, no decompression. Connections are kept for a
moment and used again: the guard saw the address of each when it was made, and a connection stays with its address.
Leaves what the answer means to `retry`.
"""

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache, partial
from itertools import islice, pairwise
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler

from services.alerts.deliver.retry import Answer, Failure
from services.alerts.deliver.webhook.target_guard import ForbiddenTargetError, Guard
from services.runtime.clock import Clock

TOTAL_S = 15.0
CONNECT_S = 5.0
EXCERPT_S = 2.0
"""How long the body of an answer is read: the status line decides, and the body is an excerpt for people."""

BODY_BYTES = 16 * 1024
EXCERPT_BYTES = 1024
KEPT_S = 1.5
"""How long an idle connection is kept: less than receivers keep theirs, so that hardly one dies as it is used again."""

KEPT_AT_MOST = 256
"""Idle or busy connections to one receiver; how many are busy is for each endpoint to say (`max_in_flight`)."""

RENEWED_EVERY = 100
"""Of so many requests one closes its connection: a name that moves is asked for again before long."""

USER_AGENT = "Waymark-Alerts/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What came of an attempt. `excerpt` starts the receiver's answer, untrusted; `refusal` is the guard's reason."""

    answer: Answer
    seconds: float
    excerpt: str = ""
    refusal: str | None = None


class _GuardedResolver(AbstractResolver):
    """A resolver that refuses an answer which holds any forbidden address."""

    def __init__(self, guard: Guard, resolver: AbstractResolver) -> None:
        self._guard = guard
        self._resolver = resolver

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        self._guard.check_addresses([entry["host"] for entry in found])
        return found

    async def close(self) -> None:
        await self._resolver.close()


class _HeadFirst(ResponseHandler):
    """Takes the head of an answer before what follows it.

    aiohttp reads both at once where they come in one packet, and a body that is not as the head says (longer, cut into
    wrong chunks, behind a 204) would take the status along.
    """

    _END = re.compile(rb"\r?\n\r?\n")
    _HEADS = 3
    """Heads that are looked for in one packet: a 100 or 103 may stand before the answer."""

    _before = b""

    def data_received(self, data: bytes) -> None:
        seen = len(self._before)
        found = islice(self._END.finditer(self._before + data), self._HEADS)
        cuts = [end for end in (match.end() - seen for match in found) if 0 < end < len(data)]
        self._before = (self._before + data)[-3:]
        for start, end in pairwise([0, *cuts, len(data)]):
            super().data_received(data[start:end])


class Sender:
    """Sends to any URL that the guard allows. Use as an async context manager.

    `resolver` is the system's own unless another is given.
    """

    def __init__(
        self, guard: Guard, clock: Clock, *, total_s: float = TOTAL_S, resolver: AbstractResolver | None = None
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
        protocols: Any = partial(_HeadFirst, loop=asyncio.get_running_loop())
        connector._factory = protocols  # there is no other way in; a test notices should it close
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_S),  # the total is `send`'s
            trust_env=False,
            auto_decompress=False,
            headers={"user-agent": USER_AGENT, "accept-encoding": "identity", "content-type": "application/json"},
            trace_configs=[_noticing_reuse()],
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Sent:
        """POST `body`; every failure is an answer."""
        started = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._total_s) as limit:
                answer, excerpt = await self._post_once_more(url, body, headers, limit)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            refused = next((e for e in _causes(error) if isinstance(e, ForbiddenTargetError)), None)
            failure = Failure.FORBIDDEN_TARGET if refused else _failure(error)
            return Sent(
                answer=Answer(failure=failure),
                seconds=self._clock.monotonic() - started,
                refusal=refused.refusal if refused else None,
            )
        return Sent(answer=answer, seconds=self._clock.monotonic() - started, excerpt=excerpt)

    async def _post_once_more(
        self, url: str, body: bytes, headers: Mapping[str, str], limit: asyncio.Timeout
    ) -> tuple[Answer, str]:
        """Post, and where a kept connection broke before an answer, on a new one: it had been idle."""
        way = _Way()
        try:
            return await self._post(url, body, headers, way, limit)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientResponseError):
            if not way.reused:
                raise
        return await self._post(url, body, {**headers, "connection": "close"}, _Way(), limit)

    async def _post(
        self, url: str, body: bytes, headers: Mapping[str, str], way: "_Way", limit: asyncio.Timeout
    ) -> tuple[Answer, str]:
        """One request. Once the head of the answer is there `limit` is lifted: nothing after it makes a failure."""
        if self._session is None:
            raise RuntimeError("the sender was not started")
        target = self._targets(url)
        self._posted += 1
        if self._posted % RENEWED_EVERY == 0:
            headers = {**headers, "connection": "close"}
        async with self._session.post(
            target, data=body, headers=headers, allow_redirects=False, trace_request_ctx=way
        ) as response:
            limit.reschedule(None)
            start = await _start_of(response)
            answer = Answer(
                status=response.status,
                retry_after=retry_after(response.headers.get("retry-after"), self._clock.now()),
            )
            return answer, start[:EXCERPT_BYTES].decode("utf-8", "replace").replace("\0", "�")


@dataclass(slots=True)
class _Way:
    """Which way a request went: whether over a connection that had been used before."""

    reused: bool = False


def _noticing_reuse() -> aiohttp.TraceConfig:
    async def reused(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: object) -> None:
        context.trace_request_ctx.reused = True

    noticing = aiohttp.TraceConfig()
    noticing.on_connection_reuseconn.append(reused)
    return noticing


async def _start_of(response: aiohttp.ClientResponse) -> bytes:
    """What comes of the body in 2 s, at most 16 KiB; a body without a proper end closes its connection."""
    start = bytearray()
    try:
        async with asyncio.timeout(EXCERPT_S):
            while len(start) < BODY_BYTES and (chunk := await response.content.read(BODY_BYTES - len(start))):
                start += chunk
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        response.close()
    if not response.content.at_eof() or (response.status == 204 and _announces_a_body(response)):
        response.close()
    return bytes(start)


def _announces_a_body(response: aiohttp.ClientResponse) -> bool:
    return response.headers.get("content-length", "0") != "0" or "transfer-encoding" in response.headers


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """Return the wait that a Retry-After header asks for, in seconds or as a date; None where it asks for none.

    Zero and a date that has passed ask for none: when to come back is for the schedule to say.
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
    """The error and everything behind it, through groups and aiohttp's wrappers."""
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


_FAILURES: tuple[tuple[type[BaseException], Failure], ...] = (
    (TimeoutError, Failure.TIMEOUT),
    (aiohttp.ClientConnectorDNSError, Failure.DNS),
    (aiohttp.ClientSSLError, Failure.TLS),
    (aiohttp.ClientConnectorError, Failure.CONNECT),
    (aiohttp.ServerDisconnectedError, Failure.PROTOCOL),
    (aiohttp.ClientOSError, Failure.CONNECT),
    (OSError, Failure.CONNECT),
)
"""Asked in this order: some of them are kinds of one another."""


def _failure(error: BaseException) -> Failure:
    return next((failure for kind, failure in _FAILURES if isinstance(error, kind)), Failure.PROTOCOL)
