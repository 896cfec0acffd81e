#!/usr/bin/env python3
"""Sends a call's touchpoints from a plain Python program, in the background.

    WAYMARK_SOURCE_KEY=wm_src_… python examples/producers/python_sync.py [http://127.0.0.1:8080]

Ends with 1 when something was rejected, and says why.
"""

import os
import sys
from datetime import UTC, datetime
from uuid import uuid4

from waymark.producer import Producer, TouchpointResult, TouchpointStatus


def main() -> int:
    url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080"
    call = f"call-{uuid4()}"
    rejected: list[TouchpointResult] = []

    def on_result(result: TouchpointResult) -> None:
        print(f"{result.id}: {result.status} {result.code} {result.message}".rstrip())
        if result.status is not TouchpointStatus.ACCEPTED:
            rejected.append(result)

    common = {
        "channel": "phone",
        "direction": "inbound",
        "customer": {"phone": "010-1234-5678", "customer_id": {"value": "C-1009", "verified": True}},
        "interaction_id": call,
        "reason": "billing",
    }
    with Producer(url, os.environ["WAYMARK_SOURCE_KEY"], on_result=on_result) as producer:
        producer.send({**common, "id": f"{call}/start", "kind": "call_started"})
        producer.send(
            {
                **common,
                "id": f"{call}/end",
                "kind": "call_ended",
                "occurred_at": datetime.now(UTC).isoformat(),
                "outcome": "unresolved",
                "wait_s": 412,
                "transfers": 2,
                "text": "세 번째 전화인데 아직 해결이 안 됐어요",
            }
        )
    return 1 if rejected else 0


if __name__ == "__main__":
    sys.exit(main())
