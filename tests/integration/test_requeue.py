"""`waymark dlq` as an operator uses it, against ingest and a broker: refused, mended, tried, sent again, once."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from services.runtime.clock import new_id
from tests.integration.ingest_process import IngestProcess, a_touchpoint, ends, make_topics, read_back
from waymark.keys import SourceSpec, create_source_key

pytestmark = pytest.mark.local


class Operator:
    """Runs `waymark` beside an ingest."""

    def __init__(self, ingest: IngestProcess, database: str, broker: str) -> None:
        self.ingest = ingest
        self.database = database
        self.broker = broker
        self.source = f"ivr-{new_id().hex[-12:]}"

    def source_key(self, *channels: str) -> str:
        """Make a key of the source, which may speak of these channels."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            return create_source_key(connection, SourceSpec(name=self.source, channels=channels)).text

    def waymark(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the command."""
        environ = {
            "PATH": os.environ["PATH"],
            "LANG": "en_US.UTF-8",
            "WAYMARK_KAFKA": self.broker,
            "WAYMARK_KAFKA_IDEMPOTENCE": "false",
            "WAYMARK_POSTGRES": self.database,
            "WAYMARK_URL_INGEST": self.ingest.url.removesuffix("/v1/touchpoints"),
        }
        command = [str(Path(sys.executable).with_name("waymark")), *words]
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=90)

    def json(self, *words: str) -> Any:
        """Run the command and return what it prints for programs."""
        done = self.waymark(*words, "--json")
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def keys(self) -> list[tuple[Any, ...]]:
        """The keys of the source."""
        with psycopg.connect(self.database) as connection:
            return connection.execute(
                "SELECT label FROM ingest.source_keys WHERE source = %s", (self.source,)
            ).fetchall()


@pytest.fixture
async def operator(tmp_path: Path, database: str, broker: str) -> Any:
    await make_topics(broker)
    with IngestProcess(folder=tmp_path, database=database, bootstrap=broker) as ingest:
        yield Operator(ingest, database, broker)


async def test_what_was_refused_is_mended_tried_and_sent_again_once(operator: Operator) -> None:
    before = await ends(operator.broker)
    key = operator.source_key("web")
    name = operator.source
    sent = [a_touchpoint(f"{name}-{number}") for number in range(5)]
    status, _, answer = operator.ingest.post(key, {"touchpoints": sent})
    assert (status, answer["code"]) == (422, "all_rejected")

    listed = operator.json("dlq", "list", "--stage", "ingest", "--source", name)
    assert [letter["code"] for letter in listed] == ["channel_not_allowed"] * 5
    assert json.loads(operator.waymark("dlq", "show", listed[0]["ref"], "--value").stdout) == sent[0]

    # Nothing is mended yet: the dry run says that all would be refused again, and leaves no trace.
    tried = operator.json("dlq", "requeue", "--source", name, "--dry-run")
    assert (tried["requeued"], {fate["outcome"] for fate in tried["letters"]}) == (0, {"rejected"})
    assert {fate["code"] for fate in tried["letters"]} == {"channel_not_allowed"}

    operator.source_key("web", "phone")
    tried = operator.json("dlq", "requeue", "--source", name, "--dry-run")
    assert [(fate["path"], fate["outcome"]) for fate in tried["letters"]] == [("ingest", "accepted")] * 5
    assert await ends(operator.broker) == before

    done = operator.json("dlq", "requeue", "--source", name, "--rate", "1000")
    assert (done["requeued"], done["selected"]) == (5, 5)
    again = operator.json("dlq", "requeue", "--source", name)
    assert (again["requeued"], again["selected"]) == (0, 0)

    written = [json.loads(record.value) for record in await read_back(operator.broker, before)]
    assert sorted(touchpoint["id"] for touchpoint in written) == [touchpoint["id"] for touchpoint in sent]
    assert {(touchpoint["source"], touchpoint["replay"]) for touchpoint in written} == {(name, True)}
    assert operator.json("dlq", "list", "--stage", "ingest", "--source", name) == []
    assert len(operator.json("dlq", "list", "--stage", "ingest", "--source", name, "--all")) == 5
    assert operator.keys() == [("",), ("",)], "a key that was lent is still there"


async def test_what_goes_back_live_is_no_replay(operator: Operator) -> None:
    before = await ends(operator.broker)
    operator.ingest.post(operator.source_key("web"), a_touchpoint(f"{operator.source}-1"))
    operator.source_key("web", "phone")
    command = ("dlq", "requeue", "--source", operator.source, "--live")
    assert operator.json(*command)["requeued"] == 1

    (record,) = await read_back(operator.broker, before)
    assert "replay" not in json.loads(record.value)


async def test_what_cannot_go_back_as_it_is_says_why_and_stays(operator: Operator) -> None:
    key = operator.source_key()
    operator.ingest.post(key, {"touchpoints": ["no object at all"]})
    with psycopg.connect(operator.database, autocommit=True) as connection:
        connection.execute(
            """INSERT INTO journey.dead_letters (line, topic, partition, "offset", code, source, value, appended_at)
               VALUES ('line-1', 'touchpoints', 0, 7, 'id_conflict', %s, '{"id": "x"}', now())""",
            (operator.source,),
        )

    done = operator.waymark("dlq", "requeue", "--source", operator.source)

    assert done.returncode == 1
    assert "not a JSON object" in done.stdout
    assert "used before with other content" in done.stdout
    assert "0 sent again" in done.stdout
    assert len(operator.json("dlq", "list", "--source", operator.source)) == 2


async def test_what_is_refused_again_gives_way_to_its_new_letter(operator: Operator) -> None:
    operator.ingest.post(operator.source_key("web"), a_touchpoint(f"{operator.source}-1"))

    done = operator.json("dlq", "requeue", "--source", operator.source)

    assert (done["requeued"], done["letters"][0]["outcome"]) == (0, "rejected")
    (waiting,) = operator.json("dlq", "list", "--source", operator.source)
    assert waiting["ref"] != done["letters"][0]["ref"]


@pytest.mark.parametrize("words", [("--since", "yesterday"), ("--until", "2026-11-22T09:00:00"), ("--rate", "0")])
def test_a_selection_that_makes_no_sense_is_wrong_usage(words: tuple[str, ...]) -> None:
    command = [str(Path(sys.executable).with_name("waymark")), "dlq", "requeue", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 2
