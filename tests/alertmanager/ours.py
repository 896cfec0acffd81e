"""What our policy says of a scene, in the words in which Alertmanager answers."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import yaml

from services.alerts.hold.grouping import group_labels
from services.alerts.issues.model import AlertSeverity
from services.alerts.policy.alert_policy import AlertPolicy
from services.alerts.policy.file.alertmanager_file import import_alertmanager
from services.alerts.policy.file.policy_compiler import compile_policy, named_id
from services.alerts.policy.file.policy_file import read_policy_file
from services.alerts.policy.inhibition import InhibitionSource, find_inhibitor, sources_of
from services.alerts.policy.matchers import Labels, Matcher, MatcherOperator
from services.alerts.policy.silences import Silence, find_silence
from services.alerts.policy.tree import RouteHit, RoutingFacts
from tests.alertmanager.making import RECEIVERS

_NAMES = {named_id("endpoint", name): name for name in RECEIVERS}


def policy_of(config: Mapping[str, Any]) -> AlertPolicy:
    """Import the configuration as an operator would, and compile what came of it."""
    imported = import_alertmanager(yaml.safe_dump(dict(config), sort_keys=False))
    text = yaml.safe_dump(imported.document, sort_keys=False)
    policy, _ = compile_policy(read_policy_file(text, known_labels_only=False).body)
    return policy


def facts_of(alert: Mapping[str, str]) -> RoutingFacts:
    """Return the facts of an issue that has the labels of the alert."""
    return RoutingFacts(rules=(), severity=AlertSeverity.LOW, more=tuple(sorted(alert.items())))


def labels_of(alert: Mapping[str, str]) -> Labels:
    """Return the labels that our matchers see; an issue always has a severity, which no matcher here names."""
    return facts_of(alert).labels


def hits_of(policy: AlertPolicy, alert: Mapping[str, str]) -> Sequence[RouteHit]:
    """Return the routes that take the alert."""
    return policy.walk(facts_of(alert)).hits


def receivers_of(policy: AlertPolicy, alert: Mapping[str, str]) -> list[str]:
    """Return the receivers of the alert, one for each route that takes it."""
    return [_NAMES[hit.people.endpoints[0]] for hit in hits_of(policy, alert)]


def groups_of(
    policy: AlertPolicy, alerts: Sequence[Mapping[str, str]]
) -> list[tuple[str, tuple[tuple[str, str], ...], int]]:
    """Return every group: its receiver, its labels, and how many alerts it holds."""
    found: dict[tuple[UUID, tuple[tuple[str, str], ...]], tuple[str, int]] = {}
    for alert in alerts:
        labels = {name: values for name, values in labels_of(alert).items() if name != "severity"}
        for hit in hits_of(policy, alert):
            by = hit.options.group_by or ()
            named = group_labels(labels, sorted(labels) if "..." in by else by)
            key = (hit.route.id, tuple(sorted(named.items())))
            receiver, count = found.get(key, (_NAMES[hit.people.endpoints[0]], 0))
            found[key] = receiver, count + 1
    return sorted((receiver, key[1], count) for key, (receiver, count) in found.items())


def inhibited(policy: AlertPolicy, alerts: Sequence[Mapping[str, str]]) -> list[bool]:
    """Return of each alert whether another one inhibits it."""
    sources: dict[str, list[InhibitionSource]] = {}
    for number, alert in enumerate(alerts):
        for source in sources_of(UUID(int=number), labels_of(alert), policy.inhibit_rules):
            sources.setdefault(source.key, []).append(source)
    return [find_inhibitor(labels_of(alert), policy.inhibit_rules, sources) is not None for alert in alerts]


def a_silence(matchers: Sequence[Mapping[str, Any]], now: datetime) -> Silence:
    """Return our silence with the matchers of one of theirs."""
    return Silence(
        id=uuid5(UUID(int=0), repr(matchers)),
        matchers=tuple(
            Matcher(name=one["name"], operator=_OPERATORS[one["isEqual"], one["isRegex"]], value=one["value"])
            for one in matchers
        ),
        starts_at=now,
        ends_at=now + timedelta(hours=1),
        comment="",
        created_by="test",
        updated_at=now,
    )


def silenced(silences: Sequence[Silence], alerts: Sequence[Mapping[str, str]], now: datetime) -> list[bool]:
    """Return of each alert whether a silence holds it."""
    return [find_silence(labels_of(alert), silences, {}, now) is not None for alert in alerts]


_OPERATORS = {
    (True, False): MatcherOperator.EQUAL,
    (False, False): MatcherOperator.NOT_EQUAL,
    (True, True): MatcherOperator.PATTERN,
    (False, True): MatcherOperator.NOT_PATTERN,
}
