import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import orjson
import pytest

from waymark.console import CommandError
from waymark.imports import sending
from waymark.imports.sending import IngestSender, batches
from waymark.imports.spool import SpooledTouchpoint

Answer = Callable[[list[str]], httpx2.Response]


def spooled(*ids: str) -> list[SpooledTouchpoint]:
    """Touchpoints that are nothing but an id; the line is the position, from 2."""
    return [SpooledTouchpoint(line=line, raw=orjson.dumps({"id": id_})) for line, id_ in enumerate(ids, start=2)]


def results(status: int, statuses: dict[str, str]) -> httpx2.Response:
    """An answer of ingest."""
    found = [
        {"index": n, "status": said, "id": id_, "code": "late" if said == "rejected" else None}
        for n, (id_, said) in enumerate(statuses.items())
    ]
    return httpx2.Response(status, json={"results": found}, headers={"retry-after": "7"} if status == 503 else {})


class Ingest:
    """An ingest that answers from a script, and remembers what it was asked and how long the sender waited."""

    def __init__(self, *answers: Answer) -> None:
        self._answers: Iterator[Answer] = iter(answers)
        self.asked: list[list[str]] = []
        self.waits: list[float] = []

    def sender(self, **said: Any) -> IngestSender:
        client = httpx2.Client(transport=httpx2.MockTransport(self._handle))
        return IngestSender(client, "http://ingest", "wm_src_a_b", sleep=self.waits.append, **said)

    def _handle(self, request: httpx2.Request) -> httpx2.Response:
        assert request.headers["authorization"] == "Bearer wm_src_a_b"
        ids = [item["id"] for item in orjson.loads(request.content)["touchpoints"]]
        self.asked.append(ids)
        return next(self._answers)(ids)


def all_accepted(ids: list[str]) -> httpx2.Response:
    return results(202, dict.fromkeys(ids, "accepted"))


def unreachable(_: list[str]) -> httpx2.Response:
    raise httpx2.ConnectError("no")


def test_only_what_was_unavailable_is_sent_again() -> None:
    ingest = Ingest(lambda _: results(503, {"a": "accepted", "b": "unavailable", "c": "rejected"}), all_accepted)
    outcomes = ingest.sender().send(spooled("a", "b", "c"))
    assert ingest.asked == [["a", "b", "c"], ["b"]]
    assert {(outcome.line, outcome.status) for outcome in outcomes} == {
        (2, "accepted"),
        (3, "accepted"),
        (4, "rejected"),
    }
    assert ingest.waits == [7.0]


def test_an_ingest_that_is_away_is_waited_for_with_growing_pauses() -> None:
    ingest = Ingest(unreachable, unreachable, lambda _: httpx2.Response(502), all_accepted)
    outcomes = ingest.sender().send(spooled("a"))
    assert [outcome.status for outcome in outcomes] == ["accepted"]
    assert ingest.waits == [0.5, 1.0, 2.0]


def test_patience_ends_after_minutes_without_any_success() -> None:
    ingest = Ingest(*[unreachable] * 100)
    with pytest.raises(CommandError, match="the same command goes on from here"):
        ingest.sender().send(spooled("a"))
    assert 200 < sum(ingest.waits) <= 300


def test_a_refused_key_ends_the_import_at_once() -> None:
    ingest = Ingest(lambda _: httpx2.Response(401, json={"code": "unauthorised", "message": "Send a key."}))
    with pytest.raises(CommandError, match=r"401 unauthorised.*Send a key"):
        ingest.sender().send(spooled("a"))


def test_batches_keep_to_a_number_and_to_a_size() -> None:
    items = [SpooledTouchpoint(line=n, raw=b"x" * size) for n, size in enumerate([10, 10, 10, 95, 10, 200, 10])]
    cut = [[item.line for item in batch] for batch in batches(items, most=2, most_bytes=100)]
    assert cut == [[0, 1], [2], [3], [4], [5], [6]]


def test_what_is_waited_for_is_said_at_once_and_when_it_is_over() -> None:
    told: list[str] = []
    ingest = Ingest(*[unreachable] * 8, all_accepted)
    ingest.sender(tell=told.append).send(spooled("a"))
    assert sum(ingest.waits) > 30
    assert told[0].startswith("waiting for ingest at http://ingest (no) since 0 s; gives up in 300 s")
    assert len(told) == 3  # and once more after half a minute
    assert told[-1] == "ingest answers again"


def test_an_ingest_that_says_nothing_at_all_is_named_while_it_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    told = threading.Event()
    texts: list[str] = []

    def silent(ids: list[str]) -> httpx2.Response:
        assert told.wait(10), "nothing was said while the answer was awaited"
        return all_accepted(ids)

    def tell(text: str) -> None:
        texts.append(text)
        told.set()

    monkeypatch.setattr(sending, "SILENCE_S", 0.01)
    Ingest(silent).sender(tell=tell).send(spooled("a"))
    assert texts[0].startswith("waiting for ingest at http://ingest (no answer) since 0 s")


def test_the_patience_is_the_caller_s() -> None:
    ingest = Ingest(*[unreachable] * 100)
    with pytest.raises(CommandError, match=r"takes nothing since \d+ s \(no\); the same command goes on"):
        ingest.sender(patience_s=10).send(spooled("a"))
    assert 5 < sum(ingest.waits) <= 10


def test_an_address_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(CommandError, match=r"ingest:8080.* is no address of ingest"), httpx2.Client() as client:
        IngestSender(client, "ingest:8080", "wm_src_a_b").send(spooled("a"))
