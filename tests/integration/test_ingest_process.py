"""Ingest as a process, over real HTTP, the embedded broker and PostgreSQL."""

import asyncio
import gzip
import json
import os
import shutil
import signal
import socket
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

import aiohttp
import psycopg
import pytest

from schemas.documents import dead_letter, touchpoint
from tests.fixtures.ingest import (
    IngestServer,
    a_touchpoint,
    ends,
    ids_of,
    make_key,
    make_topics,
    read_back,
)
from tests.waiting import until
from waymark.launchers.postgres import PostgresServer
from waymark.launchers.tansu import TansuBroker

pytestmark = pytest.mark.local


async def test_what_was_accepted_stands_on_kafka(ingest: IngestServer, ingest_topics: str, database: str) -> None:
    key = make_key(database, "ivr")
    before, rejected_before = await ends(ingest_topics), await ends(ingest_topics, "touchpoints-rejected")
    one_person = [{"phone": "010-1234-5678"}, {"phone": "+82 10 1234 5678"}, {"phone": "01012345678", "cookie": "c"}]
    documents = [a_touchpoint(f"p{at}", customer=customer, text="안녕") for at, customer in enumerate(one_person)]
    documents += [a_touchpoint(f"m{at}") for at in range(200)]

    packed = gzip.compress(json.dumps({"touchpoints": [*documents, {"id": "broken"}]}).encode())
    headers = {"Authorization": f"Bearer {key}", "Content-Encoding": "gzip", "Content-Type": "application/json"}
    async with aiohttp.ClientSession() as session, session.post(ingest.url, data=packed, headers=headers) as answer:
        assert answer.status == 207
        counts = await answer.json()

    records = await read_back(ingest_topics, before)
    assert counts["accepted"] == len(records) == 203
    assert sorted(ids_of(records)) == sorted(document["id"] for document in documents)
    persons = [record for record in records if touchpoint.decode(record.value).id.startswith("p")]
    assert len({record.key for record in persons}) == 1
    assert [touchpoint.decode(record.value).text for record in persons] == ["안녕"] * 3
    headers_of_one = dict(persons[0].headers)
    assert headers_of_one["ce_type"] == b"waymark.touchpoint.v1"
    assert headers_of_one["traceparent"].startswith(b"00-")
    (letter,) = [
        dead_letter.decode(r.value) for r in await read_back(ingest_topics, rejected_before, "touchpoints-rejected")
    ]
    assert (letter.value, letter.source, letter.stage) == (b'{"id": "broken"}', "ivr", "ingest")


async def test_a_new_key_works_at_once_and_a_revoked_one_stops_soon(ingest: IngestServer, database: str) -> None:
    key = make_key(database, "ivr")
    first, _, _ = ingest.post(key, a_touchpoint("1"))
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE ingest.source_keys SET revoked_at = now()")

    assert first == 202
    await until(lambda: ingest.post(key, a_touchpoint("2"))[0] == 401, within=5.0)


async def test_an_outage_of_postgresql_does_not_stop_acceptance(
    ingest: IngestServer, database: str, postgres_server: PostgresServer
) -> None:
    key = make_key(database, "ivr")
    ingest.post(key, a_touchpoint("1"))
    await until(lambda: "[+] source_keys: 1 held" in ingest.ask("/readyz?verbose")[1])
    postgres_server.stop()
    try:
        await until(lambda: "[~] postgres" in ingest.ask("/readyz?verbose")[1])
        during = [ingest.post(key, a_touchpoint(str(number)))[0] for number in range(2, 12)]
        ready = ingest.get("/readyz")
    finally:
        postgres_server.start()

    assert (during, ready) == ([202] * 10, 200)
    await until(lambda: "[+] postgres" in ingest.ask("/readyz?verbose")[1])
    newer = make_key(database, "web")
    await until(lambda: ingest.post(newer, a_touchpoint("1"))[0] == 202)


async def test_without_kafka_it_says_503_and_comes_back_by_itself(database: str, tmp_path: Path) -> None:
    with TansuBroker(tmp_path) as broker:
        await make_topics(broker.bootstrap)
        settings = {"WAYMARK_INGEST_PUBLISH_TIMEOUT_S": "0.5", "WAYMARK_INGEST_RETRY_AFTER_S": "2"}
        with IngestServer(folder=tmp_path, database=database, bootstrap=broker.bootstrap, settings=settings) as ingest:
            key = make_key(database, "ivr")
            up, _, _ = ingest.post(key, a_touchpoint("1"))
            broker.stop()
            down, headers, problem = ingest.post(key, [a_touchpoint("2"), {"id": "broken"}])
            await until(lambda: ingest.get("/readyz") == 503)
            alive = ingest.get("/livez")
            broker.start()
            await make_topics(broker.bootstrap)
            await until(lambda: ingest.get("/readyz") == 200)
            await until(lambda: ingest.post(key, a_touchpoint("2"))[0] == 202)
            records = await read_back(broker.bootstrap, dict.fromkeys(range(3), 0))

    assert (up, down, headers["retry-after"], alive) == (202, 503, "2", 200)
    assert [result["status"] for result in problem["results"]] == ["unavailable", "rejected"]
    assert "2" in ids_of(records)


async def test_sigterm_under_load_loses_nothing_that_was_accepted(
    ingest: IngestServer, ingest_topics: str, database: str
) -> None:
    key = make_key(database, "ivr")
    before = await ends(ingest_topics)
    accepted: list[str] = []
    closed = asyncio.Event()

    async def produce(session: aiohttp.ClientSession, name: int) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        for number in range(10_000):
            batch = [a_touchpoint(f"{name}-{number}-{at}") for at in range(20)]
            try:
                async with session.post(ingest.url, json=batch, headers=headers) as answer:
                    results = (await answer.json())["results"]
            except (aiohttp.ClientError, OSError):
                closed.set()
                return
            accepted.extend(result["id"] for result in results if result["status"] == "accepted")

    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as producers:
        for name in range(8):
            producers.create_task(produce(session, name))
        await until(lambda: len(accepted) > 500)
        ingest.child.send(signal.SIGTERM)
        await asyncio.wait_for(closed.wait(), 20.0)

    await until(lambda: not ingest.child.alive, within=30.0)
    assert ingest.child.exit_code == 0
    written = set(ids_of(await read_back(ingest_topics, before)))
    assert set(accepted) <= written
    assert len(accepted) > 500


def _exchange(port: int, sent: bytes, *, within_s: float = 10.0) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=within_s) as wire:
        wire.sendall(sent)
        received = b""
        while piece := wire.recv(65_536):
            received += piece
        return received


async def test_a_content_length_that_promises_too_much_ends_in_408(
    ingest_topics: str, database: str, tmp_path: Path
) -> None:
    settings = {"WAYMARK_INGEST_BODY_TIMEOUT_S": "0.3"}
    key = make_key(database, "ivr")
    request = (
        f"POST /v1/touchpoints HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: 500\r\n\r\n{{"
    ).encode()
    with IngestServer(folder=tmp_path, database=database, bootstrap=ingest_topics, settings=settings) as ingest:
        answer = await asyncio.to_thread(_exchange, ingest.port, request)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"body_timeout"' in answer


async def test_a_content_length_that_promises_too_little_is_no_second_request(ingest: IngestServer) -> None:
    request = (
        b"POST /v1/touchpoints HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}garbage\r\n\r\n"
    )
    answer = await asyncio.to_thread(_exchange, ingest.port, request)

    assert answer.startswith((b"HTTP/1.1 401 ", b"HTTP/1.1 400 "))
    assert answer.count(b"HTTP/1.1 ") <= 2


async def test_a_body_far_over_the_limit_still_gets_its_answer(ingest: IngestServer, database: str) -> None:
    key = make_key(database, "ivr")
    status, _, problem = await asyncio.to_thread(ingest.post, key, ["x" * 5_000_000])

    assert (status, problem["code"]) == (413, "body_too_large")
    assert "4194304" in problem["message"]


async def test_head_gets_no_body(ingest: IngestServer) -> None:
    async with aiohttp.ClientSession() as session, session.head(ingest.url) as answer:
        assert (answer.status, answer.headers["allow"], await answer.read()) == (405, "OPTIONS, POST", b"")


async def test_the_curl_example_is_answered_as_it_expects(ingest: IngestServer, database: str) -> None:
    example = Path(__file__).parents[2] / "examples/producers/curl.sh"
    environment = {"PATH": os.environ["PATH"], "WAYMARK_SOURCE_KEY": make_key(database, "ivr")}
    run = await asyncio.create_subprocess_exec(
        example, f"http://127.0.0.1:{ingest.port}", env=environment, stdout=PIPE, stderr=STDOUT
    )
    output, _ = await run.communicate()

    assert run.returncode == 0, output.decode()
    assert b"duplicate" in output
    assert "대표번호".encode() in output


@pytest.mark.parametrize("example", ["python_sync.py", "python_async.py", "node.mjs"])
async def test_the_examples_of_producers_are_accepted(ingest: IngestServer, database: str, example: str) -> None:
    if example.endswith(".mjs") and shutil.which("node") is None:
        pytest.skip("NOT TESTED: node is not installed, so the Node example was not run")
    output = await run_example(ingest, database, [example, f"http://127.0.0.1:{ingest.port}"])
    assert "accepted" in output


async def test_the_till_keeps_what_it_cannot_send(ingest: IngestServer, database: str, tmp_path: Path) -> None:
    file = {"POS_FILE": str(tmp_path / "outbox.sqlite")}
    for _ in range(2):
        await run_example(ingest, database, ["offline_pos.py", "record", "--store", "S-12", "--loyalty", "L-7"], file)
    wrong_key = {**file, "WAYMARK_SOURCE_KEY": "wm_src_wrong"}
    send = ["offline_pos.py", "send", "--url", f"http://127.0.0.1:{ingest.port}"]
    assert "2 still wait" in await run_example(ingest, database, send, wrong_key, ends=1)
    assert "0 still wait" in await run_example(ingest, database, send, file)


async def run_example(
    ingest: IngestServer, database: str, arguments: list[str], more: dict[str, str] | None = None, *, ends: int = 0
) -> str:
    """Run an example of a producer and return what it says."""
    script = Path(__file__).parents[2] / "examples/producers" / arguments[0]
    interpreter = ["node"] if script.suffix == ".mjs" else [sys.executable]
    environment = {"PATH": os.environ["PATH"], "WAYMARK_SOURCE_KEY": make_key(database, "ivr"), **(more or {})}
    run = await asyncio.create_subprocess_exec(
        *interpreter, script, *arguments[1:], env=environment, stdout=PIPE, stderr=STDOUT
    )
    output, _ = await run.communicate()
    assert run.returncode == ends, output.decode()
    return output.decode()
