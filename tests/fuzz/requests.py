"""Requests that nobody meant: seeded mutations of good ones, their headers and their bodies.

The same seed makes the same requests, so a finding names its seed and its number and can be made again.
"""

import gzip
import json
import random
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.fixtures.ingest_bench import a_touchpoint

SECRET = "hong.gil-dong@secret.example"
"""Stands wherever a value can; an answer that repeats it repeats what was sent."""

PATHS = (
    *("/v1/touchpoints",) * 6,
    "/v1/batch",
    "/v1/track",
    "/v1/i",
    "/api/s/s2s/track",
    "/v1/sources/ivr/webhook",
    "/v1/sources/%00/webhook",
    "/v1/inspector",
    "/inspector",
    "/v1/nothing",
)
METHODS = (*("POST",) * 20, "GET", "GET", "PUT", "OPTIONS", "HEAD", "TRACE", "A" * 50)
MEDIA_TYPES = (
    "application/json",
    "application/json; charset=utf-8",
    "application/json; charset=euc-kr",
    "application/json; charset=" + "x" * 500,
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
    "application/x-www-form-urlencoded",
    "text/plain",
    "multipart/form-data; boundary=",
    ";;;===",
    "\xff\xfe",
    "",
)
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 2**63, -(2**64), 1e308, 0.1, "", "x" * 70_000, "\u0000", "\ud800", "가" * 300, [], {}, [[]],
    SECRET, {"value": SECRET}, [SECRET], {SECRET: SECRET}, "2026-11-22T09:15:00+09:00", "9999-12-31T23:59:60Z",
    "0000-00-00T00:00:00Z", "../../etc/passwd", "'; DROP TABLE ingest.sources; --", "\u202e\u200d", "=1+1",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Odd:
    """One request."""

    number: int
    method: str
    path: str
    headers: dict[str, str]
    pieces: tuple[bytes, ...]


def odd_requests(seed: int, count: int, key: str) -> Iterator[Odd]:
    """Yield `count` requests."""
    chance = random.Random(seed)
    for number in range(count):
        path = chance.choice(PATHS)
        body, encoding = _encoded(_body(chance, path), chance)
        yield Odd(
            number=number,
            method="GET" if "inspector" in path and chance.random() < 0.8 else chance.choice(METHODS),
            path=path + (_query(chance) if chance.random() < 0.3 else ""),
            headers=_headers(chance, key, encoding),
            pieces=tuple(_pieces(body, chance)),
        )


def _query(chance: random.Random) -> str:
    names = ("source", "outcome", "limit", "cursor", "code", "id", "writeKey", SECRET)
    values = ("ivr", "rejected", "200", "1-1-1", "x-9-9", "%00", "%ff", "-1", "9" * 40, SECRET, "a=b&&c=%zz;")
    return "?" + "&".join(f"{chance.choice(names)}={chance.choice(values)}" for _ in range(chance.randint(1, 6)))


def _headers(chance: random.Random, key: str, encoding: str) -> dict[str, str]:
    headers = {"authorization": f"Bearer {key}", "content-type": chance.choice(MEDIA_TYPES[:2])}
    if encoding:
        headers["content-encoding"] = encoding
    for _ in range(chance.choice((0, 0, 1, 2, 6))):
        name, value = chance.choice(_MUTATIONS)(chance)
        headers[name] = value
    return headers


_CE = ("id", "source", "type", "specversion", "time", "subject")
_Mutation = Callable[[random.Random], tuple[str, str]]
_MUTATIONS: tuple[_Mutation, ...] = (
    lambda chance: ("content-type", chance.choice(MEDIA_TYPES)),
    lambda chance: ("authorization", chance.choice(("", "Basic", "Basic ====", "Bearer", SECRET, "x" * 9000))),
    lambda chance: ("x-write-key", chance.choice(("", ":", SECRET, "\xff", "wm_src_0_0"))),
    lambda chance: ("content-length", chance.choice(("0", "-1", "99999999999999999999", "1e3", "\xb2", SECRET))),
    lambda chance: ("content-encoding", chance.choice(("gzip", "deflate", "br", "gzip, gzip", SECRET, "identity"))),
    lambda chance: ("accept-language", chance.choice(("ko", "ko;q=nan", "*;q=-1", ",,,;;;", "x" * 5000, SECRET))),
    lambda chance: ("traceparent", chance.choice((SECRET, "00-" + "0" * 32 + "-0", "00-" + "f" * 2000))),
    lambda chance: ("x-forwarded-for", chance.choice((SECRET, "1.2.3.4," * 500, "::ffff:1.2.3.4", "%", ""))),
    lambda chance: ("last-event-id", chance.choice((SECRET, "-1", "a-b-c", "9" * 4000, "0-0-0"))),
    lambda chance: ("origin", chance.choice((SECRET, "null", "https://shop.example", "https://" + "x" * 4000))),
    lambda chance: ("waymark-dry-run", chance.choice(("true", "TRUE", SECRET))),
    lambda chance: ("expect", "100-continue"),
    lambda chance: (f"ce-{chance.choice(_CE)}", chance.choice(("1.0", SECRET, "%ff", '"', "%C0%A0", ""))),
    lambda chance: (f"x-{chance.randrange(10**6)}", SECRET * chance.choice((1, 100))),
    lambda chance: ("cookie", SECRET),
)  # fmt: skip


def _body(chance: random.Random, path: str) -> bytes:
    document: Any = _mutated(a_touchpoint(), chance)
    if "/v1/touchpoints" not in path and chance.random() < 0.8:
        call = {
            "type": "track",
            "event": "Order Completed",
            "userId": "u",
            "messageId": "m",
            "timestamp": "2026-11-22T00:14:00Z",
        }
        document = _mutated({**call, "properties": {}, "context": {}}, chance)
    wrap = chance.randrange(6)
    if wrap == 1:
        document = [document] * chance.choice((1, 3, 40))
    elif wrap == 2:
        document = {chance.choice(("touchpoints", "batch")): [document, chance.choice(VALUES)]}
    elif wrap == 3:
        document = chance.choice(VALUES)
    raw = json.dumps(document, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
    return _spoilt(raw, chance) if chance.random() < 0.4 else raw


def _mutated(document: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    found = dict(document)
    for _ in range(chance.randint(0, 4)):
        name = chance.choice([*found, "customer", "text", "attributes", "refs", "due_at", "sent_at", "replay", SECRET])
        found[name] = chance.choice(VALUES)
    return found


def _spoilt(raw: bytes, chance: random.Random) -> bytes:
    kind = chance.randrange(7)
    if kind == 0:
        return raw[: chance.randrange(len(raw) + 1)]
    if kind == 1:
        return raw + chance.choice((b"{}", b"\x00", b",", b"\xff\xfe", b" " * 5000))
    if kind == 2:
        return chance.choice((b"[" * 5000, b'{"a":' * 3000, b"[" * 300 + b"]" * 300, b'{"touchpoints":' + b"[" * 2000))
    if kind == 3:
        return bytes(chance.randrange(256) for _ in range(chance.randrange(400)))
    spoilt = bytearray(raw)
    for _ in range(chance.randint(1, 12)):
        if spoilt:
            spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
    return bytes(spoilt)


def _encoded(body: bytes, chance: random.Random) -> tuple[bytes, str]:
    kind = chance.randrange(40)
    if kind < 4:
        return gzip.compress(body), "gzip"
    if kind < 8:
        return zlib.compress(body), "deflate"
    if kind < 12:
        return _spoilt(gzip.compress(body), chance), "gzip"
    if kind == 12:
        return gzip.compress(b" " * 20_000_000 + body, 1), "gzip"
    return body, ""


def _pieces(body: bytes, chance: random.Random) -> Iterator[bytes]:
    size = chance.choice((len(body) or 1, 7 if len(body) < 5000 else 4096, 1024))
    for at in range(0, len(body) or 1, size):
        yield body[at : at + size]
