"""A model of the house behind an HTTP endpoint, which a setting names: texts leave the process for it."""

from collections.abc import Sequence
from typing import Final

import httpx2
import msgspec

from services.ingest.sentiment.model.house_model import ModelFailedError, ModelFault, checked

_MOST_BYTES: Final = 64 * 1024
"""Longest answer that is read."""


class _Answer(msgspec.Struct, frozen=True):
    sentiments: list[float | None]


_ANSWER: Final = msgspec.json.Decoder(_Answer)


class ModelEndpoint:
    """Posts `{"texts": […]}` to one URL, which answers `{"sentiments": […]}`. Satisfies `HouseModel`.

    The URL is the operator's and nobody else's: no redirect is followed, no proxy is taken from the environment.
    """

    def __init__(self, url: str, key: str, *, connections: int, timeout_s: float) -> None:
        self._url = url
        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        self._client = httpx2.AsyncClient(
            headers=headers | ({"authorization": f"Bearer {key}"} if key else {}),
            limits=httpx2.Limits(max_connections=connections),
            timeout=timeout_s,
            follow_redirects=False,
            trust_env=False,
        )

    async def read(self, texts: Sequence[str]) -> Sequence[float | None]:
        """Return the sentiment of each text; raises `ModelFailedError`."""
        try:
            body = await self._post(msgspec.json.encode({"texts": texts}))
            return checked(_ANSWER.decode(body).sentiments, len(texts))
        except httpx2.TimeoutException as error:
            raise ModelFailedError(ModelFault.TIMEOUT) from error
        except httpx2.HTTPError as error:
            raise ModelFailedError(ModelFault.UNREACHABLE, type(error).__name__) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ModelFailedError(ModelFault.UNREADABLE, type(error).__name__) from None

    async def _post(self, body: bytes) -> bytes:
        async with self._client.stream("POST", self._url, content=body) as answer:
            if answer.status_code != 200:
                raise ModelFailedError(ModelFault.STATUS, str(answer.status_code))
            told = bytearray()
            async for part in answer.aiter_raw():
                told += part
                if len(told) > _MOST_BYTES:
                    raise ModelFailedError(ModelFault.UNREADABLE, "too long")
        return bytes(told)

    async def aclose(self) -> None:
        """Close the connections to the model, which is asked nothing more."""
        await self._client.aclose()
