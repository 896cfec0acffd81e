"""Reads the policy's file: every problem with its line, its place and, for a wrong word, the nearest right one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from schemas.data_files import StrictLoader
from schemas.vocabulary import ServiceLevel
from services.alerts.issues.model import AlertSeverity
from services.alerts.policy.file.policy_bodies import (
    EscalationPart,
    HoursBody,
    InhibitPart,
    OptionsBody,
    OwnerPart,
    PolicyFile,
    PromisePart,
    RootPart,
    RoutePart,
    ServiceLevelsPart,
    SpanBody,
    StepPart,
    TimesBody,
)
from services.alerts.policy.matchers import parse_matchers
from services.alerts.policy.tree import EACH_ISSUE, LABELS, REF_PREFIX

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyProblem:
    """One thing that is wrong: the line of the file (from 1), the place, and a sentence."""

    line: int
    place: str
    message: str

    def within(self, name: str) -> str:
        """Return the problem as one line that names the file."""
        return f"{name}:{self.line}: {self.place}{': ' if self.place else ''}{self.message}"


class PolicyFileError(Exception):
    """The file is no policy; `problems` says everything that is wrong."""

    def __init__(self, problems: Sequence[PolicyProblem]) -> None:
        super().__init__(f"{len(problems)} problems")
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPolicyFile:
    """The document of a file, and where each of its parts stands."""

    body: PolicyFile
    root: yaml.Node | None

    def problem(self, place: Place, message: str) -> PolicyProblem:
        """Return a problem of the part at `place`."""
        return _problem(self.root, place, message)


def read_policy_file(text: str, *, known_labels_only: bool = True) -> ReadPolicyFile:
    """Return the policy in the YAML `text`; with `known_labels_only`, no matcher may name a label that no issue has.

    Raises:
        PolicyFileError: something is wrong with it.
    """
    root, document = _load(text)
    try:
        body = PolicyFile.model_validate({} if document is None else document)
    except ValidationError as error:
        problems = [_problem(root, one["loc"], _sentence(one)) for one in error.errors(include_url=False)]
        raise PolicyFileError(sorted(problems, key=lambda p: p.line)) from None
    read = ReadPolicyFile(body=body, root=root)
    problems = [read.problem(place, message) for place, message in _contradictions(body, known_labels_only)]
    if problems:
        raise PolicyFileError(sorted(problems, key=lambda p: p.line))
    return read


def _load(text: str) -> tuple[yaml.Node | None, Any]:
    loader = StrictLoader(text)
    try:
        root = loader.get_single_node()
        return root, loader.construct_document(root) if root is not None else None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        message = getattr(error, "problem", None) or "this is no YAML"
        raise PolicyFileError([PolicyProblem(line=mark.line + 1 if mark else 1, place="", message=message)]) from None
    finally:
        loader.dispose()


def _problem(root: yaml.Node | None, place: Place, message: str) -> PolicyProblem:
    shown = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
    return PolicyProblem(line=_line(root, place), place=shown, message=message)


def _line(root: yaml.Node | None, place: Place) -> int:
    """Return the line of the deepest part of `place` that the file has."""
    node = root
    line = 1
    for part in place:
        found: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            key, found = next(((k, v) for k, v in node.value if k.value == part), (None, None))
            line = key.start_mark.line + 1 if key is not None else line
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            found = node.value[part]
            line = found.start_mark.line + 1
        if found is None:
            break
        node = found
    return line


_PARTS: Mapping[str, type[BaseModel]] = {
    "route": RootPart,
    "routes": RoutePart,
    "inhibit_rules": InhibitPart,
    "time_intervals": HoursBody,
    "times": TimesBody,
    "escalations": EscalationPart,
    "steps": StepPart,
    "service_levels": ServiceLevelsPart,
    "owners": OwnerPart,
    **{level.value: PromisePart for level in ServiceLevel},
}


def _part(place: Place) -> type[BaseModel]:
    """Return the document that the last word of `place` belongs to."""
    words = [part for part in place[:-1] if isinstance(part, str)]
    if not words:
        return PolicyFile
    if words.count("time_intervals") > 1:
        return TimesBody if words[-1] == "times" else SpanBody
    return _PARTS.get(words[-1], PolicyFile)


def nearest(word: str, known: Sequence[str]) -> str:
    """Return a hint at the nearest known word, or at all of them if none is near."""
    close = get_close_matches(word, known, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"there are {', '.join(sorted(known))}" if known else "there is none"


_ENUMS = {"otherwise": ("service level", [level.value for level in ServiceLevel])}


def _sentence(error: Any) -> str:
    kind, place = error["type"], error["loc"]
    if kind == "extra_forbidden":
        known = [member.alias or name for name, member in _part(place).model_fields.items()]
        return f"unknown member; {nearest(str(place[-1]), known)}"
    if kind == "enum":
        given = str(error["input"])
        what, known = _ENUMS.get(str(place[-1]), ("severity", [severity.value for severity in AlertSeverity]))
        return f"{given!r} is no {what}; {nearest(given, known)}"
    if kind == "value_error":
        return str(error["ctx"]["error"])
    return str(error["msg"])


def _contradictions(body: PolicyFile, known_labels_only: bool) -> Iterator[tuple[Place, str]]:
    """Yield what the parts of the file say against one another."""
    names = [hours.name for hours in body.time_intervals]
    for number, name in enumerate(names):
        if name in names[:number]:
            yield ("time_intervals", number, "name"), f"{name!r} is given twice"
    yield from _of_routes(body.route.routes, ("route", "routes"), names, known_labels_only)
    yield from _of_escalations(body, names)
    for level, part in body.service_levels.promises.items():
        if part.active_time_interval is not None and part.active_time_interval not in names:
            message = f"there are no hours {part.active_time_interval!r}; {nearest(part.active_time_interval, names)}"
            yield ("service_levels", level, "active_time_interval"), message
    if known_labels_only:
        yield from _unknown_group_labels(body.route, ("route",))
        for number, rule in enumerate(body.inhibit_rules):
            yield from _of_rule(rule, ("inhibit_rules", number))
        for number, owner in enumerate(body.owners):
            yield from _unknown_labels(owner.matchers, ("owners", number, "matchers"))


def _of_escalations(body: PolicyFile, hours: Sequence[str]) -> Iterator[tuple[Place, str]]:
    known = [part.name for part in body.escalations]
    for number, part in enumerate(body.escalations):
        if part.name in known[:number]:
            yield ("escalations", number, "name"), f"{part.name!r} is given twice"
        if part.active_time_interval is not None and part.active_time_interval not in hours:
            message = f"there are no hours {part.active_time_interval!r}; {nearest(part.active_time_interval, hours)}"
            yield ("escalations", number, "active_time_interval"), message

    def look(options: OptionsBody, routes: Sequence[RoutePart], place: Place) -> Iterator[tuple[Place, str]]:
        if options.escalation and options.escalation not in known:
            message = f"there is no escalation {options.escalation!r}; {nearest(options.escalation, known)}"
            yield (*place, "escalation"), message
        for number, route in enumerate(routes):
            yield from look(route, route.routes, (*place, "routes", number))

    yield from look(body.route, body.route.routes, ("route",))


def _of_rule(rule: InhibitPart, place: Place) -> Iterator[tuple[Place, str]]:
    yield from _unknown_labels(rule.source_matchers, (*place, "source_matchers"))
    yield from _unknown_labels(rule.target_matchers, (*place, "target_matchers"))
    for number, label in enumerate(rule.equal):
        if not is_label(label):
            yield (*place, "equal", number), f"no issue has a label {label!r}; {nearest(label, LABELS)}"


def _of_routes(
    routes: Sequence[RoutePart], place: Place, hours: Sequence[str], known_labels_only: bool
) -> Iterator[tuple[Place, str]]:
    seen: set[str] = set()
    for number, route in enumerate(routes):
        here: Place = (*place, number)
        if route.name is not None and route.name in seen:
            yield (*here, "name"), f"{route.name!r} is given twice among these routes"
        seen |= {route.name} if route.name else set()
        for member in ("active_time_intervals", "mute_time_intervals"):
            for name in getattr(route, member):
                if name not in hours:
                    yield (*here, member), f"there are no hours {name!r}; {nearest(name, hours)}"
        if known_labels_only:
            yield from _unknown_labels(route.matchers, (*here, "matchers"))
            yield from _unknown_group_labels(route, here)
        yield from _of_routes(route.routes, (*here, "routes"), hours, known_labels_only)


def _unknown_labels(texts: Sequence[str], place: Place) -> Iterator[tuple[Place, str]]:
    for number, text in enumerate(texts):
        for matcher in parse_matchers(text):
            if not is_label(matcher.name):
                yield (*place, number), f"no issue has a label {matcher.name!r}; {nearest(matcher.name, LABELS)}"


def _unknown_group_labels(options: OptionsBody, place: Place) -> Iterator[tuple[Place, str]]:
    for label in options.group_by or ():
        if label != EACH_ISSUE and not is_label(label):
            yield (*place, "group_by"), f"no issue has a label {label!r}; {nearest(label, LABELS)}"


def is_label(name: str) -> bool:
    """Return whether issues can have a label of this name."""
    return name in LABELS or name.startswith(REF_PREFIX)
