"""Reads a file of cases for the command, with its mistakes as a message."""

from collections.abc import Sequence
from pathlib import Path

from schemas.languages import Language
from schemas.strict_yaml import yaml_text
from schemas.strict_yaml.yaml_text import UnreadableTextError
from services.journey.trial.case import CasesRefusedError
from waymark.console import CommandError, is_korean, say
from waymark.rule_cases import ReadCases, cases_of


def load(path: Path) -> ReadCases:
    """Return the cases in the file at `path`; raises `CommandError` (exit code 2) with every mistake in it."""
    try:
        return cases_of(yaml_text.read(path), Language.KO if is_korean() else Language.EN)
    except UnreadableTextError as error:
        raise refused(path, [str(error)]) from error
    except CasesRefusedError as error:
        raise refused(path, error.problems) from error


def rules_of(path: Path, cases: ReadCases) -> Path | None:
    """Return the file of rules beside `path` that its cases name; None for the shipped ones."""
    return None if cases.rules in (None, "default") else path.parent / str(cases.rules)


def refused(path: Path, problems: Sequence[str]) -> CommandError:
    """Return the error that a file of cases cannot be used, with everything that is wrong with it."""
    head = say(f"{path} cannot be used:", f"{path} 파일을 쓸 수 없습니다:")
    return CommandError("\n  ".join([head, *problems]), exit_code=2)
