"""Makes a policy's file of an `alertmanager.yml`: routes, inhibition and time intervals; what has no place is named.

The root of Alertmanager becomes one route that matches everything, with the root's receiver and Alertmanager's defaults
spelled out, and the other routes below it. A receiver becomes an endpoint of the same name.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from schemas.data_files import StrictLoader
from services.alerts.policy.file.policy_file import PolicyFileError, PolicyProblem, is_label
from services.alerts.policy.matchers import Matcher, MatcherError, MatcherOperator, parse_matchers

_ROUTE_MEMBERS = {"receiver", "routes", "match", "match_re", "matchers", "continue", "group_by", "group_wait"}
_ROUTE_MEMBERS |= {"group_interval", "repeat_interval", "active_time_intervals", "mute_time_intervals"}
_PAUSES = ("group_wait", "group_interval", "repeat_interval")
_RULE_MEMBERS = {"source_match", "source_match_re", "source_matchers", "target_match", "target_match_re"}
_RULE_MEMBERS |= {"target_matchers", "equal", "name"}
_NOT_OURS = {
    "global": "how messages look and are sent is set at each endpoint",
    "receivers": "create an endpoint of each name first",
    "templates": "messages have a fixed form here",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedPolicy:
    """The document of a policy's file, and what should be looked at."""

    document: dict[str, Any]
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Import:
    rename: Mapping[str, str]
    notes: dict[str, None] = field(default_factory=dict)

    def label(self, name: str) -> str:
        name = self.rename.get(name, name)
        if name != "..." and not is_label(name):
            self.notes[f"no issue has a label {name!r}; rename it: --label {name}=…"] = None
        return name

    def matchers(self, part: Mapping[str, Any], prefix: str = "") -> list[str]:
        found = [
            Matcher(name=name, operator=MatcherOperator.EQUAL, value=str(value))
            for name, value in (part.get(f"{prefix}match") or {}).items()
        ]
        found += [
            Matcher(name=name, operator=MatcherOperator.PATTERN, value=str(value))
            for name, value in (part.get(f"{prefix}match_re") or {}).items()
        ]
        for text in part.get(f"{prefix}matchers") or ():
            found += parse_matchers(str(text))
        return [str(Matcher(name=self.label(one.name), operator=one.operator, value=one.value)) for one in found]

    def route(self, part: Mapping[str, Any]) -> dict[str, Any]:
        self._unknown(part, _ROUTE_MEMBERS, "route")
        kept: dict[str, Any] = {
            "matchers": self.matchers(part),
            "endpoints": [str(part["receiver"])] if part.get("receiver") else None,
            "group_by": [self.label(str(name)) for name in part.get("group_by") or ()],
            "routes": [self.route(child) for child in part.get("routes") or ()],
        }
        kept |= {name: str(part[name]) for name in _PAUSES if part.get(name) is not None}
        kept |= {name: part.get(name) for name in ("continue", "active_time_intervals", "mute_time_intervals")}
        return {name: value for name, value in kept.items() if value}

    def rule(self, part: Mapping[str, Any]) -> dict[str, Any]:
        self._unknown(part, _RULE_MEMBERS, "inhibit_rules")
        kept: dict[str, Any] = {
            "source_matchers": self.matchers(part, "source_"),
            "target_matchers": self.matchers(part, "target_"),
        }
        if part.get("equal"):
            kept["equal"] = [self.label(str(name)) for name in part["equal"]]
        return kept

    def _unknown(self, part: Mapping[str, Any], known: set[str], place: str) -> None:
        for member in sorted(set(part) - known):
            self.notes[f"{place}: {member!r} is left out"] = None


def import_alertmanager(text: str, rename: Mapping[str, str] | None = None) -> ImportedPolicy:
    """Return the policy's file for an `alertmanager.yml`; labels are renamed by `rename`.

    Raises:
        PolicyFileError: it is no configuration of Alertmanager.
    """
    try:
        document = yaml.load(text, Loader=StrictLoader)  # noqa: S506  a SafeLoader underneath
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        message = getattr(error, "problem", None) or "this is no YAML"
        raise _refused(message, mark.line + 1 if mark else 1) from None
    if not isinstance(document, dict) or not isinstance(document.get("route"), dict):
        raise _refused("this is no configuration of Alertmanager: it has no route")
    work = _Import(rename=rename or {})
    try:
        return _imported(document, work)
    except (MatcherError, AttributeError, TypeError) as error:
        message = str(error) if isinstance(error, MatcherError) else "a part of it has the wrong form"
        raise _refused(f"{message}; `amtool check-config` says more") from None


def _refused(message: str, line: int = 1) -> PolicyFileError:
    return PolicyFileError([PolicyProblem(line=line, place="", message=message)])


def _imported(document: Mapping[str, Any], work: _Import) -> ImportedPolicy:
    root = work.route(document["route"])
    defaults = {"group_by": [], "group_wait": "30s", "group_interval": "5m", "repeat_interval": "4h"}
    made: dict[str, Any] = {"route": {"routes": [{"name": "everything"} | defaults | root]}}
    if rules := [work.rule(rule) for rule in document.get("inhibit_rules") or ()]:
        made["inhibit_rules"] = rules
    if hours := [*_hours(document)]:
        made["time_intervals"] = hours
    notes = [f"{name}: {why}" for name, why in _NOT_OURS.items() if document.get(name)]
    return ImportedPolicy(document=made, notes=(*notes, *work.notes))


def _hours(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for hours in (*(document.get("time_intervals") or ()), *(document.get("mute_time_intervals") or ())):
        spans = [{name: value for name, value in span.items() if value is not None} for span in hours["time_intervals"]]
        yield {"name": hours["name"], "time_intervals": spans}
