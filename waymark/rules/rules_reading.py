"""Reads a rules file for the command, with its mistakes as a message."""

from pathlib import Path
from typing import TYPE_CHECKING

from waymark.console import CommandError

if TYPE_CHECKING:
    from services.journey.domain.rules.book import Rulebook


def load_rules(path: Path | None) -> "Rulebook":
    """Return the rules in the file at `path`, or the shipped ones; raises `CommandError` (exit code 2)."""
    from services.journey.rulebook import rules_file

    try:
        return rules_file.load(path)
    except rules_file.RulesRefusedError as error:
        raise CommandError(str(error), exit_code=2) from error
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}", exit_code=2) from error
