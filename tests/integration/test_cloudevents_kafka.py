"""CloudEvents in over HTTP and out on Apache Kafka, written and read by others' software: the makers' SDK, and kcat."""

import http.client
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from cloudevents.core.v1.event import CloudEvent

from tests.fixtures.ingest import IngestServer, a_touchpoint, ends, make_key, make_topics, read_back
from waymark.launchers.kafka import KafkaCluster

pytestmark = pytest.mark.kafka

KOREAN = "세 번째 전화인데 아직 해결이 안 됐어요"


@pytest.fixture
async def ingest(kafka_cluster: KafkaCluster, database: str, tmp_path: Path) -> Any:
    """Return a running ingest on Apache Kafka."""
    await make_topics(kafka_cluster.bootstrap)
    settings = {"WAYMARK_KAFKA_IDEMPOTENCE": "true"}
    with IngestServer(
        folder=tmp_path, database=database, bootstrap=kafka_cluster.bootstrap, settings=settings
    ) as process:
        yield process


def an_event(id_: str) -> CloudEvent:
    """Return an event of the SDK's, with a native touchpoint inside and Korean everywhere."""
    return CloudEvent(
        attributes={
            "id": f"event-{id_}",
            "source": "/crm/seoul",
            "type": "waymark.touchpoint.v1",
            "subject": "민원 접수",
            "datacontenttype": "application/json",
            "identity": "고객-1009",
            "identitytype": "social",
        },
        data=a_touchpoint(id_, text=KOREAN),
    )


def posted(ingest: IngestServer, key: str, message: HTTPMessage) -> int:
    """Send what the SDK made, as it made it, and return the status."""
    connection = http.client.HTTPConnection("127.0.0.1", ingest.port, timeout=10.0)
    try:
        headers = {**message.headers, "authorization": f"Bearer {key}"}
        connection.request("POST", "/v1/touchpoints", message.body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


async def test_an_event_of_the_sdks_can_be_read_back_by_the_sdk(
    ingest: IngestServer, kafka: str, database: str
) -> None:
    key = make_key(database, "crm")
    before = await ends(kafka)
    statuses = [
        posted(ingest, key, to_binary_event(an_event("접점-1"))),
        posted(ingest, key, to_structured_event(an_event("접점-2"))),
    ]
    records = await read_back(kafka, before)

    assert statuses == [202, 202]
    read = {}
    for record in records:
        message = KafkaMessage(headers=dict(record.headers), key=record.key, value=record.value)
        event = from_binary_event(message)
        read[event.get_id()] = event
    assert set(read) == {"접점-1", "접점-2"}  # the touchpoint's own id goes before the envelope's
    for event in read.values():
        assert (event.get_type(), event.get_source()) == ("waymark.touchpoint.v1", "/waymark/ingest/crm")
        assert event.get_datacontenttype() == "application/json"
        time = event.get_time()
        assert time is not None
        assert time.isoformat() == "2026-01-22T00:14:00+00:00"
        data = event.get_data()
        assert isinstance(data, dict)
        assert data["text"] == KOREAN
        assert data["customer"]["social"] == {"value": "고객-1009", "verified": False}


def kcat(bootstrap: str, format_: str, since: dict[int, int]) -> Iterator[str]:
    """Read what was written to `touchpoints` with kcat, one line for each record."""
    for partition, offset in since.items():
        command = [
            "kcat",
            "-C",
            "-b",
            bootstrap,
            "-t",
            "touchpoints",
            "-p",
            str(partition),
            "-o",
            str(offset),
            "-e",
            "-q",
        ]
        done = subprocess.run([*command, "-f", format_], capture_output=True, check=True, timeout=60)
        yield from done.stdout.decode().splitlines()


@pytest.mark.skipif(shutil.which("kcat") is None, reason="needs kcat (Debian: apt install kcat)")
async def test_kcat_shows_headers_and_korean_as_they_are(ingest: IngestServer, kafka: str, database: str) -> None:
    before = await ends(kafka)
    status = posted(ingest, make_key(database, "crm"), to_binary_event(an_event("접점-3")))
    (line,) = kcat(kafka, "%h %s\n", before)

    assert status == 202
    shown, _, value = line.partition(" {")
    headers = dict(header.split("=", 1) for header in shown.split(","))
    assert headers.pop("traceparent").startswith("00-")
    assert headers == {
        "ce_specversion": "1.0",
        "ce_id": "접점-3",
        "ce_source": "/waymark/ingest/crm",
        "ce_type": "waymark.touchpoint.v1",
        "ce_time": "2026-01-22T00:14:00.000000Z",
        "content-type": "application/json",
    }
    assert KOREAN in value  # as UTF-8, not as escapes
    assert json.loads("{" + value)["id"] == "접점-3"
