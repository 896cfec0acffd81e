"""Sends touchpoints from Python: in batches, in the background, again until ingest has said what became of each.

    from waymark.producer import Producer

    with Producer("http://127.0.0.1:8080", key) as producer:
        producer.send({"channel": "phone", "kind": "call_ended", "customer": {"phone": "010-1234-5678"}})

`AsyncProducer` is the same for asyncio. What cannot be given an id or a time by its caller gets both when it is handed
over, before the first try, so sending again never makes a second touchpoint.
"""

from waymark.producer.asynchronous import AsyncProducer
from waymark.producer.exchange import RequestRefused, TouchpointResult, TouchpointStatus
from waymark.producer.synchronous import Producer, QueueFullError

__all__ = ["AsyncProducer", "Producer", "QueueFullError", "RequestRefused", "TouchpointResult", "TouchpointStatus"]
