"""One exchange with ingest: builds a body of touchpoints and reads one result for each from the answer. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

PATH = "/v1/touchpoints"
LONGEST_PAUSE_S = 15.0
FIRST_PAUSE_S = 0.5


class TouchpointStatus(StrEnum):
    """The result of a touchpoint. Unavailable is not final: it may be written or not, so it is sent again."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class TouchpointResult:
    """The result of one touchpoint; for a rejected one also why, in which field, and how to correct it."""

    status: TouchpointStatus
    id: str = ""
    code: str = ""
    field: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestAnswer:
    """The results of a request, in order, and how long ingest asks to wait."""

    results: Sequence[TouchpointResult]
    retry_after_s: float = 0.0


class RequestRefused(Exception):  # noqa: N818  what ingest did
    """Ingest refuses the request: the key is wrong, or the body is malformed. Sending it again will not help."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}".replace(" :", ":"))
        self.status = status
        self.code = code
        self.message = message


def headers(key: str) -> dict[str, str]:
    """Return what every request carries."""
    return {"authorization": f"Bearer {key}", "content-type": "application/json"}


def body(touchpoints: Sequence[bytes]) -> bytes:
    """Return the body of a request for touchpoints that are JSON objects already."""
    return b'{"touchpoints":[' + b",".join(touchpoints) + b"]}"


def read(status: int, content: bytes, retry_after: str, count: int) -> IngestAnswer:
    """Return what an answer says about the `count` touchpoints of its request.

    Raises:
        RequestRefused: ingest refuses the request itself.
    """
    document = _document(content)
    results = document.get("results")
    wait = float(retry_after) if retry_after.isdigit() else 0.0
    if isinstance(results, list) and len(results) == count:
        return IngestAnswer(results=[_result(result) for result in results], retry_after_s=wait)
    if status == 429 or status >= 500:
        return unavailable(count, wait)
    raise RequestRefused(
        status, str(document.get("code") or ""), str(document.get("message") or "no touchpoint API answers")
    )


def unavailable(count: int, retry_after_s: float = 0.0) -> IngestAnswer:
    """Return the answer for `count` touchpoints of which nothing is known."""
    return IngestAnswer(
        results=[TouchpointResult(status=TouchpointStatus.UNAVAILABLE)] * count, retry_after_s=retry_after_s
    )


def pause_s(vain: int, asked_s: float) -> float:
    """Return how long to wait after `vain` failed tries: what ingest asked for, or longer each time."""
    longer: float = FIRST_PAUSE_S * 2 ** min(max(vain - 1, 0), 10)
    return max(asked_s, min(longer, LONGEST_PAUSE_S))


def _document(content: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def _result(result: dict[str, Any]) -> TouchpointResult:
    return TouchpointResult(
        status=TouchpointStatus(result["status"]),
        id=result.get("id") or "",
        code=result.get("code") or "",
        field=result.get("field") or "",
        message=result.get("message") or "",
    )
