"""The client of the journey API, which asks for the outcomes of touchpoints: ingest's one call to another service.

It runs while somebody looks, never on the path of a touchpoint, and takes at most two seconds.
"""

from collections.abc import Sequence
from typing import Final

import httpx2
import msgspec

from services.ingest.inspector.follow_up import JourneyUnreachableError, ReportedOutcome
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

_WITHIN_S: Final = 2.0


class _Answer(msgspec.Struct, frozen=True):
    outcomes: list[ReportedOutcome]


_ANSWER: Final = msgspec.json.Decoder(_Answer)


class JourneyApi:
    """Asks the journey API at `url` with the secret that both services share. Satisfies `follow_up.Ask`."""

    def __init__(self, url: str, secret: str) -> None:
        self._client = httpx2.AsyncClient(
            base_url=url.rstrip("/"),
            headers={"authorization": f"Bearer {secret}", "content-type": "application/json"},
            timeout=_WITHIN_S,
            trust_env=False,
        )
        self._failing = ""

    async def __call__(self, touchpoints: Sequence[bytes]) -> Sequence[ReportedOutcome]:
        """Return the outcomes of touchpoints as they were published; raises `JourneyUnreachableError`."""
        body = b'{"touchpoints":[' + b",".join(touchpoints) + b"]}"
        try:
            answer = await self._client.post("/v1/touchpoints/outcomes", content=body)
            if answer.status_code != 200:
                raise self._failed(f"status {answer.status_code}")
            told = _ANSWER.decode(answer.content).outcomes
        except (httpx2.HTTPError, msgspec.DecodeError) as error:
            raise self._failed(type(error).__name__) from error
        if len(told) != len(touchpoints):
            raise self._failed("an answer of another length")
        self._failing = ""
        return told

    async def aclose(self) -> None:
        """Close the connections to the journey API."""
        await self._client.aclose()

    def _failed(self, reason: str) -> JourneyUnreachableError:
        if reason != self._failing:  # once an outage, not once a look
            _log.warning("the journey service does not say what became of touchpoints", reason=reason)
        self._failing = reason
        return JourneyUnreachableError(reason)
