"""The resource of endpoints, for administrators: endpoints, their secrets, and their deliveries."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any, Literal
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from services.alerts.admin.administration import UnheardWaysError, UnknownTargetError
from services.alerts.admin.endpoint_form import (
    CheckedEndpoint,
    EndpointFormError,
    GivenEndpoint,
    check_change,
    check_new,
)
from services.alerts.api.access import Admin, Agent, ApiParts, InjectedParts, Reader, not_found, problems
from services.alerts.api.admin_views import (
    CreatedEndpointView,
    EndpointBody,
    EndpointKindView,
    EndpointPatchBody,
    EndpointView,
    PublicKeyView,
    ReplayBody,
    ReplayedView,
    RotatedSecretView,
    RotateSecretBody,
    TestMessageView,
    endpoint_members,
)
from services.alerts.api.cursors import cursor_of_deliveries, place_in_deliveries
from services.alerts.api.views import AttemptView, DeliveryDetailView, DeliveryPageView, DeliveryView
from services.alerts.deliver import credential_store, delivery_history, endpoint_store
from services.alerts.deliver.credential_store import CredentialNote, NoMasterKeyError
from services.alerts.deliver.delivery_history import DeliveryPageStart, DeliveryRow
from services.alerts.deliver.delivery_store import ReplayRange
from services.alerts.deliver.endpoint_store import Endpoint
from services.alerts.deliver.notifiers.registry import notifiers
from services.alerts.deliver.retry import AttemptFailure, AttemptOutcome, EndpointHealth
from services.alerts.notify.reachability import ReachabilityLoss
from services.runtime.http.fields import PlainText
from services.runtime.http.problems import FieldProblem, Problem
from services.runtime.postgres.pools import acquire

WebhookId = Annotated[PlainText, Path(max_length=200, description="The `webhook-id` that receivers see: `msg_…`.")]

Force = Annotated[bool, Query(description="Do it even if no working endpoint is left for what this one serves.")]

WARNING = "waymark-warning"
CAUGHT_HEADER: dict[str, Any] = {
    "headers": {
        "Waymark-Warning": {
            "description": "Names of the routes whose issues go to the catch-all endpoints now, percent-encoded.",
            "schema": {"type": "string"},
        }
    }
}

router = APIRouter(prefix="/v1", tags=["endpoints"], responses=problems(400, 401, 403, 413, 422, 503))


@router.get("/endpoints", summary="List endpoints")
async def list_endpoints(parts: InjectedParts, _: Admin) -> list[EndpointView]:
    """List all endpoints with their health, the oldest first."""
    async with acquire(parts.pool) as connection:
        found = await endpoint_store.list_endpoints(connection)
        notes = await credential_store.notes(connection, [endpoint.id for endpoint in found])
    return [EndpointView.of(endpoint, notes.get(endpoint.id, ())) for endpoint in found]


@router.get("/endpoint-kinds", summary="List the kinds of endpoints")
async def list_kinds(_: Reader) -> list[EndpointKindView]:
    """List every kind with the options and credentials that it takes."""
    return [EndpointKindView.of(notifier) for notifier in notifiers().values()]


@router.post("/endpoints", summary="Add an endpoint", status_code=201, responses=problems(409))
async def add_endpoint(parts: InjectedParts, caller: Admin, body: EndpointBody) -> CreatedEndpointView:
    """Add an endpoint; only this answer contains its signing secret."""
    checked = _checked(body, lambda given: check_new(body.kind, given, parts.guard))
    notifier = notifiers()[body.kind]
    now = parts.clock.now()
    endpoint = Endpoint(
        id=parts.administration.new_id(),
        team_id=body.team_id,
        name=body.name,
        kind=body.kind,
        url=checked.url or "",
        catch_all=body.catch_all,
        enabled=True,
        disabled_reason=None,
        disabled_at=None,
        max_in_flight=body.max_in_flight,
        health=EndpointHealth(),
        last_success_at=None,
        created_at=now,
        updated_at=now,
        options=checked.options or {},
        rate_per_minute=notifier.rate_per_minute if body.rate_per_minute is None else body.rate_per_minute or None,
        coalesces=notifier.coalesces,
    )
    try:
        revealed = await parts.administration.add_endpoint(
            endpoint, actor=caller.label, credentials=checked.credentials
        )
    except UnknownTargetError:
        raise _unknown_team() from None
    except NoMasterKeyError:
        raise _no_master_key() from None
    members = endpoint_members(revealed.endpoint, await _notes(parts, endpoint.id))
    return CreatedEndpointView.model_validate({**members, "secret": revealed.secret, "public_key": revealed.public_key})


@router.get("/endpoints/{endpoint_id}", summary="Read an endpoint", responses=problems(404))
async def read_endpoint(parts: InjectedParts, _: Admin, endpoint_id: UUID) -> EndpointView:
    """Read one endpoint with its health."""
    async with acquire(parts.pool) as connection:
        found = await endpoint_store.find_endpoint(connection, endpoint_id)
    if found is None:
        raise not_found("endpoint")
    return EndpointView.of(found, await _notes(parts, endpoint_id))


@router.patch(
    "/endpoints/{endpoint_id}", summary="Change an endpoint", responses={**problems(404, 409), 200: CAUGHT_HEADER}
)
async def change_endpoint(
    parts: InjectedParts,
    caller: Admin,
    response: Response,
    endpoint_id: UUID,
    body: EndpointPatchBody,
    force: Force = False,
) -> EndpointView:
    """Change the given members; `enabled: true` starts a disabled endpoint afresh and sends what waited for it.

    If no working endpoint would be left for what this one serves, the answer is 409 unless `force` is given.
    """
    async with acquire(parts.pool) as connection:
        before = await endpoint_store.find_endpoint(connection, endpoint_id)
    if before is None:
        raise not_found("endpoint")
    checked = _checked(body, lambda given: check_change(before.kind, given, parts.guard))
    given: dict[str, Any] = body.model_dump(exclude_unset=True, exclude={"credentials"})
    changes = {name: value for name, value in given.items() if value is not None or name == "team_id"}
    changes |= {"url": checked.url} if checked.url is not None else {}
    changes |= {"rate_per_minute": body.rate_per_minute or None} if body.rate_per_minute is not None else {}
    try:
        changed = await parts.administration.change_endpoint(
            endpoint_id,
            lambda endpoint: replace(endpoint, **changes),
            actor=caller.label,
            force=force,
            credentials=checked.credentials,
        )
    except UnknownTargetError:
        raise _unknown_team() from None
    except NoMasterKeyError:
        raise _no_master_key() from None
    except UnheardWaysError as error:
        raise _unheard(error) from None
    if changed is None:
        raise not_found("endpoint")
    response.headers.update(_warning(changed.loss))
    return EndpointView.of(changed.endpoint, await _notes(parts, endpoint_id))


@router.delete(
    "/endpoints/{endpoint_id}",
    summary="Delete an endpoint",
    status_code=204,
    responses={**problems(404, 409), 204: CAUGHT_HEADER},
)
async def remove_endpoint(parts: InjectedParts, caller: Admin, endpoint_id: UUID, force: Force = False) -> Response:
    """Delete an endpoint and remove it from every route; open issues that only it was to receive go to others.

    If no working endpoint would be left for what this one serves, the answer is 409 unless `force` is given.
    """
    try:
        removed = await parts.administration.remove_endpoint(endpoint_id, actor=caller.label, force=force)
    except UnheardWaysError as error:
        raise _unheard(error) from None
    if removed is None:
        raise not_found("endpoint")
    return Response(status_code=204, headers=_warning(removed.loss))


@router.post("/endpoints/{endpoint_id}/test", summary="Send a test message", responses=problems(404, 409))
async def send_test_message(parts: InjectedParts, caller: Admin, endpoint_id: UUID) -> TestMessageView:
    """Send a message of the type `endpoint.test`, signed and guarded like any other, and return its result."""
    carried = await parts.administration.send_test_message(endpoint_id, actor=caller.label)
    if carried is None:
        raise not_found("endpoint")
    sent, verdict = carried.sent, carried.verdict
    if verdict.failure in {AttemptFailure.SIGNING, AttemptFailure.UNSEALABLE}:
        message = "The master key of its secrets is not in the settings; add it, or make the secrets anew."
        raise Problem(409, "master_key_missing", message)
    return TestMessageView(
        delivered=verdict.outcome is AttemptOutcome.DELIVERED,
        reason=verdict.failure,
        refusal=sent.refusal,
        status=sent.answer.status,
        latency_ms=round(sent.seconds * 1000),
        excerpt=sent.excerpt,
    )


@router.post(
    "/endpoints/{endpoint_id}/secret/rotate", summary="Rotate the signing secret", responses=problems(404, 409)
)
async def rotate_secret(
    parts: InjectedParts, caller: Admin, endpoint_id: UUID, body: RotateSecretBody | None = None
) -> RotatedSecretView:
    """Make a new secret; the old one stays valid for a while, so that the receiver can switch."""
    overlap = timedelta(seconds=(body or RotateSecretBody(overlap_s=86_400)).overlap_s)
    revealed = await parts.administration.rotate_secret(endpoint_id, overlap, actor=caller.label)
    if revealed is None:
        raise not_found("endpoint")
    if revealed.secret is None:
        raise Problem(409, "not_signed", "Messages to this kind of endpoint are not signed, so there is no secret.")
    return RotatedSecretView(
        secret=revealed.secret, public_key=revealed.public_key, overlap_until=parts.clock.now() + overlap
    )


@router.get("/endpoints/{endpoint_id}/public-keys", summary="List the public keys", responses=problems(404))
async def list_public_keys(parts: InjectedParts, _: Reader, endpoint_id: UUID) -> list[PublicKeyView]:
    """List the keys that verify `v1a`, the newest first; two or more during a rotation, none without `asymmetric`."""
    found = await parts.administration.public_keys(endpoint_id)
    if found is None:
        raise not_found("endpoint")
    return [PublicKeyView(public_key=one.key, created_at=one.created_at, expires_at=one.expires_at) for one in found]


@router.get("/endpoints/{endpoint_id}/deliveries", summary="List what was sent to an endpoint")
async def list_deliveries(
    parts: InjectedParts,
    _: Admin,
    endpoint_id: UUID,
    state: Literal["pending", "delivered", "exhausted", "superseded"] | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> DeliveryPageView:
    """List the deliveries to an endpoint, the latest first."""
    behind = place_in_deliveries(endpoint_id, state, cursor)
    async with acquire(parts.pool) as connection:
        found = await delivery_history.deliveries_of_endpoint(connection, endpoint_id, state, behind, limit + 1)
    page = found[:limit]
    return DeliveryPageView(
        deliveries=[DeliveryView.of(row) for row in page],
        next_cursor=cursor_of_deliveries(endpoint_id, state, _place(page[-1])) if len(found) > limit else None,
    )


@router.post("/endpoints/{endpoint_id}/replay", summary="Send a range again", status_code=202, responses=problems(404))
async def replay_range(
    parts: InjectedParts, caller: Admin, endpoint_id: UUID, body: ReplayBody | None = None
) -> ReplayedView:
    """Send deliveries of a range again, the oldest first, each with its `webhook-id` and body and a new signature.

    The endpoint's rate applies. Repeat the request until `left` is 0.
    """
    given = body or ReplayBody.model_validate({})
    wanted = ReplayRange(
        endpoint_id=endpoint_id,
        states=tuple(given.states),
        since=given.since,
        until=given.until,
        issue_id=given.issue_id,
        types=tuple(given.types),
    )
    done = await parts.administration.replay_range(
        wanted, actor=caller.label, limit=0 if given.dry_run else given.limit, after_success=given.since_last_success
    )
    if done is None:
        raise not_found("endpoint")
    return ReplayedView(replayed=done.replayed, left=done.left)


@router.get("/deliveries/{delivery_id}", summary="Read a delivery", responses=problems(404))
async def read_delivery(parts: InjectedParts, _: Admin, delivery_id: WebhookId) -> DeliveryDetailView:
    """Read one delivery with its body and every attempt; the id is the `webhook-id`."""
    async with acquire(parts.pool) as connection:
        found = await delivery_history.delivery(connection, delivery_id)
    if found is None:
        raise not_found("delivery")
    row, body, attempts = found
    return DeliveryDetailView(
        **DeliveryView.of(row).model_dump(), body=body, tries=[AttemptView.of(attempt) for attempt in attempts]
    )


@router.post(
    "/deliveries/{delivery_id}/replay", summary="Send a delivery again", status_code=202, responses=problems(404, 409)
)
async def replay(parts: InjectedParts, _: Agent, delivery_id: WebhookId) -> DeliveryView:
    """Send a delivery again at once, with the same `webhook-id` and body and a new signature."""
    replayed = await parts.administration.replay(delivery_id)
    async with acquire(parts.pool) as connection:
        found = await delivery_history.delivery(connection, delivery_id)
    if found is None:
        raise not_found("delivery")
    if not replayed:
        raise Problem(409, "delivery_under_way", "It is being sent right now.")
    return DeliveryView.of(found[0])


def _place(last: DeliveryRow) -> DeliveryPageStart:
    return DeliveryPageStart(at=last.created_at, id=last.id)


async def _notes(parts: ApiParts, endpoint_id: UUID) -> Sequence[CredentialNote]:
    async with acquire(parts.pool) as connection:
        return (await credential_store.notes(connection, [endpoint_id])).get(endpoint_id, ())


def _checked(
    body: EndpointBody | EndpointPatchBody, check: Callable[[GivenEndpoint], CheckedEndpoint]
) -> CheckedEndpoint:
    credentials = {name: value.get_secret_value() for name, value in body.credentials.items()}
    try:
        return check(GivenEndpoint(url=body.url, options=body.options, credentials=credentials))
    except EndpointFormError as error:
        errors = [FieldProblem(path=one.path, code=one.code, message=one.message) for one in error.mistakes]
        raise Problem(422, error.code, error.mistakes[0].message, errors=errors) from None


def _no_master_key() -> Problem:
    message = (
        "Credentials of vendors are kept sealed, and there is no master key: set WAYMARK_ALERTS_SECRET_KEYS (or "
        "WAYMARK_ALERTS_SECRET_KEYS_FILE) to a text of 32 characters or more, start the service again, and try again."
    )
    return Problem(409, "master_key_missing", message)


def _unknown_team() -> Problem:
    message = "There is no team with this id."
    return Problem(
        422, "team_unknown", message, errors=[FieldProblem(path="team_id", code="team_unknown", message=message)]
    )


def _unheard(error: UnheardWaysError) -> Problem:
    """Return the problem that names the ways that would be unheard."""
    ways = error.loss.unheard
    routes = [way.route.name for way in ways if way.route]
    what = [f"what the route {name!r} takes" for name in routes]
    what += ["what no route takes"] if any(way.route is None for way in ways) else []
    teams = f" (teams: {', '.join(error.teams)})" if error.teams else ""
    message = (
        f"Nobody would hear any more of {'; '.join(what)}{teams}."
        " Add a living endpoint there, or one that is catch_all; or say ?force=true."
    )
    problems_ = [
        FieldProblem(path=f"routes/{way.route.id}" if way.route else "catch_all", code="unheard", message=text)
        for way, text in zip(ways, what, strict=True)
    ]
    return Problem(409, "nobody_would_hear", message, errors=problems_)


def _warning(lost: ReachabilityLoss) -> dict[str, str]:
    """Return the header that names what goes to the catch-all endpoints from now on, if anything does."""
    names = [quote(way.route.name, safe=" ") for way in lost.caught if way.route]
    return {WARNING: f"caught by the catch-all endpoints now: {', '.join(names)}"} if names else {}
