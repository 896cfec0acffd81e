"""How dead letters go back: each by its path, as fast as is allowed, and noted so that it happens once.

What ingest rejected goes through ingest again, as its source, marked as a replay unless told otherwise: everything that
may have been mended (the schema, a source's channels, a rule) is applied anew, and the id stays what it was. What the
journey worker or alerts could not apply goes straight to its topic, as it stood there. Sending twice changes nothing:
the pair of source and id decides, and what was sent again is noted.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import httpx2
import orjson
import psycopg

from services.runtime.kafka import Producer
from waymark.console import CommandError, say
from waymark.dead_letters.letters import Letter, republish
from waymark.keys.key_store import lend_key, take_key_back
from waymark.producer import exchange

AT_A_TIME = 100
_TRIES = 5
_LONGEST_WAIT_S = 60.0

CONNECT_S = 5.0


class Obstacle(StrEnum):
    """Why a letter cannot go back as it is."""

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
    Obstacle.CONFLICT: (
        "its id was used before with other content, and would be refused again. Give it an id of its own: "
        "`waymark dlq show REF --value > FILE`, edit, `waymark send FILE`",
        "같은 id가 다른 내용으로 이미 쓰여 다시 거부됩니다. 새 id를 주세요: "
        "`waymark dlq show REF --value > FILE`, 편집, `waymark send FILE`",
    ),
    Obstacle.MAPPED: (
        "it came in another form (a webhook, CloudEvents, Segment): its producer sends it again",
        "다른 형식(웹훅, CloudEvents, Segment)으로 온 것이라 보낸 쪽에서 다시 보내야 합니다",
    ),
    Obstacle.TRUNCATED: (
        "only its first 256 KiB were kept: its producer sends it again",
        "앞 256KiB만 남아 있어 보낸 쪽에서 다시 보내야 합니다",
    ),
    Obstacle.UNREADABLE: (
        "it is not a JSON object, and will never be accepted as it is: edit it, or let its producer send it again",
        "JSON 객체가 아니라 그대로는 받아들여질 수 없습니다. 고치거나 보낸 쪽에서 다시 보내야 합니다",
    ),
}


def obstacle(letter: Letter) -> Obstacle | None:
    """Why `letter` cannot go back as it is, None when it can."""
    if letter.code == "id_conflict":
        return Obstacle.CONFLICT
    if letter.stage != "ingest":
        return None
    if letter.mapped:
        return Obstacle.MAPPED
    if letter.truncated:
        return Obstacle.TRUNCATED
    return None if _object(letter.value or b"") is not None else Obstacle.UNREADABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of one letter, or would: `accepted`, `duplicate`, `rejected`, `published`, or why it cannot go."""

    letter: Letter
    outcome: str
    code: str = ""
    message: str = ""

    @property
    def path(self) -> str:
        """Which way it goes."""
        return "ingest" if self.letter.stage == "ingest" else self.letter.topic


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How letters go back: only to see (`dry_run`), as what happens now (`live`), so many a second."""

    url: str
    dry_run: bool = False
    live: bool = False
    per_s: float = 100.0


Told = Callable[[Fate], None]


def sort_out(letters: Iterable[Letter]) -> tuple[list[Letter], list[Letter], list[Fate]]:
    """Those that go through ingest, those that go straight to their topics, and those that cannot go, with why."""
    through: list[Letter] = []
    straight: list[Letter] = []
    stuck: list[Fate] = []
    for letter in letters:
        why = obstacle(letter)
        if why is not None:
            stuck.append(Fate(letter=letter, outcome=why, code=letter.code, message=why.sentence))
        else:
            (through if letter.stage == "ingest" else straight).append(letter)
    return through, straight, stuck


async def through_ingest(connection: psycopg.Connection, letters: Sequence[Letter], manner: Manner, told: Told) -> None:
    """Send letters through ingest, source by source.

    Raises:
        CommandError: ingest cannot take them just now; those before are noted, so the same call may be made again.
    """
    async with httpx2.AsyncClient(timeout=httpx2.Timeout(30.0, connect=CONNECT_S)) as client:
        for source in sorted({letter.source or "" for letter in letters}):
            own = [letter for letter in letters if letter.source == source]
            with _lent(connection, source, manner) as key:
                for some in _paced(own, manner.per_s):
                    for fate in await _post(client, manner, key, await some):
                        _note(connection, fate, manner)
                        told(fate)
                    connection.commit()


async def straight_to_topic(
    connection: psycopg.Connection, letters: Sequence[Letter], producer: Producer, manner: Manner, told: Told
) -> None:
    """Publish letters as they stood in their topics; raises `PublishFailed`."""
    for some in _paced(letters, manner.per_s):
        ready = await some
        if not manner.dry_run:
            await republish(connection, ready, producer)
        for letter in ready:
            told(Fate(letter=letter, outcome="published"))


def _paced(letters: Sequence[Letter], per_s: float) -> Iterator[Any]:
    """Yield, as something to await, so many letters at a time that `per_s` is kept."""
    size = max(1, min(AT_A_TIME, int(per_s)))
    begun = time.monotonic()

    async def due(at: int) -> Sequence[Letter]:
        await asyncio.sleep(max(0.0, begun + at / per_s - time.monotonic()))
        return letters[at : at + size]

    for at in range(0, len(letters), size):
        yield due(at)


@contextmanager
def _lent(connection: psycopg.Connection, source: str, manner: Manner) -> Iterator[str]:
    """A key of `source` for as long as it is needed: nobody has the producer's own."""
    key = lend_key(connection, source, "write" if manner.live else "replay")
    connection.commit()
    try:
        yield key.text
    finally:
        take_key_back(connection, key.key_id)
        connection.commit()


async def _post(client: httpx2.AsyncClient, manner: Manner, key: str, letters: Sequence[Letter]) -> list[Fate]:
    body = exchange.body([_marked(letter, live=manner.live) for letter in letters])
    headers = {
        **exchange.headers(key),
        "accept-language": say("en", "ko"),
        **({"waymark-dry-run": "true"} if manner.dry_run else {}),
    }
    answer = await _answered(client, f"{manner.url}{exchange.PATH}", body, headers)
    fates = []
    for letter, result in zip(letters, answer["results"], strict=True):
        if result["status"] == "unavailable":
            raise CommandError(f"ingest could not write all of them: {result.get('message', '')} Try again.")
        fates.append(
            Fate(
                letter=letter,
                outcome=result["status"],
                code=result.get("code", ""),
                message=result.get("message", ""),
            )
        )
    return fates


async def _answered(client: httpx2.AsyncClient, url: str, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
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


def _marked(letter: Letter, *, live: bool) -> bytes:
    """What was sent, marked as a replay unless it goes back as what happens now."""
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


def _note(connection: psycopg.Connection, fate: Fate, manner: Manner) -> None:
    if not manner.dry_run:
        connection.execute(
            """INSERT INTO ingest.requeued_letters (letter_id, source, outcome, code) VALUES (%s, %s, %s, %s)
               ON CONFLICT (letter_id) DO UPDATE SET outcome = excluded.outcome, code = excluded.code""",
            (fate.letter.letter_id, fate.letter.source, fate.outcome, fate.code),
        )
