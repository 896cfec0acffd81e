"""The inspector behind a balancer: two replicas of ingest, one broker."""

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from services.runtime.clock import new_id
from services.runtime.credentials.api_keys import KeyKind
from tests.fixtures.administration import role_key
from tests.fixtures.ingest import IngestServer, a_touchpoint, make_key, make_topics
from tests.waiting import until

pytestmark = pytest.mark.local


def seen(replica: IngestServer, key: str, query: str = "") -> dict[str, Any]:
    """What a replica shows to whoever has `key`."""
    address = replica.url.replace("/v1/touchpoints", f"/v1/inspector?{query}")
    request = urllib.request.Request(address, headers={"authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        document: dict[str, Any] = json.loads(answer.read())
        return document


async def test_what_one_replica_rejected_is_seen_at_the_other_and_what_it_took_is_not(
    tmp_path: Path, database: str, broker: str
) -> None:
    await make_topics(broker)
    source = f"ivr-{new_id().hex[-12:]}"
    key = make_key(database, source)
    operator = role_key(database, KeyKind.READER)
    with (
        IngestServer(folder=tmp_path, database=database, bootstrap=broker) as one,
        IngestServer(folder=tmp_path, database=database, bootstrap=broker) as other,
    ):
        one.post(key, {"touchpoints": [a_touchpoint("1"), a_touchpoint("2", channel="fax")]})

        def there() -> bool:
            listed = seen(other, key)
            return listed["rejected_from"] == "all replicas" and bool(listed["entries"])

        await until(there, within=60)
        listed = seen(other, key)
        assert [(entry["outcome"], entry["id"], entry["replica"]) for entry in listed["entries"]] == [
            ("rejected", "2", "another")
        ]
        assert [(entry["outcome"], entry["id"]) for entry in seen(one, operator, f"source={source}")["entries"]] == [
            ("rejected", "2"),
            ("accepted", "1"),
        ]
