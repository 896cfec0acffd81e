"""Reads ingest's inspector: the latest entries, and the stream of new ones, resumed where it broke off."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2

from waymark.console import CommandError, say

RETRY_S = 2.0
_SILENCE_S = 45.0
"""The stream says something every 15 s; after three times that it is taken to be dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRequest:
    """Which source's traffic to follow, with which key and which filters."""

    url: str
    key: str
    source: str | None = None
    rejected: bool = False
    back: int = 10

    @property
    def filters(self) -> dict[str, str]:
        """The query parameters of this request."""
        chosen = {"source": self.source or "", "outcome": "rejected,refused" if self.rejected else ""}
        return {name: value for name, value in chosen.items() if value}

    @property
    def headers(self) -> dict[str, str]:
        """The request headers: who asks, and in which language."""
        return {"authorization": f"Bearer {self.key}", "accept-language": say("en", "ko")}


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEvent:
    """One event of the stream: its name, its document, and where to resume after it."""

    name: str
    document: dict[str, Any]
    id: str = ""


async def recent(client: httpx2.AsyncClient, watch: StreamRequest) -> list[dict[str, Any]]:
    """Return the latest entries, oldest first; raises `CommandError`."""
    if not watch.back:
        return []
    query = {**watch.filters, "limit": str(watch.back)}
    try:
        answer = await client.get(f"{watch.url}/v1/inspector", params=query, headers=watch.headers)
    except httpx2.TransportError as error:
        raise CommandError(f"ingest at {watch.url} does not answer ({type(error).__name__})") from error
    if answer.status_code != 200:
        raise CommandError(_refusal(answer.content, answer.status_code))
    entries: list[dict[str, Any]] = answer.json()["entries"]
    return entries[::-1]


async def follow(client: httpx2.AsyncClient, watch: StreamRequest) -> AsyncIterator[StreamEvent]:
    """Yield events for ever; an event `lost` says that the stream broke off and is being resumed.

    Raises:
        CommandError: the key opens nothing here.
    """
    last_id = ""
    while True:
        try:
            async for event in _once(client, watch, last_id):
                last_id = event.id or last_id
                yield event
        except httpx2.TransportError as error:
            yield StreamEvent(name="lost", document={"why": type(error).__name__})
        await asyncio.sleep(RETRY_S)


async def _once(client: httpx2.AsyncClient, watch: StreamRequest, last_id: str) -> AsyncIterator[StreamEvent]:
    headers = {**watch.headers, **({"last-event-id": last_id} if last_id else {})}
    stream = client.stream(
        "GET", f"{watch.url}/v1/inspector/stream", params=watch.filters, headers=headers, timeout=_SILENCE_S
    )
    async with stream as answer:
        if answer.status_code in {429, 503}:
            return
        if answer.status_code != 200:
            raise CommandError(_refusal(await answer.aread(), answer.status_code))
        lines: dict[str, str] = {}
        async for line in answer.aiter_lines():
            if line:
                name, _, value = line.partition(": ")
                lines[name] = value
                continue
            if "event" in lines:
                yield StreamEvent(name=lines["event"], document=json.loads(lines["data"]), id=lines.get("id", ""))
            lines = {}


def _refusal(body: bytes, status: int) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return f"ingest answers {status}"
