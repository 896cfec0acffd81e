"""Who may ask, and the parts that every resource uses."""

import hmac
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request
from fastapi.security import HTTPBearer

from services.journey.api.api_metrics import ApiMetrics
from services.journey.api.authentication import ReadAuthenticator
from services.journey.api.issue_asking import IssueAsking
from services.journey.api.messages import ReadRefusal, refuse
from services.journey.live.live_changes import LiveChanges
from services.journey.past.past_reading import PastReader
from services.journey.read.account_reading import AccountReader
from services.journey.read.aggregates.customers_behind import CustomersBehind
from services.journey.read.aggregates.funnel_reading import FunnelReader
from services.journey.read.aggregates.hour_reading import HourReader
from services.journey.read.aggregates.path_reading import PathReader
from services.journey.read.aggregates.pipeline_reading import PipelineReader
from services.journey.read.contact_reading import ContactReader
from services.journey.read.queries import JourneyReader
from services.journey.read.timeline import TimelineReader
from services.journey.read.touchpoint_fate import FateReader
from services.runtime.http.problems import PROBLEM_SCHEMA, PROBLEM_TYPE
from services.runtime.postgres.pools import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadApi:
    """The parts that the routes use."""

    pool: Pool
    reader: JourneyReader
    timelines: TimelineReader
    past: PastReader
    paths: PathReader
    funnels: FunnelReader
    behind: CustomersBehind
    hours: HourReader
    pipeline: PipelineReader
    live: LiveChanges
    contacts: ContactReader
    accounts: AccountReader
    fates: FateReader
    issues: IssueAsking
    authenticator: ReadAuthenticator
    metrics: ApiMetrics
    phone_region: str
    privacy_secret: bytes = field(default=b"", repr=False)
    outcomes_secret: bytes = field(default=b"", repr=False)


def _api(request: Request) -> ReadApi:
    api = request.app.state.read_api
    assert isinstance(api, ReadApi)  # noqa: S101  the lifespan puts it there before the first request
    return api


Api = Annotated[ReadApi, Depends(_api)]
Language = Annotated[str | None, Header(alias="Accept-Language", description="`ko` for messages in Korean.")]


async def require_reader(request: Request, api: Api, accept_language: Language = None) -> None:
    """Admit a caller who presents a key that may read."""
    admission = await api.authenticator.admit(request.headers)
    if admission.refusal is not None:
        raise refuse(admission.refusal, accept_language)


_admin_key = HTTPBearer(auto_error=False, scheme_name="admin", description="An admin key: `wm_admin_…`.")


async def require_admin(
    request: Request, api: Api, _: Annotated[object, Depends(_admin_key)], accept_language: Language = None
) -> str:
    """Admit a caller who presents an admin key, and return its label: who did it, for the audit."""
    admission = await api.authenticator.admit(request.headers)
    if admission.refusal is not None:
        raise refuse(admission.refusal, accept_language)
    if not admission.is_admin:
        raise refuse(ReadRefusal.ADMIN_NEEDED, accept_language)
    return admission.label


Actor = Annotated[str, Depends(require_admin)]


async def require_ingest(request: Request, api: Api, accept_language: Language = None) -> None:
    """Admit a caller who presents the secret that ingest shares with this service; without a secret, nobody."""
    scheme, _, presented = request.headers.get("authorization", "").partition(" ")
    right = hmac.compare_digest(presented.encode(), api.outcomes_secret)
    if not api.outcomes_secret or scheme.lower() != "bearer" or not right:
        raise refuse(ReadRefusal.ONLY_INGEST_ASKS, accept_language)


def problems(*refusals: int) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says of these statuses: each is a problem document."""
    content = {PROBLEM_TYPE: {"schema": PROBLEM_SCHEMA}}
    return {status: {"description": "A problem document (RFC 9457).", "content": content} for status in refusals}


def reader_router() -> APIRouter:
    """Return a router below `/v1` that admits whoever may read."""
    return APIRouter(
        prefix="/v1",
        dependencies=[
            Depends(HTTPBearer(auto_error=False, description="A reader, agent or admin key: `wm_reader_…`.")),
            Depends(require_reader),
        ],
        responses=problems(400, 401, 403, 503),
    )
