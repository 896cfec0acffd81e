"""Reads a rules file for the command, with its mistakes as a message."""

from pathlib import Path
from typing import TYPE_CHECKING

from schemas.languages import Language
from waymark.console import CommandError, is_korean

if TYPE_CHECKING:
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
        from waymark.rule_cases import no_such_rule

        language = Language.KO if is_korean() else Language.EN
        raise CommandError(no_such_rule(rule, [one.id for one in rulebook.rules], language), exit_code=2)
    return found


def rules_path(given: str) -> Path:
    """Return the path of a rules file, `default` for the shipped one; raises `CommandError` if it cannot be used."""
    from services.journey.rulebook import rules_file

    path = rules_file.DEFAULT if given == "default" else Path(given)
    load_rules(path)
    return path
