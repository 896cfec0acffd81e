"""Posts touchpoints to ingest in batches, in order, and waits, with a notice, while ingest is unavailable."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Timer
from typing import Protocol

import httpx2

from waymark.console import CommandError, masked, say
from waymark.imports.spool import SpooledTouchpoint
from waymark.producer import exchange
from waymark.producer.exchange import IngestAnswer, RequestRefused, TouchpointResult, TouchpointStatus

BATCH = 500
BATCH_BYTES = 2_000_000
PATIENCE_S = 300.0
CONNECT_S = 5.0
ANSWER_S = 30.0
SILENCE_S = 3.0
"""After so long without an answer, people want to know what is waited for."""
SAY_AGAIN_S = 30.0


class BatchSender(Protocol):
    """Takes one batch of touchpoints after the other."""

    def send(self, batch: Sequence[SpooledTouchpoint]) -> list["SentResult"]:
        """Send until every touchpoint has an answer that is final."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentResult:
    """The final result of one touchpoint: `status` is accepted, duplicate or rejected; `position` is its place."""

    line: int
    status: str
    position: int = 0
    id: str = ""
    code: str = ""
    field: str = ""
    message: str = ""


def batches(
    spooled: Iterable[SpooledTouchpoint], *, most: int = BATCH, most_bytes: int = BATCH_BYTES
) -> Iterator[list[SpooledTouchpoint]]:
    """Lists of at most so many touchpoints and bytes, none empty."""
    batch: list[SpooledTouchpoint] = []
    size = 0
    for item in spooled:
        if batch and (len(batch) == most or size + len(item.raw) > most_bytes):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += len(item.raw)
    if batch:
        yield batch


class WaitNotice:
    """Says what an import waits for: soon, then now and then, and when it is over. Used from two threads."""

    def __init__(self, url: str, patience_s: float, tell: Callable[[str], None]) -> None:
        self._url = masked(url)
        self._patience_s = patience_s
        self._tell = tell
        self._told_at: float | None = None

    @contextmanager
    def for_answer(self, waited_s: float) -> Iterator[None]:
        """While an answer is awaited: tell when it takes long."""
        timer = Timer(SILENCE_S, self.still, (waited_s + SILENCE_S, say("no answer", "응답 없음")))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def still(self, waited_s: float, why: str) -> None:
        """Tell that nothing was taken for so long, unless that was told a moment ago."""
        if self._told_at is not None and waited_s - self._told_at < SAY_AGAIN_S:
            return
        self._told_at = waited_s
        left = max(self._patience_s - waited_s, 0)
        self._tell(
            say(
                f"waiting for ingest at {self._url} ({why}) since {waited_s:.0f} s; gives up in {left:.0f} s. "
                "Ctrl-C stops; the same command goes on from here",
                f"{self._url}의 ingest를 {waited_s:.0f}초째 기다립니다 ({why}). {left:.0f}초 뒤 그만둡니다. "
                "Ctrl-C로 멈추고 같은 명령으로 이어서 할 수 있습니다",
            )
        )

    def over(self) -> None:
        """Tell that it goes on, where waiting was told."""
        if self._told_at is not None:
            self._tell(say("ingest answers again", "ingest가 다시 응답합니다"))
        self._told_at = None


class IngestSender:
    """Posts to `/v1/touchpoints`. What is unavailable is sent again, with its id, until the patience is over."""

    def __init__(
        self,
        client: httpx2.Client,
        url: str,
        key: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        tell: Callable[[str], None] = lambda _: None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._client = client
        self._url = f"{url.rstrip('/')}{exchange.PATH}"
        self._headers = exchange.headers(key)
        self._sleep = sleep
        self._patience_s = patience_s
        self._waiting = WaitNotice(url, patience_s, tell)
        self._why = ""

    def send(self, batch: Sequence[SpooledTouchpoint]) -> list[SentResult]:
        """Send until every touchpoint has a final answer.

        Raises:
            CommandError: ingest refuses the key or the request, or has not taken anything for minutes.
        """
        outcomes: list[SentResult] = []
        left = list(enumerate(batch))
        waited = 0.0
        vain = 0
        while True:
            began = time.monotonic()
            with self._waiting.for_answer(waited):
                answer = self._post([item for _, item in left])
            waited += time.monotonic() - began
            answered = list(zip(left, answer.results, strict=True))
            done = [
                _outcome(one, result) for one, result in answered if result.status is not TouchpointStatus.UNAVAILABLE
            ]
            outcomes += done
            left = [one for one, result in answered if result.status is TouchpointStatus.UNAVAILABLE]
            if not left:
                self._waiting.over()
                return outcomes
            if done:
                self._waiting.over()
            waited, vain = (0.0, 1) if done else (waited, vain + 1)
            pause = exchange.pause_s(vain, answer.retry_after_s)
            if waited + pause > self._patience_s:
                raise CommandError(
                    f"ingest at {masked(self._url)} takes nothing since {waited:.0f} s ({self._why}); "
                    "the same command goes on from here"
                )
            self._waiting.still(waited, self._why)
            self._sleep(pause)
            waited += pause

    def _post(self, batch: Sequence[SpooledTouchpoint]) -> IngestAnswer:
        """One try: a result for each, and how long ingest asks to wait."""
        try:
            said = self._client.post(
                self._url, content=exchange.body([item.raw for item in batch]), headers=self._headers
            )
        except (httpx2.UnsupportedProtocol, httpx2.InvalidURL) as error:
            raise CommandError(
                f"{masked(self._url)} is no address of ingest ({error}); say http://HOST:PORT"
            ) from error
        except httpx2.TransportError as error:
            self._why = str(error) or type(error).__name__
            return exchange.unavailable(len(batch))
        self._why = f"HTTP {said.status_code}"
        try:
            return exchange.read(said.status_code, said.content, said.headers.get("retry-after", ""), len(batch))
        except RequestRefused as refused:
            raise CommandError(f"ingest refuses the import ({refused})") from refused


def _outcome(one: tuple[int, SpooledTouchpoint], result: TouchpointResult) -> SentResult:
    position, item = one
    return SentResult(
        line=item.line,
        position=position,
        status=str(result.status),
        id=result.id,
        code=result.code,
        field=result.field,
        message=result.message,
    )
