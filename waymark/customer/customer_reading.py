"""Asks the journey API for one customer and for the touchpoints to tell."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx2
import msgspec

from waymark.console import CommandError, say
from waymark.customer.customer_documents import AnswerCustomer, AnswerTimeline, AnswerTouchpoint

PAGE = 200
"""Touchpoints on one page: the most that the API gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerAnswers:
    """What the API said: for people, and as it is for programs. `touchpoints` stand oldest first.

    `earlier` says whether there are touchpoints before these.
    """

    customer: AnswerCustomer
    touchpoints: list[AnswerTouchpoint]
    earlier: bool
    raw_customer: msgspec.Raw
    raw_touchpoints: list[msgspec.Raw]


class _RawPage(msgspec.Struct, frozen=True):
    touchpoints: list[msgspec.Raw]


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerReader:
    """Reads from the journey API at `url` with a key that may read."""

    url: str
    key: str = field(repr=False)
    client: httpx2.Client = field(repr=False)

    def read(self, reference: str, last: int | None, as_of: datetime | None = None) -> CustomerAnswers:
        """Return the customer with the `last` latest touchpoints, or with all of them for None; perhaps as they stood.

        Raises:
            CommandError: there is no such customer, or the API refuses or does not answer.
        """
        address = f"/v1/customers/{quote(reference, safe=':')}"
        moment = {} if as_of is None else {"as_of": as_of.isoformat()}
        raw = self._get(address, moment)
        query = moment | {"order": "newest_first", "limit": str(min(last or PAGE, PAGE))}
        newest: list[msgspec.Raw] = []
        while True:
            answer = self._get(f"{address}/timeline", query)
            page = msgspec.json.decode(answer, type=AnswerTimeline)
            newest += msgspec.json.decode(answer, type=_RawPage).touchpoints
            if page.next_cursor is None or (last is not None and len(newest) >= last):
                break
            query["cursor"] = page.next_cursor
        shown = newest[: last if last is not None else len(newest)][::-1]
        return CustomerAnswers(
            customer=msgspec.json.decode(raw, type=AnswerCustomer),
            touchpoints=[msgspec.json.decode(bytes(one), type=AnswerTouchpoint) for one in shown],
            earlier=page.next_cursor is not None or len(newest) > len(shown),
            raw_customer=msgspec.Raw(raw),
            raw_touchpoints=shown,
        )

    def _get(self, address: str, query: dict[str, str]) -> bytes:
        headers = {"authorization": f"Bearer {self.key}", "accept-language": say("en", "ko")}
        try:
            answer = self.client.get(f"{self.url}{address}", params=query, headers=headers)
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


def _refusal(body: bytes, status: int) -> str:
    try:
        problem: Any = msgspec.json.decode(body)
    except msgspec.DecodeError:
        problem = None
    message = problem.get("message") if isinstance(problem, dict) else None
    return str(message or say(f"the journey API answered {status}", f"여정 API가 {status}(으)로 답했습니다"))
