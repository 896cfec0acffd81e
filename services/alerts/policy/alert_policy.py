"""The policy as one value: the tree, how its root notifies, inhibition, hours, promises, ownership. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from services.alerts.policy.escalation import Escalation
from services.alerts.policy.hours import NamedHours, are_open, next_opening
from services.alerts.policy.inhibition import InhibitRule
from services.alerts.policy.ownership import Ownership
from services.alerts.policy.service_levels import DEFAULT_LEVELS, ServiceLevels
from services.alerts.policy.tree import DEFAULT_OPTIONS, Route, RouteOptions, RouteWalk, RoutingFacts, walk


@dataclass(frozen=True, kw_only=True)
class AlertPolicy:
    """Everything that decides who is notified when, but for the silences."""

    routes: tuple[Route, ...] = ()
    root: RouteOptions = DEFAULT_OPTIONS
    inhibit_rules: tuple[InhibitRule, ...] = ()
    hours: tuple[NamedHours, ...] = ()
    escalations: tuple[Escalation, ...] = ()
    levels: ServiceLevels = DEFAULT_LEVELS
    ownerships: tuple[Ownership, ...] = ()

    @cached_property
    def hours_by_name(self) -> Mapping[str, NamedHours]:
        """The named hours by their names."""
        return {one.name: one for one in self.hours}

    def escalation(self, options: RouteOptions) -> Escalation | None:
        """Return the escalation of a route with these options."""
        return next((one for one in self.escalations if one.name == options.escalation), None)

    @cached_property
    def root_options(self) -> RouteOptions:
        """The options of the root, complete."""
        return self.root.inherit(DEFAULT_OPTIONS)

    def walk(self, about: RoutingFacts) -> RouteWalk:
        """Return the routes that take an issue with these facts."""
        return walk(about, self.routes, self.root_options)

    def is_open(self, options: RouteOptions, now: datetime) -> bool:
        """Return whether a route with these options notifies at `now`."""
        return are_open(self._named(options.active_time_intervals), self._named(options.mute_time_intervals), now)

    def opens_at(self, options: RouteOptions, now: datetime) -> datetime | None:
        """Return when a route with these options notifies again; None if not within a year."""
        return next_opening(self._named(options.active_time_intervals), self._named(options.mute_time_intervals), now)

    def _named(self, names: tuple[str, ...]) -> list[NamedHours]:
        return [self.hours_by_name[name] for name in names if name in self.hours_by_name]
