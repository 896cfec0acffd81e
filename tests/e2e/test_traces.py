"""One touchpoint from the producer's request to the team's webhook is one trace, in a collector that speaks OTLP.

The processes are those of `waymark up`; only the collector and the receiver are ours.
"""

import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.fixtures.trace_collector import CollectedSpan, TraceCollector, trace_collector
from tests.fixtures.waymark_up import WaymarkUp
from tests.waiting import until_sync

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PRODUCER = "00f067aa0ba902b7"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"

pytestmark = [pytest.mark.local, pytest.mark.timeout(300)]


class _Team:
    """A team's own system: the headers of the webhooks that it got."""

    def __init__(self) -> None:
        self.got: list[dict[str, str]] = []


@pytest.fixture
def team() -> Iterator[tuple[_Team, str]]:
    found = _Team()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            found.got.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it so
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield found, f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def collector() -> Iterator[TraceCollector]:
    with trace_collector() as running:
        yield running


def _post(url: str, key: str, body: object, **headers: str) -> Any:
    given = {"Content-Type": "application/json", "Authorization": f"Bearer {key}", **headers}
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), given), timeout=30) as answer:
        return json.loads(answer.read())


def _call(number: int) -> dict[str, object]:
    return {
        "id": f"call-{number}",
        "occurred_at": datetime.now(UTC).isoformat(),
        "channel": "phone",
        "kind": "call_started",
        "direction": "inbound",
        "interaction_id": f"call-{number}",
        "reason": "billing",
        "customer": {"phone": "+821088410000"},
    }


def test_a_touchpoint_is_one_trace_from_the_request_to_the_webhook(
    up: Callable[..., WaymarkUp], collector: TraceCollector, team: tuple[_Team, str]
) -> None:
    settings = {"WAYMARK_TRACES_ENDPOINT": collector.endpoint, "WAYMARK_TRACES_SAMPLED": "0"}
    stack = up(**settings).ready()
    keys, (receiver, url) = stack["keys"], team
    endpoint = {"name": "team", "kind": "standard_webhook", "url": url, "catch_all": True}
    _post(f"{stack['alerts']}/v1/endpoints", keys["admin"], endpoint)
    _post(f"{stack['ingest']}/v1/touchpoints", keys["source"], _call(1))
    _post(f"{stack['ingest']}/v1/touchpoints", keys["source"], _call(2), traceparent=f"00-{TRACE}-{PRODUCER}-01")

    until_sync(lambda: receiver.got, within=60)
    until_sync(lambda: "deliver notification" in collector.of(TRACE), within=60)
    until_sync(lambda: len(collector.of(TRACE)) >= 6, within=60)
    spans = collector.of(TRACE)

    def above(span: CollectedSpan) -> str:
        return next((other.name for other in collector.spans if other.id == span.parent), span.parent)

    assert {span.name: (span.service, above(span)) for span in spans.values()} == {
        "accept touchpoints": ("waymark-ingest", PRODUCER),
        "publish touchpoints": ("waymark-ingest", "accept touchpoints"),
        "apply touchpoint": ("waymark-journey", "accept touchpoints"),
        "publish record": ("waymark-journey", "apply touchpoint"),
        "apply friction": ("waymark-alerts", "apply touchpoint"),
        "deliver notification": ("waymark-alerts", "apply friction"),
    }
    assert not any(span.failed for span in collector.spans)
    assert receiver.got[0]["traceparent"] == f"00-{TRACE}-{spans['deliver notification'].id}-01"
    assert {span.trace for span in collector.spans} == {TRACE}, "nothing else was to be sampled"
    until_sync(lambda: f'trace_id="{TRACE}"' in _metrics(stack["alerts"], "waymark_alerts_push_latency"), within=30)
    assert f'trace_id="{TRACE}"' in _metrics(stack["ingest"], "waymark_ingest_publish_seconds")


def _metrics(process: str, prefix: str) -> str:
    request = urllib.request.Request(f"{process}/metrics", headers={"Accept": OPEN_METRICS})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return "\n".join(line for line in answer.read().decode().splitlines() if line.startswith(prefix))
