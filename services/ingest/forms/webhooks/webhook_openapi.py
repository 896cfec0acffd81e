"""The OpenAPI documentation of the webhook routes, written by hand, with an example for every status."""

from typing import Any

from services.runtime.http.problems import PROBLEM_SCHEMA, PROBLEM_TYPE

_DESCRIPTION = """
The address to give to a channel system (Twilio, Zendesk, KakaoTalk …). `waymark sources add NAME --system SYSTEM` sets
a source up; docs/sources.md says how to connect each vendor. The vendor's signature over the raw body takes the place
of a source key. What the body becomes is said by the system's YAML file; `waymark sources test` shows it.

| status | when | what the vendor does |
|---|---|---|
| 200 | taken, or nothing in it is about a customer; what is no touchpoint goes to the dead letters | nothing |
| 401, 403 | the signature is missing, wrong or old; the address is not the vendor's | shows it as failed |
| 404 | no source of this name takes webhooks | shows it as failed |
| 503 | not written in time, too much in flight, or not set up completely | sends it again |

The body of a 200 is what the vendor wants to hear: TwiML for Twilio, `version` for a KakaoTalk skill, the challenge for
Slack and (in a GET that repeats the source's verify token, else 403) for Meta, counts for everybody else.
""".strip()


def _problem(status: int, title: str, code: str, message: str) -> dict[str, Any]:
    example = {"type": "about:blank", "title": title, "status": status, "detail": message}
    example |= {"code": code, "message": message}
    content = {PROBLEM_TYPE: {"schema": dict(PROBLEM_SCHEMA), "examples": {code: {"value": example}}}}
    return {"description": message, "content": content}


_SOURCE = {
    "name": "source",
    "in": "path",
    "required": True,
    "description": "The name of the source.",
    "schema": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_.-]{0,63}$"},
}
_TOKEN = {
    "name": "token",
    "in": "path",
    "required": True,
    "description": "The secret of the source, for vendors that can carry it nowhere else.",
    "schema": {"type": "string"},
}
_COUNTS = {
    "type": "object",
    "properties": {name: {"type": "integer"} for name in ("accepted", "duplicate", "rejected", "ignored")},
}
_EXAMPLE = {"accepted": 1, "duplicate": 0, "rejected": 0, "ignored": 0}

OPERATION: dict[str, Any] = {
    "operationId": "post_webhook",
    "tags": ["webhooks"],
    "summary": "Take a channel system's webhook",
    "description": _DESCRIPTION,
    "security": [],
    "parameters": [_SOURCE],
    "requestBody": {
        "description": "What the vendor sends, as it sends it.",
        "content": {
            "application/json": {"schema": {}},
            "application/x-www-form-urlencoded": {"schema": {"type": "object"}},
            "multipart/form-data": {"schema": {"type": "object"}},
        },
    },
    "responses": {
        200: {
            "description": "Taken. The body is what the vendor wants to hear.",
            "content": {
                "application/json": {"schema": _COUNTS, "examples": {"counts": {"value": _EXAMPLE}}},
                "text/xml": {"schema": {"type": "string"}, "examples": {"twiml": {"value": "<Response/>"}}},
                "text/plain": {"schema": {"type": "string"}, "examples": {"challenge": {"value": "3eZbrw1aBm2r"}}},
            },
        },
        401: _problem(
            401,
            "Unauthorized",
            "signature_wrong",
            "The signature (or token) is not right. Check the secret of the source and, where the URL is signed, the "
            "public URL; the body must arrive unchanged.",
        ),
        403: _problem(
            403,
            "Forbidden",
            "address_not_allowed",
            "This webhook takes requests from its vendor's networks only. Behind a proxy, name it in "
            "WAYMARK_INGEST_TRUSTED_PROXIES.",
        ),
        404: _problem(
            404,
            "Not found",
            "webhook_unknown",
            "No source of this name takes webhooks. Check the address; `waymark sources list` shows them.",
        ),
        503: _problem(
            503,
            "Unavailable",
            "webhook_timeout",
            "Not confirmed as written in time. Send the same request again after 5 s; a repeat does no harm.",
        ),
    },
}

WITH_TOKEN: dict[str, Any] = {
    **OPERATION,
    "operationId": "post_webhook_with_token",
    "summary": "Take a channel system's webhook whose secret is in the path",
    "parameters": [_SOURCE, _TOKEN],
}

ROUTES = (("/v1/sources/{source}/webhook", OPERATION), ("/v1/sources/{source}/webhook/{token}", WITH_TOKEN))
"""Every address with what is said of it."""

TAG = {"name": "webhooks", "description": "Channel systems' own webhooks."}
