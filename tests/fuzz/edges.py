"""Requests at the edges of an API: its own operations, as OpenAPI names them, filled with what nobody means.

Values come from the ends of calendars, numbers and texts, and from elsewhere: ids, cursors, event ids of other lists.
The same seed makes the same requests.
"""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tests.fuzz.requests import SECRET

ZONES = ("Z", "+00:00", "+14:00", "-14:00", "+23:59", "-23:59", "+09:00", "-00:00", "+24:00", "")
MOMENTS = (
    *("0001-01-01T00:00:00", "9999-12-31T23:59:59", "9999-12-31T23:59:59.999999", "0000-01-01T00:00:00"),
    *(
        "1970-01-01T00:00:00",
        "2026-11-22T09:15:00",
        "2026-02-30T00:00:00",
        "2026-12-31T23:59:60",
        "1582-10-10T00:00:00",
    ),
    *("10000-01-01T00:00:00", "-0001-01-01T00:00:00", "2026-11-22T24:00:00", "2026-11-22", "20261122T091500"),
)
NUMBERS = (
    "0",
    "-1",
    "1",
    "200",
    "201",
    "9" * 20,
    "-" + "9" * 20,
    "9" * 40,
    "1e400",
    "NaN",
    "1_000",
    "٣",
    "0x10",
    "1.5",
)
TEXTS = (
    *("", " ", "null", "true", SECRET, "x" * 250, "x" * 3000, "가" * 300, "a\u0000b", "\u0000", "'; --", "../../etc"),
    *("\u202e\u200d", "=1+1", "*", "id:" + "0" * 32, "phone:+821012345678", "email:\u0000@x.example", "cookie:ck-1"),
    *("customer_id:" + "9" * 1100, ":", "open", "unresolved", "critical", "msg_1", "{", "é", "\U0010ffff"),
)
RAW = ("%00", "%ff", "%ED%A0%80", "%C0%80", "%", "%zz", "+", "%2F", "%2e%2e", "a%00b", "%F4%90%80%80", "%0d%0ax:y")
"""Written into an address as they are."""
JSON: tuple[Any, ...] = (
    *(None, True, 0, -1, 2**31, 2**63, 2**64, 10**40, 1e308, float("nan"), float("inf"), [], {}, [[]], {"a": None}),
    *("\ud800", "\udfff\ud800", ["\ud800"], {"\ud800": 1}, {SECRET: SECRET}, [SECRET], ["\u0000"], [""], ["*"] * 101),
    *(
        "http://127.0.0.1:9/",
        "http://[::1/",
        "http://x:99999/",
        "https://例え.テスト/\u0000",
        "http://localhost:9/?a=\u0000",
    ),
)
GOOD: Mapping[str, Any] = {
    "name": "desk",
    "url": "http://127.0.0.1:9/hook",
    "resolution": "called_back",
    "text": "calls at six",
    "note": "calls at six",
    "overlap_s": 60,
    "severity": "high",
    "max_in_flight": 2,
    "matchers": {"rules": ["repeat_*"], "min_severity": "high"},
    "continue": True,
}
HEADERS: Mapping[str, Sequence[str]] = {
    "last-event-id": ("9" * 40, "9" * 20 + "-" + "9" * 19, "18446744073709551616-1", "1-9223372036854775808", "1-1"),
    "authorization": (
        "",
        "Bearer",
        "Bearer ",
        "Basic ====",
        SECRET,
        "Bearer wm_reader_a_b",
        "Bearer wm_admin__",
        "\xff",
    ),
    "accept-language": ("ko", "ko;q=nan", "ko;q=1e999", "*;q=-1", ",,;;", "x" * 4000, SECRET),
    "accept": ("text/html", "application/openmetrics-text", "*/*;q=nan", SECRET, ""),
    "content-type": ("", "text/plain", "application/json; charset=euc-kr", "application/xml", ";;=", "\xff", SECRET),
    "content-encoding": ("gzip", "br", SECRET),
    "range": ("bytes=0-1", "bytes=-1", "bytes=9-1", "bytes=a-b", "bytes=" + "0-1," * 300, SECRET),
    "if-none-match": ("*", SECRET),
    "expect": ("100-continue", "200-ok", SECRET),
    "x-forwarded-for": (SECRET, "1.2.3.4," * 300, "::ffff:1.2.3.4"),
    "x-forwarded-prefix": ("/" + SECRET, "//x.example"),
    "x-forwarded-host": (SECRET,),
    "upgrade": ("websocket", "h2c"),
    "cookie": (SECRET,),
}
MEDIA = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of an API: its path with parameters, the names in its query, the members of its body."""

    method: str
    path: str
    query: tuple[str, ...] = ()
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is really there: ids, cursors of every list, ids of events; and a key that opens everything."""

    key: str
    ids: tuple[str, ...]
    cursors: tuple[str, ...]
    events: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One request; `ends` says whether its body comes whole."""

    number: int
    operation: Operation
    method: str
    target: str
    version: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(default=b"", repr=False)
    ends: bool = True

    def wire(self) -> bytes:
        """The request as bytes."""
        lines = [f"{self.method} {self.target} HTTP/{self.version}", *(f"{n}: {v}" for n, v in self.headers)]
        return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + self.body


def operations_of(document: Mapping[str, Any]) -> list[Operation]:
    """Return the operations of an OpenAPI document."""
    return [
        Operation(
            method=method.upper(),
            path=path,
            query=tuple(one["name"] for one in said.get("parameters", ()) if one["in"] == "query"),
            members=tuple(_members(said.get("requestBody", {}), document)),
        )
        for path, item in document["paths"].items()
        for method, said in item.items()
    ]


def _members(body: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    schema = body.get("content", {}).get(MEDIA, {}).get("schema", {})
    for one in (schema, *schema.get("anyOf", ())):
        name = one.get("$ref", "").rpartition("/")[2]
        found = document.get("components", {}).get("schemas", {}).get(name, one)
        yield from found.get("properties", {})


ENDS: tuple[str, ...] = (
    *("%00", "a%00b", "%ED%A0%80", "%ff", "9" * 20, "9" * 40, "-1", "1e400", "NaN", "x" * 3000, SECRET, ""),
    *(quote(moment, safe="") for moment in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00")),
)
"""What breaks services most: put into each place once."""
FAR: tuple[Any, ...] = (
    *("\u0000", "\ud800", "x" * 3000, SECRET, "", 10**20, 10**40, -1, 1e308, float("nan"), None, [], {}, ["\u0000"]),
    *({"rules": ["\u0000"]}, {"\ud800": 1}, "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    *("9999-12-31T23:59:59Z", "http://127.0.0.1:9/\u0000", "http://[::1/"),
)


def every_end(
    operations: Sequence[Operation], known: Known, values: Mapping[str, Sequence[str]], chance: random.Random
) -> Iterator[Edge]:
    """Yield requests that are good but for one place: each end in each parameter and member, every foreign cursor."""
    for operation in sorted(
        operations, key=lambda one: one.method == "DELETE"
    ):  # what is deleted is not there any more
        path = "/".join(
            values.get(part[1:-1], ("ivr",))[0] if "{" in part else part for part in operation.path.split("/")
        )
        good = {name: GOOD[name] for name in operation.members if name in GOOD}
        targets = [f"{path}?{name}={value}" for name in operation.query for value in (*ENDS, *known.cursors)]
        targets += [_with(operation.path, part, value, path) for part in _open(operation.path) for value in ENDS]
        documents = [{**good, name: value} for name in operation.members for value in FAR]
        cases = [(target, good) for target in targets] + [(path, document) for document in documents]
        cases = cases or [(path, good)]
        for target, document in cases:
            body = json.dumps(document).encode() if operation.members else b""
            headers = [("host", "api.example"), ("authorization", f"Bearer {known.key}")]
            if body:
                headers += [("content-length", str(len(body))), ("content-type", MEDIA)]
            version = chance.choice(("1.1", "1.1", "1.0"))
            yield Edge(
                number=-1,
                operation=operation,
                method=operation.method,
                target=target,
                version=version,
                headers=tuple(headers),
                body=body,
            )


def _open(path: str) -> list[int]:
    return [at for at, part in enumerate(path.split("/")) if "{" in part]


def _with(template: str, at: int, value: str, path: str) -> str:
    parts = path.split("/")
    parts[at] = value or "%20"
    return "/".join(parts)


def edge_requests(seed: int, count: int, operations: Sequence[Operation], known: Known) -> Iterator[Edge]:
    """Yield `count` requests."""
    chance = random.Random(seed)
    for number in range(count):
        operation = chance.choice(operations)
        target = _target(operation, known, chance)
        body = _body(operation, known, chance) if operation.members or chance.random() < 0.1 else b""
        ends = chance.random() < 0.95
        yield Edge(
            number=number,
            operation=operation,
            method=operation.method
            if chance.random() < 0.8
            else chance.choice(("HEAD", "OPTIONS", "PUT", "GET", "TRACE")),
            target=f"http://other.example{target}" if chance.random() < 0.05 else target,
            version="1.0" if chance.random() < 0.08 else "1.1",
            headers=tuple(_headers(known, len(body) + (0 if ends else 999), bool(body), chance)),
            body=body,
            ends=ends,
        )


def _target(operation: Operation, known: Known, chance: random.Random) -> str:
    path = "/".join(_segment(part, known, chance) for part in operation.path.split("/"))
    if chance.random() < 0.05:
        path += chance.choice(("/", "//", "/%00", ";x=1", "/..", "?", "#"))
    pairs = [_pair(operation.query, known, chance) for _ in range(chance.choice((0, 1, 1, 1, 1, 1, 2, 2, 5, 60)))]
    return path + ("?" + "&".join(pairs) if pairs else "")


def _pair(names: Sequence[str], known: Known, chance: random.Random) -> str:
    if not names or chance.random() < 0.1:
        return f"{chance.choice((SECRET, 'key', '%00', 'limit'))}={_value(known, chance)}"
    name = chance.choice(names)
    if name == "cursor" and chance.random() < 0.7:
        return f"{name}={chance.choice(known.cursors)}"
    if name in {"from", "to", "updated_since"} and chance.random() < 0.7:
        return f"{name}={_moment(chance)}"
    return f"{name}={_value(known, chance)}"


def _segment(part: str, known: Known, chance: random.Random) -> str:
    if "{" not in part:
        return part
    return chance.choice(known.ids) if chance.random() < 0.7 else _value(known, chance) or "x"


def _moment(chance: random.Random) -> str:
    return quote(chance.choice(MOMENTS) + chance.choice(ZONES), safe="")


def _value(known: Known, chance: random.Random) -> str:
    kind = chance.randrange(8)
    if kind in {0, 1}:
        return chance.choice(RAW)
    if kind == 2:
        return _moment(chance)
    if kind == 3:
        return quote(chance.choice(NUMBERS), safe="")
    if kind == 4:
        return chance.choice(known.cursors)[chance.choice((0, 0, 0, 1)) :]
    return quote(chance.choice((*TEXTS, *known.ids, *known.events)), safe="")


def _headers(known: Known, length: int, body: bool, chance: random.Random) -> Iterator[tuple[str, str]]:
    yield "host", "api.example"
    if chance.random() < 0.95:
        yield "authorization", f"Bearer {known.key}"
    if body:
        yield "content-length", str(length)
        yield "content-type", MEDIA
    for _ in range(chance.choice((0, 0, 1, 2))):
        name = chance.choice(list(HEADERS))
        yield name, chance.choice((*HEADERS[name], *(known.events if name == "last-event-id" else ())))


def _body(operation: Operation, known: Known, chance: random.Random) -> bytes:
    """A good body with one member or two that nobody means; now and then no such thing at all."""
    document: Any = {name: GOOD[name] for name in operation.members if name in GOOD and chance.random() < 0.6}
    for _ in range(chance.choice((0, 1, 1, 1, 2))):
        if operation.members:
            document[chance.choice(operation.members)] = _json(known, chance)
    kind = chance.randrange(24)
    if kind == 0:
        document = _json(known, chance)
    elif kind in {1, 2}:
        document[chance.choice((SECRET, "\ud800", "a\u0000", "x" * 400))] = 1
    raw = json.dumps(document).encode()
    if kind == 3:
        return raw[: chance.randrange(len(raw) + 1)]
    if kind == 4:
        return chance.choice((b"[" * 20_000, b'{"a":' * 20_000, b"1" * 5000, b"\xff\xfe", b"\x00", b" " * 1_100_000))
    return raw.replace(b'"', b'"\xff', 1) if kind == 5 else raw


def _json(known: Known, chance: random.Random) -> Any:
    kind = chance.randrange(6)
    if kind in {0, 1}:
        return chance.choice(MOMENTS) + chance.choice(ZONES)
    if kind == 2:
        return chance.choice(TEXTS)
    if kind == 3:
        return chance.choice((chance.choice(known.ids), [chance.choice(known.ids)], {"rules": [chance.choice(TEXTS)]}))
    return chance.choice(JSON)
