"""Reads a rules file for the command, with its mistakes as a message."""

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from waymark.console import CommandError, say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.journey.domain.rules.book import Rulebook
    from services.journey.domain.rules.shapes.registry import AnyRule


def load_rules(path: Path | None) -> "Rulebook":
    """Return the rules in the file at `path`, or the shipped ones; raises `CommandError` (exit code 2)."""
    from services.journey.rulebook import rules_file

    try:
        return rules_file.load(path)
    except rules_file.RulesRefusedError as error:
        raise CommandError(str(error), exit_code=2) from error
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}", exit_code=2) from error


def demand_rule(rulebook: "Rulebook", rule: str) -> "AnyRule":
    """Return the rule of this id; raises `CommandError` (exit code 2) with the nearest id if there is none."""
    found = next((one for one in rulebook.rules if one.id == rule), None)
    if found is None:
        raise CommandError(no_such_rule(rule, [one.id for one in rulebook.rules]), exit_code=2)
    return found


def no_such_rule(rule: str, known: "Iterable[str]") -> str:
    """Return the message that there is no such rule, with the nearest that there is."""
    near = get_close_matches(rule, list(known), n=1)
    hint = say(f"; did you mean {near[0]}?", f". {near[0]} 아닌가요?") if near else ""
    return say(f"{rule}: there is no such rule{hint}", f"{rule}: 그런 규칙이 없습니다{hint}")


def rules_path(given: str) -> Path:
    """Return the path of a rules file, `default` for the shipped one; raises `CommandError` if it cannot be used."""
    from services.journey.rulebook import rules_file

    path = rules_file.DEFAULT if given == "default" else Path(given)
    load_rules(path)
    return path
