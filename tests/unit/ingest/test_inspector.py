"""What the inspector shows of what came, to whom, and what it never shows."""

import asyncio
import gc
import json
import tracemalloc
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import dead_letter
from schemas.dead_letter import DeadLetter, DeadLetterError, Stage, preserve
from services.ingest.inspector import masking
from services.ingest.inspector.logbook import Logbook, LogbookRules, Turned
from services.ingest.reasons import Outcome, Refusal, Rejection
from services.ingest.sources import Scope, Source
from services.ingest.verdict import Verdict
from services.runtime.keys import KeyKind
from services.runtime.record import Record
from tests.conftest import SteppingClock
from tests.unit.ingest.fakes import Bench, a_touchpoint, bench_with
from tests.waiting import until

NOW = datetime(2026, 11, 22, 0, 15, tzinfo=UTC)


async def entries(bench: Bench, query: str = "", **headers: str) -> list[dict[str, Any]]:
    answer = await bench.inspect(query, **headers)
    assert answer.status == 200, answer.json
    found: list[dict[str, Any]] = answer.json["entries"]
    return found


# --- what is shown -----------------------------------------------------------------------------------------------


async def test_an_accepted_touchpoint_is_shown_as_it_was_published_with_its_person_masked(bench: Bench) -> None:
    await bench.post(
        a_touchpoint(text="다시 전화했어요", refs={"case_id": "T-77"}, customer={"phone": "010-1234-5678"})
    )

    (seen,) = await entries(bench)

    assert (seen["outcome"], seen["id"], seen["source"]) == ("accepted", "call-1", "ivr")
    became = seen["became"]
    assert became["customer"] == {"phone": {"value": "text(13) +999999999999", "verified": False}}
    assert (became["channel"], became["kind"]) == ("phone", "call_ended")
    assert became["occurred_at"] == "2026-11-22T00:14:00.000000Z"
    assert became["text"] == "text(8) 가가 가가가가가"
    assert became["refs"] == {"case_id": "text(4) A-99"}
    assert "sent" not in seen


async def test_a_rejected_touchpoint_is_shown_with_its_fault_the_shape_of_what_stood_there_and_the_cure(
    bench: Bench,
) -> None:
    await bench.post(a_touchpoint(occurred_at="2026-11-22 09:14:00", channel="fax"))

    (seen,) = await entries(bench)

    assert (seen["outcome"], seen["code"], seen["field"]) == ("rejected", "invalid_field", "occurred_at")
    faults = {fault["path"]: fault for fault in seen["errors"]}
    assert faults["occurred_at"]["sent"] == "text(19) 9999-99-99 99:99:99"
    assert faults["channel"]["sent"] == "text(3) aaa"
    assert seen["sent"]["customer"] == {"phone": "text(13) 999-9999-9999"}
    assert "became" not in seen


async def test_a_request_that_is_refused_as_a_whole_is_shown_too(bench: Bench) -> None:
    await bench.post(b"id=1", content_type="application/x-www-form-urlencoded")

    (seen,) = await entries(bench)

    assert (seen["outcome"], seen["code"]) == ("refused", "unsupported_media_type")
    assert seen["request"] == {
        "status": 415,
        "route": "/v1/touchpoints",
        "content_type": "application/x-www-form-urlencoded",
    }


async def test_duplicates_and_what_kafka_did_not_take_are_shown(bench: Bench) -> None:
    await bench.post(a_touchpoint())
    await bench.post(a_touchpoint())
    bench.publisher.refuse = {"touchpoints"}
    await bench.post(a_touchpoint(id="call-2"))

    assert [(seen["outcome"], seen.get("code")) for seen in await entries(bench)] == [
        ("unavailable", "not_acknowledged"),
        ("duplicate", None),
        ("accepted", None),
    ]


async def test_the_sentences_are_those_of_the_answer_in_the_language_asked_for(bench: Bench) -> None:
    answer = await bench.post(a_touchpoint(replay=True), accept_language="ko")

    (seen,) = await entries(bench, accept_language="ko")

    assert seen["message"] == answer.results[0]["message"]
    assert seen["errors"] == [
        {"path": "replay", "code": "replay_not_allowed", "message": seen["message"], "sent": "true or false"}
    ]


async def test_an_identifier_that_was_left_out_is_warned_of_with_its_shape(bench: Bench) -> None:
    await bench.post(a_touchpoint(customer={"phone": "1588-1234"}))

    (seen,) = await entries(bench)

    assert seen["code"] == "no_usable_identifier"
    (warning,) = seen["warnings"]
    assert (warning["path"], warning["code"], warning["sent"]) == (
        "customer.phone",
        "identifier_service_number",
        "text(9) 9999-9999",
    )


SECRET = "seo.yeon.kim@example.com"
ODD = [
    {"customer": {"email": SECRET}, "channel": SECRET},
    {SECRET: SECRET, "customer": {SECRET: SECRET, "phone": "010-7777-8888"}},
    {"text": SECRET, "agent": SECRET, "refs": {"case_id": SECRET, SECRET: SECRET}, "reason": SECRET},
    {"attributes": {SECRET: [SECRET, {SECRET: SECRET}]}, "queue": SECRET, "outcome": SECRET},
    {"interaction_id": SECRET, "kind": SECRET, "occurred_at": SECRET, "direction": SECRET, "source": SECRET},
]


@pytest.mark.parametrize("members", ODD)
async def test_no_value_that_was_sent_is_ever_shown_wherever_it_stood(bench: Bench, members: dict[str, Any]) -> None:
    await bench.post(a_touchpoint(**{"customer": {"email": SECRET, "customer_id": SECRET}, **members}))
    await bench.post(a_touchpoint(**members), content_type=f"text/{SECRET}; name={SECRET}")
    await bench.post(f"not JSON {SECRET}".encode())
    await bench.call("POST", [b"{}"], {"authorization": f"Bearer {SECRET}"})

    operator = bench.keys.add_operator()
    shown = (await bench.inspect(key=operator.text)).body.decode()

    assert len(json.loads(shown)["entries"]) == 4
    assert SECRET not in shown
    assert "seo.yeon" not in shown
    assert "7777" not in shown


@given(st.text(max_size=60))
def test_a_shape_tells_nothing_but_kinds_of_characters(text: str) -> None:
    shape = masking.shape(text)

    assert len(shape) <= masking.SHAPE_LENGTH + 1
    for character in text:
        if character.isalnum() and character not in "aA9가字":
            assert character not in shape


_LEAVES = st.none() | st.booleans() | st.floats() | st.text()
_ANYTHING = st.recursive(_LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=40)


@given(_ANYTHING)
def test_a_structure_of_anything_can_be_written_as_json(document: Any) -> None:
    json.dumps(masking.structure(document))


# --- looking for something ---------------------------------------------------------------------------------------


async def test_entries_are_filtered_by_outcome_code_and_id(bench: Bench) -> None:
    await bench.post([a_touchpoint(id="1"), a_touchpoint(id="2", channel="fax"), 7, a_touchpoint(id="4", replay=True)])

    assert [seen["id"] for seen in await entries(bench, "outcome=accepted")] == ["1"]
    assert [seen["code"] for seen in await entries(bench, "outcome=rejected")] == [
        "replay_not_allowed",
        "not_an_object",
        "invalid_field",
    ]
    assert [seen["id"] for seen in await entries(bench, "outcome=rejected,accepted&code=invalid_field")] == ["2"]
    assert [seen["outcome"] for seen in await entries(bench, "id=4")] == ["rejected"]


async def test_a_cursor_goes_through_all_of_them_once_and_ends(bench: Bench) -> None:
    for number in range(7):
        await bench.post([a_touchpoint(id=f"{number}-{at}") for at in range(3)])
    found: list[str] = []
    query = "limit=4"

    while True:
        answer = await bench.inspect(query)
        found += [seen["id"] for seen in answer.json["entries"]]
        if "next" not in answer.json:
            break
        query = f"limit=4&cursor={answer.json['next']}"

    assert found == [f"{number}-{at}" for number in reversed(range(7)) for at in reversed(range(3))]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "outcome=lost", "cursor=nonsense", "colour=red", "limit=%FF"]
)
async def test_a_query_that_makes_no_sense_is_400_and_says_what_does(bench: Bench, query: str) -> None:
    answer = await bench.inspect(query)

    assert (answer.status, answer.json["code"]) == (400, "invalid_query")
    assert "colour" not in answer.json["message"]


# --- who may look ------------------------------------------------------------------------------------------------


async def test_a_source_sees_its_own_and_nobody_elses(bench: Bench) -> None:
    await bench.post(a_touchpoint(id="mine"))
    other = bench.keys.add(Source(name="web"))

    assert await entries(bench, key=other.text) == []
    asked = await bench.inspect("source=ivr", key=other.text)
    assert (asked.status, asked.json["code"]) == (403, "inspect_not_allowed")


async def test_a_key_without_the_scope_sees_nothing(bench: Bench) -> None:
    public = bench.keys.add(Source(name="web", scopes=frozenset({Scope.WRITE})))

    answer = await bench.inspect(key=public.text)

    assert (answer.status, answer.json["code"]) == (403, "inspect_not_allowed")


@pytest.mark.parametrize("kind", [KeyKind.READER, KeyKind.AGENT, KeyKind.ADMIN])
async def test_an_operator_sees_every_source_and_strangers(bench: Bench, kind: KeyKind) -> None:
    await bench.post(a_touchpoint(id="of ivr"))
    await bench.call("POST", [b"{}"], {"authorization": "Bearer nonsense"})
    operator = bench.keys.add_operator(kind)

    assert [(seen["source"], seen["outcome"]) for seen in await entries(bench, key=operator.text)] == [
        ("", "refused"),
        ("ivr", "accepted"),
    ]
    assert [seen["source"] for seen in await entries(bench, "source=ivr", key=operator.text)] == ["ivr"]


@pytest.mark.parametrize("key", ["nonsense", "wm_src_000000000000_00", "wm_reader_000000000000_00"])
async def test_without_a_valid_key_nothing_is_shown(bench: Bench, key: str) -> None:
    assert (await bench.inspect(key=key)).status == 401


async def test_an_operator_is_told_when_keys_cannot_be_checked(bench: Bench) -> None:
    operator = bench.keys.add_operator()
    bench.keys.away = True

    answer = await bench.inspect(key=operator.text)

    assert (answer.status, answer.headers["retry-after"]) == (503, "5")


# --- bounds ------------------------------------------------------------------------------------------------------


async def test_good_touchpoints_of_a_busy_source_do_not_push_out_the_bad_ones(clock: SteppingClock) -> None:
    bench = await bench_with(clock, inspector_entries="20").started()
    await bench.post(a_touchpoint(id="bad", channel="fax"))
    for number in range(200):
        await bench.post(a_touchpoint(id=str(number)))

    assert [seen["id"] for seen in await entries(bench, "outcome=rejected")] == ["bad"]
    assert len(await entries(bench, "outcome=accepted&limit=200")) == 20


async def test_nothing_is_kept_when_it_is_turned_off(clock: SteppingClock) -> None:
    bench = await bench_with(clock, inspector_entries="0").started()
    await bench.post([a_touchpoint(), 7])
    await bench.post(b"")

    assert await entries(bench) == []


def _fill(logbook: Logbook, source: str, count: int) -> None:
    for number in range(count):
        value = f'{{"id":"{number}","text":"{"x" * 900}"}}'.encode()
        verdict = Verdict(outcome=Outcome.ACCEPTED, id=str(number))
        logbook.taken(source, NOW, [verdict], {0: Record(topic="t", key=None, value=value)}, {})
        bad = Verdict(outcome=Outcome.REJECTED, id=str(number), reason=Rejection.NOT_AN_OBJECT)
        logbook.taken(source, NOW, [bad], {}, {0: b"y" * 900 + str(number).encode()})
        turned = Turned(refusal=Refusal.EMPTY_BODY, status=400, facts={}, route="/", content_type="", content_length="")
        logbook.turned(source, NOW, turned)


def test_what_is_kept_alive_is_bounded_for_one_source_and_for_all() -> None:
    rules = LogbookRules(entries=1_000, ring_bytes=64 * 1024, all_bytes=1024 * 1024)
    logbook = Logbook(rules)
    gc.collect()
    tracemalloc.start()
    try:
        for source in range(60):
            _fill(logbook, f"source-{source}", 150)
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert logbook.weight <= rules.all_bytes
    assert held <= rules.all_bytes * 1.1
    assert logbook.pages("source-59") != []
    assert logbook.pages("source-0") == []
    assert sum(page.bytes for page in logbook.pages("source-59", bad=False)) <= rules.ring_bytes


def test_the_weight_is_what_is_kept() -> None:
    logbook = Logbook(LogbookRules(entries=7, ring_bytes=10_000, all_bytes=30_000))
    for turn in range(50):
        _fill(logbook, f"source-{turn % 5}", 3)
        assert logbook.weight == sum(page.bytes for page in logbook.pages(None))


# --- the live stream ---------------------------------------------------------------------------------------------


class Watching:
    """A client of the stream that reads what comes until it leaves."""

    def __init__(self, bench: Bench, query: str = "", **headers: str) -> None:
        self.text = ""
        self.status = 0
        self._bench = bench
        self._query = query
        self._headers = {"authorization": f"Bearer {bench.key.text}", **headers}
        self._gone = asyncio.Event()
        self.stuck = asyncio.Event()
        self.stuck.set()

    async def __aenter__(self) -> "Watching":
        self._task = asyncio.create_task(self._watch())
        await until(lambda: "event: ready" in self.text or self._task.done(), within=5)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._gone.set()
        self.stuck.set()
        async with asyncio.timeout(5):
            await self._task

    @property
    def events(self) -> list[tuple[str, Any]]:
        """Name and document of each event but `ready`."""
        found = []
        for block in self.text.split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line and not line.startswith(":"))
            if "event" in lines and lines["event"] != "ready":
                found.append((lines["event"], json.loads(lines["data"])))
        return found

    @property
    def last_id(self) -> str:
        """The last event's id."""
        return [line.removeprefix("id: ") for line in self.text.split("\n") if line.startswith("id: ")][-1]

    async def _watch(self) -> None:
        raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in self._headers.items()]
        scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/v1/inspector/stream", "headers": raw}
        scope |= {"query_string": self._query.encode(), "client": ("127.0.0.1", 1), "http_version": "1.1"}
        sent = False

        async def receive() -> dict[str, Any]:
            nonlocal sent
            if not sent:
                sent = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await self._gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            await self.stuck.wait()
            self.status = message.get("status", self.status)
            self.text += message.get("body", b"").decode()

        await self._bench.app(scope, receive, send)


async def test_what_comes_is_told_at_once_and_masked(bench: Bench) -> None:
    async with Watching(bench) as watching:
        await bench.post([a_touchpoint(id="1"), a_touchpoint(id="2", channel="fax")])
        await until(lambda: len(watching.events) == 2, within=5)

    assert [(name, seen["id"]) for name, seen in watching.events] == [("accepted", "1"), ("rejected", "2")]
    assert "010-1234-5678" not in watching.text
    assert bench.service.inspector.streams == 0
    assert bench.service.inspector.logbook.watchers == 0


async def test_a_stream_goes_on_where_it_was_left(bench: Bench) -> None:
    async with Watching(bench) as watching:
        await bench.post(a_touchpoint(id="1"))
        await until(lambda: len(watching.events) == 1, within=5)
    await bench.post(a_touchpoint(id="2"))

    async with Watching(bench, last_event_id=watching.last_id) as again:
        await until(lambda: len(again.events) == 1, within=5)

    assert [seen["id"] for _, seen in again.events] == ["2"]


async def test_an_id_of_another_replica_starts_anew_and_says_so(bench: Bench) -> None:
    await bench.post(a_touchpoint(id="1"))
    async with Watching(bench, last_event_id="elsewhere-12-0") as watching:
        await until(lambda: bool(watching.events), within=5)

    assert watching.events == [("resync", {})]


async def test_a_stream_shows_what_its_filters_ask_for(bench: Bench) -> None:
    async with Watching(bench, "outcome=rejected") as watching:
        await bench.post([a_touchpoint(id="1"), a_touchpoint(id="2", channel="fax")])
        await until(lambda: bool(watching.events), within=5)

    assert [name for name, _ in watching.events] == ["rejected"]


async def test_of_a_busy_source_the_newest_are_shown_and_the_rest_counted(bench: Bench) -> None:
    async with Watching(bench) as watching:
        for number in range(3):
            await bench.post([a_touchpoint(id=f"{number}-{at}") for at in range(60)])
        await until(lambda: any(seen.get("id") == "2-59" for _, seen in watching.events), within=5)

    names = [name for name, _ in watching.events]
    assert "skipped" in names
    assert names.count("accepted") <= 100


async def test_no_more_watch_than_there_is_room_for(clock: SteppingClock) -> None:
    bench = await bench_with(clock, inspector_streams="1").started()
    async with Watching(bench) as first:
        answer = await bench.call(
            "GET", [b""], {"authorization": f"Bearer {bench.key.text}"}, at="/v1/inspector/stream"
        )
        assert (answer.status, answer.json["code"]) == (503, "too_many_streams")
    assert first.status == 200
    async with Watching(bench) as again:
        assert again.status == 200


async def test_a_client_that_does_not_read_is_let_go(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.ingest.wire.exchange._UNREAD_S", 0.05)
    async with Watching(bench) as watching:
        watching.stuck.clear()
        await bench.post(a_touchpoint())
        await until(lambda: bench.service.inspector.streams == 0, within=5)


async def test_streams_end_when_the_process_does(bench: Bench) -> None:
    async with Watching(bench) as watching:
        bench.health.draining = True
        await until(lambda: "event: bye" in watching.text, within=5)


# --- other replicas ----------------------------------------------------------------------------------------------


class FakeTail:
    """The end of `touchpoints-rejected` with some letters on it. Satisfies `services.ingest.inspector.others.Tail`."""

    def __init__(self, letters: list[bytes]) -> None:
        self.letters = letters
        self.opened = 0

    async def __aenter__(self) -> "FakeTail":
        self.opened += 1
        return self

    async def __aexit__(self, *_: object) -> None:
        return

    async def pieces(self) -> Any:
        yield self.letters
        while True:
            yield []
            await asyncio.sleep(0)


def a_letter(source: str, **headers: str) -> DeadLetter:
    value, length = preserve(json.dumps(a_touchpoint(replay=True)).encode())
    error = DeadLetterError(path="replay", code="replay_not_allowed", message="`replay` needs a source with …")
    return DeadLetter(
        id=f"letter-{source}",
        stage=Stage.INGEST,
        code="replay_not_allowed",
        value_base64=value,
        value_bytes=length,
        first_seen=NOW,
        errors=(error,),
        headers=headers,
        source=source,
    )


async def test_what_other_replicas_rejected_is_shown_once_in_the_language_asked_for(bench: Bench) -> None:
    inspector = bench.service.inspector
    letters = [a_letter("ivr"), a_letter("web"), a_letter("ivr", replica=inspector.replica)]
    tail = FakeTail([*map(dead_letter.encode, letters), b"nonsense"])
    inspector.others.read_from(lambda: tail, (ConnectionError,))
    reading = asyncio.create_task(inspector.others.run())
    try:
        answer = await bench.inspect(accept_language="ko")
        again = await bench.inspect()
    finally:
        reading.cancel()

    (seen,) = answer.json["entries"]
    assert (seen["replica"], seen["outcome"], seen["code"]) == ("another", "rejected", "replay_not_allowed")
    assert seen["message"].startswith("`replay`에는")
    assert seen["errors"][0]["sent"] == "true or false"
    assert answer.json["rejected_from"] == again.json["rejected_from"] == "all replicas"
    assert len(again.json["entries"]) == 1
    assert tail.opened == 1


async def test_without_kafka_the_listing_says_that_it_is_of_this_replica_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.ingest.inspector.others._PATIENCE_S", 0.05)

    def fails() -> FakeTail:
        raise ConnectionRefusedError

    bench.service.inspector.others.read_from(fails, (ConnectionError,))
    reading = asyncio.create_task(bench.service.inspector.others.run())
    try:
        assert (await bench.inspect()).json["rejected_from"] == "this replica"
    finally:
        reading.cancel()


async def test_every_letter_says_which_replica_wrote_it(bench: Bench) -> None:
    await bench.post(a_touchpoint(channel="fax"))

    (letter,) = bench.publisher.dead_letters
    assert letter.headers["replica"] == bench.service.inspector.replica


# --- the page ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/inspector", "/inspector/inspector.css", "/inspector/inspector.js"])
async def test_the_page_comes_from_the_package_and_may_load_nothing_from_elsewhere(bench: Bench, path: str) -> None:
    answer = await bench.call("GET", [b""], {}, at=path)

    assert answer.status == 200
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert b"http://" not in answer.body.replace(b"http://www.w3.org", b"")
    assert b"https://" not in answer.body
    assert b"localStorage" not in answer.body
    assert b"sessionStorage" not in answer.body
