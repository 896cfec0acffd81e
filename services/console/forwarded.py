"""What is forwarded: a closed list of methods and paths of each API. Everything else does not exist here.

The pages need these, and no more. Keys, endpoints and their secrets are administered by the command; a page shows
endpoints to who may see them, and sends a test.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from services.console.roles import Right


class ApiName(StrEnum):
    """The APIs behind the console; the first part of a forwarded path."""

    INGEST = "ingest"
    JOURNEY = "journey"
    ALERTS = "alerts"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardedRoute:
    """One method of one path; `{names}` in it are single segments. A stream's answer is passed on as it comes."""

    api: ApiName
    method: str
    path: str
    streams: bool = False


_READ = {
    ApiName.ALERTS: (
        "/readyz",
        "/v1/caller",
        "/v1/issues",
        "/v1/issues/summary",
        "/v1/issues/attainment",
        "/v1/issues/{issue}",
        "/v1/issues/{issue}/explain",
        "/v1/issues/{issue}/feedback",
        "/v1/feedback",
        "/v1/outbreaks",
        "/v1/hearing",
        "/v1/endpoints",
        "/v1/silences",
        "/v1/impact",
        "/v1/improvements",
        "/v1/recontacts",
        "/v1/watches",
    ),
    ApiName.JOURNEY: (
        "/readyz",
        "/v1/customers/{customer}",
        "/v1/customers/{customer}/timeline",
        "/v1/customers/{customer}/contacts",
        "/v1/customers/{customer}/why",
        "/v1/journeys",
        "/v1/journeys/{journey}",
        "/v1/accounts/{account}/journeys",
        "/v1/paths",
        "/v1/paths/customers",
        "/v1/heat",
        "/v1/segments",
        "/v1/funnels",
        "/v1/funnels/{definition}",
        "/v1/funnels/{definition}/customers",
        "/v1/pipeline",
        "/v1/touchpoints/{source}/{touchpoint}",
        "/v1/rules",
        "/v1/rules/file",
        "/v1/rules/history",
        "/v1/rules/shadow",
        "/v1/rules/{rule}",
        "/v1/identity/why",
        "/v1/identity/words",
    ),
    ApiName.INGEST: ("/readyz", "/v1/inspector"),
}
_STREAMS = {
    ApiName.ALERTS: ("/v1/stream",),
    ApiName.JOURNEY: ("/v1/stream", "/v1/customers/{customer}/stream"),
    ApiName.INGEST: ("/v1/inspector/stream",),
}
_DONE = {
    ApiName.ALERTS: (
        *(
            f"/v1/issues/{{issue}}/{action}"
            for action in ("acknowledge", "assign", "resolve", "reopen", "snooze", "note", "outcome", "feedback")
        ),
        "/v1/improvements",
        "/v1/improvements/{improvement}/decide",
        "/v1/improvements/{improvement}/done",
        "/v1/endpoints/{endpoint}/test",
    ),
    ApiName.JOURNEY: (
        "/v1/identity/simulate",
        "/v1/identity/merge",
        "/v1/identity/separate",
        "/v1/identity/unmerge",
        "/v1/rules/check",
        "/v1/rules/apply",
        "/v1/rules/shadow",
        "/v1/rules/shadow/apply",
        "/v1/rules/shadow/end",
    ),
}
_TOLD_AS_IT_GOES = {ApiName.JOURNEY: ("/v1/rules/backtest",)}


_RIGHTS: Mapping[ApiName, Mapping[tuple[str, str], Right]] = {
    ApiName.ALERTS: {
        ("GET", "/"): Right.LOOK,
        ("GET", "/v1/hearing"): Right.HEALTH,
        ("GET", "/v1/endpoints"): Right.OPERATE,
        ("GET", "/v1/silences"): Right.HEALTH,
        ("GET", "/v1/impact"): Right.ANALYSE,
        ("GET", "/v1/improvements"): Right.ANALYSE,
        ("GET", "/v1/recontacts"): Right.ANALYSE,
        ("GET", "/v1/watches"): Right.ANALYSE,
        ("POST", "/v1/issues"): Right.ACT,
        ("POST", "/v1/improvements"): Right.PROPOSE,
        ("POST", "/v1/improvements/{improvement}/decide"): Right.DECIDE,
        ("POST", "/v1/endpoints"): Right.OPERATE,
    },
    ApiName.JOURNEY: {
        ("GET", "/"): Right.LOOK,
        ("GET", "/v1/paths"): Right.ANALYSE,
        ("GET", "/v1/segments"): Right.ANALYSE,
        ("GET", "/v1/funnels"): Right.ANALYSE,
        ("GET", "/v1/heat"): Right.ANALYSE,
        ("GET", "/v1/pipeline"): Right.HEALTH,
        ("GET", "/v1/rules"): Right.ANALYSE,
        ("POST", "/v1/rules"): Right.RULE,
        ("POST", "/v1/rules/check"): Right.ANALYSE,
        ("POST", "/v1/identity"): Right.MERGE,
    },
    ApiName.INGEST: {("GET", "/"): Right.INSPECT, ("GET", "/readyz"): Right.HEALTH},
}
"""The right that a method of a path needs, by the longest beginning; a route that none fits is refused at the start."""


def right_for(route: ForwardedRoute) -> Right:
    """Return the right that a request by this route needs.

    Raises:
        LookupError: nobody said which.
    """
    fitting = [
        (len(start), right)
        for (method, start), right in _RIGHTS[route.api].items()
        if method == route.method and f"{route.path}/".startswith(start.rstrip("/") + "/")
    ]
    if not fitting:
        msg = f"no right is named for {route.method} {route.api}{route.path}"
        raise LookupError(msg)
    return max(fitting)[1]


def forwarded_routes() -> Iterator[ForwardedRoute]:
    """Yield the whole list."""
    for api, paths in _READ.items():
        yield from (ForwardedRoute(api=api, method="GET", path=path) for path in paths)
    for api, paths in _STREAMS.items():
        yield from (ForwardedRoute(api=api, method="GET", path=path, streams=True) for path in paths)
    for api, paths in _DONE.items():
        yield from (ForwardedRoute(api=api, method="POST", path=path) for path in paths)
    for api, paths in _TOLD_AS_IT_GOES.items():
        yield from (ForwardedRoute(api=api, method="POST", path=path, streams=True) for path in paths)
