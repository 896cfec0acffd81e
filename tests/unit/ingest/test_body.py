import asyncio
import gzip
import zlib
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from services.ingest.http.body import BodyLimits, ClientGoneError, IncomingBody, read
from services.ingest.reasons import RequestRefusal, RequestRefusedError

LIMITS = BodyLimits(wire_bytes=1000, inflated_bytes=4000, timeout_s=5.0)


def raw_deflate(text: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(text) + packer.flush()


def wire(*pieces: bytes | None, ends: bool = True) -> IncomingBody:
    messages: list[Message] = [
        {"type": "http.disconnect"}
        if piece is None
        else {"type": "http.request", "body": piece, "more_body": not ends or at < len(pieces) - 1}
        for at, piece in enumerate(pieces)
    ]

    async def receive() -> Message:
        return messages.pop(0)

    return IncomingBody(receive)


async def body(*pieces: bytes | None, limits: BodyLimits = LIMITS, **headers: bytes) -> bytes:
    named = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    return await read(wire(*pieces), named, limits, lambda _: None)


async def refusal(*pieces: bytes | None, limits: BodyLimits = LIMITS, **headers: bytes) -> RequestRefusedError:
    with pytest.raises(RequestRefusedError) as raised:
        await body(*pieces, limits=limits, **headers)
    return raised.value


async def test_a_body_in_pieces_is_joined() -> None:
    assert await body(b"one ", b"", b"two") == b"one two"


async def test_no_body_is_empty() -> None:
    assert await body(b"") == b""


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        pytest.param(b"gzip", gzip.compress, id="gzip"),
        pytest.param(b"x-gzip", gzip.compress, id="the old name of gzip"),
        pytest.param(b"GZIP", gzip.compress, id="gzip in capitals"),
        pytest.param(b"gzip", lambda text: gzip.compress(text[:2]) + gzip.compress(text[2:]), id="two gzip members"),
        pytest.param(b"deflate", zlib.compress, id="deflate, in zlib's wrapper as the standard says"),
        pytest.param(b"deflate", raw_deflate, id="deflate without it, as old clients do"),
        pytest.param(b"identity", bytes, id="identity"),
        pytest.param(b"", bytes, id="none"),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_an_encoded_body_is_inflated_however_it_is_cut(
    encoding: bytes, pack: Callable[[bytes], bytes], size: int
) -> None:
    text = "세 번째 전화인데 아직 해결이 안 됐어요".encode() * 3
    packed = pack(text)
    pieces = [packed[at : at + size] for at in range(0, len(packed), size)]

    assert await body(*pieces, content_encoding=encoding) == text


@given(st.binary(max_size=500), st.sampled_from([gzip.compress, zlib.compress, raw_deflate]))
async def test_inflating_undoes_deflating(text: bytes, pack: Callable[[bytes], bytes]) -> None:
    encoding = b"gzip" if pack is gzip.compress else b"deflate"

    assert await body(pack(text), content_encoding=encoding) == text


@pytest.mark.parametrize(
    ("encoding", "sent"),
    [
        pytest.param(b"gzip", b'{"id":1}', id="not gzip at all"),
        pytest.param(b"gzip", gzip.compress(b"text")[:-3], id="gzip cut off"),
        pytest.param(b"gzip", gzip.compress(b"text") + b"more", id="bytes after gzip"),
        pytest.param(b"gzip", gzip.compress(b"text")[:-8] + bytes(8), id="gzip with a wrong checksum"),
        pytest.param(b"gzip", gzip.compress(b"") * 70, id="more gzip members than anybody writes"),
        pytest.param(b"deflate", b"\xff\xff\xff", id="not deflate at all"),
        pytest.param(b"deflate", zlib.compress(b"text")[:-2], id="deflate cut off"),
        pytest.param(b"deflate", zlib.compress(b"text") + b"more", id="bytes after deflate"),
    ],
)
async def test_a_body_that_is_not_what_its_encoding_says_is_refused(encoding: bytes, sent: bytes) -> None:
    limits = BodyLimits(wire_bytes=10_000, inflated_bytes=4000, timeout_s=5.0)

    found = await refusal(sent, content_encoding=encoding, limits=limits)

    assert found.refusal is RequestRefusal.INVALID_ENCODING


@pytest.mark.parametrize("encoding", [b"br", b"zstd", b"gzip, gzip", b"compress"])
async def test_an_unknown_encoding_is_refused_with_those_that_are_known(encoding: bytes) -> None:
    found = await refusal(b"x", content_encoding=encoding)

    assert (found.status, found.headers) == (415, {"accept-encoding": "gzip, deflate"})


@pytest.mark.parametrize(
    ("pieces", "declared"),
    [
        pytest.param([b"x" * 1001], b"", id="in one piece"),
        pytest.param([b"x" * 600, b"x" * 600], b"", id="in pieces"),
        pytest.param([b"x"], b"1001", id="by what Content-Length says"),
        pytest.param([b"x"], b"9" * 5000, id="by a Content-Length of 5,000 digits"),
        pytest.param([b"x" * 1001], b"3", id="though Content-Length says less"),
    ],
)
async def test_a_body_over_the_limit_is_refused_and_the_limit_is_said(pieces: Iterable[bytes], declared: bytes) -> None:
    found = await refusal(*pieces, content_length=declared)

    assert (found.refusal, found.facts["limit"]) == (RequestRefusal.BODY_TOO_LARGE, 1000)


async def test_a_body_of_exactly_the_limit_passes() -> None:
    assert len(await body(b"x" * 1000, content_length=b"1000")) == 1000


@pytest.mark.parametrize(
    "bomb",
    [
        pytest.param(gzip.compress(bytes(100_000)), id="one member"),
        pytest.param(gzip.compress(bytes(3000)) * 2, id="two members"),
    ],
)
async def test_a_body_that_inflates_past_the_limit_is_refused_before_it_is_held(bomb: bytes) -> None:
    held: list[int] = []

    with pytest.raises(RequestRefusedError) as raised:
        await read(wire(bomb), {b"content-encoding": b"gzip"}, LIMITS, held.append)

    assert (raised.value.refusal, raised.value.facts["limit"]) == (RequestRefusal.INFLATED_TOO_LARGE, 4000)
    assert sum(held) <= 4000


async def test_a_body_that_inflates_to_exactly_the_limit_passes() -> None:
    assert len(await body(gzip.compress(bytes(4000)), content_encoding=b"gzip")) == 4000


async def test_a_slow_body_is_refused_with_the_limit() -> None:
    async def never() -> Message:
        raise TimeoutError  # what the deadline around it raises

    with pytest.raises(RequestRefusedError) as raised:
        await read(IncomingBody(never), {}, LIMITS, lambda _: None)

    assert (raised.value.refusal, raised.value.facts["limit"]) == (RequestRefusal.BODY_TIMEOUT, "5")


async def test_a_client_that_hangs_up_is_told_apart() -> None:
    with pytest.raises(ClientGoneError):
        await body(b"half", None)


async def test_every_piece_is_held_at_its_inflated_size() -> None:
    held: list[int] = []
    await read(wire(gzip.compress(bytes(300))), {b"content-encoding": b"gzip"}, LIMITS, held.append)

    assert sum(held) == 300


async def test_what_is_left_of_a_refused_body_is_dropped_within_bounds() -> None:
    endless = wire(*[b"x" * 100] * 50, ends=False)

    await endless.discard(1000, within_s=5.0)

    assert not endless.ended
    assert len(await endless.piece()) == 100


async def test_a_silent_client_is_not_waited_for_longer_than_said() -> None:
    async def silence() -> Message:
        return await asyncio.Future()

    silent = IncomingBody(silence)
    async with asyncio.timeout(1.0):
        await silent.discard(1000, within_s=0.02)

    assert not silent.ended
