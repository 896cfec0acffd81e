"""Named hours of a rules file, in the words of the policy of alerts: read, then put into each rule that names them.

A rule that is stored is whole: it carries its hours, so that a change of them is a change of the rule.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from difflib import get_close_matches
from typing import Any

import msgspec

from services.journey.domain.rules.business_time import BusinessSpan, check_span
from services.journey.domain.rules.matching import InvalidRuleError

WITHIN = "active_time_interval"
"""What names the hours in which the time of a rule runs."""

MEMBERS = (WITHIN, "outside_time_interval")
"""What names hours in a rule."""

_DAYS = re.compile(r"\d+d\b")

NamedHours = dict[str, dict[str, Any]]


def with_plain_dates(document: Any) -> Any:
    """Return the document with dates as text: YAML makes more of `2026-10-05` than it says."""
    if isinstance(document, dict):
        return {key: with_plain_dates(value) for key, value in document.items()}
    if isinstance(document, list):
        return [with_plain_dates(value) for value in document]
    return document.isoformat() if type(document) is date else document


def named(document: Mapping[str, Any], shipped: NamedHours) -> tuple[NamedHours, list[str]]:
    """Return the hours that a file which fits the schema may name, and what is wrong with its own."""
    hours, own = dict(shipped), set[str]()
    problems = []
    for at, one in enumerate(document.get("time_intervals", ())):
        if one["name"] in own:
            problems.append(f"time_intervals[{at}].name: {one['name']} is given twice")
        own.add(one["name"])
        hours[one["name"]] = one
        problems += list(_mistakes(one, f"time_intervals[{at}]"))
    return hours, problems


def in_place(rule: dict[str, Any], hours: NamedHours) -> tuple[dict[str, Any], list[str]]:
    """Return the rule with the hours that it names in it, and what is wrong with its use of them."""
    problems: list[str] = []
    for member in MEMBERS:
        if member in rule:
            rule, found = _placed(rule, member, hours)
            problems += found
    return rule, problems


def _placed(rule: dict[str, Any], member: str, hours: NamedHours) -> tuple[dict[str, Any], list[str]]:
    name = rule[member]
    if isinstance(name, dict):
        meant = name
        problems = [f"{rule['id']}: {member}: {problem}" for problem in _mistakes(name, "")]
    elif name in hours:
        meant, problems = hours[name], []
    else:
        near = get_close_matches(name, list(hours), n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(sorted(hours))}" if hours else ""
        return rule, [f"{rule['id']}: {member}: there are no hours {name}{hint}"]
    if member == WITHIN and any(span.get("times") for span in meant["time_intervals"]):
        problems += [
            f"{rule['id']}: {place}: a day of {meant['name']} is shorter than 24 hours: write hours, "
            f"or name hours without times, in which a day is a working day"
            for place in _in_days(rule)
        ]
    return {**rule, member: meant}, problems


def _mistakes(one: dict[str, Any], place: str) -> Iterator[str]:
    for at, span in enumerate(one["time_intervals"]):
        try:
            check_span(msgspec.convert(span, BusinessSpan))
        except (InvalidRuleError, msgspec.ValidationError) as error:
            yield f"{place}.time_intervals[{at}].{error}".removeprefix(".")


def _in_days(rule: Mapping[str, Any]) -> Iterator[str]:
    """Yield the members of a rule that say days of business time."""
    levels = rule.get("by_service_level", {})
    for place, members in [("", rule), *((f"by_service_level.{level}.", one) for level, one in levels.items())]:
        for member in ("within", "grace"):
            if isinstance(text := members.get(member), str) and _DAYS.search(text):
                yield f"{place}{member}"
        for channel, text in members.get("within_by_channel", {}).items():
            if _DAYS.search(text):
                yield f"{place}within_by_channel.{channel}"
