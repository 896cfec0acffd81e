"""A receiver of webhooks that keeps everything it was told and believes nothing that is not signed.

Verifies by the Standard Webhooks specification, with the standard library alone; shares no code with the sender.
"""

import base64
import binascii
import hashlib
import hmac
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson
from aiohttp import web

from services.runtime.credentials.api_keys import KeyKind
from tests.fixtures.administration import role_key

TOLERANCE_S = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One attempt, as it arrived."""

    webhook_id: str
    document: dict[str, Any]
    signed: bool
    at: float


@dataclass(slots=True, kw_only=True)
class Sink:
    """Answers 204 to everything, on a free loopback port. `secret` is what the endpoint's creation said."""

    secret: str = ""
    told: list[Told] = field(default_factory=list)
    _runner: web.AppRunner | None = None
    _port: int = 0

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/hook", self._take)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}/hook"

    @property
    def ids(self) -> Counter[str]:
        """Attempts by webhook-id."""
        return Counter(one.webhook_id for one in self.told)

    async def subscribe(self, alerts: str, database: str) -> None:
        """Become an endpoint that gets every issue."""
        key = role_key(database, KeyKind.ADMIN, label="fault lab")
        body = {"name": "sink", "kind": "standard_webhook", "url": self.url, "catch_all": True}
        headers = {"Authorization": f"Bearer {key}"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{alerts}/v1/endpoints", json=body, headers=headers) as answer,
        ):
            said = await answer.json()
            assert answer.status == 201, said
            self.secret = said["secret"]

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.told.append(
            Told(
                webhook_id=request.headers.get("webhook-id", ""),
                document=orjson.loads(body),
                signed=is_signed(self.secret, request.headers, body),
                at=time.monotonic(),
            )
        )
        return web.Response(status=204)


def is_signed(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether one of the signatures in `headers` (a mapping with names in lower case) is that of `secret`."""
    named = [headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")]
    webhook_id, timestamp, signatures = named
    if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > TOLERANCE_S:
        return False
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        return False
    wanted = hmac.new(key, b".".join((webhook_id.encode(), timestamp.encode(), body)), hashlib.sha256).digest()
    proper = f"v1,{base64.b64encode(wanted).decode()}"
    return any(hmac.compare_digest(one, proper) for one in signatures.split())
