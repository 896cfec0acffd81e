"""Tries rules on cases that somebody wrote: touchpoints, and the frictions that must stand at the end."""

import asyncio
from typing import Annotated

from fastapi import Depends, Request

from schemas.languages import preferred_language
from services.journey import policies
from services.journey.api.messages import ReadRefusal, refuse
from services.journey.api.resources.access import Api, Language, problems, reader_router
from services.journey.api.rules import rule_reading
from services.journey.api.rules.case_views import MOST_TOUCHPOINTS, CaseResultView, RulesTestView, RulesToTest
from services.journey.domain.rules.book import Rulebook
from services.journey.rulebook import rules_file
from services.journey.trial.case import CaseReader, CasesRefusedError, CasesToRun, run_case, undirected_contacts

router = reader_router()

SHIPPED = "default"
"""What cases call the shipped rules."""


def _reader(request: Request) -> CaseReader:
    reader: CaseReader = request.app.state.case_reader
    return reader


Reader = Annotated[CaseReader, Depends(_reader)]


@router.post(
    "/rules/test",
    summary="Whether written cases come out as they expect",
    tags=["rules"],
    response_model_exclude_none=True,
    responses=problems(413, 422),
)
async def try_cases(api: Api, reader: Reader, asked: RulesToTest, accept_language: Language = None) -> RulesTestView:
    """Case by case, which expected frictions are missing, and which stand that nobody expected.

    Touchpoints are read and refused as by ingest, and judged by the engine of the worker. Nothing is stored.
    """
    language = preferred_language(accept_language or "")
    try:
        cases = await asyncio.to_thread(reader, asked.cases, language, most_touchpoints=MOST_TOUCHPOINTS)
    except CasesRefusedError as error:
        return RulesTestView.unsound(error.problems)
    if asked.text is not None or cases.rules is None:
        book = await rule_reading.rules_asked(api, asked.text, accept_language)
    elif cases.rules == SHIPPED:
        book = await asyncio.to_thread(rules_file.load)
    else:
        raise refuse(ReadRefusal.RULES_OF_CASES_MISSING, accept_language)
    if unsound := cases.problems_with(book):
        return RulesTestView.unsound(unsound)
    return await asyncio.to_thread(_tried, cases, book)


def _tried(cases: CasesToRun, book: Rulebook) -> RulesTestView:
    policy = policies.projection()
    kinds = policy.contacts.contact_kinds
    return RulesTestView.of(
        [CaseResultView.of(run_case(one, book, policy), undirected_contacts(one, kinds)) for one in cases.cases]
    )
