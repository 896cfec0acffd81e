import base64
from datetime import UTC, datetime

import httpx2
import orjson
from standardwebhooks.webhooks import Webhook

from services.runtime.clock import SystemClock
from waymark.demo.receiver import AlertReceiver, ReceivedAlert

SECRET = "whsec_" + base64.b64encode(b"k" * 24).decode()
BODY = orjson.dumps({"type": "issue.opened", "timestamp": "2026-11-22T00:00:00Z", "data": {"id": "i-1"}}).decode()


def signed(name: str, body: str = BODY, secret: str = SECRET) -> dict[str, str]:
    now = datetime.now(UTC)
    return {
        "webhook-id": name,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(name, now, body),
    }


async def test_a_verified_alert_is_heard_once_however_often_it_comes() -> None:
    heard: list[ReceivedAlert] = []
    receiver = AlertReceiver(SystemClock(), heard.append)
    receiver.trust(SECRET)
    async with receiver.listening() as port, httpx2.AsyncClient() as session:
        for _ in range(2):
            answer = await session.post(f"http://127.0.0.1:{port}/alerts", content=BODY, headers=signed("msg_1"))
            assert answer.status_code == 204
    assert [(alert.webhook_id, alert.kind, alert.issue["id"]) for alert in heard] == [("msg_1", "issue.opened", "i-1")]
    assert (receiver.verified, receiver.repeated, receiver.refused) == (1, 1, 0)


async def test_a_wrong_signature_is_refused() -> None:
    heard: list[ReceivedAlert] = []
    receiver = AlertReceiver(SystemClock(), heard.append)
    receiver.trust(SECRET)
    headers = signed("msg_1", secret="whsec_" + base64.b64encode(b"x" * 24).decode())
    async with receiver.listening() as port, httpx2.AsyncClient() as session:
        answer = await session.post(f"http://127.0.0.1:{port}/alerts", content=BODY, headers=headers)
    assert answer.status_code == 400
    assert heard == []
    assert receiver.refused == 1
