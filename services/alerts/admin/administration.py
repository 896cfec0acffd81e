"""Changes teams, endpoints with their secrets, and routes; each change is one transaction with its audit.

HTTP is left to `api`, and the decision which addresses are allowed to `target_guard`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from services.alerts.admin import team_store
from services.alerts.admin.team_store import Team
from services.alerts.deliver import carrier, credential_store, delivery_store, endpoint_store
from services.alerts.deliver.carrier import CarriedMessage, DeliveryAddress, MessageCarrier
from services.alerts.deliver.delivery_store import ReplayRange
from services.alerts.deliver.endpoint_store import Endpoint
from services.alerts.deliver.notifiers.registry import notifiers
from services.alerts.deliver.operational_messages import render_test_message
from services.alerts.deliver.retry import EndpointHealth
from services.alerts.deliver.webhook import secret_store
from services.alerts.deliver.webhook.signing import MATERIAL_BYTES, MOST_OLD_SECRETS, WebhookSigner
from services.alerts.hold import wait_store
from services.alerts.notify import directory_store
from services.alerts.notify.reachability import ReachabilityLoss, reachability_loss
from services.alerts.notify.routing import RoutedEndpoint, RoutingDirectory
from services.alerts.policy.tree import Route, all_routes
from services.runtime.clock import Clock
from services.runtime.credentials.sealing import SecretSealer
from services.runtime.postgres.pools import Connection, Pool, transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class RevealedSecret:
    """An endpoint with its new secret, which is shown only once; None for kinds that are not signed."""

    endpoint: Endpoint
    secret: str | None
    public_key: str | None = None
    """The public key of `v1a`; None unless the endpoint wants it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A public key that signs (`v1a`); `expires_at` is the end of a rotation's overlap."""

    key: str
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedRange:
    """How many deliveries are due again, and how many of the range are left as they are."""

    replayed: int
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteList:
    """All routes in their order, and the version of the list."""

    routes: tuple[Route, ...]
    version: int | None


class UnknownTargetError(Exception):
    """A route names an endpoint or a team that does not exist, or an endpoint names such a team."""


class ContradictoryRouteError(Exception):
    """A route that notifies nobody names endpoints or teams; the message is the name of the route."""


class UnheardWaysError(Exception):
    """The change would leave ways unheard: these ways (`loss`) and the names of their teams."""

    def __init__(self, loss: ReachabilityLoss, teams: tuple[str, ...]) -> None:
        super().__init__(f"{len(loss.unheard)} ways unheard")
        self.loss = loss
        self.teams = teams


NOTHING_LOST = ReachabilityLoss(unheard=(), caught=())


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointChange:
    """An endpoint after a change, and the ways that lost their last working endpoint by it."""

    endpoint: Endpoint
    loss: ReachabilityLoss


RouteEdit = Callable[[list[Route]], list[Route] | None]
"""Makes a new list of routes from the present one; None if the route to change is not in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Administration:
    """Carries out the changes of administrators; `random_bytes` makes the material of secrets."""

    pool: Pool
    clock: Clock
    signer: WebhookSigner
    carrier: MessageCarrier
    seal: SecretSealer
    new_id: Callable[[], UUID]
    random_bytes: Callable[[int], bytes]

    async def add_endpoint(
        self, endpoint: Endpoint, *, actor: str, credentials: Mapping[str, str] | None = None
    ) -> RevealedSecret:
        """Write a new endpoint with its first secret and the vendor's credentials.

        Raises:
            UnknownTargetError: its team does not exist.
            credential_store.NoMasterKeyError: there are credentials and nothing to seal them with.
        """
        now = self.clock.now()
        async with transaction(self.pool) as connection:
            await self._check_targets(connection, (), [endpoint.team_id] if endpoint.team_id else [])
            await endpoint_store.save_endpoint(connection, endpoint)
            self._check_signing(endpoint)
            made = RevealedSecret(endpoint=endpoint, secret=None)
            if _is_signed(endpoint):
                made = await self._new_secret(connection, endpoint, now, overlap=timedelta())
            await self._seal_credentials(connection, endpoint.id, credentials or {}, now)
            await endpoint_store.add_event(connection, endpoint.id, "created", actor=actor, now=now, detail={})
        return made

    async def change_endpoint(
        self,
        endpoint_id: UUID,
        change: Callable[[Endpoint], Endpoint],
        *,
        actor: str,
        force: bool = False,
        credentials: Mapping[str, str] | None = None,
    ) -> EndpointChange | None:
        """Change an endpoint; a new address, new credentials or enabling it again resets its health.

        Raises:
            UnknownTargetError: its new team does not exist.
            UnheardWaysError: a way would be unheard, and `force` is not set.
            credential_store.NoMasterKeyError: there are credentials and nothing to seal them with.
        """
        now = self.clock.now()
        async with transaction(self.pool) as connection:
            before = await endpoint_store.find_endpoint(connection, endpoint_id)
            if before is None:
                return None
            after = _with_reset_health(before, replace(change(before), updated_at=now), now)
            self._check_signing(after)
            await self._check_targets(connection, (), [after.team_id] if after.team_id else [])
            lost = NOTHING_LOST
            if set(_differences(before, after)) & {"enabled", "catch_all", "team_id"}:
                lost = await self._loss(connection, endpoint_id, after, force=force)
            if credentials:
                await self._seal_credentials(connection, endpoint_id, credentials, now)
                after = replace(after, health=EndpointHealth())
            await endpoint_store.save_endpoint(connection, after)
            changed = [*_differences(before, after), *(f"credentials.{name}" for name in credentials or {})]
            await endpoint_store.add_event(
                connection, endpoint_id, "changed", actor=actor, now=now, detail={"members": changed}
            )
            await delivery_store.wake(connection)
        return EndpointChange(endpoint=after, loss=lost)

    async def remove_endpoint(self, endpoint_id: UUID, *, actor: str, force: bool = False) -> EndpointChange | None:
        """Delete an endpoint and remove it from every route; return None if there is none.

        Raises:
            UnheardWaysError: a way would be unheard, and `force` is not set.
        """
        now = self.clock.now()
        async with transaction(self.pool) as connection:
            found = await endpoint_store.find_endpoint(connection, endpoint_id)
            if found is None:
                return None
            lost = await self._loss(connection, endpoint_id, None, force=force)
            await endpoint_store.remove_endpoint(connection, endpoint_id, now)
            await endpoint_store.add_event(connection, endpoint_id, "deleted", actor=actor, now=now, detail={})
            routes = await directory_store.list_routes(connection)
            if any(endpoint_id in route.endpoints for route in all_routes(routes)):
                left = [_without_endpoint(route, endpoint_id) for route in routes]
                await directory_store.replace_routes(connection, left, actor=actor, change="endpoint deleted", now=now)
        return EndpointChange(endpoint=found, loss=lost)

    async def _loss(
        self, connection: Connection, endpoint_id: UUID, after: Endpoint | None, *, force: bool
    ) -> ReachabilityLoss:
        # administrators take turns: two of them could each count on the endpoint that the other removes
        await directory_store.lock_routes(connection)
        directory = await directory_store.load_directory(connection)
        lost = reachability_loss(directory, endpoint_id, _routed(after) if after else None, now=self.clock.now())
        if lost.unheard and not force:
            raise UnheardWaysError(lost, _teams_of(lost, directory))
        return lost

    async def rotate_secret(self, endpoint_id: UUID, overlap: timedelta, *, actor: str) -> RevealedSecret | None:
        """Give an endpoint a new secret; the old one stays valid for `overlap`."""
        now = self.clock.now()
        async with transaction(self.pool) as connection:
            endpoint = await endpoint_store.find_endpoint(connection, endpoint_id)
            if endpoint is None:
                return None
            if not _is_signed(endpoint):
                return RevealedSecret(endpoint=endpoint, secret=None)
            made = await self._new_secret(connection, endpoint, now, overlap=overlap)
            detail = {"overlap_s": int(overlap.total_seconds())}
            await endpoint_store.add_event(
                connection, endpoint_id, "secret_rotated", actor=actor, now=now, detail=detail
            )
        return made

    async def _seal_credentials(
        self, connection: Connection, endpoint_id: UUID, credentials: Mapping[str, str], now: datetime
    ) -> None:
        await credential_store.put(
            connection, endpoint_id, credentials, seal=self.seal, random_bytes=self.random_bytes, now=now
        )

    async def send_test_message(self, endpoint_id: UUID, *, actor: str) -> CarriedMessage | None:
        """Send a test message like any other message: by the same notifier, signer, guard and limits."""
        now = self.clock.now()
        async with transaction(self.pool) as connection:
            endpoint = await endpoint_store.find_endpoint(connection, endpoint_id)
            if endpoint is None:
                return None
            address = DeliveryAddress(endpoint_id=endpoint.id, kind=endpoint.kind, url=endpoint.url, issue_id=None)
            found = await carrier.provisions(connection, [address], now)
            await endpoint_store.add_event(connection, endpoint_id, "tested", actor=actor, now=now, detail={})
        body = render_test_message(now, endpoint.name)
        return await self.carrier.carry(delivery_store.delivery_id(self.new_id()), body, found[address])

    async def replay(self, webhook_id: str) -> bool:
        """Send a delivery again under its old id; return false if there is none or it is in flight."""
        async with transaction(self.pool) as connection:
            found = await delivery_store.replay(connection, webhook_id, self.clock.now())
            await delivery_store.wake(connection)
        return found

    async def replay_range(
        self, wanted: ReplayRange, *, actor: str, limit: int, after_success: bool
    ) -> ReplayedRange | None:
        """Send deliveries of a range again; with `after_success`, those made after the endpoint last took a message.

        A `limit` of 0 only counts. Return None if there is no endpoint.
        """
        now = self.clock.now()
        async with transaction(self.pool) as connection:
            endpoint = await endpoint_store.find_endpoint(connection, wanted.endpoint_id)
            if endpoint is None:
                return None
            if after_success and endpoint.last_success_at is not None:
                since = max(endpoint.last_success_at, wanted.since or endpoint.last_success_at)
                wanted = replace(wanted, since=since)
            replayed = await delivery_store.replay_range(connection, wanted, now, limit) if limit else 0
            left = await delivery_store.count_range(connection, wanted)
            if replayed:
                await endpoint_store.add_event(
                    connection, endpoint.id, "replayed", actor=actor, now=now, detail={"deliveries": replayed}
                )
                await delivery_store.wake(connection)
        return ReplayedRange(replayed=replayed, left=left)

    async def add_team(self, name: str) -> Team | None:
        """Add a team; return None if another team has the name."""
        now = self.clock.now()
        team = Team(id=self.new_id(), name=name, created_at=now, updated_at=now)
        async with transaction(self.pool) as connection:
            return team if await team_store.add_team(connection, team) else None

    async def rename_team(self, team_id: UUID, name: str) -> Team | None:
        """Rename a team; return None if there is no such team.

        Raises:
            team_store.NameTakenError: another team has it.
        """
        async with transaction(self.pool) as connection:
            return await team_store.rename_team(connection, team_id, name, self.clock.now())

    async def remove_team(self, team_id: UUID) -> bool:
        """Delete a team that no endpoint, no route and no rule of ownership names."""
        async with transaction(self.pool) as connection:
            return await team_store.remove_team(connection, team_id)

    async def edit_routes(self, edit: RouteEdit, *, actor: str, change: str) -> RouteList | None:
        """Change the list of routes as a whole; the result is a new version.

        Raises:
            UnknownTargetError: a route names an endpoint or a team that does not exist.
            ContradictoryRouteError: a route that notifies nobody names endpoints or teams.
        """
        async with transaction(self.pool) as connection:
            await directory_store.lock_policy(connection)
            edited = edit(await directory_store.lock_routes(connection))
            if edited is None:
                return None
            await self._check_targets(
                connection,
                [endpoint for route in all_routes(edited) for endpoint in route.endpoints],
                [team for route in all_routes(edited) for team in route.teams],
            )
            for route in all_routes(edited):
                if route.tells_nobody and (route.endpoints or route.teams):
                    raise ContradictoryRouteError(route.name)
            version = await directory_store.replace_routes(
                connection, edited, actor=actor, change=change, now=self.clock.now()
            )
            await wait_store.release_all(connection, self.clock.now())
            await wait_store.wake(connection)
        return RouteList(routes=tuple(edited), version=version)

    def _check_signing(self, endpoint: Endpoint) -> None:
        """Refuse public-key signatures where there is no master key to derive the private key from."""
        if endpoint.options.get("asymmetric") and not self.signer.protected:
            raise credential_store.NoMasterKeyError

    async def public_keys(self, endpoint_id: UUID) -> list[PublicKey] | None:
        """Return the public keys of an endpoint that sign now, the newest first; None if there is no endpoint."""
        async with transaction(self.pool) as connection:
            if await endpoint_store.find_endpoint(connection, endpoint_id) is None:
                return None
            stored = await secret_store.of_endpoint(connection, endpoint_id, self.clock.now())
        keys = [(self.signer.public_key(one), one) for one in stored if one.asymmetric]
        return [PublicKey(key=key, created_at=one.created_at, expires_at=one.expires_at) for key, one in keys if key]

    async def _new_secret(
        self, connection: Connection, endpoint: Endpoint, now: datetime, *, overlap: timedelta
    ) -> RevealedSecret:
        fresh = self.signer.new_secret(
            secret_id=self.new_id(), endpoint_id=endpoint.id, material=self.random_bytes(MATERIAL_BYTES), now=now
        )
        await secret_store.rotate(connection, fresh, overlap_until=now + overlap, most_old=MOST_OLD_SECRETS)
        public = self.signer.public_key(fresh) if endpoint.options.get("asymmetric") else None
        return RevealedSecret(endpoint=endpoint, secret=self.signer.reveal(fresh), public_key=public)

    async def _check_targets(self, connection: Connection, endpoints: Sequence[UUID], teams: Sequence[UUID]) -> None:
        directory = await directory_store.load_directory(connection)
        if set(endpoints) - directory.endpoints.keys() or set(teams) - directory.teams.keys():
            raise UnknownTargetError


def _without_endpoint(route: Route, endpoint_id: UUID) -> Route:
    """Return a route and those below it without an endpoint."""
    return replace(
        route,
        endpoints=tuple(e for e in route.endpoints if e != endpoint_id),
        routes=tuple(_without_endpoint(child, endpoint_id) for child in route.routes),
    )


def _with_reset_health(before: Endpoint, after: Endpoint, now: datetime) -> Endpoint:
    """Reset the health of an endpoint if the change makes its failures meaningless."""
    if after.enabled and not before.enabled:
        return replace(after, health=EndpointHealth(), disabled_reason=None, disabled_at=None)
    if before.enabled and not after.enabled:
        return replace(after, disabled_reason="by_hand", disabled_at=now)
    return replace(after, health=EndpointHealth()) if after.url != before.url else after


def _is_signed(endpoint: Endpoint) -> bool:
    notifier = notifiers().get(endpoint.kind)
    return notifier is not None and notifier.signed


def _differences(before: Endpoint, after: Endpoint) -> list[str]:
    """Return the names of the changed members, never the address itself, which can contain a token."""
    members = ("name", "url", "team_id", "catch_all", "enabled", "max_in_flight", "options", "rate_per_minute")
    return [member for member in members if getattr(before, member) != getattr(after, member)]


def _teams_of(lost: ReachabilityLoss, directory: RoutingDirectory) -> tuple[str, ...]:
    """Return the names of the teams of the unheard ways."""
    named = [team for way in lost.unheard if way.route for team in way.route.teams]
    return tuple(dict.fromkeys(directory.teams[team] for team in named if team in directory.teams))


def _routed(endpoint: Endpoint) -> RoutedEndpoint:
    """Return the endpoint as routing sees it."""
    return RoutedEndpoint(
        id=endpoint.id,
        team_id=endpoint.team_id,
        catch_all=endpoint.catch_all,
        name=endpoint.name,
        enabled=endpoint.enabled,
        disabled_reason=endpoint.disabled_reason,
        disabled_at=endpoint.disabled_at,
        health=endpoint.health,
    )
