"""One attempt to send: what an answer is, whatever the receiver does to its head and its body."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from services.alerts.deliver.http.sender import EndpointSender, retry_after
from services.alerts.deliver.http.target_guard import TargetGuard, TargetPolicy
from services.alerts.deliver.retry import AttemptFailure
from services.runtime.clock import SystemClock
from tests.fixtures.alerts_service import a_receiver
from tests.fixtures.clock import SteppingClock

pytestmark = pytest.mark.local


class FakeDns:
    """Answers with the addresses it was given, one answer after the other; the last for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[dict[str, object]]:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [
            {"hostname": host, "host": address, "port": port, "family": 2, "proto": 0, "flags": 0} for address in answer
        ]

    async def close(self) -> None:
        """Nothing to close."""


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([["127.0.0.1"]], id="a name that points inside"),
        pytest.param([["192.0.2.1", "127.0.0.1"]], id="a mixed answer"),
        pytest.param([["169.254.169.254"]], id="a name of the metadata service"),
    ],
)
async def test_a_name_that_resolves_to_the_inside_reaches_nothing(
    answers: list[list[str]], clock: SteppingClock
) -> None:
    guard = TargetGuard(TargetPolicy(http=True, ports=frozenset(range(1, 65_536))))
    async with a_receiver() as canary:
        port = canary.url.rsplit(":", 1)[1].partition("/")[0]
        resolver = FakeDns(*answers)
        async with EndpointSender(guard, clock, resolver=resolver) as sender:  # type: ignore[arg-type]  # has the shape
            sent = await sender.send(f"http://evil.example:{port}/", b"{}", {})

    assert (sent.answer.failure, canary.calls) == (AttemptFailure.FORBIDDEN_TARGET, [])
    assert sent.refusal is not None


async def raw_server(script: bytes, *, every_s: float, chunks: int, head: bytes = b"") -> tuple[asyncio.Server, str]:
    """A server that sends `script` again and again, slowly, and never ends by itself."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            writer.write(head)
            for _ in range(chunks):
                writer.write(script)
                await writer.drain()
                if every_s:
                    await asyncio.sleep(every_s)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@pytest.mark.parametrize(
    ("script", "every_s", "chunks", "failure"),
    [
        pytest.param(b"a", 0.2, 50, AttemptFailure.TIMEOUT, id="headers that drip"),
        pytest.param(b"a" * 100_000, 0.0, 1, AttemptFailure.PROTOCOL, id="an endless header"),
    ],
)
async def test_a_hostile_receiver_costs_a_bounded_time(
    script: bytes, every_s: float, chunks: int, failure: AttemptFailure
) -> None:
    server, url = await raw_server(script, every_s=every_s, chunks=chunks, head=b"HTTP/1.1 200 OK\r\nX: a")
    async with server, EndpointSender(TargetGuard(TargetPolicy(loopback=True)), SystemClock(), total_s=1.0) as sender:
        sent = await sender.send(url, b"{}", {})

    assert sent.answer.failure is failure
    assert sent.seconds < 1.5


@pytest.mark.parametrize(
    ("packets", "status"),
    [
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nthanks"], 200, id="cut"),
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nthanks, all of it"], 200, id="longer than said"),
        pytest.param([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nthanks"], 200, id="wrong chunks"),
        pytest.param([b"HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\nthanks"], 204, id="204 with a body"),
        pytest.param([b"HTTP/1.1 204 No Content\r\n\r\nthanks"], 204, id="204 with a body unannounced"),
        pytest.param(
            [b"HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\n", b"thanks"], 204, id="204, its body later"
        ),
        pytest.param([b"HTTP/1.1 200 OK\r\nX: 1\r\n\r", b"\nthanks"], 200, id="a head in two packets"),
        pytest.param(
            [b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nthanks"], 200, id="after a 100"
        ),
        pytest.param([b"HTTP/1.1 500 Oh\r\nContent-Length: 50\r\n\r\nno"], 500, id="a failure that is cut"),
    ],
)
async def test_the_status_line_decides_whatever_the_body_does(packets: list[bytes], status: int) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for packet in packets:
            writer.write(packet)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, EndpointSender(TargetGuard(TargetPolicy(loopback=True)), SystemClock()) as sender:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        sent = [await sender.send(url, b"{}", {}) for _ in range(2)]

    assert [one.answer.status for one in sent] == [status, status]


async def test_a_body_that_drips_is_read_for_two_seconds_and_the_status_counts() -> None:
    server, url = await raw_server(b"a", every_s=0.2, chunks=50, head=b"HTTP/1.1 200 OK\r\n\r\n")
    async with server, EndpointSender(TargetGuard(TargetPolicy(loopback=True)), SystemClock(), total_s=1.0) as sender:
        sent = await sender.send(url, b"{}", {})

    assert (sent.answer.status, sent.answer.failure) == (200, AttemptFailure.NONE)
    assert set(sent.excerpt) == {"a"}
    assert sent.seconds < 3.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("0", None),
        ("-5", None),
        ("1.5", None),
        ("", None),
        ("soon", None),
        ("9" * 40, 9_999_999_999),
        ("Sun, 22 Nov 2026 09:01:00 GMT", 60),
        ("Sunday, 22-Nov-26 09:01:00 GMT", 60),
        ("Sun Nov 22 09:01:00 2026", 60),
        ("Sun, 22 Nov 2026 09:00:00 GMT", None),
        ("Sun, 22 Nov 2020 09:01:00 GMT", None),
        ("Sun, 99 Nov 2026 09:01:00 GMT", None),
    ],
)
def test_a_wait_is_read_in_every_form_and_none_is_none(value: str, seconds: int | None) -> None:
    now = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)

    assert retry_after(value, now) == (None if seconds is None else timedelta(seconds=seconds))


async def test_of_an_endless_body_only_the_start_is_read(clock: SteppingClock) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
    server, url = await raw_server(head + b"x" * 65_536, every_s=0.0, chunks=1000)
    async with server, EndpointSender(TargetGuard(TargetPolicy(loopback=True)), clock) as sender:
        sent = await sender.send(url, b"{}", {})

    assert (sent.answer.status, sent.excerpt) == (200, "x" * 1024)


async def test_what_is_not_http_is_a_failure(clock: SteppingClock) -> None:
    server, url = await raw_server(b"\x00\x01 not http\r\n\r\n", every_s=0.0, chunks=1)
    async with server, EndpointSender(TargetGuard(TargetPolicy(loopback=True)), clock) as sender:
        sent = await sender.send(url, b"{}", {})

    assert sent.answer.failure is AttemptFailure.PROTOCOL


async def test_nothing_listens(clock: SteppingClock) -> None:
    async with EndpointSender(TargetGuard(TargetPolicy(loopback=True)), clock) as sender:
        sent = await sender.send("http://127.0.0.1:1/", b"{}", {})

    assert sent.answer.failure is AttemptFailure.CONNECT
