"""Tries a policy on the labels of an issue that there is not: which routes take it, who is notified, and when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from waymark.console import CommandError, say

if TYPE_CHECKING:
    from services.alerts.policy.alert_policy import AlertPolicy
    from services.alerts.policy.tree import RouteHit, RoutingFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleNames:
    """Names of teams and endpoints by their ids as texts."""

    by_id: dict[str, str]

    def of(self, ids: Sequence[Any]) -> list[str]:
        """Return the names of these ids."""
        return [self.by_id.get(str(one), str(one)) for one in ids]


def facts_of(labels: Sequence[str]) -> "RoutingFacts":
    """Return the facts in texts such as `reason=billing`; raises `CommandError`."""
    from services.alerts.issues.model import AlertSeverity
    from services.alerts.policy.file.policy_file import is_label, nearest
    from services.alerts.policy.tree import LABELS, RoutingFacts

    given: dict[str, list[str]] = {}
    for text in labels:
        name, equal, value = text.partition("=")
        if not equal or not is_label(name):
            hint = nearest(name, LABELS)
            raise CommandError(
                say(f"{text!r} is no label: {hint}", f"{text!r}: 없는 레이블입니다. {hint}"), exit_code=2
            )
        given.setdefault(name, []).append(value)
    severity = given.pop("severity", ["medium"])[0]
    if severity not in set(AlertSeverity):
        hint = nearest(severity, [one.value for one in AlertSeverity])
        raise CommandError(say(f"{severity!r} is no severity: {hint}", f"{severity!r}: {hint}"), exit_code=2)
    rules = given.pop("rule", [])
    single = {name: values[-1] for name, values in given.items()}
    known = {name: single.pop(name, None) for name in LABELS if name not in {"rule", "severity"}}
    return RoutingFacts(
        rules=tuple(rules), severity=AlertSeverity(severity), more=tuple(sorted(single.items())), **known
    )


def try_routes(policy: "AlertPolicy", facts: "RoutingFacts", now: datetime, names: PeopleNames) -> dict[str, Any]:
    """Return which routes take an issue with these facts at `now`, the way there, and what holds it."""
    from services.alerts.policy.ownership import find_owners

    walked = policy.walk(facts)
    owners = find_owners(facts, policy.ownerships)
    return {
        "at": now.isoformat(),
        "path": [
            {"route": check.route.name, "depth": check.depth, "match": check.match.value} for check in walked.path
        ],
        "routes": [_hit(policy, hit, now, names) for hit in walked.hits],
        "owners": {"teams": names.of(owners.teams), "owner": owners.person},
        "catch_all": not walked.hits and not owners.teams,
    }


def _hit(policy: "AlertPolicy", hit: "RouteHit", now: datetime, names: PeopleNames) -> dict[str, Any]:
    from services.alerts.policy.file.span_texts import write_duration

    options = hit.options
    opens = policy.opens_at(options, now)
    pauses = options.repeat_interval or ()
    return {
        "route": hit.route.name,
        "teams": names.of(hit.people.teams),
        "endpoints": names.of(hit.people.endpoints),
        "tells_nobody": hit.people.tells_nobody,
        "open": opens == now,
        "opens_at": opens.isoformat() if opens else None,
        "critical_waits": bool(options.critical_waits),
        "group_by": list(options.group_by or ()) if options.grouped else None,
        "group_wait": write_duration(options.group_wait) if options.group_wait is not None else None,
        "group_interval": write_duration(options.group_interval) if options.group_interval is not None else None,
        "repeat_interval": [write_duration(pause) for pause in pauses],
    }


def sentences(tried: dict[str, Any], *, critical: bool) -> list[str]:
    """Return the trial in lines for people."""
    lines = [
        f"{'  ' * step['depth']}{_MARKS.get(step['match'], '✗')} {step['route']}: {step['match']}"
        for step in tried["path"]
    ]
    if tried["catch_all"]:
        lines.append(say("→ no route takes it: the catch-all endpoints", "→ 맞는 경로 없음: catch_all 엔드포인트"))
    lines += [f"→ {_people(hit)}; {_when(hit, critical=critical)}" for hit in tried["routes"]]
    owners = [*tried["owners"]["teams"], *([tried["owners"]["owner"]] if tried["owners"]["owner"] else [])]
    return lines + ([say("→ owned by: ", "→ 담당: ") + ", ".join(owners)] if owners else [])


_MARKS = {"matched": "✓", "not_asked": "·"}


def _people(hit: dict[str, Any]) -> str:
    named = ", ".join([*hit["teams"], *hit["endpoints"]])
    if hit["tells_nobody"]:
        named = say("nobody, on purpose", "아무에게도 알리지 않음(의도)")
    return f"{hit['route']}: {named or say('the catch-all endpoints', 'catch_all 엔드포인트')}"


def _when(hit: dict[str, Any], *, critical: bool) -> str:
    if not hit["open"] and (hit["critical_waits"] or not critical):
        opens = hit["opens_at"] or say("never", "열리지 않음")
        return say(f"held until {opens}", f"{opens}까지 보류")
    if hit["group_by"] is not None:
        by = ", ".join(hit["group_by"]) or say("the route", "경로 전체")
        return say(f"in a group by {by}, after {hit['group_wait']}", f"{by} 묶음으로 {hit['group_wait']} 뒤")
    return say("at once", "즉시")
