"""Explains what one rule says about one customer, by the rule's own evaluator."""

import asyncio

from services.journey import policies
from services.journey.api.identity.desk_opener import Opener
from services.journey.api.messages import ReadRefusal, refuse
from services.journey.api.resources.access import Api, Language, problems, reader_router
from services.journey.api.resources.lookups import count_lookup, customer_named
from services.journey.api.rules.explanation_views import RuleExplanationView, RuleToExplain
from services.journey.api.rules.rule_reading import rules_asked
from services.journey.read.snapshots import snapshot
from services.journey.store import moments
from services.journey.trial import stored_histories
from services.journey.trial.explanation import explain

router = reader_router()


@router.post(
    "/rules/explain",
    summary="Why a rule fires for a customer, or what keeps it from firing",
    tags=["rules"],
    response_model_exclude_none=True,
    responses=problems(404, 413, 422),
)
async def explain_rule(
    api: Api, opener: Opener, asked: RuleToExplain, accept_language: Language = None
) -> RuleExplanationView:
    """Condition by condition, with the nearest value that there is.

    The latest touchpoints are looked at, as by the worker; nothing is stored.
    """
    who = customer_named(api, asked.customer, accept_language)
    book = await rules_asked(api, asked.text, accept_language)
    rule = next((one for one in book.rules if one.id == asked.rule), None)
    if rule is None:
        raise refuse(ReadRefusal.RULE_UNKNOWN, accept_language)
    async with snapshot(api.pool) as connection:
        touchpoints = await stored_histories.read_customer(connection, who, opener.api.history_touchpoints)
        conversations_since = await moments.conversations(connection)
    count_lookup(api, found=touchpoints is not None)
    if touchpoints is None:
        raise refuse(ReadRefusal.CUSTOMER_UNKNOWN, accept_language)
    now = opener.clock.now()
    told = await asyncio.to_thread(explain, rule, touchpoints, now, policies.projection(conversations_since))
    return RuleExplanationView.of(told, book, len(touchpoints), now)
