"""Posts touchpoints to ingest in batches, in order, and waits while it cannot take them."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import httpx2
import orjson

from waymark.console import CommandError
from waymark.imports.spool import Spooled

BATCH = 500
BATCH_BYTES = 2_000_000
PATIENCE_S = 300.0
LONGEST_PAUSE_S = 15.0


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
        self._url = f"{url.rstrip('/')}/v1/touchpoints"
        self._headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        self._sleep = sleep

    def send(self, batch: Sequence[Spooled]) -> list[Outcome]:
        """Send until every touchpoint has a final answer.

        Raises:
            CommandError: ingest refuses the key or the request, or has not taken anything for minutes.
        """
        outcomes: list[Outcome] = []
        left = list(batch)
        waited = 0.0
        attempt = 0
        while left:
            answers, pause = self._post(left)
            done = [outcome for outcome, status in answers if status != "unavailable"]
            outcomes += done
            left = [item for item, (_, status) in zip(left, answers, strict=True) if status == "unavailable"]
            if not left:
                break
            waited, attempt = (0.0, 0) if done else (waited, attempt)
            pause = min(max(pause, 0.5 * 2**attempt), LONGEST_PAUSE_S)
            if waited + pause > PATIENCE_S:
                raise CommandError(
                    f"ingest at {self._url} takes nothing since {waited:.0f} s; the same command goes on from here"
                )
            self._sleep(pause)
            waited, attempt = waited + pause, attempt + 1
        return outcomes

    def _post(self, batch: Sequence[Spooled]) -> tuple[list[tuple[Outcome, str]], float]:
        """One try: an outcome and a status for each, and how long ingest asks to wait."""
        body = b'{"touchpoints":[' + b",".join(item.raw for item in batch) + b"]}"
        try:
            answer = self._client.post(self._url, content=body, headers=self._headers)
        except httpx2.TransportError:
            return _unavailable(batch), 0.0
        if answer.status_code >= 500 and "results" not in _document(answer):
            return _unavailable(batch), _retry_after(answer)
        if answer.status_code not in {202, 207, 422, 503}:
            document = _document(answer)
            why = document.get("message") or document.get("detail") or answer.reason_phrase
            raise CommandError(f"ingest refuses the import ({answer.status_code} {document.get('code', '')}): {why}")
        results = _document(answer)["results"]
        return [_outcome(item, result) for item, result in zip(batch, results, strict=True)], _retry_after(answer)


def _document(answer: httpx2.Response) -> dict[str, Any]:
    try:
        document = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def _outcome(item: Spooled, result: dict[str, Any]) -> tuple[Outcome, str]:
    outcome = Outcome(
        line=item.line,
        status=result["status"],
        id=result.get("id") or "",
        code=result.get("code") or "",
        field=result.get("field") or "",
        message=result.get("message") or "",
    )
    return outcome, outcome.status


def _unavailable(batch: Sequence[Spooled]) -> list[tuple[Outcome, str]]:
    return [(Outcome(line=item.line, status="unavailable"), "unavailable") for item in batch]


def _retry_after(answer: httpx2.Response) -> float:
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isdigit() else 0.0
