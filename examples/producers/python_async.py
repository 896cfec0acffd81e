#!/usr/bin/env python3
"""The same from asyncio: a web shop that reports what its visitors do, without ever making them wait.

WAYMARK_SOURCE_KEY=wm_src_… python examples/producers/python_async.py [http://127.0.0.1:8080]
"""

import asyncio
import os
import sys
from uuid import uuid4

from waymark.producer import AsyncProducer, TouchpointStatus


async def main() -> int:
    url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080"
    cookie, order = str(uuid4()), f"A-{uuid4().hex[:6]}"
    async with AsyncProducer(url, os.environ["WAYMARK_SOURCE_KEY"]) as producer:
        for kind in ("page_viewed", "checkout_started", "payment_declined"):
            await producer.send(
                {"channel": "web", "kind": kind, "customer": {"cookie": cookie}, "refs": {"order_id": order}}
            )
    print(", ".join(f"{status}: {count}" for status, count in producer.counts.items()))
    return 0 if producer.counts[TouchpointStatus.ACCEPTED] == 3 else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
