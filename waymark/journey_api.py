"""Asks the journey API, with a key that may read, in the language of whoever asks."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import msgspec

from waymark.console import CommandError, say
from waymark.target import find_target


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyApi:
    """The journey API at `url`."""

    url: str
    key: str = field(repr=False)
    client: httpx2.Client = field(repr=False)

    def get(self, address: str, query: Mapping[str, str]) -> bytes:
        """Return the body of an answer; raises `CommandError` with what the API says, or that it says nothing."""
        headers = {"authorization": f"Bearer {self.key}", "accept-language": say("en", "ko")}
        try:
            answer = self.client.get(f"{self.url}{address}", params=dict(query), headers=headers)
        except httpx2.TransportError as error:
            raise CommandError(
                say(
                    f"the journey API at {self.url} does not answer ({type(error).__name__}); is `waymark up` running?",
                    f"{self.url}의 여정 API가 응답하지 않습니다({type(error).__name__}). `waymark up`이 켜져 있나요?",
                )
            ) from error
        if answer.status_code != 200:
            raise CommandError(_refusal(answer.content, answer.status_code))
        return answer.content


@contextmanager
def open_journey_api(url: str | None, key: str | None) -> Iterator[JourneyApi]:
    """Open the API at `url` with `key`, else those of the environment; raises `CommandError` where there is no key."""
    target = find_target(os.environ)
    known = key or target.keys.get("reader") or target.keys.get("agent") or target.keys.get("admin")
    if not known:
        raise CommandError(
            say(
                "a key is needed: --key, WAYMARK_KEY_READER, or a running `waymark up`",
                "키가 필요합니다: --key, WAYMARK_KEY_READER 또는 실행 중인 `waymark up`",
            )
        )
    with httpx2.Client(timeout=30.0) as client:
        yield JourneyApi(url=(url or target.journey_api).rstrip("/"), key=known, client=client)


def _refusal(body: bytes, status: int) -> str:
    try:
        problem: Any = msgspec.json.decode(body)
    except msgspec.DecodeError:
        problem = None
    message = problem.get("message") if isinstance(problem, dict) else None
    return str(message or say(f"the journey API answered {status}", f"여정 API가 {status}(으)로 답했습니다"))
