"""The request bodies and response views of teams, endpoints and routes. Reading the data is left to the resources."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

import msgspec
from pydantic import ConfigDict, Field, SecretStr, StringConstraints, model_validator

from services.alerts.api.views import Name, ResponseView, StrictRequestBody, Words, refuse_half_pairs
from services.alerts.deliver.credential_store import CredentialNote
from services.alerts.deliver.endpoint_store import Endpoint
from services.alerts.deliver.notifiers.notifier import Notifier
from services.alerts.issues.model import AlertSeverity
from services.alerts.policy.file.policy_bodies import MatcherTexts, OptionsBody
from services.alerts.policy.file.span_texts import write_duration
from services.alerts.policy.tree import Route, RouteMatch
from services.runtime.http.fields import Moment


class TeamBody(StrictRequestBody):
    """The name of a team."""

    name: Name


class TeamView(ResponseView):
    """A team with its times."""

    id: UUID
    name: str
    created_at: datetime
    updated_at: datetime


EndpointUrl = Annotated[str, StringConstraints(max_length=2048)]
Credentials = Annotated[dict[str, Annotated[SecretStr, Field(max_length=4096)]], Field(max_length=10)]


class EndpointBody(StrictRequestBody):
    """The members of a new endpoint."""

    name: Name
    kind: Annotated[str, StringConstraints(max_length=40)] = Field(
        "standard_webhook", description="One of `GET /v1/endpoint-kinds`."
    )
    url: EndpointUrl | None = Field(None, description="Needed unless the kind has an address of its own.")
    options: dict[str, Any] = Field({}, description="The options of the kind.")
    credentials: Credentials = Field({}, description="Secrets of the vendor: sealed, never shown again.")
    team_id: UUID | None = None
    catch_all: bool = Field(False, description="It receives every issue that no working endpoint of a route receives.")
    max_in_flight: int = Field(8, ge=1, le=64, description="Most webhooks in flight to it at once.")
    rate_per_minute: int | None = Field(
        None, ge=0, le=60_000, description="Most messages in a minute, all replicas together; 0: none. Default by kind."
    )


class EndpointPatchBody(StrictRequestBody):
    """The members to change; others stay. `enabled: true` starts a disabled endpoint afresh."""

    name: Name | None = None
    url: EndpointUrl | None = None
    options: dict[str, Any] | None = Field(None, description="All options anew; those left out get their defaults.")
    credentials: Credentials = Field({}, description="Those to replace.")
    team_id: UUID | None = None
    catch_all: bool | None = None
    enabled: bool | None = None
    max_in_flight: int | None = Field(None, ge=1, le=64)
    rate_per_minute: int | None = Field(None, ge=0, le=60_000, description="0: no limit.")


class CredentialView(ResponseView):
    """A secret of the vendor that is set; its value is never shown."""

    name: str
    set_at: datetime
    master_key: str = Field(description="Name of the master key that seals it; see `waymark alerts secrets`.")


class EndpointView(ResponseView):
    """An endpoint with its health; of a secret address only the host is shown."""

    id: UUID
    name: str
    kind: str
    url: str
    options: dict[str, Any]
    credentials: list[CredentialView]
    team_id: UUID | None
    catch_all: bool
    enabled: bool
    disabled_reason: str | None = Field(description="by_hand, gone (it answered 410), failing (for five days).")
    disabled_at: datetime | None
    max_in_flight: int
    rate_per_minute: int | None = Field(description="Most messages in a minute; null: no limit.")
    coalesces: bool = Field(description="Of several waiting messages about an issue only the newest is sent.")
    consecutive_failures: int
    failing_since: datetime | None
    paused_until: datetime | None
    last_success_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, endpoint: Endpoint, credentials: Sequence[CredentialNote]) -> Self:
        """Return the view of an endpoint."""
        return cls.model_validate(endpoint_members(endpoint, credentials))


def endpoint_members(endpoint: Endpoint, credentials: Sequence[CredentialNote]) -> dict[str, Any]:
    """Return the members of an endpoint that are shown."""
    notes = [{"name": note.name, "set_at": note.set_at, "master_key": note.master_key} for note in credentials]
    names = ("id", "name", "kind", "url", "team_id", "catch_all", "enabled", "disabled_reason", "disabled_at")
    more = ("max_in_flight", "rate_per_minute", "coalesces", "last_success_at", "created_at", "updated_at")
    health = ("consecutive_failures", "failing_since", "paused_until")
    shown = {name: getattr(endpoint, name) for name in (*names, *more)}
    shown |= {name: getattr(endpoint.health, name) for name in health}
    return {**shown, "options": dict(endpoint.options), "credentials": notes}


class CreatedEndpointView(EndpointView):
    """A new endpoint with its signing secret, which is shown only once."""

    secret: str | None = Field(description="`whsec_…`; receivers verify with it. Null where the kind is not signed.")
    public_key: str | None = Field(description="`whpk_…`, of the option `asymmetric`; also at `/public-keys`.")


class CredentialSpecView(ResponseView):
    """A secret of the vendor that a kind takes."""

    name: str
    description: str
    required: bool


class EndpointKindView(ResponseView):
    """One kind of endpoint and what it takes."""

    kind: str
    title: dict[str, str] = Field(description="Its name in English (`en`) and Korean (`ko`).")
    url: str = Field(description="`public`, `secret` (it holds a token and is sealed), or `default` (may be left out).")
    default_url: str | None
    options: dict[str, Any] = Field(description="JSON Schema of its options.")
    credentials: list[CredentialSpecView]
    signed: bool = Field(description="Its messages are signed by Standard Webhooks.")
    coalesces: bool = Field(description="Of several waiting messages about an issue only the newest is sent.")
    rate_per_minute: int | None = Field(description="Its usual rate.")

    @classmethod
    def of(cls, notifier: Notifier) -> Self:
        """Return the view of a kind."""
        return cls(
            kind=notifier.kind,
            title={"en": notifier.title_en, "ko": notifier.title_ko},
            url=notifier.address,
            default_url=notifier.default_url or None,
            options=msgspec.json.schema(notifier.options)["$defs"][notifier.options.__name__],
            credentials=[
                CredentialSpecView(name=spec.name, description=spec.description, required=spec.required)
                for spec in notifier.credentials
            ],
            signed=notifier.signed,
            coalesces=notifier.coalesces,
            rate_per_minute=notifier.rate_per_minute,
        )


class ReplayBody(StrictRequestBody):
    """Which deliveries of an endpoint to send again; by default all that were given up."""

    states: list[Literal["exhausted", "superseded", "delivered"]] = Field(["exhausted"], min_length=1)
    since: Moment | None = Field(None, description="Made at this time or later.")
    until: Moment | None = Field(None, description="Made before this time.")
    since_last_success: bool = Field(False, description="Made after the endpoint last took a message.")
    issue_id: UUID | None = None
    types: Words = Field([], description="`issue.opened` …; empty: all.")
    limit: int = Field(1000, ge=1, le=10_000)
    dry_run: bool = Field(False, description="Only count.")


class ReplayedView(ResponseView):
    """How many deliveries are due again, and how many more are in the range."""

    replayed: int
    left: int


class RotateSecretBody(StrictRequestBody):
    """How long the old secret stays valid after the rotation."""

    overlap_s: int = Field(86_400, ge=0, le=7 * 86_400)


class PublicKeyView(ResponseView):
    """A public key that verifies signatures by `v1a`."""

    public_key: str = Field(description="`whpk_…`")
    created_at: datetime
    expires_at: datetime | None


class RotatedSecretView(ResponseView):
    """The new secret, which is shown only once."""

    secret: str
    public_key: str | None
    overlap_until: datetime


class TestMessageView(ResponseView):
    """The result of a test message; `excerpt` is the receiver's own text, do not trust it."""

    delivered: bool
    reason: str = Field(description="none, or why it was not delivered: dns, connect, tls, timeout, ssrf, http_5xx …")
    refusal: str | None = Field(None, description="Which rule of the target guard refused it.")
    status: int | None
    latency_ms: int
    excerpt: str


class MatchersBody(StrictRequestBody):
    """The criteria of a route; an empty list matches everything."""

    rules: Words = Field([], description="Rule ids; `*` stands for anything: `repeat_contact_*`.")
    min_severity: AlertSeverity = AlertSeverity.LOW
    service_levels: Words = Field([])
    channels: Words = Field([])
    reasons: Words = Field([])
    labels: MatcherTexts = Field([], description='Matchers of labels, like `reason=~"pay.*"`.')


class _OptionsToKeep(OptionsBody):
    """Options that come over HTTP, where a text may be one that no database keeps."""

    @model_validator(mode="before")
    @classmethod
    def _can_be_kept(cls, given: object) -> object:
        return refuse_half_pairs(given)


class RouteBody(_OptionsToKeep):
    """A route: what it matches, who is notified, and when; `routes` stand below it (docs/alert-policy.md)."""

    name: Name
    matchers: MatchersBody = MatchersBody()
    endpoints: list[UUID] = Field([], max_length=100)
    teams: list[UUID] = Field([], max_length=100, description="Every endpoint of these teams.")
    continues: bool = Field(False, alias="continue", description="A match does not end the search.")
    enabled: bool = True
    tells_nobody: bool = Field(
        False, description="Its issues are only shown. Otherwise catch-all endpoints stand in if none works."
    )
    active_time_intervals: list[Name] = Field([], max_length=50, description="Names of hours; outside it holds.")
    mute_time_intervals: list[Name] = Field([], max_length=50)
    routes: list["RouteBody"] = Field([], max_length=200)

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class NewRouteBody(RouteBody):
    """A new route; without a position it is the last one."""

    position: int | None = Field(None, ge=0, description="0 is evaluated first.")


class RoutePatchBody(_OptionsToKeep):
    """The members to change; others stay. `position` moves the route."""

    name: Name | None = None
    matchers: MatchersBody | None = None
    endpoints: list[UUID] | None = Field(None, max_length=100)
    teams: list[UUID] | None = Field(None, max_length=100)
    continues: bool | None = Field(None, alias="continue")
    enabled: bool | None = None
    tells_nobody: bool | None = None
    active_time_intervals: list[Name] | None = Field(None, max_length=50)
    mute_time_intervals: list[Name] | None = Field(None, max_length=50)
    routes: list[RouteBody] | None = Field(None, max_length=200)
    position: int | None = Field(None, ge=0)

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class RouteView(RouteBody):
    """A route with its position."""

    id: UUID
    position: int

    @classmethod
    def of(cls, route: Route, position: int) -> Self:
        """Return the view of a route."""
        return cls(id=route.id, position=position, **_route_members(route))


def _route_members(route: Route) -> dict[str, Any]:
    """Return the members of a route that are shown."""
    options = route.options
    repeats = options.repeat_interval
    return {
        "name": route.name,
        "matchers": MatchersBody(
            rules=list(route.rules),
            min_severity=route.min_severity,
            service_levels=list(route.service_levels),
            channels=list(route.channels),
            reasons=list(route.reasons),
            labels=[str(matcher) for matcher in route.matchers],
        ),
        "endpoints": list(route.endpoints),
        "teams": list(route.teams),
        "continues": route.continues,
        "enabled": route.enabled,
        "tells_nobody": route.tells_nobody,
        "group_by": None if options.group_by is None else list(options.group_by),
        "group_wait": None if options.group_wait is None else write_duration(options.group_wait),
        "group_interval": None if options.group_interval is None else write_duration(options.group_interval),
        "repeat_interval": None if repeats is None else [write_duration(pause) for pause in repeats],
        "escalation": options.escalation,
        "critical_waits": options.critical_waits,
        "active_time_intervals": list(options.active_time_intervals),
        "mute_time_intervals": list(options.mute_time_intervals),
        "routes": [RouteBody(**_route_members(child)) for child in route.routes],
    }


class RouteListView(ResponseView):
    """The routes in the order in which they are evaluated."""

    routes: list[RouteView]
    version: int | None = Field(
        description="Raised by every change; a notification names the version that it followed."
    )


class RouteTestBody(StrictRequestBody):
    """An existing issue, or the facts of a possible one."""

    issue_id: UUID | None = None
    rules: Words = Field([])
    severity: AlertSeverity = AlertSeverity.MEDIUM
    service_level: Annotated[str, StringConstraints(max_length=200)] | None = None
    channel: Annotated[str, StringConstraints(max_length=200)] | None = None
    reason: Annotated[str, StringConstraints(max_length=200)] | None = None


class RouteCheckView(ResponseView):
    """A route and whether it matched."""

    route_id: UUID
    name: str
    match: RouteMatch


class RouteTestView(ResponseView):
    """Who would be notified, and why."""

    endpoints: list[UUID]
    team: str | None
    caught: bool = Field(description="No endpoint of a route works: the catch-all endpoints are among these.")
    muted: bool = Field(description="Only routes that notify nobody match.")
    heard: bool = Field(description="One of these endpoints works: it is not disabled, and it answers.")
    path: list[RouteCheckView]
