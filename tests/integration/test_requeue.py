"""Dead letters against ingest and a broker: refused, mended, tried, sent again, once."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from services.ingest.publish.requeued_letters import letters_requeued
from services.ingest.sources.source_administration import SourceSpec
from services.runtime.clock import new_id
from services.runtime.log.letter_table import DeadLetterSelection, ListedDeadLetter
from tests.fixtures.administration import source_key
from tests.fixtures.command import run_waymark
from tests.fixtures.ingest import IngestServer, a_touchpoint, ends, make_topics, read_back
from waymark.database import open_session
from waymark.dead_letters.rejections import find_rejections
from waymark.dead_letters.requeue import (
    RequeueObstacle,
    RequeueOptions,
    RequeueResult,
    find_obstacle,
    resend_through_ingest,
    split_by_destination,
)

pytestmark = pytest.mark.local


class Operator:
    """Looks after the dead letters of one source beside an ingest."""

    def __init__(self, ingest: IngestServer, database: str, broker: str) -> None:
        self.ingest = ingest
        self.database = database
        self.broker = broker
        self.source = f"ivr-{new_id().hex[-12:]}"

    def source_key(self, *channels: str) -> str:
        """Make a key of the source, which may speak of these channels."""
        return source_key(self.database, SourceSpec(name=self.source, channels=channels))

    async def letters(self, *, everything: bool = False) -> list[ListedDeadLetter]:
        """What ingest refused of the source and nobody sent again."""
        async with open_session(self.database, "test") as connection:
            known = await letters_requeued(connection)
        return await find_rejections(self.broker, DeadLetterSelection(source=self.source, requeued=everything), known)

    async def requeue(self, **manner: Any) -> list[RequeueResult]:
        """Send again what waits."""
        through, _, fates = split_by_destination(await self.letters())
        async with open_session(self.database, "test") as connection:
            await resend_through_ingest(connection, through, RequeueOptions(url=self.address, **manner), fates.append)
        return fates

    @property
    def address(self) -> str:
        """Where ingest answers."""
        return self.ingest.url.removesuffix("/v1/touchpoints")

    def waymark(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the command."""
        environ = {
            "LANG": "en_US.UTF-8",
            "WAYMARK_KAFKA": self.broker,
            "WAYMARK_KAFKA_IDEMPOTENCE": "false",
            "WAYMARK_POSTGRES": self.database,
            "WAYMARK_URL_INGEST": self.address,
        }
        return run_waymark(*words, environ=environ, within=100.0)

    def key_labels(self) -> list[str]:
        """The labels of the source's keys."""
        statement = "SELECT label FROM ingest.source_keys WHERE source = %s"
        with psycopg.connect(self.database) as connection:
            return [label for (label,) in connection.execute(statement, (self.source,)).fetchall()]


@pytest.fixture
async def operator(tmp_path: Path, database: str, broker: str) -> Any:
    await make_topics(broker)
    with IngestServer(folder=tmp_path, database=database, bootstrap=broker) as ingest:
        yield Operator(ingest, database, broker)


async def test_what_was_refused_is_mended_tried_and_sent_again_once(operator: Operator) -> None:
    before = await ends(operator.broker)
    sent = [a_touchpoint(f"{operator.source}-{number}") for number in range(5)]
    status, _, answer = operator.ingest.post(operator.source_key("web"), {"touchpoints": sent})
    assert (status, answer["code"]) == (422, "all_rejected")
    waiting = await operator.letters()
    assert [(letter.code, letter.touchpoint_id) for letter in waiting] == [
        ("channel_not_allowed", touchpoint["id"]) for touchpoint in sent
    ]

    # Nothing is mended yet: the dry run says that all would be refused again, and leaves no trace.
    tried = await operator.requeue(dry_run=True)
    assert {(fate.outcome, fate.code) for fate in tried} == {("rejected", "channel_not_allowed")}

    operator.source_key("web", "phone")
    tried = await operator.requeue(dry_run=True)
    assert [(fate.path, fate.outcome) for fate in tried] == [("ingest", "accepted")] * 5
    assert await ends(operator.broker) == before

    assert [fate.outcome for fate in await operator.requeue()] == ["accepted"] * 5
    assert await operator.requeue() == []

    written = [json.loads(record.value) for record in await read_back(operator.broker, before)]
    assert sorted(touchpoint["id"] for touchpoint in written) == [touchpoint["id"] for touchpoint in sent]
    assert {(touchpoint["source"], touchpoint["replay"]) for touchpoint in written} == {(operator.source, True)}
    assert len(await operator.letters(everything=True)) == 5
    assert operator.key_labels() == ["", ""], "a key that was lent is still there"


async def test_what_goes_back_live_is_no_replay(operator: Operator) -> None:
    before = await ends(operator.broker)
    operator.ingest.post(operator.source_key("web"), a_touchpoint(f"{operator.source}-1"))
    operator.source_key("web", "phone")

    assert [fate.outcome for fate in await operator.requeue(live=True)] == ["accepted"]

    (record,) = await read_back(operator.broker, before)
    assert "replay" not in json.loads(record.value)


async def test_what_is_refused_again_gives_way_to_its_new_letter(operator: Operator) -> None:
    operator.ingest.post(operator.source_key("web"), a_touchpoint(f"{operator.source}-1"))
    (letter,) = await operator.letters()

    (fate,) = await operator.requeue()

    assert (fate.outcome, fate.code) == ("rejected", "channel_not_allowed")
    (waiting,) = await operator.letters()
    assert waiting.ref != letter.ref


async def test_letters_go_back_as_fast_as_is_allowed_and_no_faster(operator: Operator) -> None:
    key = operator.source_key("web")
    operator.ingest.post(key, {"touchpoints": [a_touchpoint(f"{operator.source}-{at}") for at in range(6)]})
    operator.source_key()
    taken: list[float] = []
    begun = time.monotonic()
    async with open_session(operator.database, "test") as connection:
        await resend_through_ingest(
            connection,
            await operator.letters(),
            RequeueOptions(url=operator.address, per_s=4),
            lambda _: taken.append(time.monotonic()),
        )

    assert len(taken) == 6
    assert taken[-1] - begun >= 1.0


async def test_the_command_says_what_cannot_go_back_and_why(operator: Operator) -> None:
    operator.ingest.post(operator.source_key(), {"touchpoints": ["no object at all"]})
    with psycopg.connect(operator.database, autocommit=True) as connection:
        connection.execute(
            """INSERT INTO journey.dead_letters (line, topic, partition, "offset", code, source, value, appended_at)
               VALUES ('line-1', 'touchpoints', 0, 7, 'id_conflict', %s, '{"id": "x"}', now())""",
            (operator.source,),
        )

    done = operator.waymark("dlq", "requeue", "--source", operator.source)

    assert done.returncode == 1, done.stderr
    assert "not a JSON object" in done.stdout
    assert "used before with other content" in done.stdout
    assert "0 sent again" in done.stdout
    (letter,) = await operator.letters()
    assert find_obstacle(letter) is RequeueObstacle.UNREADABLE


@pytest.mark.parametrize("words", [("--since", "yesterday"), ("--until", "2026-11-22T09:00:00"), ("--rate", "0")])
def test_a_selection_that_makes_no_sense_is_wrong_usage(words: tuple[str, ...]) -> None:
    done = run_waymark("dlq", "requeue", *words, environ={})

    assert done.returncode == 2
