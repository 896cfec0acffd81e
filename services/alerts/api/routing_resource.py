"""The resources of teams and routes, for administrators, and a test of the routes that sends nothing."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from fastapi import APIRouter, Response

from services.alerts.admin import team_store
from services.alerts.admin.administration import ContradictoryRouteError, RouteEdit, RouteList, UnknownTargetError
from services.alerts.api.access import Admin, ApiParts, InjectedParts, not_found, problems
from services.alerts.api.admin_views import (
    NewRouteBody,
    RouteBody,
    RouteCheckView,
    RouteListView,
    RoutePatchBody,
    RouteTestBody,
    RouteTestView,
    RouteView,
    TeamBody,
    TeamView,
)
from services.alerts.inbox import issue_details
from services.alerts.notify import directory_store
from services.alerts.notify.routing import evaluate_routes
from services.alerts.policy.file.policy_bodies import matchers_of
from services.alerts.policy.file.policy_compiler import named_id, options_of
from services.alerts.policy.tree import Route, RouteOptions, RoutingFacts, routing_facts
from services.runtime.http.problems import Problem
from services.runtime.postgres.pools import acquire

router = APIRouter(prefix="/v1", responses=problems(400, 401, 403, 413, 422, 503))


@router.get("/teams", summary="List teams", tags=["teams"])
async def list_teams(parts: InjectedParts, _: Admin) -> list[TeamView]:
    """List all teams, ordered by name."""
    async with acquire(parts.pool) as connection:
        found = await team_store.list_teams(connection)
    return [TeamView.model_validate(team, from_attributes=True) for team in found]


@router.post("/teams", summary="Add a team", tags=["teams"], status_code=201, responses=problems(409))
async def add_team(parts: InjectedParts, _: Admin, body: TeamBody) -> TeamView:
    """Add a team: a name for the people behind some endpoints."""
    team = await parts.administration.add_team(body.name)
    if team is None:
        raise _team_exists()
    return TeamView.model_validate(team, from_attributes=True)


@router.patch("/teams/{team_id}", summary="Rename a team", tags=["teams"], responses=problems(404, 409))
async def rename_team(parts: InjectedParts, _: Admin, team_id: UUID, body: TeamBody) -> TeamView:
    """Rename a team; issues that were routed to it keep the old name."""
    try:
        team = await parts.administration.rename_team(team_id, body.name)
    except team_store.NameTakenError:
        raise _team_exists() from None
    if team is None:
        raise not_found("team")
    return TeamView.model_validate(team, from_attributes=True)


@router.delete("/teams/{team_id}", summary="Delete a team", tags=["teams"], status_code=204, responses=problems(409))
async def remove_team(parts: InjectedParts, _: Admin, team_id: UUID) -> Response:
    """Delete a team that no endpoint, no route and no rule of ownership names."""
    if not await parts.administration.remove_team(team_id):
        raise Problem(
            409,
            "team_in_use",
            "There is no such team, or an endpoint, a route or `owners` of the policy still name it.",
        )
    return Response(status_code=204)


@router.get("/routes", summary="List routes", tags=["routes"])
async def list_routes(parts: InjectedParts, _: Admin) -> RouteListView:
    """List the routes in the order in which they are evaluated."""
    async with acquire(parts.pool) as connection:
        directory = await directory_store.load_directory(connection)
    return _shown(RouteList(routes=directory.routes, version=directory.version))


@router.post("/routes", summary="Add a route", tags=["routes"], status_code=201)
async def add_route(parts: InjectedParts, caller: Admin, body: NewRouteBody) -> RouteView:
    """Add a route, as the last one unless a position is given."""
    fresh = _route(parts.administration.new_id(), body)
    changed = await _edit(parts, lambda routes: _placed(routes, fresh, body.position), caller.label, "route added")
    return _one(changed, fresh.id)


@router.patch("/routes/{route_id}", summary="Change a route", tags=["routes"], responses=problems(404))
async def change_route(parts: InjectedParts, caller: Admin, route_id: UUID, body: RoutePatchBody) -> RouteView:
    """Change the given members; `position` moves the route."""

    def edit(routes: list[Route]) -> list[Route] | None:
        at = next((index for index, candidate in enumerate(routes) if candidate.id == route_id), None)
        if at is None:
            return None
        changed = _patched(routes[at], body)
        rest = [*routes[:at], *routes[at + 1 :]]
        return _placed(rest, changed, at if body.position is None else body.position)

    return _one(await _edit(parts, edit, caller.label, "route changed"), route_id)


@router.delete(
    "/routes/{route_id}", summary="Delete a route", tags=["routes"], status_code=204, responses=problems(404)
)
async def remove_route(parts: InjectedParts, caller: Admin, route_id: UUID) -> Response:
    """Delete a route; the issues that it matched go on to the routes behind it."""

    def edit(routes: list[Route]) -> list[Route] | None:
        left = [candidate for candidate in routes if candidate.id != route_id]
        return left if len(left) < len(routes) else None

    await _edit(parts, edit, caller.label, "route deleted")
    return Response(status_code=204)


@router.post("/routes/test", summary="Test who would be notified of an issue", tags=["routes"], responses=problems(404))
async def try_routes(parts: InjectedParts, _: Admin, body: RouteTestBody) -> RouteTestView:
    """Say which routes match, which do not, and why; nothing is sent."""
    about = RoutingFacts(
        rules=tuple(body.rules),
        severity=body.severity,
        service_level=body.service_level,
        channel=body.channel,
        reason=body.reason,
    )
    async with acquire(parts.pool) as connection:
        directory = await directory_store.load_directory(connection)
        if body.issue_id is not None:
            issue = await issue_details.issue(connection, body.issue_id)
            if issue is None:
                raise not_found("issue")
            about = routing_facts(issue)
    routing = evaluate_routes(about, directory, now=parts.clock.now())
    path = [RouteCheckView(route_id=check.route.id, name=check.route.name, match=check.match) for check in routing.path]
    return RouteTestView(
        endpoints=list(routing.endpoints),
        team=routing.team,
        caught=routing.caught,
        muted=routing.muted,
        heard=routing.heard,
        path=path,
    )


def _team_exists() -> Problem:
    return Problem(409, "team_exists", "There is a team of this name already.")


async def _edit(parts: ApiParts, edit: RouteEdit, actor: str, change: str) -> RouteList:
    try:
        changed = await parts.administration.edit_routes(edit, actor=actor, change=change)
    except UnknownTargetError:
        raise Problem(422, "target_unknown", "A route names an endpoint or a team that does not exist.") from None
    except ContradictoryRouteError as error:
        message = f"The route {error} tells nobody, and yet names endpoints or teams; leave out one or the other."
        raise Problem(422, "route_contradicts_itself", message) from None
    if changed is None:
        raise not_found("route")
    return changed


def _placed(routes: Sequence[Route], fresh: Route, position: int | None) -> list[Route]:
    at = len(routes) if position is None else min(position, len(routes))
    return [*routes[:at], fresh, *routes[at:]]


def _route(route_id: UUID, body: RouteBody) -> Route:
    """Return the route of a body; those below it get ids that last while their names do."""
    return Route(
        id=route_id,
        matchers=matchers_of(body.matchers.labels),
        options=options_of(body, active=tuple(body.active_time_intervals), mute=tuple(body.mute_time_intervals)),
        routes=tuple(_route(named_id("route", f"{route_id}\x1f{child.name}"), child) for child in body.routes),
        name=body.name,
        rules=tuple(body.matchers.rules),
        min_severity=body.matchers.min_severity,
        service_levels=tuple(body.matchers.service_levels),
        channels=tuple(body.matchers.channels),
        reasons=tuple(body.matchers.reasons),
        endpoints=tuple(body.endpoints),
        teams=tuple(body.teams),
        continues=body.continues,
        enabled=body.enabled,
        tells_nobody=body.tells_nobody,
    )


def _patched(before: Route, body: RoutePatchBody) -> Route:
    after = before
    if body.matchers is not None:
        words = body.matchers
        after = replace(
            after,
            rules=tuple(words.rules),
            min_severity=words.min_severity,
            service_levels=tuple(words.service_levels),
            channels=tuple(words.channels),
            reasons=tuple(words.reasons),
            matchers=matchers_of(words.labels),
        )
    return replace(
        after,
        options=_patched_options(before.options, body),
        routes=before.routes
        if body.routes is None
        else tuple(_route(named_id("route", f"{before.id}\x1f{child.name}"), child) for child in body.routes),
        name=before.name if body.name is None else body.name,
        endpoints=before.endpoints if body.endpoints is None else tuple(body.endpoints),
        teams=before.teams if body.teams is None else tuple(body.teams),
        continues=before.continues if body.continues is None else body.continues,
        enabled=before.enabled if body.enabled is None else body.enabled,
        tells_nobody=before.tells_nobody if body.tells_nobody is None else body.tells_nobody,
    )


def _patched_options(before: RouteOptions, body: RoutePatchBody) -> RouteOptions:
    """Return the options with the members that the body gives, null ones too: those are inherited again."""
    active, mute = body.active_time_intervals, body.mute_time_intervals
    given = options_of(body, active=tuple(active or ()), mute=tuple(mute or ()))
    named = {name for name in RouteOptions.__dataclass_fields__ if name in body.model_fields_set}
    return replace(before, **{name: getattr(given, name) for name in named})


def _shown(listed: RouteList) -> RouteListView:
    views = [RouteView.of(found, position) for position, found in enumerate(listed.routes)]
    return RouteListView(routes=views, version=listed.version)


def _one(listed: RouteList, route_id: UUID) -> RouteView:
    return next(view for view in _shown(listed).routes if view.id == route_id)
