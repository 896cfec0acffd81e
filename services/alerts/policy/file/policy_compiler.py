"""Makes the policy of a checked file: names of teams and endpoints become ids, and every part gets a lasting id.

Pure. The id of a route is made from the names on the way to it, so what waits for a route survives the next version of
the file.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from services.alerts.policy.alert_policy import AlertPolicy
from services.alerts.policy.escalation import Escalation, EscalationStep
from services.alerts.policy.file.policy_bodies import (
    HoursBody,
    InhibitPart,
    OptionsBody,
    PolicyFile,
    RoutePart,
    SpanBody,
    matchers_of,
)
from services.alerts.policy.file.policy_file import Place, nearest
from services.alerts.policy.file.span_texts import MONTHS, WEEKDAYS, parse_named, parse_numbers, parse_times
from services.alerts.policy.hours import HourSpan, NamedHours
from services.alerts.policy.inhibition import InhibitRule
from services.alerts.policy.ownership import Ownership
from services.alerts.policy.service_levels import DEFAULT_LEVELS, ServiceLevels, ServicePromise
from services.alerts.policy.tree import Route, RouteOptions

_NAMESPACE = UUID("0f6d1a0e-5c0b-5d55-9f2a-7d0c6a4f1b11")


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPeople:
    """The ids of teams and endpoints by their names."""

    endpoints: Mapping[str, UUID]
    teams: Mapping[str, UUID]


@dataclass(slots=True)
class _Namer:
    """Finds ids of people; without `known`, it makes an id of each name."""

    known: KnownPeople | None
    problems: list[tuple[Place, str]]

    def ids(self, names: Sequence[str], kind: str, place: Place) -> tuple[UUID, ...]:
        if self.known is None:
            return tuple(named_id(kind, name) for name in names)
        there = self.known.endpoints if kind == "endpoint" else self.known.teams
        for number, name in enumerate(names):
            if name not in there:
                self.problems.append(((*place, number), f"there is no {kind} {name!r}; {nearest(name, list(there))}"))
        return tuple(there[name] for name in names if name in there)


def named_id(kind: str, name: str) -> UUID:
    """Return the lasting id of something that a file names."""
    return uuid5(_NAMESPACE, f"{kind}\x1f{name}")


def named_people(body: PolicyFile) -> dict[str, str]:
    """Return the names in a file by the ids that `compile_policy` makes of them."""

    def look(parts: Sequence[RoutePart]) -> Iterator[tuple[str, str]]:
        for part in parts:
            yield from ((str(named_id("endpoint", name)), name) for name in part.endpoints)
            yield from ((str(named_id("team", name)), name) for name in part.teams)
            yield from look(part.routes)

    owning = {str(named_id("team", name)): name for part in body.owners for name in part.teams}
    return {**owning, **dict(look(body.route.routes))}


def compile_policy(body: PolicyFile, known: KnownPeople | None = None) -> tuple[AlertPolicy, list[tuple[Place, str]]]:
    """Return the policy, and the places that name a team or an endpoint that does not exist.

    Without `known` every name is taken for one that exists, and its id is `named_id`.
    """
    namer = _Namer(known=known, problems=[])
    policy = AlertPolicy(
        routes=tuple(_routes(body.route.routes, (), ("route", "routes"), namer)),
        root=options_of(body.route),
        inhibit_rules=tuple(_rule(rule, number) for number, rule in enumerate(body.inhibit_rules)),
        hours=tuple(hours_of(hours) for hours in body.time_intervals),
        escalations=tuple(_escalations(body, namer)),
        levels=_levels(body),
        ownerships=tuple(_ownerships(body, namer)),
    )
    return policy, namer.problems


def _ownerships(body: PolicyFile, namer: "_Namer") -> Iterator[Ownership]:
    for number, part in enumerate(body.owners):
        yield Ownership(
            rules=tuple(part.rules),
            matchers=matchers_of(part.matchers),
            teams=namer.ids(part.teams, "team", ("owners", number, "teams")),
            owner=part.owner,
        )


def _levels(body: PolicyFile) -> ServiceLevels:
    """Return the service levels in a document over those that Waymark comes with."""
    hours = {one.name: hours_of(one) for one in body.time_intervals}
    part = body.service_levels
    named = {
        level: ServicePromise(
            respond=promise.respond, resolve=promise.resolve, hours=hours.get(promise.active_time_interval or "")
        )
        for level, promise in part.promises.items()
    }
    return ServiceLevels(
        promises={**DEFAULT_LEVELS.promises, **named},
        otherwise=part.otherwise.value,
        much={**DEFAULT_LEVELS.much, **part.value_at_stake},
    )


def _escalations(body: PolicyFile, namer: "_Namer") -> Iterator[Escalation]:
    hours = {one.name: hours_of(one) for one in body.time_intervals}
    for number, part in enumerate(body.escalations):
        here: Place = ("escalations", number, "steps")
        yield Escalation(
            name=part.name,
            steps=tuple(
                EscalationStep(
                    after=step.after,
                    endpoints=namer.ids(step.endpoints, "endpoint", (*here, place, "endpoints")),
                    teams=namer.ids(step.teams, "team", (*here, place, "teams")),
                )
                for place, step in enumerate(part.steps)
            ),
            repeat=part.repeat,
            hours=hours.get(part.active_time_interval or ""),
        )


def _routes(parts: Sequence[RoutePart], path: tuple[str, ...], place: Place, namer: _Namer) -> Iterator[Route]:
    for number, part in enumerate(parts):
        name = part.name or ", ".join([*part.matchers, *part.rules]) or f"route {number + 1}"
        # routes without a name that match the same differ by their place
        twin = sum(1 for other in parts[:number] if other.name is None and other.matchers == part.matchers)
        way = (*path, name if part.name or not twin else f"{name} ({twin + 1})")
        here: Place = (*place, number)
        yield Route(
            id=named_id("route", "\x1f".join(way)),
            name=name[:200],
            rules=tuple(part.rules),
            min_severity=part.min_severity,
            matchers=matchers_of(part.matchers),
            endpoints=namer.ids(part.endpoints, "endpoint", (*here, "endpoints")),
            teams=namer.ids(part.teams, "team", (*here, "teams")),
            continues=part.continues,
            tells_nobody=part.tells_nobody,
            options=options_of(part, active=tuple(part.active_time_intervals), mute=tuple(part.mute_time_intervals)),
            routes=tuple(_routes(part.routes, way, (*here, "routes"), namer)),
        )


def options_of(body: OptionsBody, *, active: tuple[str, ...] = (), mute: tuple[str, ...] = ()) -> RouteOptions:
    """Return the options in a document."""
    return RouteOptions(
        group_by=None if body.group_by is None else tuple(body.group_by),
        group_wait=body.group_wait,
        group_interval=body.group_interval,
        repeat_interval=None if body.repeat_interval is None else tuple(body.repeat_interval),
        critical_waits=body.critical_waits,
        escalation=body.escalation,
        active_time_intervals=active,
        mute_time_intervals=mute,
    )


def _rule(part: InhibitPart, number: int) -> InhibitRule:
    name = part.name or f"inhibition {number + 1}"
    text = "\x1f".join([*part.source_matchers, "\x1e", *part.target_matchers, "\x1e", *part.equal])
    return InhibitRule(
        id=named_id("inhibition", text),
        name=name,
        source_matchers=matchers_of(part.source_matchers),
        target_matchers=matchers_of(part.target_matchers),
        equal=tuple(part.equal),
    )


def hours_of(body: HoursBody) -> NamedHours:
    """Return the hours in a document."""
    return NamedHours(name=body.name, spans=tuple(_span(span) for span in body.time_intervals))


def _span(body: SpanBody) -> HourSpan:
    return HourSpan(
        times=tuple(parse_times(one.start_time, one.end_time) for one in body.times),
        weekdays=tuple(parse_named(text, WEEKDAYS, 0) for text in body.weekdays),
        days_of_month=tuple(parse_numbers(text, -31, 31) for text in body.days_of_month),
        months=tuple(parse_named(text, MONTHS, 1) for text in body.months),
        years=tuple(parse_numbers(text, 1, 9999) for text in body.years),
        zone=body.location,
        except_holidays=body.except_holidays,
        only_holidays=body.only_holidays,
        except_dates=tuple(body.except_dates),
        only_dates=tuple(body.only_dates),
    )


FLOOD = timedelta(seconds=10)


def warnings_of(policy: AlertPolicy, now: datetime) -> Iterator[str]:
    """Yield what is allowed and yet is probably a mistake: hours that never open, groups that speak too often."""

    def look(routes: Sequence[Route], parent: RouteOptions) -> Iterator[str]:
        for route in routes:
            options = route.options.inherit(parent)
            if policy.opens_at(options, now.astimezone(UTC)) is None:
                yield f"route {route.name!r}: its hours do not open within a year"
            if options.grouped and options.group_interval is not None and options.group_interval < FLOOD:
                yield f"route {route.name!r}: a group_interval under 10 s can flood its people"
            yield from look(route.routes, options)

    yield from look(policy.routes, policy.root_options)
