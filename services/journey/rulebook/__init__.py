"""Reads rules files: the shipped one, and an operator's own that extends it. What rules mean is the domain's.

    extends: default            # leave out to start from nothing
    change:                     # some members of shipped rules, by id
      long_wait: {enabled: false}
    rules: []                   # whole rules of your own

A file is checked by `schemas/rules.v1.schema.json`, then rule by rule for sense; every problem is reported at once.
"""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from schemas import catalogue, validation
from services.journey.domain.rules.book import Rulebook, RuleRefusedError
from services.journey.domain.rules.shape import AnyRule

SCHEMA = "rules.v1"
DEFAULT = Path(__file__).parent / "default.yaml"

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"(\d+)([smhd])")
_DURATIONS = frozenset({"within", "grace", "cooldown"})


class RulesRefusedError(ValueError):
    """A rules file that cannot be used; `problems` are all of them, one line each."""

    def __init__(self, name: str, problems: list[str]) -> None:
        """`name` is the file's."""
        super().__init__("\n".join([f"{name} cannot be used:", *(f"  {problem}" for problem in problems)]))
        self.name = name
        self.problems = tuple(problems)


def load(path: Path | None = None) -> Rulebook:
    """The rules of the file at `path`, or the shipped ones; raises `RulesRefusedError` or `OSError`."""
    source = DEFAULT if path is None else path
    return read(source.read_text(encoding="utf-8"), name=source.name)


def read(text: str, *, name: str) -> Rulebook:
    """The rules of the YAML `text`; `name` stands in messages. Raises `RulesRefusedError`."""
    try:
        document = catalogue.parse(text, dict[str, Any], name=name)
    except catalogue.MalformedError as error:
        raise RulesRefusedError(name, [str(error)]) from error
    problems = _complaints(SCHEMA, document)
    if problems:
        raise RulesRefusedError(name, problems)
    return _compiled(_resolved(document, name), name)


def _complaints(schema: str, document: dict[str, Any], at: str = "") -> list[str]:
    return [f"{error.path}: {error.message}" for error in validation.errors(schema, document, at=at)]


def _resolved(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The rules that the document comes to, with what it extends and changes."""
    rules: dict[str, dict[str, Any]] = {}
    if document.get("extends") == "default":
        shipped = catalogue.parse(DEFAULT.read_text(encoding="utf-8"), dict[str, Any], name=DEFAULT.name)
        rules = {rule["id"]: rule for rule in shipped["rules"]}
    elif "rules" not in document:
        raise RulesRefusedError(name, ["there is nothing in it: give rules, or extend the shipped ones"])
    changes: dict[str, dict[str, Any]] = document.get("change", {})
    problems = [f"change.{rule}: there is no shipped rule of this id" for rule in changes if rule not in rules]
    problems += [f"change.{rule}: id and shape stay" for rule, new in changes.items() if new.keys() & {"id", "shape"}]
    if problems:
        raise RulesRefusedError(name, problems)
    for rule, members in changes.items():
        rules[rule] = {**rules[rule], **members}
        problems += _complaints(f"{SCHEMA}#rule", rules[rule], at=f"change.{rule}")
    if problems:
        raise RulesRefusedError(name, problems)
    own = document.get("rules", [])
    doubled = [rule["id"] for rule in own if rule["id"] in rules]
    if doubled:
        raise RulesRefusedError(name, [f"{rule}: this id is given twice; put it under `change`" for rule in doubled])
    return [*rules.values(), *own]


def _compiled(rules: list[dict[str, Any]], name: str) -> Rulebook:
    problems = []
    shaped: list[AnyRule] = []
    for raw in rules:
        try:
            rule = msgspec.convert(_with_durations(raw), AnyRule)
            Rulebook([rule])
            shaped.append(rule)
        except msgspec.ValidationError as error:
            problems.append(f"{raw['id']}: {error}")
        except RuleRefusedError as error:
            problems.append(str(error))
    if problems:
        raise RulesRefusedError(name, problems)
    try:
        return Rulebook(shaped)
    except RuleRefusedError as error:
        raise RulesRefusedError(name, [str(error)]) from error


def _with_durations(node: Any) -> Any:
    """The same tree with durations read: `1h 30m` under a key that takes one."""
    if isinstance(node, dict):
        return {
            key: _duration(value) if key in _DURATIONS and isinstance(value, str) else _with_durations(value)
            for key, value in node.items()
        }
    return [_with_durations(value) for value in node] if isinstance(node, list) else node


def _duration(text: str) -> timedelta:
    return timedelta(seconds=sum(int(number) * _SECONDS[unit] for number, unit in _DURATION.findall(text)))
