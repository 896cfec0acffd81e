"""Trials over stored customers, as streams of lines: what rules would have found, and what came before frictions."""

import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import Depends, Request
from fastapi.responses import StreamingResponse

from services.journey.api.identity.desk_opener import DeskOpener, Opener
from services.journey.api.messages import ReadRefusal, refuse
from services.journey.api.resources.access import Actor, Api, Language, ReadApi, problems, reader_router
from services.journey.api.rules import rule_reading
from services.journey.api.rules.trial_runner import TrialFault, TrialProgress, TrialRunner, open_reading
from services.journey.api.rules.trial_views import FrictionsToLookBackFrom, RulesToBacktest, StoredTrial
from services.journey.rulebook import stored_rules
from services.journey.trial import backtest_document, precedence_document
from services.journey.trial.backtest import BacktestTask
from services.journey.trial.page_run import PageOrder, PageTask, Tally
from services.journey.trial.precedence import PrecedenceTally, PrecedenceTask

router = reader_router()

T = TypeVar("T", bound=Tally)

LINES = "application/x-ndjson"
STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": 'Lines of JSON: `{"progress": …}` as it goes, at last `{"result": …}` or `{"problem": …}`.',
        "content": {LINES: {"schema": {"type": "string"}}},
    }
}

_ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialDesk:
    """What a request for a trial is answered with."""

    api: ReadApi
    opener: DeskOpener
    runner: TrialRunner
    language: str | None

    async def order(self, task: PageTask[T], asked: StoredTrial) -> PageOrder[T]:
        """Return what to do; raises the problem of what needs no stream to be refused."""
        if not self.runner.processes:
            raise refuse(ReadRefusal.TRIALS_OFF, self.language)
        window = asked.window(self.opener.clock.now())
        if window is None:
            raise refuse(ReadRefusal.RANGE_EMPTY, self.language)
        rules = await self._rules(asked.text)
        if self.runner.is_running:
            raise refuse(ReadRefusal.TRIAL_RUNNING, self.language)
        return PageOrder(
            task=task,
            url=self.runner.url,
            open=open_reading,
            rules=rules,
            name=rule_reading.NAME,
            window=window,
            latest=self.opener.worker.history_touchpoints,
        )

    async def _rules(self, text: str | None) -> str:
        """Return a file that can be used: the one that was sent, or the rules in force, whole."""
        if text is not None:
            return (await rule_reading.resolve_sound(text, self.language)).text
        return stored_rules.as_file((await rule_reading.stored(self.api, None, self.language)).document)

    def stream(self, order: PageOrder[T], document: Callable[[T, float], dict[str, Any]]) -> StreamingResponse:
        """Return the trial as a stream, which ends with its connection."""

        async def lines() -> AsyncGenerator[bytes]:
            async for said in self.runner.run(order, document):
                yield _ENCODER.encode(self._line(said)) + b"\n"

        return StreamingResponse(lines(), media_type=LINES, headers={"Cache-Control": "no-store"})

    def _line(self, said: TrialProgress | TrialFault | dict[str, Any]) -> dict[str, Any]:
        match said:
            case TrialProgress():
                return {"progress": said}
            case TrialFault():
                problem = refuse(ReadRefusal(said), self.language)
                return {"problem": {"code": problem.code, "message": problem.message}}
            case _:
                return {"result": said}


def _desk(request: Request, api: Api, opener: Opener, accept_language: Language = None) -> TrialDesk:
    runner = request.app.state.trials
    assert isinstance(runner, TrialRunner)  # noqa: S101  the application puts it there before the first request
    return TrialDesk(api=api, opener=opener, runner=runner, language=accept_language)


Desk = Annotated[TrialDesk, Depends(_desk)]


@router.post(
    "/rules/backtest",
    summary="What rules would have found in the stored customers",
    tags=["rules"],
    response_class=StreamingResponse,
    responses={**STREAM, **problems(404, 409, 422)},
)
async def backtest(desk: Desk, _: Actor, asked: RulesToBacktest) -> StreamingResponse:
    """By the engine of the worker, against the frictions in force: new, gone, moved, by day, with examples.

    It writes nothing and runs in a process of its own, one trial at a time; it ends with the connection. An admin's
    key.
    """
    order = await desk.order(BacktestTask(time.perf_counter), asked)
    return desk.stream(order, backtest_document.document)


@router.post(
    "/rules/preceded",
    summary="What came before a rule's frictions more often than before others",
    tags=["rules"],
    response_class=StreamingResponse,
    responses={**STREAM, **problems(404, 409, 422)},
)
async def look_back(desk: Desk, _: Actor, asked: FrictionsToLookBackFrom) -> StreamingResponse:
    """Kinds of touchpoints with their lift and its 95 % interval; streamed as `backtest` is. An admin's key."""
    book = await rule_reading.rules_asked(desk.api, asked.text, desk.language)
    if all(rule.id != asked.rule for rule in book.rules):
        raise refuse(ReadRefusal.RULE_UNKNOWN, desk.language)
    order = await desk.order(PrecedenceTask(asked.rule, timedelta(seconds=asked.within_s)), asked)

    def document(tally: PrecedenceTally, seconds: float) -> dict[str, Any]:
        return precedence_document.document(asked.rule, tally, seconds)

    return desk.stream(order, document)
