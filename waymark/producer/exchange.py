"""One exchange with ingest: a body out of touchpoints, and one result for each out of the answer. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

PATH = "/v1/touchpoints"
LONGEST_PAUSE_S = 15.0
FIRST_PAUSE_S = 0.5


class Status(StrEnum):
    """What became of a touchpoint. Unavailable is not final: it may be written or not, so it is sent again."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The answer about one touchpoint; of a rejected one also why, where, and how to mend it."""

    status: Status
    id: str = ""
    code: str = ""
    field: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The results of a request in order, and how long ingest asks to wait."""

    results: Sequence[Result]
    retry_after_s: float = 0.0


class Refused(Exception):  # noqa: N818  what ingest did
    """Ingest takes nothing of this kind: the key is wrong, the request is malformed. Sending again will not help."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}".replace(" :", ":"))
        self.status = status
        self.code = code
        self.message = message


def headers(key: str) -> dict[str, str]:
    """Return what every request carries."""
    return {"authorization": f"Bearer {key}", "content-type": "application/json"}


def body(touchpoints: Sequence[bytes]) -> bytes:
    """Return the body of a request, of touchpoints that are JSON objects already."""
    return b'{"touchpoints":[' + b",".join(touchpoints) + b"]}"


def read(status: int, content: bytes, retry_after: str, count: int) -> Answer:
    """Return what an answer says about the `count` touchpoints of its request.

    Raises:
        Refused: see the class.
    """
    document = _document(content)
    results = document.get("results")
    wait = float(retry_after) if retry_after.isdigit() else 0.0
    if isinstance(results, list) and len(results) == count:
        return Answer(results=[_result(result) for result in results], retry_after_s=wait)
    if status == 429 or status >= 500:
        return unavailable(count, wait)
    raise Refused(status, str(document.get("code") or ""), str(document.get("message") or "no touchpoint API answers"))


def unavailable(count: int, retry_after_s: float = 0.0) -> Answer:
    """Return the answer that none came."""
    return Answer(results=[Result(status=Status.UNAVAILABLE)] * count, retry_after_s=retry_after_s)


def pause_s(vain: int, asked_s: float) -> float:
    """Return how long to wait after so many tries in vain: what was asked, or ever longer."""
    longer: float = FIRST_PAUSE_S * 2 ** min(max(vain - 1, 0), 10)
    return max(asked_s, min(longer, LONGEST_PAUSE_S))


def _document(content: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def _result(result: dict[str, Any]) -> Result:
    return Result(
        status=Status(result["status"]),
        id=result.get("id") or "",
        code=result.get("code") or "",
        field=result.get("field") or "",
        message=result.get("message") or "",
    )
