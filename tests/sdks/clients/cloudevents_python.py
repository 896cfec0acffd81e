"""Sends with the `cloudevents` SDK of Python, as its users do. Runs in an environment of its own: `python … SPEC MODE`.

The SDK has no transport: what it makes goes out with http.client, and is sent again as docs/ingest.md says.
"""

import http.client
import json
import sys
import time
from typing import Any
from urllib.parse import urlsplit

from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

TRIES = 60


def post(url: str, key: str, message: HTTPMessage) -> str | None:
    """Send one message until it is answered for good; return what went wrong, or None."""
    where = urlsplit(url)
    for _ in range(TRIES):
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=10)
        try:
            headers = {**message.headers, "authorization": f"Bearer {key}"}
            connection.request("POST", "/v1/touchpoints", message.body, headers)
            answer = connection.getresponse()
            body = json.loads(answer.read())
            if answer.status < 400:
                return None
            if answer.status not in {429, 503}:
                return f"{answer.status} {body['code']}"
            time.sleep(min(float(answer.headers.get("retry-after", "1")), 2))
        except OSError:
            time.sleep(0.2)
        finally:
            connection.close()
    return "gave up"


def event_of(spec: dict[str, Any], number: int) -> CloudEvent:
    """Return the event of one call; a malformed one has a time that the SDK takes and the specification does not."""
    return CloudEvent(
        attributes={
            "id": f"{spec['run']}-{number}",
            "source": "/shop/seoul",
            "type": "waymark.touchpoint.v1",
            "subject": "배송 지연",
            "datacontenttype": "application/json",
            "identity": f"C-{spec['run']}",
            "identitytype": "customer_id",
        },
        data={
            "id": f"{spec['run']}-{number}",
            "occurred_at": "late" if number < spec["malformed"] else spec.get("now", "2026-11-22T09:15:00+09:00"),
            "channel": "web",
            "kind": "checkout_started",
            "reason": "배송 지연",
            "refs": {"order_id": f"A-{number}"},
            "attributes": {"n": number},
        },
    )


def main() -> None:
    """Read the spec, make the calls in the spec's mode, print what went wrong."""
    spec = json.loads(sys.argv[1])
    make = to_structured_event if "structured" in sys.argv else to_binary_event
    errors = []
    for number in range(spec["calls"]):
        error = post(spec["url"], spec["key"], make(event_of(spec, number)))
        if error is not None:
            errors.append(error)
        time.sleep(spec.get("pause_ms", 0) / 1000)
    sys.stdout.write(json.dumps({"errors": errors}) + "\n")


main()
