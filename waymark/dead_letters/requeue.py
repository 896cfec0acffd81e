"""Sends dead letters again: each to where it was refused, at a limited rate, and recorded so that it happens once.

What ingest rejected goes through ingest again, under its source, and is marked as a replay unless the operator says
otherwise. Everything that may have been corrected since (the schema, a source's channels, a rule) is applied anew, and
the id stays the same. What the journey worker or alerts could not apply is published to its topic again, unchanged.
Sending twice is harmless, because the pair of source and id identifies a touchpoint.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import httpx2
import orjson

from services.ingest.publish.requeued_letters import note_requeued
from services.ingest.sources.source_administration import UnknownSourceError, lend_source_key, take_source_key_back
from services.runtime.kafka.producer import KafkaProducer
from services.runtime.log.letter_table import ListedDeadLetter
from services.runtime.postgres.pools import Connection
from waymark.console import CommandError, say
from waymark.dead_letters.letters import republish
from waymark.producer import exchange

AT_A_TIME = 100
_TRIES = 5
_LONGEST_WAIT_S = 60.0

CONNECT_S = 5.0


class RequeueObstacle(StrEnum):
    """Why a letter cannot be sent again unchanged."""

    CONFLICT = "conflict"
    MAPPED = "mapped"
    TRUNCATED = "truncated"
    UNREADABLE = "unreadable"

    @property
    def sentence(self) -> str:
        """What to do about it, in the operator's language."""
        english, korean = _SENTENCES[self]
        return say(english, korean)


_SENTENCES = {
    RequeueObstacle.CONFLICT: (
        "its id was used before with other content, and would be refused again. Give it an id of its own: "
        "`waymark dlq show REF --value > FILE`, edit, `waymark send FILE`",
        "같은 id가 다른 내용으로 이미 쓰여 다시 거부됩니다. 새 id를 주세요: "
        "`waymark dlq show REF --value > FILE`, 편집, `waymark send FILE`",
    ),
    RequeueObstacle.MAPPED: (
        "it came in another form (a webhook, CloudEvents, Segment): its producer sends it again",
        "다른 형식(웹훅, CloudEvents, Segment)으로 온 것이라 보낸 쪽에서 다시 보내야 합니다",
    ),
    RequeueObstacle.TRUNCATED: (
        "only its first 256 KiB were kept: its producer sends it again",
        "앞 256KiB만 남아 있어 보낸 쪽에서 다시 보내야 합니다",
    ),
    RequeueObstacle.UNREADABLE: (
        "it is not a JSON object, and will never be accepted as it is: edit it, or let its producer send it again",
        "JSON 객체가 아니라 그대로는 받아들여질 수 없습니다. 고치거나 보낸 쪽에서 다시 보내야 합니다",
    ),
}


def find_obstacle(letter: ListedDeadLetter) -> RequeueObstacle | None:
    """Return why `letter` cannot be sent again unchanged, or None when it can."""
    if letter.code == "id_conflict":
        return RequeueObstacle.CONFLICT
    if letter.stage != "ingest":
        return None
    if letter.mapped:
        return RequeueObstacle.MAPPED
    if letter.truncated:
        return RequeueObstacle.TRUNCATED
    return None if _object(letter.value or b"") is not None else RequeueObstacle.UNREADABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class RequeueResult:
    """The result for one letter: `accepted`, `duplicate`, `rejected`, `published`, or the obstacle in its way."""

    letter: ListedDeadLetter
    outcome: str
    code: str = ""
    message: str = ""

    @property
    def path(self) -> str:
        """Where the letter is sent: `ingest`, or the name of its topic."""
        return "ingest" if self.letter.stage == "ingest" else self.letter.topic


@dataclass(frozen=True, slots=True, kw_only=True)
class RequeueOptions:
    """How to send letters again: only as a trial (`dry_run`), as current touchpoints (`live`), and at which rate."""

    url: str
    dry_run: bool = False
    live: bool = False
    per_s: float = 100.0


OnResult = Callable[[RequeueResult], None]


def split_by_destination(
    letters: Iterable[ListedDeadLetter],
) -> tuple[list[ListedDeadLetter], list[ListedDeadLetter], list[RequeueResult]]:
    """Return the letters for ingest, those for their topics, and a result for each that cannot be sent."""
    through: list[ListedDeadLetter] = []
    straight: list[ListedDeadLetter] = []
    stuck: list[RequeueResult] = []
    for letter in letters:
        why = find_obstacle(letter)
        if why is not None:
            stuck.append(RequeueResult(letter=letter, outcome=why, code=letter.code, message=why.sentence))
        else:
            (through if letter.stage == "ingest" else straight).append(letter)
    return through, straight, stuck


async def resend_through_ingest(
    connection: Connection, letters: Sequence[ListedDeadLetter], options: RequeueOptions, on_result: OnResult
) -> None:
    """Post the letters to ingest again, one source after the other.

    Raises:
        CommandError: ingest is unavailable. Letters sent before are recorded, so the same call may be repeated.
    """
    async with httpx2.AsyncClient(timeout=httpx2.Timeout(30.0, connect=CONNECT_S)) as client:
        for source in sorted({letter.source or "" for letter in letters}):
            own = [letter for letter in letters if letter.source == source]
            async with _lent_key(connection, source, options) as key:
                for some in _at_rate(own, options.per_s):
                    results = await _post(client, options, key, await some)
                    if not options.dry_run:
                        await _note(connection, results)
                    for result in results:
                        on_result(result)


async def resend_to_topic(
    connection: Connection,
    letters: Sequence[ListedDeadLetter],
    producer: KafkaProducer,
    options: RequeueOptions,
    on_result: OnResult,
) -> None:
    """Publish the letters to their topics again, unchanged; raises `PublishError`."""
    for some in _at_rate(letters, options.per_s):
        ready = await some
        if not options.dry_run:
            await republish(connection, ready, producer)
        for letter in ready:
            on_result(RequeueResult(letter=letter, outcome="published"))


def _at_rate(letters: Sequence[ListedDeadLetter], per_s: float) -> Iterator[Any]:
    """Yield awaitables, each of the next letters, so that no more than `per_s` are sent in a second."""
    size = max(1, min(AT_A_TIME, int(per_s)))
    begun = time.monotonic()

    async def due(at: int) -> Sequence[ListedDeadLetter]:
        await asyncio.sleep(max(0.0, begun + at / per_s - time.monotonic()))
        return letters[at : at + size]

    for at in range(0, len(letters), size):
        yield due(at)


@asynccontextmanager
async def _lent_key(connection: Connection, source: str, options: RequeueOptions) -> AsyncIterator[str]:
    """Lend a key of `source` for the length of the block, because nobody has the producer's own."""
    try:
        key = await lend_source_key(connection, source, "write" if options.live else "replay")
    except UnknownSourceError as error:
        raise CommandError(f"there is no source {source!r} any more") from error
    try:
        yield key.text
    finally:
        await take_source_key_back(connection, key.key_id)


async def _post(
    client: httpx2.AsyncClient, options: RequeueOptions, key: str, letters: Sequence[ListedDeadLetter]
) -> list[RequeueResult]:
    body = exchange.body([_as_replay(letter, live=options.live) for letter in letters])
    headers = {
        **exchange.headers(key),
        "accept-language": say("en", "ko"),
        **({"waymark-dry-run": "true"} if options.dry_run else {}),
    }
    answer = await _post_until_answered(client, f"{options.url}{exchange.PATH}", body, headers)
    results = []
    for letter, answered in zip(letters, answer["results"], strict=True):
        if answered["status"] == "unavailable":
            raise CommandError(f"ingest could not write all of them: {answered.get('message', '')} Try again.")
        results.append(
            RequeueResult(
                letter=letter,
                outcome=answered["status"],
                code=answered.get("code", ""),
                message=answered.get("message", ""),
            )
        )
    return results


async def _post_until_answered(
    client: httpx2.AsyncClient, url: str, body: bytes, headers: dict[str, str]
) -> dict[str, Any]:
    for _ in range(_TRIES):
        try:
            answer = await client.post(url, content=body, headers=headers)
        except httpx2.TransportError as error:
            raise CommandError(f"ingest at {url} does not answer ({type(error).__name__})") from error
        if answer.status_code not in {429, 503} or b'"results"' in answer.content:
            break
        await asyncio.sleep(min(_LONGEST_WAIT_S, float(answer.headers.get("retry-after", "1"))))
    document: dict[str, Any] = answer.json()
    if "results" not in document:
        raise CommandError(f"ingest refuses: {document.get('code', '')} {document.get('message', '')}")
    return document


def _as_replay(letter: ListedDeadLetter, *, live: bool) -> bytes:
    """Return the original document, marked as a replay unless `live`."""
    document = _object(letter.value or b"") or {}
    document.pop("writeKey", None)
    if live:
        document.pop("replay", None)
    else:
        document["replay"] = True
    return orjson.dumps(document)


def _object(value: bytes) -> dict[str, Any] | None:
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


async def _note(connection: Connection, results: Iterable[RequeueResult]) -> None:
    async with connection.transaction():
        for result in results:
            letter = result.letter
            await note_requeued(
                connection, letter.letter_id, source=letter.source or "", outcome=result.outcome, code=result.code
            )
