"""Notifiers on the real path: leased, rendered, sent, judged by the body; and credentials at rest."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from email import policy
from email.parser import BytesParser
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pagerduty
import pytest
import standardwebhooks
from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from schemas.documents.friction import FrictionDocumentState
from schemas.vocabulary import Severity
from services.alerts.deliver.credential_store import reseal, sealed_of
from services.alerts.deliver.endpoint_store import Endpoint
from services.alerts.deliver.notifiers.registry import notifiers
from services.alerts.deliver.retry import AttemptFailure, AttemptOutcome, EndpointHealth
from services.runtime.credentials.sealing import SecretSealer
from services.runtime.postgres.pools import acquire, transaction
from tests.fixtures.alerts_engine import AlertsEngine, alerts_engine
from tests.fixtures.alerts_service import Answer, ReceivedCall, a_friction, a_receiver, again
from tests.fixtures.clock import SteppingClock
from tests.waiting import until

pytestmark = pytest.mark.local

KEY = "k" * 32
sealed_engine = partial(alerts_engine, WAYMARK_ALERTS_SECRET_KEYS=KEY)
STATES = "SELECT state FROM alerts.deliveries ORDER BY created_at, sequence"


async def an_endpoint(
    engine: AlertsEngine, kind: str, url: str, *, options: Mapping[str, object] | None = None, **credentials: str
) -> UUID:
    """Add a catch-all endpoint of a kind."""
    now = engine.clock.now()
    endpoint = Endpoint(
        id=uuid4(),
        team_id=None,
        name="support",
        kind=kind,
        url=url,
        catch_all=True,
        enabled=True,
        disabled_reason=None,
        disabled_at=None,
        max_in_flight=8,
        health=EndpointHealth(),
        last_success_at=None,
        created_at=now,
        updated_at=now,
        options=options or {},
        coalesces=notifiers()[kind].coalesces,
    )
    added = await engine.service.parts.administration.add_endpoint(endpoint, actor="test", credentials=credentials)
    return added.endpoint.id


def a_slack(said: Callable[[str, dict[str, Any]], dict[str, Any] | None] = lambda _method, _body: None) -> Answer:
    """A workspace: it gives each message a `ts`; `said` may answer something else."""
    posted: list[str] = []

    async def answer(call: ReceivedCall) -> web.StreamResponse:
        body = call.document
        method = "chat.update" if "ts" in body else "chat.postMessage"
        if (other := said(method, body)) is not None:
            return web.json_response(other)
        if method == "chat.update":
            found = body["ts"] in posted
            return web.json_response({"ok": True, **body} if found else {"ok": False, "error": "message_not_found"})
        posted.append(f"1795305600.{len(posted):06}")
        message = {"text": body["text"], **({"thread_ts": body["thread_ts"]} if "thread_ts" in body else {})}
        return web.json_response({"ok": True, "channel": "C012345", "ts": posted[-1], "message": message})

    return answer


def base_of(url: str) -> str:
    return url.removesuffix("/hook")


async def settled(engine: AlertsEngine, states: list[str]) -> None:
    """Wait until the deliveries stand like this."""
    await until(lambda: stands(engine, states))


async def stands(engine: AlertsEngine, states: list[str]) -> bool:
    return sorted(await engine.column(STATES)) == sorted(states)


async def test_one_slack_message_follows_its_issue(database: str, clock: SteppingClock) -> None:
    async with a_receiver(a_slack()) as slack, sealed_engine(database, clock) as engine:
        await an_endpoint(engine, "slack_bot", base_of(slack.url), options={"channel": "C012345"}, bot_token="xoxb-1")
        friction = a_friction()
        worse = again(friction, severity=Severity.HIGH)
        over = again(worse, state=FrictionDocumentState.RETRACTED)
        for number, revision in enumerate((friction, worse, over), 1):
            await engine.take(revision)
            await settled(engine, ["delivered"] * number)

    bodies = [call.document for call in slack.calls]
    assert [("ts" in body, "thread_ts" in body) for body in bodies] == [
        (False, False),
        (True, False),
        (False, True),
        (True, False),
        (False, True),
    ]
    assert {call.headers["authorization"] for call in slack.calls} == {"Bearer xoxb-1"}
    assert {body[name] for body in bodies[1:] for name in ("ts", "thread_ts") if name in body} == {"1795305600.000000"}


async def test_a_message_that_was_deleted_in_slack_is_posted_anew(database: str, clock: SteppingClock) -> None:
    deleted: list[bool] = []

    def said(method: str, _body: dict[str, Any]) -> dict[str, Any] | None:
        return {"ok": False, "error": "message_not_found"} if method == "chat.update" and not deleted[1:] else None

    async with a_receiver(a_slack(said)) as slack, sealed_engine(database, clock) as engine:
        await an_endpoint(engine, "slack_bot", base_of(slack.url), options={"channel": "C012345"}, bot_token="xoxb-1")
        friction = a_friction()
        await engine.take(friction)
        await settled(engine, ["delivered"])
        await engine.take(again(friction, severity=Severity.HIGH))
        await until(lambda: engine.value("SELECT count(*) = 2 FROM alerts.attempts"))
        forgotten = await engine.value("SELECT count(*) FROM alerts.endpoint_references")
        deleted += [True, True]
        clock.advance(timedelta(seconds=10))
        await settled(engine, ["delivered"] * 2)
        reference = await engine.value("SELECT reference->>'ts' FROM alerts.endpoint_references")

    assert forgotten == 0
    assert [("ts" in call.document) for call in slack.calls] == [False, True, False]
    assert reference == "1795305600.000001"


@pytest.mark.logs_error("endpoint disabled")
async def test_a_channel_that_is_gone_parks_what_waits_and_tells_the_others(
    database: str, clock: SteppingClock
) -> None:
    def said(_method: str, _body: dict[str, Any]) -> dict[str, Any]:
        return {"ok": False, "error": "channel_not_found"}

    async with (
        a_receiver(a_slack(said)) as slack,
        a_receiver() as desk,
        sealed_engine(database, clock) as engine,
    ):
        bot = await an_endpoint(
            engine, "slack_bot", base_of(slack.url), options={"channel": "C012345"}, bot_token="xoxb-1"
        )
        await engine.endpoint(desk.url)
        await engine.take(a_friction())
        await until(lambda: "endpoint.disabled" in desk.types())
        state = await engine.value("SELECT state FROM alerts.deliveries WHERE endpoint_id = $1", bot)
        why = await engine.value("SELECT excerpt FROM alerts.attempts WHERE outcome = 'gone'")

    assert state == "pending"
    assert json.loads(why)["error"] == "channel_not_found"
    assert "issue.opened" in desk.types()


async def test_what_slack_does_not_understand_goes_out_as_text(database: str, clock: SteppingClock) -> None:
    def said(_method: str, body: dict[str, Any]) -> dict[str, Any] | None:
        return {"ok": False, "error": "invalid_blocks"} if body.get("blocks") else None

    async with a_receiver(a_slack(said)) as slack, sealed_engine(database, clock) as engine:
        await an_endpoint(engine, "slack_bot", base_of(slack.url), options={"channel": "C012345"}, bot_token="xoxb-1")
        await engine.take(a_friction())
        await settled(engine, ["delivered"])

    assert [bool(call.document["blocks"]) for call in slack.calls] == [True, False]


async def test_what_a_vendor_refuses_is_given_up_at_once_and_the_endpoint_stays_well(
    database: str, clock: SteppingClock
) -> None:
    async def refuse(_call: ReceivedCall) -> web.StreamResponse:
        return web.json_response({"status": "invalid event", "errors": ["summary"]}, status=400)

    async with a_receiver(refuse) as vendor, sealed_engine(database, clock) as engine:
        await an_endpoint(engine, "pagerduty", vendor.url, routing_key="r" * 32)
        await engine.take(a_friction())
        await settled(engine, ["exhausted"])
        health = await engine.value("SELECT (enabled, consecutive_failures)::text FROM alerts.endpoints")
        audit = await engine.column("SELECT kind FROM alerts.endpoint_events ORDER BY id")

    assert len(vendor.calls) == 1
    assert (health, audit) == ("(t,0)", ["created", "refused"])


async def test_pagerdutys_own_client_sends_the_same_event(database: str, clock: SteppingClock) -> None:
    async def accept(call: ReceivedCall) -> web.StreamResponse:
        key = call.document.get("dedup_key", "made")
        return web.json_response({"status": "success", "message": "Event processed", "dedup_key": key}, status=202)

    async with a_receiver(accept) as vendor, sealed_engine(database, clock) as engine:
        await an_endpoint(engine, "pagerduty", vendor.url, routing_key="r" * 32)
        friction = a_friction()
        await engine.take(friction)
        await settled(engine, ["delivered"])
        await engine.take(again(friction, state=FrictionDocumentState.RETRACTED))
        await settled(engine, ["delivered"] * 2)
        ours = [call.document for call in vendor.calls]

    theirs: list[dict[str, Any]] = []

    def enqueue(request: httpx2.Request) -> httpx2.Response:
        theirs.append(json.loads(request.content))
        return httpx2.Response(202, json={"status": "success", "message": "", "dedup_key": theirs[-1]["dedup_key"]})

    with pagerduty.EventsApiV2Client("r" * 32, transport=httpx2.MockTransport(enqueue)) as client:
        more = {name: ours[0][name] for name in ("payload", "links", "client") if name in ours[0]}
        client.send_event("trigger", dedup_key=ours[0]["dedup_key"], **more)
        client.resolve(ours[1]["dedup_key"])
    assert theirs == ours


class Mailbox:
    """A mail server's mailbox that remembers what came; `refuses` is said to every recipient."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, list[str], bytes]] = []
        self.logins: list[tuple[bytes, bytes]] = []
        self.refuses = ""

    async def handle_RCPT(  # noqa: N802  aiosmtpd finds it by this name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.refuses:
            return self.refuses
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  aiosmtpd finds it by this name
        content = envelope.content
        self.mails.append(
            (envelope.mail_from or "", list(envelope.rcpt_tos), content if isinstance(content, bytes) else b"")
        )
        return "250 2.0.0 queued as 1"

    def login(self, _server: SMTP, _session: Session, _envelope: Envelope, _way: str, data: object) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"open sesame", handled=False)


async def with_mail_server(box: Mailbox, use: Callable[[str], Awaitable[None]]) -> None:
    """Run a real mail server on loopback for the length of `use`."""

    def session() -> SMTP:
        return SMTP(box, authenticator=box.login, auth_require_tls=False, hostname="mail.example.com")

    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0)
    async with server:
        await use(f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}")


OFFICE = {"sender": "waymark@example.com", "recipients": ["care@example.com", "팀@example.com"], "language": "ko"}


async def test_an_email_reaches_a_real_mail_server(database: str, clock: SteppingClock) -> None:
    box = Mailbox()

    async def use(url: str) -> None:
        async with sealed_engine(database, clock) as engine:
            options = {**OFFICE, "recipients": ["care@example.com", "lead@example.com"], "username": "waymark"}
            await an_endpoint(engine, "email", url, options=options, password="open sesame")
            await engine.take(a_friction())
            await settled(engine, ["delivered"])

    await with_mail_server(box, use)

    [(sender, recipients, content)] = box.mails
    mail = BytesParser(policy=policy.default).parsebytes(content)
    assert (sender, recipients) == ("waymark@example.com", ["care@example.com", "lead@example.com"])
    assert box.logins == [(b"waymark", b"open sesame")]
    assert mail["subject"] == "[보통] 요금 문제로 두 번 전화"
    assert mail["message-id"].startswith("<msg_")
    html = mail.get_body(("html",))
    assert html is not None
    assert "고객" in html.get_content()


@pytest.mark.parametrize(
    ("refuses", "outcome"),
    [("451 4.7.1 greylisted", AttemptOutcome.RETRY), ("550 5.1.1 no such user", AttemptOutcome.REFUSED)],
)
async def test_a_mail_servers_word_decides(
    database: str, clock: SteppingClock, refuses: str, outcome: AttemptOutcome
) -> None:
    box = Mailbox()
    box.refuses = refuses

    async def use(url: str) -> None:
        async with sealed_engine(database, clock, dispatching=False) as engine:
            options = {**OFFICE, "recipients": ["care@example.com"]}
            endpoint = await an_endpoint(engine, "email", url, options=options)
            carried = await engine.service.parts.administration.send_test_message(endpoint, actor="test")
            assert carried is not None
            assert (carried.verdict.outcome, carried.sent.answer.status) == (outcome, int(refuses[:3]))
            assert carried.sent.excerpt == refuses[4:]

    await with_mail_server(box, use)


async def test_a_wrong_password_is_said_to_be_one(database: str, clock: SteppingClock) -> None:
    box = Mailbox()

    async def use(url: str) -> None:
        async with sealed_engine(database, clock, dispatching=False) as engine:
            options = {**OFFICE, "recipients": ["care@example.com"], "username": "waymark"}
            endpoint = await an_endpoint(engine, "email", url, options=options, password="guess")
            carried = await engine.service.parts.administration.send_test_message(endpoint, actor="test")
            assert carried is not None
            assert (carried.verdict.outcome, carried.sent.answer.status) == (AttemptOutcome.GONE, 535)

    await with_mail_server(box, use)
    assert box.mails == []


async def test_no_mail_goes_where_messages_may_not_go(database: str, clock: SteppingClock) -> None:
    async with sealed_engine(database, clock, dispatching=False) as engine:
        options = {**OFFICE, "recipients": ["care@example.com"]}
        endpoint = await an_endpoint(engine, "email", "smtp://10.0.0.1:25", options=options)
        carried = await engine.service.parts.administration.send_test_message(endpoint, actor="test")

    assert carried is not None
    assert (carried.verdict.failure, carried.sent.refusal) == (AttemptFailure.FORBIDDEN_TARGET, "private")


async def test_a_template_is_filled_in_and_signed(database: str, clock: SteppingClock) -> None:
    async with a_receiver() as receiver, sealed_engine(database, clock) as engine:
        body = {"text": '{{ issue.title.ko }} "{{ type }}"', "count": "{{ issue.count }}"}
        endpoint = await an_endpoint(engine, "template", receiver.url, options={"body": body}, token="t0k3n")
        rotated = await engine.service.parts.administration.rotate_secret(endpoint, timedelta(), actor="test")
        await engine.take(a_friction())
        await settled(engine, ["delivered"])

    [call] = receiver.calls
    assert rotated is not None
    assert rotated.secret is not None
    assert call.document == {"text": '요금 문제로 두 번 전화 "issue.opened"', "count": 1}
    assert call.headers["authorization"] == "Bearer t0k3n"
    signed = standardwebhooks.Webhook(rotated.secret).sign(call.webhook_id, clock.now(), call.body.decode())
    assert call.headers["webhook-signature"] == signed


# --- credentials at rest ------------------------------------------------------------------------------------------


async def test_credentials_stand_sealed_and_are_sealed_anew_under_a_new_key(
    database: str, clock: SteppingClock
) -> None:
    async with sealed_engine(database, clock, dispatching=False) as engine:
        endpoint = await an_endpoint(engine, "pagerduty", "https://events.pagerduty.com/", routing_key="secret-key")
        dumped = await engine.value("SELECT string_agg(c::text, '') FROM alerts.endpoint_credentials c")
        both = SecretSealer(["n" * 32, KEY])
        async with transaction(engine.pool) as connection:
            done = await reseal(connection, both, lambda size: b"\1" * size)
        async with transaction(engine.pool) as connection:
            repeated = await reseal(connection, both, lambda size: b"\2" * size)
            lost = await reseal(connection, SecretSealer(["x" * 32]), lambda size: b"\3" * size)
        async with acquire(engine.pool) as connection:
            sealed = (await sealed_of(connection, [endpoint]))[endpoint]["routing_key"]

    assert "secret-key" not in dumped
    assert base64.b16encode(b"secret-key").decode().lower() not in dumped
    assert (done.resealed, repeated.current, lost.unopenable) == (1, 1, 1)
    opened = SecretSealer(["n" * 32]).open(sealed, owner=f"alerts.endpoint/{endpoint}/routing_key")
    assert opened == "secret-key"


@pytest.mark.logs_error("credentials cannot be opened")
async def test_without_its_master_key_a_credential_waits_and_is_not_lost(database: str, clock: SteppingClock) -> None:
    async with a_receiver() as vendor:
        async with sealed_engine(database, clock, dispatching=False) as engine:
            await an_endpoint(engine, "pagerduty", vendor.url, routing_key="r" * 32)
            await engine.take(a_friction())
        async with alerts_engine(database, clock, line="other", WAYMARK_ALERTS_SECRET_KEYS="o" * 32) as engine:
            await until(lambda: engine.value("SELECT count(*) = 1 FROM alerts.attempts"))
            reason = await engine.value("SELECT reason FROM alerts.attempts")
            state = await engine.value("SELECT state FROM alerts.deliveries")

    assert (reason, state, vendor.calls) == ("unsealable", "pending", [])
