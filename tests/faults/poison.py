"""Records that no worker can ever apply: what a broken or hostile producer with access to the topic could write.

Each is wrong in its own way; none can be mistaken for a touchpoint. Their texts are unique, so that each can be told
from the others in the dead letters.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

import orjson

Json = dict[str, Any]


def _sound(number: int) -> Json:
    """A touchpoint that only its maker's next step spoils."""
    at = (datetime(2026, 11, 20, tzinfo=UTC) + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "id": f"poison-{number}",
        "source": "intruder",
        "occurred_at": at,
        "received_at": at,
        "channel": "web",
        "kind": "page_viewed",
        "customer": {"cookie": {"value": f"poison-{number}", "verified": False}},
    }


def _with(number: int, **changes: Any) -> bytes:
    return orjson.dumps({**_sound(number), **changes})


def _without(number: int, name: str) -> bytes:
    return orjson.dumps({key: value for key, value in _sound(number).items() if key != name})


def _raw(number: int, before: bytes, after: bytes) -> bytes:
    return orjson.dumps(_sound(number)).replace(before, after)


KINDS: Final[tuple[tuple[str, Callable[[int], bytes | None]], ...]] = (
    ("not JSON", lambda n: f"touchpoint {n}, please".encode()),
    ("cut short", lambda n: orjson.dumps(_sound(n))[:-9]),
    ("empty", lambda _: b""),
    ("a tombstone", lambda _: None),
    ("not UTF-8", lambda n: orjson.dumps(_sound(n)) + b"\xff\xfe"),
    ("a list", lambda n: orjson.dumps([_sound(n)])),
    ("no id", lambda n: _without(n, "id")),
    ("no source", lambda n: _without(n, "source")),
    ("no customer", lambda n: _without(n, "customer")),
    ("a customer that is none", lambda n: _with(n, customer=["cookie", n])),
    ("an unknown channel", lambda n: _with(n, channel="telepathy")),
    ("a time that is none", lambda n: _with(n, occurred_at="yesterday")),
    ("a time without offset", lambda n: _with(n, occurred_at="2026-11-20T00:00:00")),
    ("a time beyond time", lambda n: _raw(n, b'"occurred_at":"2026', b'"occurred_at":"99926')),
    ("NUL in a text", lambda n: _with(n, text="a\x00b")),
    ("NUL in an identifier", lambda n: _with(n, customer={"cookie": {"value": f"a\x00{n}", "verified": False}})),
    ("a number that is none", lambda n: _raw(n, b'"kind"', b'"wait_s":NaN,"kind"')),
    ("an endless number", lambda n: _raw(n, b'"kind"', b'"transfers":' + b"9" * 400 + b',"kind"')),
    ("a number beyond reason", lambda n: _raw(n, b'"kind"', b'"wait_s":1e300,"kind"')),
    (
        "nested without end",
        lambda n: _raw(n, b'"kind"', b'"attributes":{"a":' + b"[" * 5000 + b"]" * 5000 + b'},"kind"'),
    ),
)
"""Names are for the report."""


def poison(number: int, rng: Random) -> tuple[str, bytes | None]:
    """One record, and what is wrong with it."""
    name, make = rng.choice(KINDS)
    return name, make(number)
