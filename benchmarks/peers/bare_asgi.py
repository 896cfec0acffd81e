"""The floor: an ASGI application that reads a body and answers, and does nothing with it. No checks, no Kafka.

uvicorn benchmarks.peers.bare_asgi:app
"""

from typing import Any

BODY = b'{"results":[],"accepted":0,"duplicate":0,"rejected":0,"unavailable":0}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer 202 once the body is there."""
    if scope["type"] != "http":
        return
    more = True
    while more:
        more = (await receive()).get("more_body", False)
    await send({"type": "http.response.start", "status": 202, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})
