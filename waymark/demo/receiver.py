"""A support team's webhook, as a team would write it: verify the signature, then believe the body.

Verification is the job of the `standardwebhooks` library, not of our own signer, so that the demo cannot pass by two
mistakes that cancel out.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.runtime.clock import Clock
from services.runtime.http.server import serving


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedAlert:
    """One verified webhook: its id, when it came, what kind of news it is, the issue it tells of, and its bytes."""

    webhook_id: str
    received_at: datetime
    kind: str
    issue: dict[str, Any]
    body: bytes


class AlertReceiver:
    """Listens on a free loopback port; counts what it verified, what it had seen before and what it refused."""

    def __init__(self, clock: Clock, on_alert: Callable[[ReceivedAlert], None]) -> None:
        self._clock = clock
        self._on_alert = on_alert
        self._verifier: Webhook | None = None
        self._seen: set[str] = set()
        self._secret_known = asyncio.Event()
        self.verified = 0
        self.repeated = 0
        self.refused = 0

    def trust(self, secret: str) -> None:
        """Take the secret that the endpoint was given at its creation."""
        self._verifier = Webhook(secret)
        self._secret_known.set()

    def listening(self) -> AbstractAsyncContextManager[int]:
        """Serve for the length of the block and yield the port."""
        return serving(Starlette(routes=[Route("/alerts", self._receive, methods=["POST"])]), "127.0.0.1", 0, drain_s=2)

    async def _receive(self, request: Request) -> Response:
        body = await request.body()
        await self._secret_known.wait()
        assert self._verifier is not None  # noqa: S101  the event above says so
        try:
            news = self._verifier.verify(body, dict(request.headers))
        except WebhookVerificationError:
            self.refused += 1
            return Response(status_code=400)
        webhook_id = request.headers["webhook-id"]
        if webhook_id in self._seen:
            self.repeated += 1
            return Response(status_code=204)
        self._seen.add(webhook_id)
        self.verified += 1
        self._on_alert(
            ReceivedAlert(
                webhook_id=webhook_id,
                received_at=self._clock.now(),
                kind=str(news["type"]),
                issue=dict(news["data"]["issue"] if "issue" in news["data"] else news["data"]),
                body=body,
            )
        )
        return Response(status_code=204)
