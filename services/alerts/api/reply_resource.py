"""What readers of messages answer, without a key of the API: each request is verified by its own signature.

A link is a capability: `GET` only shows a page, and `POST` takes the issue, because mail scanners open every link.
"""

from typing import Annotated, Any
from urllib.parse import parse_qs
from uuid import UUID

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse, Response

from services.alerts.api.access import InjectedParts, problems
from services.alerts.deliver.action_link import LinkRefusedError
from services.alerts.replies import reply_page
from services.alerts.replies.reply_executor import LinkedIssue, ReplyExecutor, ReplyRefusedError
from services.runtime.http.fields import PlainText
from services.runtime.http.problems import Problem

Token = Annotated[PlainText, Path(max_length=200, description="The token of a signed link.")]

PAGES: dict[int | str, dict[str, Any]] = {
    404: {"description": "A page: the link is not valid.", "content": {"text/html": {"schema": {"type": "string"}}}},
    410: {"description": "A page: the link has expired.", "content": {"text/html": {"schema": {"type": "string"}}}},
}

router = APIRouter(prefix="/v1", tags=["replies"], responses=problems(400, 413, 422, 503))


@router.get("/replies/{token}", summary="Ask whether to take an issue", response_class=HTMLResponse, responses=PAGES)
async def ask(parts: InjectedParts, request: Request, token: Token) -> HTMLResponse:
    """Show the page behind the link in a message; nothing changes."""
    korean = _is_korean(request)
    found = await _linked(parts.replies, token, korean=korean)
    if isinstance(found, HTMLResponse):
        return found
    return HTMLResponse(reply_page.question(found.issue, korean=korean), headers=reply_page.HEADERS)


@router.post("/replies/{token}", summary="Take an issue by its link", response_class=HTMLResponse, responses=PAGES)
async def take(parts: InjectedParts, request: Request, token: Token) -> HTMLResponse:
    """Acknowledge the issue of the link. Repeating this has no effect."""
    korean = _is_korean(request)
    found = await _linked(parts.replies, token, korean=korean)
    if isinstance(found, HTMLResponse):
        return found
    form = parse_qs((await request.body())[:4096].decode("utf-8", "replace"))
    name = "".join(character for character in form.get("name", [""])[0] if character.isprintable())
    result = await parts.replies.take(found, name[:60])
    if result is None:
        return _notice("wrong", 404, korean=korean)
    return HTMLResponse(reply_page.question(result.issue, korean=korean), headers=reply_page.HEADERS)


@router.post(
    "/slack/interactions", summary="Take a press of a Slack button", response_class=Response, responses=problems(401)
)
async def take_slack(parts: InjectedParts, request: Request) -> Response:
    """Verify Slack's signature and do what the button says; the request address of a Slack app's interactivity."""
    try:
        await parts.replies.slack(await request.body(), request.headers)
    except ReplyRefusedError:
        raise _unsigned("signing_secret") from None
    return Response(status_code=200)


@router.post(
    "/pagerduty/webhooks/{endpoint_id}", summary="Take PagerDuty's webhook", status_code=204, responses=problems(401)
)
async def take_pagerduty(parts: InjectedParts, request: Request, endpoint_id: UUID) -> Response:
    """Verify PagerDuty's signature and acknowledge, resolve or reopen the issue as was done there."""
    try:
        await parts.replies.pagerduty(endpoint_id, await request.body(), request.headers)
    except ReplyRefusedError:
        raise _unsigned("webhook_secret") from None
    return Response(status_code=204)


async def _linked(replies: ReplyExecutor, token: str, *, korean: bool) -> LinkedIssue | HTMLResponse:
    try:
        found = await replies.linked(token)
    except LinkRefusedError as error:
        return _notice("expired", 410, korean=korean) if error.expired else _notice("wrong", 404, korean=korean)
    return found or _notice("wrong", 404, korean=korean)


def _notice(name: str, status: int, *, korean: bool) -> HTMLResponse:
    return HTMLResponse(reply_page.notice(name, korean=korean), status_code=status, headers=reply_page.HEADERS)


def _is_korean(request: Request) -> bool:
    return request.headers.get("accept-language", "").lstrip().lower().startswith("ko")


def _unsigned(credential: str) -> Problem:
    message = f"The signature does not fit: the endpoint has another `{credential}`, or none, or the request is old."
    return Problem(401, "signature_wrong", message)
