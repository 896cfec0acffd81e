"""The OpenAPI documentation of the inspector; the test suite compares its schemas with the responses."""

from typing import Any

from services.ingest.inspector.follow_up import LaterOutcome, OutcomeProvider
from services.ingest.inspector.query import MOST_ENTRIES
from services.runtime.http.problems import PROBLEM_SCHEMA, PROBLEM_TYPE

TAG = {"name": "inspector", "description": "What a source sent lately, what became of it, why, and how to mend it."}

_FAULT = {
    "type": "object",
    "required": ["path", "code", "message"],
    "properties": {
        "path": {"type": "string", "description": "The member."},
        "code": {"type": "string", "description": "What is wrong with it, for programs; stable."},
        "message": {"type": "string", "description": "What is wrong and how to mend it."},
        "hint": {"type": "string", "description": "A guess how it came about."},
        "sent": {"type": "string", "description": "Type, length and shape of what stood there, never its value."},
    },
}
_SEEN = {
    "type": "object",
    "required": ["cursor", "received_at", "source", "outcome"],
    "properties": {
        "cursor": {"type": "string"},
        "received_at": {"type": "string", "format": "date-time"},
        "source": {"type": "string", "description": "Empty when the request named no source that we know."},
        "outcome": {
            "enum": ["accepted", "duplicate", "rejected", "unavailable", "refused"],
            "description": "`refused` is a request that was turned away as a whole.",
        },
        "replica": {"enum": ["this", "another"], "description": "Which replica saw it; absent means this one."},
        "id": {"type": "string"},
        "code": {"type": "string"},
        "field": {"type": "string"},
        "message": {"type": "string"},
        "hint": {"type": "string", "description": "A guess how it came about."},
        "errors": {"type": "array", "items": _FAULT},
        "warnings": {"type": "array", "items": _FAULT},
        "sent": {"description": "The structure of what was sent, of rejected ones."},
        "became": {"type": "object", "description": "The touchpoint as published, identifiers and texts masked."},
        "later": {
            "type": "object",
            "required": ["outcome", "message"],
            "description": "What became of an accepted one after it was written; absent where nobody can be asked.",
            "properties": {
                "outcome": {"enum": [str(fate) for fate in LaterOutcome]},
                "code": {"type": "string", "description": "Why, of a conflict, a dead letter, and an outage."},
                "message": {"type": "string"},
            },
        },
        "request": {
            "type": "object",
            "required": ["status", "route"],
            "properties": {
                "status": {"type": "integer"},
                "route": {"type": "string"},
                "content_type": {"type": "string"},
                "content_length": {"type": "string"},
            },
        },
    },
}
ANSWER: dict[str, Any] = {
    "type": "object",
    "required": ["entries", "replica", "rejected_from", "later_from"],
    "properties": {
        "entries": {"type": "array", "items": _SEEN, "maxItems": MOST_ENTRIES, "description": "Newest first."},
        "replica": {"type": "string", "description": "Which replica answers."},
        "taken_from": {"const": "this replica"},
        "rejected_from": {
            "enum": ["all replicas", "this replica"],
            "description": "Whose rejected touchpoints are shown; only this replica's while Kafka is away.",
        },
        "later_from": {
            "enum": [str(source) for source in OutcomeProvider],
            "description": "Who says what became of accepted touchpoints later, if anybody does just now.",
        },
        "next": {"type": "string", "description": "The cursor for older entries, of this replica."},
    },
}

EXAMPLE: dict[str, Any] = {
    "entries": [
        {
            "cursor": "5f3a9c01-812-0",
            "received_at": "2026-11-22T00:15:00.000Z",
            "source": "ivr",
            "outcome": "rejected",
            "id": "call-8842-end",
            "code": "invalid_field",
            "field": "occurred_at",
            "message": "Send a date and time with an offset, such as 2026-11-22T09:15:00+09:00.",
            "errors": [
                {
                    "path": "occurred_at",
                    "code": "format",
                    "message": "Send a date and time with an offset, such as 2026-11-22T09:15:00+09:00.",
                    "sent": "text(19) 9999-99-99 99:99:99",
                }
            ],
            "sent": {
                "id": "text(13) aaaa-9999-aaa",
                "occurred_at": "text(19) 9999-99-99 99:99:99",
                "channel": "text(5) aaaaa",
                "kind": "text(10) aaaa_aaaaa",
                "customer": {"phone": "text(13) 999-9999-9999"},
            },
        },
        {
            "cursor": "5f3a9c01-811-0",
            "received_at": "2026-11-22T00:14:58.000Z",
            "source": "ivr",
            "outcome": "accepted",
            "id": "call-8841-end",
            "became": {
                "id": "call-8841-end",
                "occurred_at": "2026-11-22T00:15:00.000000Z",
                "channel": "phone",
                "kind": "call_ended",
                "customer": {"phone": {"verified": False, "value": "text(13) +999999999999"}},
                "source": "ivr",
            },
            "later": {
                "outcome": "conflict",
                "code": "id_conflict",
                "message": "Not stored: this id was used before with other content. Send it with a new id.",
            },
        },
    ],
    "replica": "5f3a9c01",
    "taken_from": "this replica",
    "rejected_from": "all replicas",
    "later_from": "journey service",
}

STREAMED = """retry: 2000

id: 5f3a9c01-811-0
event: ready
data: {"replica":"5f3a9c01"}

id: 5f3a9c01-812-0
event: rejected
data: {"cursor":"5f3a9c01-812-0","received_at":"2026-11-22T00:15:00.000Z","source":"ivr","outcome":"rejected"}

event: later
data: {"cursor":"5f3a9c01-811-0","source":"ivr","id":"call-8841-end","later":{"outcome":"applied","message":"Stored."}}

"""

_WHO = """
A source's key with the scope `inspect` sees that source; an operator's key (`waymark keys create --role reader`) sees
all, and those whose source is not known. Values are never shown: of what was sent, its structure and shapes; of what
was published, identifiers and texts masked.

Taken touchpoints and refused requests are those of the replica that answers, as many as its memory keeps. Rejected ones
are those of all replicas, read from the topic `touchpoints-rejected` while somebody looks (`rejected_from` says so).
What became of taken ones after they were written (`later`) is asked of the journey service at that moment.
""".strip()

_EVENTS = """
Server-sent events, each named for its outcome, its data as in the listing. `later` says what became of one that was
shown, by its cursor, each time that it is something else. `Last-Event-ID` goes on where a client left
off, at the same replica; at another one `resync` says to read the listing again. Of a busy source the newest are shown,
and `skipped` says about how many were not. A comment comes every 15 s. Who leaves the stream unread for 10 s is let go;
`bye` means that the replica is about to stop. Browsers' EventSource cannot send the Authorization header: use fetch,
and read the body as a stream.
""".strip()


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


_FILTERS = [
    _parameter("source", "Only this source; for operators' keys.", {"type": "string", "examples": ["ivr"]}),
    _parameter(
        "outcome",
        "Only these, comma separated.",
        {
            "type": "string",
            "pattern": "^(accepted|duplicate|rejected|unavailable|refused|,)*$",
            "examples": ["rejected"],
        },
    ),
    _parameter("code", "Only with this reason.", {"type": "string", "examples": ["invalid_field"]}),
    _parameter("id", "Only the touchpoint with this id.", {"type": "string", "examples": ["call-8841-end"]}),
]
_LIST_FILTERS = [
    *_FILTERS,
    _parameter("limit", "At most so many.", {"type": "integer", "minimum": 1, "maximum": MOST_ENTRIES, "default": 50}),
    _parameter("cursor", "The `next` of the answer before.", {"type": "string"}),
]
_PROBLEMS = {
    400: ("invalid_query", "The query parameter `limit` is not what is expected here. Allowed: 1-200."),
    401: ("key_invalid", "This is not a source key that we know. A source key starts with wm_src_."),
    403: (
        "inspect_not_allowed",
        "This key may not look into what was sent. Use a key with the inspect scope, "
        "or an operator's key with `source`.",
    ),
    429: (
        "too_many_wrong_keys",
        "Too many wrong keys came from this address. Check the key, and try again after 60 s.",
    ),
    503: ("too_many_streams", "Too many people watch just now. Try again after 5 s, or close another window."),
}
_TITLES = {
    400: "Bad request",
    401: "Unauthorized",
    403: "Forbidden",
    429: "Too many requests",
    503: "Unavailable",
}


def _refusals() -> dict[int, dict[str, Any]]:
    refusals = {}
    for status, (code, message) in _PROBLEMS.items():
        problem = {"type": "about:blank", "title": _TITLES[status], "status": status, "detail": message}
        examples = {code: {"value": {**problem, "code": code, "message": message}}}
        refusals[status] = {
            "description": _TITLES[status] + ".",
            "content": {PROBLEM_TYPE: {"schema": PROBLEM_SCHEMA, "examples": examples}},
        }
    return refusals


_SECURITY: list[dict[str, list[str]]] = [{"bearer": []}]

LISTING: dict[str, Any] = {
    "operationId": "inspect",
    "tags": [TAG["name"]],
    "summary": "See what was sent lately",
    "description": _WHO,
    "security": _SECURITY,
    "parameters": _LIST_FILTERS,
    "responses": {
        200: {
            "description": "What came lately, newest first.",
            "content": {"application/json": {"schema": ANSWER, "examples": {"both": {"value": EXAMPLE}}}},
        },
        **_refusals(),
    },
}
STREAM: dict[str, Any] = {
    "operationId": "inspect_live",
    "tags": [TAG["name"]],
    "summary": "Follow what is sent, live",
    "description": f"{_EVENTS}\n\n{_WHO}",
    "security": _SECURITY,
    "parameters": [
        *_LIST_FILTERS,
        {
            "name": "Last-Event-ID",
            "in": "header",
            "required": False,
            "description": "The id of the last event that was seen.",
            "schema": {"type": "string"},
        },
    ],
    "responses": {
        200: {
            "description": "Events without an end.",
            "content": {"text/event-stream": {"schema": {"type": "string"}, "examples": {"some": {"value": STREAMED}}}},
        },
        **_refusals(),
    },
}
