"""Accounts: the journeys that several customers of one company share."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.journey.api.messages import ReadRefusal, refuse
from services.journey.api.resources.access import Api, Language, problems, reader_router
from services.journey.read.account_views import AccountJourneyState, AccountJourneyView, AccountView
from services.runtime.http.fields import PlainText

router = reader_router()

AccountId = Annotated[
    PlainText,
    StringConstraints(min_length=1, max_length=512),
    Path(description="The account, as `refs.account_id` of touchpoints names it; URL-encoded."),
]


class AccountQuery(BaseModel):
    """The journeys of the account that are asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: AccountJourneyState | None = Field(None, description="Only these; open and closed ones if left out.")
    limit: int = Field(50, ge=1, le=200, description="Most journeys.")


@router.get(
    "/accounts/{account_id:path}/journeys",
    summary="The journeys of an account",
    tags=["journeys"],
    responses=problems(404),
    response_model_exclude_none=True,
)
async def read_account(
    api: Api, account_id: AccountId, query: Annotated[AccountQuery, Query()], accept_language: Language = None
) -> AccountView:
    """What several customers of one account do together, by the definitions with `scope: account`.

    An account joins journeys, never people: who takes part is told as it stands now, and stays several customers.
    """
    account = await api.accounts.account(account_id, query.state, query.limit)
    if account is None:
        raise refuse(ReadRefusal.ACCOUNT_UNKNOWN, accept_language)
    return account


@router.get(
    "/accounts/{account_id:path}/journeys/{journey_id}",
    summary="One journey of an account",
    tags=["journeys"],
    responses=problems(404, 410),
    response_model_exclude_none=True,
)
async def read_account_journey(
    api: Api, account_id: AccountId, journey_id: UUID, response: Response, accept_language: Language = None
) -> AccountJourneyView:
    """One journey of an account, by any id that it ever had.

    A journey that became part of another answers as that one, with `merged_into`; one that turned out to be none
    answers 410.
    """
    journey = await api.accounts.journey(account_id, journey_id)
    if journey is None:
        raise refuse(ReadRefusal.JOURNEY_UNKNOWN, accept_language)
    if journey.state is AccountJourneyState.DISSOLVED:
        raise refuse(ReadRefusal.JOURNEY_DISSOLVED, accept_language)
    if journey.merged_into is not None:
        response.headers["Content-Location"] = str(journey.id)
    return journey
