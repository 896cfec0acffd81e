"""CloudEvents 1.0 in Kafka's binary mode: the attributes of a record stand in its headers, the value is the data."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import TypeAlias

from schemas.codec import utc_text

RecordHeaders: TypeAlias = tuple[tuple[str, bytes], ...]

CONTENT_TYPE = "application/json"

_SPECVERSION = ("ce_specversion", b"1.0")
_CONTENT_TYPE = ("content-type", CONTENT_TYPE.encode())


class CloudEventType(StrEnum):
    """`ce_type`: the document in the value, with its version."""

    TOUCHPOINT = "waymark.touchpoint.v1"
    DEAD_LETTER = "waymark.dead_letter.v1"
    FRICTION = "waymark.friction.v1"
    ISSUE = "waymark.issue.v1"
    JOURNEY = "waymark.journey.v1"


@lru_cache(maxsize=1024)  # there are as many as producers
def origin(service: str, source: str | None = None) -> str:
    """Return `ce_source`: `/waymark/<service>`, followed by the producer if there is one."""
    return f"/waymark/{service}/{source}" if source else f"/waymark/{service}"


def headers(
    type: CloudEventType,  # noqa: A002 - the standard's own words
    *,
    id: str,  # noqa: A002 - the standard's own words
    origin: str,
    time: datetime,
    traceparent: str | None = None,
) -> RecordHeaders:
    """The headers of one record. (`origin`, `id`) names the event: two records with both equal are duplicates.

    `time` is when it happened (aware); `traceparent` is W3C trace context, left out when there is none.
    """
    attributes = (
        _SPECVERSION,
        ("ce_id", id.encode()),
        ("ce_source", origin.encode()),
        ("ce_type", type.encode()),
        ("ce_time", utc_text(time).encode()),
        _CONTENT_TYPE,
    )
    return (*attributes, ("traceparent", traceparent.encode())) if traceparent else attributes
