"""Webhooks over HTTP: what each vendor hears, what is written, and what never is."""

import asyncio
import base64
import hmac
import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from services.ingest.forms.webhooks.bindings import BindingProblem, StoredWebhookSecret
from services.ingest.sources.source import Source
from services.runtime.credentials.sealing import SealedSecret
from tests.fixtures.clock import SteppingClock
from tests.fixtures.ingest_bench import Response
from tests.unit.ingest.webhooks.bench import PUBLIC, WebhookBench, settings
from tests.unit.ingest.webhooks.deliveries import NOW, example
from tests.unit.ingest.webhooks.test_signatures import NAMED, VECTORS
from tests.waiting import until


@pytest.fixture
async def bench(clock: SteppingClock) -> WebhookBench:
    clock.set(NOW)
    return await WebhookBench(clock=clock, settings=settings()).started()


def vector(system: str, variant: str = "") -> dict[str, Any]:
    return next(each for each in VECTORS if each["system"] == system and (not variant or each["variant"] == variant))


@pytest.mark.parametrize("each", NAMED)
async def test_a_delivery_of_every_vendor_becomes_its_touchpoints(bench: WebhookBench, each: dict[str, Any]) -> None:
    answer = await bench.deliver(each)
    expected = example(each["example"]).expected

    assert answer.status == 200
    assert [found.kind for found in bench.publisher.touchpoints] == [document["kind"] for document in expected]
    assert {found.source for found in bench.publisher.touchpoints} == {each["system"].replace("_", "-")}
    assert bench.sample("waymark_ingest_webhooks_total", system=each["system"], outcome="taken") == 1


@pytest.mark.parametrize("each", NAMED)
async def test_a_wrong_signature_is_401_and_nothing_is_written(bench: WebhookBench, each: dict[str, Any]) -> None:
    bench.bindings.add(Source(name=each["system"].replace("_", "-")), {"system": each["system"]}, "d3Jvbmc=")
    await bench.service.bindings.refresh()
    answer = await bench.deliver(each)

    assert (answer.status, answer.json["code"]) == (401, "signature_wrong")
    assert bench.publisher.records == []
    assert bench.sample("waymark_ingest_webhooks_total", system=each["system"], outcome="refused") == 1


async def test_a_repeated_delivery_is_a_duplicate(bench: WebhookBench) -> None:
    first = await bench.deliver(vector("zendesk"))
    second = await bench.deliver(vector("zendesk"))

    assert first.json == {"accepted": 1, "duplicate": 0, "rejected": 0, "ignored": 0}
    assert second.json == {"accepted": 0, "duplicate": 1, "rejected": 0, "ignored": 0}
    assert len(bench.publisher.touchpoints) == 1


@pytest.mark.parametrize(
    ("system", "kind", "body"),
    [
        ("twilio_voice", "text/xml", b"<Response/>"),
        ("twilio_sms", "text/xml", b"<Response/>"),
        ("kakao_skill", "application/json", b'{"version":"2.0","data":{}}'),
        ("naver_talktalk", None, b""),
    ],
)
async def test_vendors_hear_what_they_want_to_hear(
    bench: WebhookBench, system: str, kind: str | None, body: bytes
) -> None:
    answer = await bench.deliver(vector(system))

    assert (answer.headers.get("content-type"), answer.body) == (kind, body)


async def test_what_is_no_touchpoint_is_kept_as_sent_and_the_vendor_hears_200(bench: WebhookBench) -> None:
    token = {"x-auth-token": "static_token-not-a-real-secret"}
    answer = await bench.deliver(vector("static_token"), body=b'{"id": "x", "channel": "fax"}', headers=token)
    [letter] = bench.publisher.dead_letters

    assert (answer.status, answer.json["rejected"]) == (200, 1)
    assert (letter.code, letter.value) == ("invalid_field", b'{"id": "x", "channel": "fax"}')


@pytest.mark.parametrize("body", [b"{", b"", b"[" * 5000, b"\xff", b"null"])
async def test_a_body_that_its_system_never_sends_is_a_dead_letter(bench: WebhookBench, body: bytes) -> None:
    token = {"x-api-key": "amazon_connect-not-a-real-secret"}
    answer = await bench.deliver(vector("amazon_connect"), body=body, headers=token)

    assert answer.status == 200
    if body == b"null":  # JSON, and about nobody
        assert answer.json["ignored"] == 1
    else:
        assert [(found.code, found.value) for found in bench.publisher.dead_letters] == [("not_of_system", body)]
        assert bench.sample("waymark_ingest_webhooks_total", system="amazon_connect", outcome="malformed") == 1


async def test_each_event_of_a_delivery_is_judged_for_itself(bench: WebhookBench) -> None:
    each = vector("line")
    answer = await bench.deliver(each)

    assert answer.json == {"accepted": 4, "duplicate": 0, "rejected": 0, "ignored": 1}


async def test_a_dead_letter_of_one_event_has_that_event_alone(bench: WebhookBench) -> None:
    events = [{"subscriptionType": "contact.creation", "eventId": 1, "occurredAt": 1, "objectId": n} for n in (1, 2)]
    body = json.dumps(events)
    signed = _hubspot(body)
    await bench.deliver(vector("hubspot"), body=body.encode(), headers=signed)

    assert [json.loads(letter.value or b"")["objectId"] for letter in bench.publisher.dead_letters] == [1, 2]


def _hubspot(body: str) -> dict[str, str]:
    stamp = str(int(NOW.timestamp() * 1000))
    text = f"POST{PUBLIC}/v1/sources/hubspot/webhook{body}{stamp}".encode()
    made = hmac.new(vector("hubspot")["secret"].encode(), text, "sha256").digest()
    return {"x-hubspot-signature-v3": base64.b64encode(made).decode(), "x-hubspot-request-timestamp": stamp}


async def test_slack_trying_the_address_hears_its_challenge_only_when_it_proves_itself(bench: WebhookBench) -> None:
    body = example("slack/url_verification").body
    stamp = str(int(NOW.timestamp()))
    made = hmac.new(vector("slack")["secret"].encode(), f"v0:{stamp}:".encode() + body, "sha256").hexdigest()
    signed = {"x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={made}"}
    unproven = await bench.deliver(vector("slack"), body=body, headers={"content-type": "application/json"})
    proven = await bench.deliver(vector("slack"), body=body, headers={"content-type": "application/json", **signed})

    assert (unproven.status, unproven.json["code"]) == (401, "signature_missing")
    assert (proven.status, proven.body) == (200, json.loads(body)["challenge"].encode())
    assert bench.publisher.records == []


async def test_intercom_looking_for_the_address_is_answered_without_a_signature(bench: WebhookBench) -> None:
    answer = await bench.deliver(vector("intercom"), method="HEAD", headers={}, body=b"")

    assert (answer.status, answer.body) == (200, b"")
    assert bench.sample("waymark_ingest_webhooks_total", system="intercom", outcome="handshake") == 1


async def test_a_method_that_a_vendor_does_not_use_is_refused(bench: WebhookBench) -> None:
    answer = await bench.deliver(vector("zendesk"), method="GET", body=b"")

    assert (answer.status, answer.headers["allow"]) == (405, "POST")


async def test_kafka_away_is_503_with_retry_after(bench: WebhookBench) -> None:
    bench.publisher.refuse = {"touchpoints"}
    answer = await bench.deliver(vector("twilio_voice"))

    assert (answer.status, answer.json["code"], answer.headers["retry-after"]) == (503, "webhook_timeout", "5")


async def test_kafka_that_does_not_answer_is_503_inside_the_budget(clock: SteppingClock) -> None:
    clock.set(NOW)
    bench = await WebhookBench(clock=clock, settings=settings(webhook_timeout_s="0.05")).started()
    bench.publisher.stuck = "touchpoints"
    started = asyncio.get_running_loop().time()
    answer = await bench.deliver(vector("line"))

    assert (answer.status, answer.json["code"]) == (503, "webhook_timeout")
    assert asyncio.get_running_loop().time() - started < 1.0
    bench.publisher.release()
    again = await bench.deliver(vector("line"))
    assert (again.status, again.json["accepted"]) == (200, 4)


async def test_too_much_in_flight_is_503_before_anything_is_read(clock: SteppingClock) -> None:
    clock.set(NOW)
    bench = await WebhookBench(clock=clock, settings=settings(max_in_flight_requests="1")).started()
    bench.publisher.stuck = "touchpoints"
    first = asyncio.ensure_future(bench.deliver(vector("zendesk")))
    await until(lambda: bench.publisher.waiting == 1, within=5)
    second = await bench.deliver(vector("intercom"))
    bench.publisher.release()

    assert (second.status, second.json["code"]) == (503, "overloaded")
    assert second.headers["retry-after"].isdigit()
    assert (await first).status == 200


@pytest.mark.parametrize("address", ["10.0.0.1", "211.249.40.40", "nonsense"])
async def test_naver_from_elsewhere_is_refused_even_with_the_secret(bench: WebhookBench, address: str) -> None:
    answer = await bench.deliver(vector("naver_talktalk"), headers={"x-forwarded-for": address})

    assert (answer.status, answer.json["code"]) == (403, "address_not_allowed")


async def test_naver_without_the_secret_in_its_path_is_refused(bench: WebhookBench) -> None:
    bare = await bench.deliver(vector("naver_talktalk"), at="/v1/sources/naver-talktalk/webhook")
    wrong = await bench.deliver(vector("naver_talktalk"), at="/v1/sources/naver-talktalk/webhook/guess")

    assert (bare.status, bare.json["code"]) == (401, "signature_missing")
    assert (wrong.status, wrong.json["code"]) == (401, "signature_wrong")


async def test_a_source_that_nobody_bound_is_404_and_a_disabled_one_403(bench: WebhookBench) -> None:
    bench.bindings.rows["off"] = replace(bench.bindings.rows["line"], source=Source(name="off", disabled=True))
    await bench.service.bindings.refresh()
    unknown = await bench.deliver(vector("line"), at="/v1/sources/nobody/webhook")
    disabled = await bench.deliver(vector("line"), at="/v1/sources/off/webhook")

    assert (unknown.status, unknown.json["code"]) == (404, "webhook_unknown")
    assert (disabled.status, disabled.json["code"]) == (403, "source_disabled")


@pytest.mark.parametrize(
    ("setup", "secret", "trouble"),
    [
        (
            {"system": "line", "sistem": "x"},
            StoredWebhookSecret(sealed=SealedSecret(material=b"s", master_key=None)),
            BindingProblem.SETUP,
        ),
        (
            {"system": "fax"},
            StoredWebhookSecret(sealed=SealedSecret(material=b"s", master_key=None)),
            BindingProblem.SYSTEM,
        ),
        (
            {"system": "line"},
            StoredWebhookSecret(sealed=SealedSecret(material=b"s", master_key="gone")),
            BindingProblem.SECRET,
        ),
        ({"system": "line"}, StoredWebhookSecret(mounted="not-there"), BindingProblem.SECRET),
    ],
)
@pytest.mark.logs_error("a webhook cannot be served")
async def test_a_source_whose_set_up_is_broken_is_told_to_come_again(
    bench: WebhookBench, setup: dict[str, str], secret: StoredWebhookSecret, trouble: BindingProblem
) -> None:
    bench.bindings.rows["line"] = replace(bench.bindings.rows["line"], setup=setup, secrets=[secret])
    await bench.service.bindings.refresh()
    answer = await bench.deliver(vector("line"))

    assert bench.service.bindings.find("line") is trouble
    assert (answer.status, answer.json["code"]) == (503, "webhook_not_ready")
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.logs_error("a webhook is not set up completely")
async def test_without_a_public_url_who_signs_it_is_told_to_come_again(clock: SteppingClock) -> None:
    clock.set(NOW)
    bench = await WebhookBench(clock=clock, settings=settings(public_url="")).started()

    assert (await bench.deliver(vector("twilio_voice"))).json["code"] == "webhook_not_ready"
    assert (await bench.deliver(vector("zendesk"))).status == 200


async def test_the_host_that_a_request_names_has_no_say(bench: WebhookBench) -> None:
    each = vector("hubspot")
    headers = {**example(each["example"]).headers, **each["headers"], "host": "evil.example.com"}

    assert (await bench.deliver(each, headers=headers)).status == 200


async def test_before_the_bindings_are_read_vendors_are_told_to_come_again(clock: SteppingClock) -> None:
    bench = WebhookBench(clock=clock, settings=settings())

    assert (await bench.deliver(vector("line"))).json["code"] == "webhook_not_ready"


async def test_an_outage_of_the_store_leaves_what_is_held(bench: WebhookBench) -> None:
    bench.bindings.away = True
    with pytest.raises(ConnectionRefusedError):
        await bench.service.bindings.refresh()

    assert (await bench.deliver(vector("line"))).status == 200


async def test_a_delivery_with_too_many_events_is_refused(clock: SteppingClock) -> None:
    clock.set(NOW)
    bench = await WebhookBench(clock=clock, settings=settings(max_items="3")).started()
    answer = await bench.deliver(vector("hubspot"))

    assert (answer.status, answer.json["code"]) == (413, "too_many_items")


async def test_a_source_s_people_can_look_up_why_its_webhook_was_refused(bench: WebhookBench) -> None:
    await bench.deliver(vector("line"), headers={})
    key = bench.keys.add(Source(name="line"))
    answer = await bench.call("GET", [b""], {"authorization": f"Bearer {key.text}"}, at="/v1/inspector")

    assert [entry["code"] for entry in answer.json["entries"]] == ["signature_missing"]


async def test_answers_speak_korean(bench: WebhookBench) -> None:
    answer = await bench.deliver(vector("line"), headers={"accept-language": "ko"})

    assert answer.json["code"] == "signature_missing"
    assert "서명" in answer.json["message"]


async def test_the_webhooks_are_documented(bench: WebhookBench) -> None:
    document = (await bench.call("GET", [b""], {}, at="/openapi.json")).json

    assert set(document["paths"]["/v1/sources/{source}/webhook"]["post"]["responses"]) == {
        "200",
        "401",
        "403",
        "404",
        "503",
    }
    assert "/v1/sources/{source}/webhook/{token}" in document["paths"]


META = {"hub.mode": "subscribe", "hub.challenge": "1158201444"}


async def with_verify_token(clock: SteppingClock, token: str) -> WebhookBench:
    clock.set(NOW)
    bench = WebhookBench(clock=clock, settings=settings())
    bench.bindings.add(Source(name="meta"), {"system": "meta", "options": {"verify_token": token}}, "app-secret")
    return await bench.started()


async def trial_of_meta(bench: WebhookBench, **query: str) -> Response:
    at = f"/v1/sources/meta/webhook?{urlencode({**META, **query})}"
    return await bench.deliver(vector("meta"), method="GET", headers={}, body=b"", at=at)


async def test_meta_trying_the_address_hears_its_challenge_when_it_repeats_our_token(clock: SteppingClock) -> None:
    bench = await with_verify_token(clock, "our-token")
    answer = await trial_of_meta(bench, **{"hub.verify_token": "our-token"})

    assert (answer.status, answer.body) == (200, b"1158201444")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert bench.publisher.records == []


@pytest.mark.parametrize("token", ["our-token", ""])
@pytest.mark.parametrize("said", [{"hub.verify_token": "another"}, {"hub.verify_token": ""}, {}])
async def test_meta_without_our_token_is_told_so_and_hears_no_challenge(
    clock: SteppingClock, token: str, said: dict[str, str]
) -> None:
    answer = await trial_of_meta(await with_verify_token(clock, token), **said)

    assert answer.status == 403
    assert b"1158201444" not in answer.body
    assert b"verify_token" in answer.body


async def test_a_batch_of_meta_holds_events_of_several_entries_and_each_has_its_own_bytes(clock: SteppingClock) -> None:
    bench = await WebhookBench(clock=clock, settings=settings()).started()
    clock.set(NOW)
    one, other = (
        json.loads(example(f"meta/{name}").body)["entry"] for name in ("messenger_messages", "messenger_echo")
    )
    one[0]["messaging"][0]["message"]["mid"] = "m" * 300
    body = json.dumps({"object": "page", "entry": one + other}, ensure_ascii=False).encode()
    made = hmac.new(vector("meta")["secret"].encode(), body, "sha256").hexdigest()
    answer = await bench.deliver(vector("meta"), body=body, headers={"x-hub-signature-256": f"sha256={made}"})
    [letter] = bench.publisher.dead_letters

    assert answer.json == {"accepted": 2, "duplicate": 0, "rejected": 1, "ignored": 3}
    assert json.loads(letter.value or b"") == one[0]["messaging"][0]
