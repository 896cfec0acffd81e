"""Posts touchpoints to ingest in batches, in order, and waits while it cannot take them."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import httpx2

from waymark.console import CommandError
from waymark.imports.spool import Spooled
from waymark.producer import exchange
from waymark.producer.exchange import Answer, Refused, Result, Status

BATCH = 500
BATCH_BYTES = 2_000_000
PATIENCE_S = 300.0


class Sender(Protocol):
    """Whoever takes a batch."""

    def send(self, batch: Sequence[Spooled]) -> list["Outcome"]:
        """Send until every touchpoint has an answer that is final."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The final answer about one touchpoint: `status` is accepted, duplicate or rejected."""

    line: int
    status: str
    id: str = ""
    code: str = ""
    field: str = ""
    message: str = ""


def batches(spooled: Iterable[Spooled], *, most: int = BATCH, most_bytes: int = BATCH_BYTES) -> Iterator[list[Spooled]]:
    """Lists of at most so many touchpoints and bytes, none empty."""
    batch: list[Spooled] = []
    size = 0
    for item in spooled:
        if batch and (len(batch) == most or size + len(item.raw) > most_bytes):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += len(item.raw)
    if batch:
        yield batch


class IngestSender:
    """Posts to `/v1/touchpoints`. What is unavailable is sent again, with its id, until the patience is over."""

    def __init__(
        self, client: httpx2.Client, url: str, key: str, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._url = f"{url.rstrip('/')}{exchange.PATH}"
        self._headers = exchange.headers(key)
        self._sleep = sleep

    def send(self, batch: Sequence[Spooled]) -> list[Outcome]:
        """Send until every touchpoint has a final answer.

        Raises:
            CommandError: ingest refuses the key or the request, or has not taken anything for minutes.
        """
        outcomes: list[Outcome] = []
        left = list(batch)
        waited = 0.0
        vain = 0
        while left:
            answer = self._post(left)
            answered = list(zip(left, answer.results, strict=True))
            done = [_outcome(item, result) for item, result in answered if result.status is not Status.UNAVAILABLE]
            outcomes += done
            left = [item for item, result in answered if result.status is Status.UNAVAILABLE]
            if not left:
                break
            waited, vain = (0.0, 1) if done else (waited, vain + 1)
            pause = exchange.pause_s(vain, answer.retry_after_s)
            if waited + pause > PATIENCE_S:
                raise CommandError(
                    f"ingest at {self._url} takes nothing since {waited:.0f} s; the same command goes on from here"
                )
            self._sleep(pause)
            waited += pause
        return outcomes

    def _post(self, batch: Sequence[Spooled]) -> Answer:
        """One try: a result for each, and how long ingest asks to wait."""
        try:
            said = self._client.post(
                self._url, content=exchange.body([item.raw for item in batch]), headers=self._headers
            )
        except httpx2.TransportError:
            return exchange.unavailable(len(batch))
        try:
            return exchange.read(said.status_code, said.content, said.headers.get("retry-after", ""), len(batch))
        except Refused as refused:
            raise CommandError(f"ingest refuses the import ({refused})") from refused


def _outcome(item: Spooled, result: Result) -> Outcome:
    return Outcome(
        line=item.line,
        status=str(result.status),
        id=result.id,
        code=result.code,
        field=result.field,
        message=result.message,
    )
