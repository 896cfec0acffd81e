"""Renders messages about endpoints: `endpoint.test`, `endpoint.disabled`. Those about issues are left to `notify`."""

from datetime import datetime
from uuid import UUID

import msgspec

from schemas.codec import utc_text


def render_test_message(now: datetime, name: str) -> bytes:
    """Return the body of a test message to the endpoint called `name`."""
    return _body("endpoint.test", now, {"test": True, "endpoint": name})


def render_disabled_message(now: datetime, endpoint_id: UUID, name: str, reason: str) -> bytes:
    """Return the body that tells others that an endpoint was disabled because of its answers."""
    return _body("endpoint.disabled", now, {"endpoint": str(endpoint_id), "name": name, "reason": reason})


def render_silence_message(now: datetime, silence_id: UUID, matchers: list[str], ends_at: datetime, held: int) -> bytes:
    """Return the body that tells that a silence ends soon, and how many notifications it holds until then."""
    ends = utc_text(ends_at)
    said = f"A silence ends at {ends}; it holds {held} notifications. / 침묵이 {ends}에 끝납니다. 보류된 알림 {held}건."
    data = {"message": said, "silence": str(silence_id), "matchers": matchers, "ends_at": ends, "held": held}
    return _body("silence.ending", now, data)


def _body(type_: str, now: datetime, data: dict[str, object]) -> bytes:
    return msgspec.json.encode({"type": type_, "timestamp": utc_text(now), "data": data})
