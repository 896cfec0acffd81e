"""Reads rules files: the shipped one, and an operator's own that extends it. What rules mean is left to the domain.

    extends: default            # leave out to start from nothing
    change:                     # some members of shipped rules, by id
      long_wait: {enabled: false}
    rules: []                   # whole rules of your own

A file is checked against `schemas/rules.v1.schema.json`, then rule by rule; every problem is reported at once.
"""

from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec

from schemas import data_files, validation
from schemas.strict_yaml.yaml_text import UnreadableTextError, YamlText
from services.journey.domain.rules.book import Rulebook
from services.journey.domain.rules.edition import RuleRefusedError, UnknownRuleError
from services.journey.domain.rules.rule_checks import implication_problems
from services.journey.domain.rules.shapes.registry import AnyRule
from services.journey.rulebook import carried_rules, durations, time_intervals
from services.journey.settings import WorkerSettings
from services.runtime.settings import SettingsError

SCHEMA = "rules.v1"
DEFAULT = Path(__file__).parent / "default.yaml"


class RulesRefusedError(ValueError):
    """A rules file that cannot be used; `problems` lists all its problems, one line each."""

    def __init__(self, name: str, problems: list[str]) -> None:
        """Name the file, and list its problems."""
        super().__init__("\n".join([f"{name} cannot be used:", *(f"  {problem}" for problem in problems)]))
        self.name = name
        self.problems = tuple(problems)


class ResolvedRules(msgspec.Struct, frozen=True, kw_only=True):
    """A rules file that can be used: its `text`, the whole rules that it comes to, and the rulebook made of them.

    `rules` are as the schema has them, with what the file extends and changes; they mean the same in every release.
    """

    text: str
    rules: list[dict[str, Any]]
    book: Rulebook


def load(path: Path | None = None) -> Rulebook:
    """Return the rules of the file at `path`, or the shipped ones; raise `RulesRefusedError` or `OSError`."""
    return resolve_file(path).book


def resolve_file(path: Path | None = None) -> ResolvedRules:
    """Return the file at `path`, or the shipped one, resolved; raise `RulesRefusedError` or `OSError`."""
    source = DEFAULT if path is None else path
    name = source.name
    try:
        return resolve(source.read_text(encoding="utf-8"), name=name)
    except UnicodeDecodeError as error:
        raise RulesRefusedError(name, [f"byte {error.start + 1} is not UTF-8; save the file as UTF-8"]) from None


def from_settings(own: WorkerSettings) -> ResolvedRules:
    """Return the file that the settings name, or the shipped one; raise `SettingsError` with every mistake in it."""
    variable = own.variable_of("rules")
    try:
        return resolve_file(Path(own.rules) if own.rules else None)
    except RulesRefusedError as error:
        problems = [f"{variable}: {own.rules}: {problem}" for problem in error.problems]
    except OSError as error:
        problems = [f"{variable}: {own.rules}: {error.strerror}"]
    raise SettingsError(problems)


def read(text: str, *, name: str) -> Rulebook:
    """Return the rules of the YAML `text`; raise `RulesRefusedError` with every mistake. Messages give `name`."""
    return resolve(text, name=name).book


def resolve(text: str, *, name: str) -> ResolvedRules:
    """Return the YAML `text` resolved; raise `RulesRefusedError` with every mistake. Messages give `name`."""
    try:
        written = YamlText(text)
    except UnreadableTextError as error:
        raise RulesRefusedError(name, [str(error)]) from error
    document = time_intervals.with_plain_dates(written.document)
    if not isinstance(document, dict):
        raise RulesRefusedError(name, ["there is nothing in it: give rules, or extend the shipped ones"])
    rules, problems = _resolved(document)
    shaped, more = _compiled(rules)
    problems += more + implication_problems(shaped)
    if problems or written.doubled:
        told = [written.located(_standing(document, problem), problem) for problem in problems]
        raise RulesRefusedError(name, [*written.doubled, *told])
    try:
        return ResolvedRules(text=text, rules=rules, book=Rulebook(shaped))
    except RuleRefusedError as error:
        raise RulesRefusedError(name, [str(error)]) from error


def read_rule(raw: dict[str, Any]) -> AnyRule:
    """Return one whole rule, as the schema has it.

    Raises:
        UnknownRuleError: this release does not know it, or it has no meaning; the text says why.
    """
    complaints = _complaints(f"{SCHEMA}#rule", raw)
    if complaints:
        raise UnknownRuleError(complaints[0])
    try:
        rule: AnyRule = msgspec.convert(_with_durations(raw), AnyRule)
        Rulebook([rule])
    except (msgspec.ValidationError, RuleRefusedError) as error:
        raise UnknownRuleError(str(error)) from error
    return rule


def _complaints(schema: str, document: dict[str, Any], at: str = "") -> list[str]:
    return [f"{error.path}: {error.message}" for error in validation.errors(schema, document, at=at)]


def _resolved(document: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the rules of the document, with what it extends and changes; rules with a mistake are left out."""
    problems = _complaints(SCHEMA, document)
    rules: dict[str, dict[str, Any]] = {}
    hours: time_intervals.NamedHours = {}
    if document.get("extends") == "default":
        shipped = data_files.parse(DEFAULT.read_text(encoding="utf-8"), dict[str, Any], name=DEFAULT.name)
        rules = {rule["id"]: rule for rule in shipped["rules"]}
        hours = {one["name"]: one for one in shipped["time_intervals"]}
    elif "rules" not in document:
        problems.append("there is nothing in it: give rules, or extend the shipped ones")
    changes = document.get("change")
    for rule, members in changes.items() if isinstance(changes, dict) else ():
        changed, found = _changed(rule, rules.get(rule), members)
        if rule not in rules and (near := get_close_matches(str(rule), list(rules), n=1)):
            found = [f"{problem}; did you mean {near[0]}?" for problem in found]
        problems += [problem for problem in found if problem not in problems]
        rules |= {rule: changed} if changed else {}
    given = document.get("rules")
    own = [rule for at, rule in enumerate(given if isinstance(given, list) else ()) if _is_sound(at, problems)]
    problems += [f"{rule['id']}: this id is given twice; put it under `change`" for rule in own if rule["id"] in rules]
    whole = [*rules.values(), *(rule for rule in own if rule["id"] not in rules)]
    return _with_hours(whole, document, hours, problems)


def _with_hours(
    rules: list[dict[str, Any]], document: dict[str, Any], shipped: time_intervals.NamedHours, problems: list[str]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the rules with the hours and the rules that they name in them, and all `problems`."""
    if any(problem.startswith("time_intervals") for problem in problems):
        return [rule for rule in rules if rule.keys().isdisjoint(time_intervals.MEMBERS)], problems
    hours, found = time_intervals.named(document, shipped)
    placed = [time_intervals.in_place(rule, hours) for rule in rules]
    found += [problem for _, wrong in placed for problem in wrong]
    carrying, more = carried_rules.all_in_place([rule for rule, wrong in placed if not wrong])
    return carrying, problems + found + more


def _changed(rule: str, shipped: dict[str, Any] | None, members: Any) -> tuple[dict[str, Any] | None, list[str]]:
    """Return the shipped rule with its changed members, and what is wrong with the change."""
    if shipped is None:
        return None, [f"change.{rule}: there is no shipped rule of this id"]
    if not isinstance(members, dict):
        return None, []  # which the schema says
    if members.keys() & {"id", "shape"}:
        return None, [f"change.{rule}: id and shape stay"]
    changed = {**shipped, **members}
    problems = _complaints(f"{SCHEMA}#rule", changed, at=f"change.{rule}")
    return (None if problems else changed), problems


def _is_sound(at: int, problems: list[str]) -> bool:
    return not any(problem.startswith((f"rules[{at}].", f"rules[{at}]:")) for problem in problems)


def _compiled(rules: list[dict[str, Any]]) -> tuple[list[AnyRule], list[str]]:
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
    return shaped, problems


def _standing(document: dict[str, Any], problem: str) -> str:
    """Return where in the file the mistake is: a problem of a rule begins with its id, and often a member of it."""
    path, _, said = problem.partition(": ")
    member = said.partition(" ")[0].rstrip(":")
    own = document.get("rules")
    for at, rule in enumerate(own if isinstance(own, list) else ()):
        if isinstance(rule, dict) and rule.get("id") == path:
            return f"rules[{at}].{member}"
    if isinstance(changes := document.get("change"), dict) and path in changes:
        return f"change.{path}.{member}"
    return problem


_DURATIONS = durations.members_of(AnyRule)


def _with_durations(node: Any) -> Any:
    return durations.parsed(node, _DURATIONS)
