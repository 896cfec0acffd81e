"""Follow-up of accepted touchpoints: asks the journey service for their outcomes, whenever somebody looks.

An outcome that the journey service does not give is shown as unknown and never guessed. Final outcomes are remembered,
so a second look asks only about the rest. It asks only about touchpoints that the viewer's key may see.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from schemas.languages import Language
from services.ingest.inspector.logbook import LogbookPage, RecordedResults
from services.ingest.reasons import ItemOutcome

MOST_ASKED: Final = 200
"""The most touchpoints in one request to the journey service."""

_REMEMBERED: Final = 5_000
_PAUSE_S: Final = 3.0
"""Seconds without a request after a failure, so that viewers do not wait for an outage again and again."""


class LaterOutcome(StrEnum):
    """The outcome of an accepted touchpoint in the journey service."""

    APPLIED = "applied"
    LATE = "late"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    DEAD_LETTER = "dead_letter"
    WAITING = "waiting"
    UNKNOWN = "unknown"


UNSETTLED: Final = frozenset({LaterOutcome.WAITING, LaterOutcome.UNKNOWN})
"""Those that may still change."""

UNREACHABLE: Final = "journey_unreachable"
"""The code for an unreachable journey service."""


class ReportedOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one touchpoint, as the journey service reports it."""

    outcome: LaterOutcome
    code: str | None = None


class LaterOutcomeView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The outcome of one touchpoint with a sentence for people."""

    outcome: LaterOutcome
    code: str | None = None
    message: str | None = None


class OutcomeProvider(StrEnum):
    """Where later outcomes come from at present."""

    JOURNEY = "journey service"
    UNREACHABLE = "unreachable"
    NOBODY = "not set up"


class JourneyUnreachableError(Exception):
    """The journey service did not answer in time, or not usefully."""


Ask = Callable[[Sequence[bytes]], Awaitable[Sequence[ReportedOutcome]]]
"""Asks about touchpoints as they were published, and answers in their order. Raises `JourneyUnreachableError`."""

_WORDS: Final = {
    LaterOutcome.APPLIED: ("Stored, and counted in the customer's journey.", "저장되어 고객의 여정에 반영되었습니다."),
    LaterOutcome.LATE: (
        "Stored as history: it came too long after it happened to count.",
        "이력으로만 저장했습니다. 일어난 지 너무 오래되어 여정에 반영하지 않습니다.",
    ),
    LaterOutcome.DUPLICATE: ("It was stored before; nothing changed.", "이미 저장된 접점이라 바뀐 것이 없습니다."),
    LaterOutcome.CONFLICT: (
        "Not stored: this id was used before with other content. Send it with a new id.",
        "저장하지 않았습니다. 같은 id로 다른 내용이 이미 있습니다. 새 id로 보내 주세요.",
    ),
    LaterOutcome.DEAD_LETTER: (
        "Not stored: it is a dead letter. An operator finds it with `waymark dlq list`.",
        "저장하지 못해 보류했습니다. 운영자가 `waymark dlq list`로 확인할 수 있습니다.",
    ),
    LaterOutcome.WAITING: ("Written to Kafka; not read yet.", "Kafka에 기록했고 아직 처리 전입니다."),
    LaterOutcome.UNKNOWN: ("No trace of it is left.", "남은 기록이 없습니다."),
}
_NO_ANSWER: Final = (
    "Written to Kafka; the journey service does not answer, so nobody can say what became of it.",
    "Kafka에 기록했습니다. 여정 서비스가 응답하지 않아 그 뒤의 결과는 알 수 없습니다.",
)


def published_touchpoints(page: LogbookPage, replica: str) -> dict[str, bytes]:
    """Return the accepted touchpoints of a page as they were published, by their cursors."""
    if not isinstance(page.content, RecordedResults):
        return {}
    return {
        f"{replica}-{page.number}-{at}": record.value
        for at, record in page.content.written.items()
        if record.value is not None and page.content.results[at].outcome is ItemOutcome.ACCEPTED
    }


class FollowUp:
    """Asks for outcomes and remembers the final ones. It has nobody to ask until `ask_from` is called."""

    def __init__(self) -> None:
        self._ask: Ask | None = None
        self._settled: OrderedDict[str, ReportedOutcome] = OrderedDict()
        self._asking = asyncio.Semaphore(2)
        self._again_at = float("-inf")

    def ask_from(self, ask: Ask) -> None:
        """Set the function that asks for outcomes."""
        self._ask = ask

    @property
    def source(self) -> OutcomeProvider:
        """Who answers at present."""
        if self._ask is None:
            return OutcomeProvider.NOBODY
        return (
            OutcomeProvider.UNREACHABLE
            if self._again_at > asyncio.get_running_loop().time()
            else OutcomeProvider.JOURNEY
        )

    async def of(self, touchpoints: Mapping[str, bytes], language: Language) -> dict[str, LaterOutcomeView]:
        """Return the outcomes of touchpoints by cursor; empty when there is nobody to ask."""
        if self._ask is None:
            return {}
        open_ = [cursor for cursor in touchpoints if cursor not in self._settled]
        told = {cursor: self._settled[cursor] for cursor in touchpoints if cursor in self._settled}
        for at in range(0, len(open_), MOST_ASKED):
            told |= await self._asked({cursor: touchpoints[cursor] for cursor in open_[at : at + MOST_ASKED]})
        return {cursor: _outcome_view(told.get(cursor), language) for cursor in touchpoints}

    async def _asked(self, touchpoints: Mapping[str, bytes]) -> dict[str, ReportedOutcome]:
        assert self._ask is not None  # noqa: S101  `of` asks nobody otherwise
        now = asyncio.get_running_loop().time
        async with self._asking:
            if now() < self._again_at:
                return {}
            try:
                told = dict(zip(touchpoints, await self._ask(list(touchpoints.values())), strict=True))
            except JourneyUnreachableError:
                self._again_at = now() + _PAUSE_S
                return {}
        self._settled |= {cursor: one for cursor, one in told.items() if one.outcome not in UNSETTLED}
        while len(self._settled) > _REMEMBERED:
            self._settled.popitem(last=False)
        return told


def _outcome_view(told: ReportedOutcome | None, language: Language) -> LaterOutcomeView:
    english, korean = _NO_ANSWER if told is None else _WORDS[told.outcome]
    message = korean if language is Language.KO else english
    if told is None:
        return LaterOutcomeView(outcome=LaterOutcome.UNKNOWN, code=UNREACHABLE, message=message)
    return LaterOutcomeView(outcome=told.outcome, code=told.code, message=message)
