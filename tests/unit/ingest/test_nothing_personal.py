"""Marked values go in by every road that ends in an error, and come out nowhere: no answer, log, metric or header.

A producer gets its own `id` back, and the names of members that it made up where they are plain words, so these are not
marked. The bytes of what was refused stand on the topic for dead
letters, and nowhere else of the letter; docs/security.md says who may read it.
"""

import base64
import gzip
import itertools
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from prometheus_client import generate_latest

from schemas.documents import dead_letter
from services.ingest.sources.source import Source, SourceScope
from services.runtime.telemetry.logs import configure
from tests.fixtures.clock import SteppingClock
from tests.fixtures.ingest_bench import IngestBench, Response, a_touchpoint, bench_with
from tests.ports.suppression_list import SECRET, ListInMemory

MARK = "Zq7Marked"
MARKED_PHONE = "010-7391-5527"
MARKS = (MARK, MARK.lower(), "73915527", "7391-5527", base64.b64encode(MARK.encode()).decode()[:8])


CUSTOMER = {"phone": MARKED_PHONE, "customer_id": MARK, "email": f"{MARK}@b.example"}


def a_marked(**members: Any) -> dict[str, Any]:
    """Return a touchpoint in which all that can be personal is marked, with `members` put over it."""
    return a_touchpoint(
        **{
            "customer": CUSTOMER,
            "text": MARK,
            "agent": MARK,
            "refs": {"case_id": MARK},
            "attributes": {"note": MARK},
            "interaction_id": MARK,
            **members,
        }
    )


def an_event(**members: Any) -> dict[str, Any]:
    whole = {
        "specversion": "1.0",
        "id": "e-1",
        "source": "/crm",
        "type": "waymark.touchpoint.v1",
        "identity": MARK,
        "identitytype": "customer_id",
        "data": a_marked(),
        **members,
    }
    return {name: value for name, value in whole.items() if value is not ...}


NATIVE = [
    pytest.param(f"{MARK}".encode(), id="no JSON"),
    pytest.param(json.dumps(a_marked()).encode()[:-9], id="cut off"),
    pytest.param(json.dumps(MARK).encode(), id="a text"),
    pytest.param(json.dumps({"touchpoints": MARK}).encode(), id="no list"),
    pytest.param(json.dumps({"touchpoints": [MARK, [MARK], None]}).encode(), id="no objects"),
    pytest.param(f'[{{"id": "1", "{MARK} x": 1, "{MARK} x": 2}}]'.encode(), id="a member twice"),
    pytest.param(json.dumps([a_marked(text=f"{MARK}\0")]).encode(), id="NUL"),
    pytest.param(f'[{{"text": "{MARK}\\ud800"}}]'.encode(), id="half a surrogate pair"),
    pytest.param(f'[{{"text": "{MARK}", "wait_s": 1e999}}]'.encode(), id="a number out of range"),
    pytest.param(
        json.dumps([{MARK: {"a": {"b": {"c": {"d": [[[[[[[[[[[[[MARK]]]]]]]]]]]]]}}}}}]).encode(), id="too deep"
    ),
    pytest.param(json.dumps([a_marked(text=MARK * 9000)]).encode(), id="too large"),
    *(
        pytest.param(json.dumps([a_marked(**{name: value})]).encode(), id=f"a wrong {name}, {type(value).__name__}")
        for name, value in itertools.product(
            ("occurred_at", "channel", "kind", "direction", "wait_s", "refs", "score", "value", "customer", "sequence"),
            (MARK, {f"{MARK} x": MARK}, [MARK]),
        )
    ),
    pytest.param(json.dumps([a_marked(**{f"{MARK} name": MARK})]).encode(), id="an unknown member"),
    pytest.param(json.dumps([a_marked(occurred_at="2036-01-01T00:00:00Z")]).encode(), id="the future"),
    pytest.param(json.dumps([a_marked(source="other")]).encode(), id="another source"),
    pytest.param(json.dumps([a_marked(replay=True)]).encode(), id="replay"),
    pytest.param(json.dumps([a_marked(customer={"email": MARK, "phone": "7391"})]).encode(), id="no usable identifier"),
    pytest.param(json.dumps({**a_marked(), "writeKey": f"wm_src_{MARK}"}).encode(), id="a key in the body"),
]

EVENTS = [
    pytest.param(an_event(specversion=MARK), id="specversion"),
    pytest.param(an_event(time=MARK), id="time"),
    pytest.param(an_event(source=f"/{MARK} x"), id="source"),
    pytest.param(an_event(**{f"{MARK} name": MARK}), id="a name"),
    pytest.param(an_event(identitytype=f"{MARK} 유형"), id="identitytype"),
    pytest.param(an_event(sequence=MARK), id="sequence"),
    pytest.param(an_event(ext=[MARK]), id="an extension"),
    pytest.param(an_event(dataschema=MARK, datacontenttype=MARK, subject=f"{MARK}\x01"), id="the optional ones"),
    pytest.param(an_event(data=MARK), id="data"),
    pytest.param(an_event(data=..., data_base64=MARK + "%"), id="data_base64"),
    pytest.param(an_event(data=a_marked(channel=MARK)), id="a wrong touchpoint"),
    pytest.param(MARK, id="no event"),
]

SEGMENT = [
    pytest.param(
        {"type": "track", "event": MARK, "userId": MARK, "properties": {"text": MARK}}, id="no time or channel"
    ),
    pytest.param({"type": MARK, "userId": MARK}, id="an unknown type"),
    pytest.param({"type": "track", "event": "x", "userId": [MARK], "timestamp": MARK}, id="wrong members"),
    pytest.param({"type": "identify", "userId": MARK, "traits": {"phone": MARKED_PHONE, "email": MARK}}, id="identify"),
    pytest.param({"type": "alias", "userId": MARK, "previousId": {"x": MARK}}, id="alias"),
    pytest.param(MARK, id="no call"),
]


class Watched:
    """A bench, and everything it said so far that is not the topic itself."""

    def __init__(self, bench: IngestBench, capsys: pytest.CaptureFixture[str]) -> None:
        self.bench = bench
        self._capsys = capsys

    def holds_nothing_marked(self, *answers: Response) -> None:
        """Check answers, log, metrics, keys and headers of records, and all of dead letters but the bytes."""
        said: dict[str, str] = {}
        for at, answer in enumerate(answers):
            said[f"answer {at}"] = f"{answer.headers} {answer.body.decode()}"
        captured = self._capsys.readouterr()
        said["log"] = captured.err + captured.out
        said["metrics"] = generate_latest(self.bench.service.registry).decode()
        for record in self.bench.publisher.records:
            said[f"record of {record.topic}"] = f"{record.key!r} {record.headers!r}"
            if record.topic == dead_letter.TOPIC:
                letter = dead_letter.decode(record.value or b"")
                said["letter"] = f"{letter.errors} {letter.headers} {letter.code} {letter.id}"
        for place, text in said.items():
            found = [mark for mark in MARKS if mark in text]
            assert not found, (place, text)


@pytest.fixture
def debugging() -> Iterator[None]:
    """Log everything, and logging as it was afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    configure("ingest", level="debug")
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
async def watched(debugging: None, clock: SteppingClock, capsys: pytest.CaptureFixture[str]) -> Watched:
    """Return a service that logs everything, with a key of a source that has no scope but to write."""
    bench = bench_with(clock, privacy_secret=SECRET)
    bench.key = bench.keys.add(Source(name="ivr", scopes=frozenset({SourceScope.WRITE})))
    return Watched(await bench.started(), capsys)


async def in_both_languages(bench: IngestBench, document: Any, **headers: str) -> list[Response]:
    return [await bench.post(document, accept_language=language, **headers) for language in ("en", "ko")]


@pytest.mark.parametrize("body", NATIVE)
async def test_a_wrong_native_touchpoint_shows_up_nowhere(watched: Watched, body: bytes) -> None:
    answers = await in_both_languages(watched.bench, body)

    assert all(answer.status >= 400 or b'"rejected"' in answer.body for answer in answers) or b"writeKey" in body
    watched.holds_nothing_marked(*answers)


@pytest.mark.parametrize("event", EVENTS)
async def test_a_wrong_event_shows_up_nowhere(watched: Watched, event: Any) -> None:
    structured = await in_both_languages(watched.bench, event, content_type="application/cloudevents+json")
    batched = await in_both_languages(watched.bench, [event], content_type="application/cloudevents-batch+json")
    headers = {
        f"ce_{name}": str(value).encode("ascii", "ignore").decode().replace("\x01", "%01")
        for name, value in (event.items() if isinstance(event, dict) else [("type", MARK)])
        if name.isascii() and " " not in name and not name.startswith("data")
    }
    binary = await watched.bench.post(b"{" + MARK.encode(), content_type="application/json", **headers)

    assert all(answer.status >= 400 for answer in (*structured, *batched, binary))
    watched.holds_nothing_marked(*structured, *batched, binary)


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/track", "/v1/identify", "/v1/a", "/api/s/s2s/track"])
@pytest.mark.parametrize("call", SEGMENT)
async def test_a_wrong_call_of_segments_shows_up_nowhere(watched: Watched, call: Any, path: str) -> None:
    whole = {"batch": [call], "sentAt": MARK, "context": {"traits": {"phone": MARKED_PHONE}}}
    key = {"authorization": f"Bearer {watched.bench.key.text}"}
    answers = [
        await watched.bench.call("POST", [json.dumps(body).encode()], key, at=path)
        for body in (whole, call, {"batch": MARK})
    ]
    answers.append(await watched.bench.call("POST", [MARK.encode()], key, at=path))

    watched.holds_nothing_marked(*answers)


@pytest.mark.parametrize(
    "path", [f"/v1/sources/{MARK}/webhook", "/v1/sources/ivr/webhook", f"/v1/sources/ivr/webhook/{MARK}"]
)
async def test_a_webhook_that_is_refused_shows_up_nowhere(watched: Watched, path: str) -> None:
    body = json.dumps({"From": MARKED_PHONE, "text": MARK}).encode()
    headers = {"x_twilio_signature": MARK, "content_type": "application/json", "authorization": MARK}
    answers = [await watched.bench.call("POST", [sent], headers, at=path) for sent in (body, MARK.encode())]

    assert all(answer.status >= 400 for answer in answers)
    watched.holds_nothing_marked(*answers)


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer wm_src_{MARK}_0"},
        {"authorization": f"Basic {base64.b64encode(MARK.encode()).decode()}"},
        {"x_write_key": MARK},
        {"content_type": f"text/{MARK}"},
        {"content_type": f"application/json; charset={MARK}"},
        {"content_type": f"application/cloudevents+{MARK}"},
        {"content_encoding": MARK},
        {"content_encoding": "gzip"},
        {"accept_language": MARK},
        {"traceparent": f"00-{MARK}-{MARK}-01"},
        {"origin": f"https://{MARK}.example"},
        {"user_agent": MARK, "x_forwarded_for": MARK, "x_request_id": MARK},
    ],
)
async def test_a_header_shows_up_nowhere(watched: Watched, headers: dict[str, str]) -> None:
    answer = await watched.bench.post(a_marked(channel=MARK), **headers)

    assert answer.status >= 400
    watched.holds_nothing_marked(answer)


async def test_a_body_that_is_cut_off_in_its_encoding_shows_up_nowhere(watched: Watched) -> None:
    answer = await watched.bench.post(gzip.compress(json.dumps(a_marked()).encode())[:-4], content_encoding="gzip")

    assert answer.status == 400
    watched.holds_nothing_marked(answer)


async def test_an_address_that_is_not_there_shows_up_nowhere(watched: Watched) -> None:
    answer = await watched.bench.call("GET", [b""], {}, at=f"/v1/customers/phone:{MARK}")

    assert answer.status == 404
    watched.holds_nothing_marked(answer)


async def test_what_kafka_does_not_take_shows_up_nowhere(watched: Watched) -> None:
    watched.bench.publisher.refuse = {"touchpoints", dead_letter.TOPIC}
    answers = await in_both_languages(watched.bench, [a_marked(), a_marked(id="2", channel=MARK)])

    assert [answer.status for answer in answers] == [503, 503]
    watched.holds_nothing_marked(*answers)


async def test_who_is_suppressed_shows_up_nowhere(watched: Watched) -> None:
    await watched.bench.service.suppressions.watch(ListInMemory(("customer_id", MARK), ("phone", "+821073915527")))
    answers = await in_both_languages(watched.bench, [a_marked(), a_marked(id="2", channel=MARK)])

    assert answers[0].outcomes == ["suppressed", "invalid_field"]
    assert all(letter.value == b"" for letter in watched.bench.publisher.dead_letters)
    watched.holds_nothing_marked(*answers)


async def test_what_is_accepted_shows_up_on_its_topic_only(watched: Watched) -> None:
    answer = await watched.bench.post(a_marked(customer={**CUSTOMER, "cookie": "undefined"}))

    assert (answer.status, len(watched.bench.publisher.touchpoints)) == (202, 1)
    watched.holds_nothing_marked(answer)
