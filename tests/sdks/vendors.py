"""Channel systems' webhooks: deliveries signed by the vendors' own libraries, sent to an ingest, seen in the journey.

A vendor that has neither ids nor times (`repeats` false) does not send again by itself, and each of its deliveries is a
touchpoint of its own.
"""

import asyncio
import http.client
import json
import re
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.ingest.forms.webhooks.binding_administration import SourceBinding
from services.ingest.forms.webhooks.mapping.system_files import SHIPPED
from services.runtime.credentials.sealing import SecretSealer
from services.runtime.postgres.pools import Connection
from tests.fixtures.administration import administer
from tests.sdks.ground import Ground
from tests.sdks.kit import HERE, python_home
from waymark.sources.webhook_secrets import add_secret, bind

EXAMPLES = HERE.parents[1] / "examples" / "sources"
PUBLIC = "https://waymark.example.com"
BUDGET_S = 2.0
"""What the strictest of the vendors waits."""

SIGN_S = 300.0
"""Some of the libraries are large, and a busy machine takes its time to import them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """One row: which example of which system, signed how; and how its vendor behaves."""

    name: str
    example: str
    touchpoints: int = 1
    variant: str = ""
    secret: str = "a-secret-of-about-32-characters"
    repeats: bool = True
    heard: bytes | None = None
    """What the vendor must be answered, where it reads it."""

    @property
    def system(self) -> str:
        """The channel system."""
        return self.example.partition("/")[0]


TWIML = b"<Response/>"
VOICE, SMS = "twilio_voice/call_completed.form", "twilio_sms/message_received.form"
VENDORS = (
    Vendor(name="Twilio Voice, SHA-1 (twilio)", example=VOICE, variant="sha1", heard=TWIML),
    Vendor(name="Twilio Voice, SHA-256 (twilio)", example=VOICE, variant="sha256", heard=TWIML),
    Vendor(name="Twilio SMS, SHA-1 (twilio)", example=SMS, variant="sha1", heard=TWIML),
    Vendor(name="Twilio SMS, SHA-256 (twilio)", example=SMS, variant="sha256", heard=TWIML),
    Vendor(name="Zendesk (OpenSSL)", example="zendesk/ticket_created.json"),
    Vendor(name="Amazon Connect (token)", example="amazon_connect/call_disconnected.json"),
    Vendor(name="Genesys Cloud (token)", example="genesys_cloud/customer_end.json"),
    Vendor(name="Intercom (OpenSSL)", example="intercom/conversation_created.json"),
    Vendor(name="HubSpot v3 (hubspot-api-client)", example="hubspot/batch.json", touchpoints=3),
    Vendor(name="Shopify (OpenSSL)", example="shopify/order_placed.json"),
    Vendor(name="Slack (slack-sdk)", example="slack/message.json"),
    Vendor(name="LINE (line-bot-sdk)", example="line/messages.json", touchpoints=4),
    Vendor(
        name="KakaoTalk skill (token)",
        example="kakao_skill/utterance.json",
        repeats=False,
        heard=b'{"version":"2.0","data":{}}',
    ),
    Vendor(name="KakaoTalk channel (admin key)", example="kakao_channel/added.json"),
    Vendor(name="Naver TalkTalk (networks, path)", example="naver_talktalk/message.json", repeats=False, heard=b""),
    Vendor(
        name="Standard Webhooks (standardwebhooks, svix)",
        example="standard_webhooks/visit.json",
        secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    ),
    Vendor(name="static token", example="static_token/complaint.json"),
    Vendor(name="Meta (pywa)", example="meta/whatsapp_messages.json", touchpoints=3),
    Vendor(name="Mailgun (mailgun)", example="mailgun/mail_received.form"),
    Vendor(name="AfterShip (OpenSSL)", example="aftership/attempt_failed.json", touchpoints=3),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What the vendor was answered, and after how long."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    after_s: float

    @property
    def code(self) -> str:
        """Why it was refused."""
        return str(json.loads(self.body)["code"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One signed delivery, ready to be sent again as it is."""

    path: str
    body: bytes
    headers: Mapping[str, str]


def connected(ground: Ground, vendor: Vendor, addresses: tuple[str, ...] | None = ("127.0.0.1/32",)) -> str:
    """Bind a source of its own to the vendor's system; return its name."""
    source, _ = ground.source()
    binding = SourceBinding(
        name=source,
        system=vendor.system,
        public_url=f"{PUBLIC}/v1/sources/{source}/webhook",
        addresses=addresses if vendor.system == "naver_talktalk" else None,
    )

    async def work(connection: Connection) -> None:
        await bind(connection, binding)
        await add_secret(connection, source, vendor.secret, SecretSealer([]))

    administer(ground.database, work)
    return source


def signed(vendor: Vendor, source: str, *, body: bytes | None = None, secret: str = "") -> Post:
    """Return the example (or `body`) signed now by the vendor's own library."""
    path = EXAMPLES / vendor.example
    headers = {"Content-Type": "application/json" if path.suffix == ".json" else "application/x-www-form-urlencoded"}
    beside = path.with_suffix(".headers")
    for line in beside.read_text().splitlines() if beside.exists() else ():
        name, _, value = line.partition(":")
        headers[name] = value.strip()
    content = path.read_bytes() if body is None else body
    delivery = {
        "system": vendor.system,
        "variant": vendor.variant,
        "secret": secret or vendor.secret,
        "url": f"{PUBLIC}/v1/sources/{source}/webhook",
        "method": "POST",
        "body": content.decode(),
        "headers": {name.lower(): value for name, value in headers.items()},
        "now": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "judge": True,
    }
    made = _made(delivery)
    url = made.get("url", delivery["url"])
    content = made["body"].encode() if "body" in made else content
    return Post(path=url.removeprefix(PUBLIC), body=content, headers={**headers, **made["headers"]})


def _made(delivery: dict[str, Any]) -> dict[str, Any]:
    command: list[str | Path] = [python_home() / "bin" / "python", HERE / "vendor_signers.py"]
    done = subprocess.run(
        command, input=json.dumps(delivery) + "\n", capture_output=True, text=True, timeout=SIGN_S, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def send(ground: Ground, post: Post) -> Heard:
    """Send a delivery as it is."""
    connection = http.client.HTTPConnection("127.0.0.1", ground.ingest.port, timeout=30.0)
    started = time.monotonic()
    try:
        connection.request("POST", post.path, post.body, dict(post.headers))
        answer = connection.getresponse()
        return Heard(
            status=answer.status,
            headers={name.lower(): value for name, value in answer.getheaders()},
            body=answer.read(),
            after_s=time.monotonic() - started,
        )
    finally:
        connection.close()


async def taken(ground: Ground, post: Post) -> Heard:
    """Send until ingest knows the source (it reads them every now and then), as a vendor would after a 503."""
    heard = await asyncio.to_thread(send, ground, post)
    for _ in range(50):
        if heard.status not in {404, 503}:
            break
        await asyncio.sleep(0.2)
        heard = await asyncio.to_thread(send, ground, post)
    assert heard.status == 200, (heard.status, heard.body)
    return heard


async def sent(ground: Ground, vendor: Vendor) -> str:
    """The vendor hears what it wants to hear, in time."""
    source = connected(ground, vendor)
    heard = await taken(ground, signed(vendor, source))
    assert heard.after_s < BUDGET_S, heard.after_s
    assert vendor.heard is None or heard.body == vendor.heard, heard.body
    return f"200 {heard.headers.get('content-type', 'empty')}"


async def accepted(ground: Ground, vendor: Vendor) -> str:
    """Kafka has the example's touchpoints, once, as they stand beside it."""
    source, marks = connected(ground, vendor), await ground.marks()
    await taken(ground, signed(vendor, source))
    stood = await ground.stood(source, marks, rows=vendor.touchpoints)
    path = EXAMPLES / vendor.example
    expected = json.loads(path.with_name(f"{path.stem}.expected.json").read_text(encoding="utf-8"))
    kinds = sorted(found["kind"] for found in stood.records)  # of several customers they stand on several partitions
    assert kinds == sorted(found["kind"] for found in expected), kinds
    assert {found.get("text") for found in stood.records} == {found.get("text") for found in expected}
    assert stood.dead_letters == []
    return ", ".join(dict.fromkeys(kinds))


async def journey(ground: Ground, vendor: Vendor) -> str:
    """The journey has them, once, also after the vendor repeated the delivery."""
    source, marks = connected(ground, vendor), await ground.marks()
    post = signed(vendor, source)
    for _ in range(2 if vendor.repeats else 1):
        await taken(ground, post)
    stood = await ground.stood(source, marks, rows=vendor.touchpoints)
    assert stood.rows == vendor.touchpoints, stood.rows
    return f"{stood.rows} touchpoints, {stood.customers} customers"


async def wrong_key(ground: Ground, vendor: Vendor) -> str:
    """Another secret is refused, and nothing is written."""
    source, marks = connected(ground, vendor), await ground.marks()
    other = "whsec_" + "A" * 32 if vendor.secret.startswith("whsec_") else vendor.secret + "-not"
    await taken(ground, signed(vendor, source))
    heard = await asyncio.to_thread(send, ground, signed(vendor, source, secret=other))
    assert (heard.status, heard.code) == (401, "signature_wrong"), (heard.status, heard.body)
    stood = await ground.stood(source, marks, rows=vendor.touchpoints)
    assert len(stood.records) == vendor.touchpoints
    if vendor.system != "naver_talktalk":
        return "401 signature_wrong"
    elsewhere = connected(ground, vendor, addresses=None)
    for _ in range(50):
        heard = await asyncio.to_thread(send, ground, signed(vendor, elsewhere))
        if heard.status != 404:
            break
        await asyncio.sleep(0.1)
    assert (heard.status, heard.code) == (403, "address_not_allowed"), (heard.status, heard.body)
    return "401 signature_wrong, 403 address_not_allowed"


async def malformed(ground: Ground, vendor: Vendor) -> str:
    """A body that its system never sends, rightly signed, is kept as it came; the vendor need not know."""
    source, marks = connected(ground, vendor), await ground.marks()
    body = b"" if vendor.example.endswith(".form") else '{"깨진": '.encode()
    heard = await taken(ground, signed(vendor, source, body=body))
    stood = await ground.stood(source, marks, rows=0)
    assert stood.dead_letters == [body], stood.dead_letters
    assert stood.records == []
    return f"{heard.status}, 1 dead letter"


async def unavailable(ground: Ground, vendor: Vendor) -> str:
    """While Kafka is away: 503 with Retry-After inside the budget; the vendor's repetition brings it."""
    source, marks = connected(ground, vendor), await ground.marks()
    if vendor.repeats:
        await taken(ground, signed(vendor, source, body=_other(vendor)))
    else:
        await taken(ground, signed(vendor, source))
    post = signed(vendor, source)
    with ground.broker_away():
        heard = await asyncio.to_thread(send, ground, post)
    assert heard.status == 503, (heard.status, heard.body)
    assert int(heard.headers["retry-after"]) > 0
    assert heard.after_s < BUDGET_S, heard.after_s
    if not vendor.repeats:
        return f"503 after {heard.after_s:.1f} s"
    again = await _again(ground, post)
    stood = await ground.stood(source, marks, rows=vendor.touchpoints)
    assert stood.rows == vendor.touchpoints, stood.rows
    return f"503 after {heard.after_s:.1f} s, then {again.status}"


async def restart(ground: Ground, vendor: Vendor) -> str:
    """Ingest stops and starts again; what the vendor repeats is known to the journey."""
    source, marks = connected(ground, vendor), await ground.marks()
    post = signed(vendor, source)
    await taken(ground, post)
    await asyncio.to_thread(ground.ingest.child.stop, within_s=20.0)
    await asyncio.to_thread(ground.ingest.__enter__)
    times = 1
    if vendor.repeats:
        await taken(ground, post)
        times = 2
    stood = await ground.stood(source, marks, rows=vendor.touchpoints)
    assert stood.rows == vendor.touchpoints, stood.rows
    return f"sent {times} ×, {stood.rows} in the journey"


_ONLY_IN_EVENTS = {"detail.eventType", "detail.contactId", "detail.tags", "detail.attributes"}
"""Members of contact events that AWS' Contact has under another name or as an open map."""
_ONLY_IN_EVENTS_INSIDE = {"queueArn", "queueId", "agentArn", "AgentArn"}


async def fields(ground: Ground, vendor: Vendor) -> str:
    """Every member of an event that the file reads is one of AWS' own model."""
    model = await asyncio.to_thread(_model)
    text = (SHIPPED / "amazon_connect.yaml").read_text(encoding="utf-8")
    read = {path for path in re.findall(r"detail\.[A-Za-z.]+[A-Za-z]", text) if path not in _ONLY_IN_EVENTS}
    unknown = sorted(path for path in read if not _is_of_model(path.split(".")[1:], model))
    assert unknown == [], unknown
    values = re.sub(r"#.*|eventType: [A-Z_]+|^ +id: .*", "", text, flags=re.MULTILINE)  # ids name types of events
    words = set(re.findall(r"\b[A-Z][A-Z_]{3,}\b", values))
    unknown = sorted(words - {*model["#enums"]["Channel"], *model["#enums"]["ContactInitiationMethod"]})
    assert unknown == [], unknown
    return f"{len(read)} members, {len(words)} values known to botocore"


def _model() -> dict[str, Any]:
    command: list[str | Path] = [python_home() / "bin" / "python", HERE / "clients" / "connect_fields.py"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _is_of_model(parts: list[str], model: dict[str, Any]) -> bool:
    outer = parts[0][0].upper() + parts[0][1:]
    if outer in {"Tags", "Attributes"}:
        return True
    inner = parts[1][0].upper() + parts[1][1:] if len(parts) > 1 else ""
    return outer in model and (not inner or parts[1] in _ONLY_IN_EVENTS_INSIDE or inner in model[outer])


async def whatsapp(ground: Ground, vendor: Vendor) -> str:
    """A library for WhatsApp alone reads the same messages of the same people out of the example."""
    path = EXAMPLES / vendor.example
    read = {each["id"]: each for each in await asyncio.to_thread(_read_by_pywa, path)}
    expected = json.loads(path.with_name(f"{path.stem}.expected.json").read_text(encoding="utf-8"))
    for each in expected:
        one = read[each["id"]]
        who = {"phone": f"+{one['phone']}", "social": f"whatsapp:{one['social']}"}
        assert each["customer"] == who, (each["customer"], who)
        assert datetime.fromisoformat(each["occurred_at"]).timestamp() == one["at"]
    left_out = {one["type"] for id_, one in read.items() if id_ not in {each["id"] for each in expected}}
    assert left_out == {"reaction"}, left_out
    return f"{len(expected)} messages, as pywa reads them"


def _read_by_pywa(path: Path) -> list[dict[str, Any]]:
    command: list[str | Path] = [python_home() / "bin" / "python", HERE / "clients" / "whatsapp_reader.py"]
    done = subprocess.run(command, input=path.read_bytes(), capture_output=True, timeout=120, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


Check = Callable[[Ground, Vendor], Awaitable[str]]
CHECKS: dict[str, Check] = {
    "sent": sent,
    "accepted": accepted,
    "journey seen": journey,
    "wrong key": wrong_key,
    "malformed": malformed,
    "503": unavailable,
    "restart": restart,
}


def checks_of(vendor: Vendor) -> dict[str, Check]:
    """Return the columns of a vendor's row; a form that proves its origin in itself is never malformed."""
    if vendor.system == "mailgun":
        return {name: check for name, check in CHECKS.items() if name != "malformed"}
    model = {"amazon_connect": fields, "meta": whatsapp}.get(vendor.system)
    return CHECKS | ({"vendor's model": model} if model is not None else {})


def _other(vendor: Vendor) -> bytes:
    """A body of the same system that is about nobody: only to wait until ingest knows the source."""
    return b"CallStatus=ringing" if vendor.example.endswith(".form") else _NOTHING.get(vendor.system, b"{}")


_NOTHING = {"meta": b'{"entry": []}', "hubspot": b"[]", "line": b'{"events": []}'}


async def _again(ground: Ground, post: Post) -> Heard:
    for _ in range(100):
        heard = await asyncio.to_thread(send, ground, post)
        if heard.status == 200:
            return heard
        await asyncio.sleep(0.2)
    raise AssertionError((heard.status, heard.body))
