"""Reads the policy's file for the command, and says what is wrong with it, line by line."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from waymark.console import CommandError, say

if TYPE_CHECKING:
    from services.alerts.policy.file.policy_file import PolicyProblem, ReadPolicyFile


class WrongPolicyError(CommandError):
    """The file is no policy; `problems` says what is wrong, for programs."""

    def __init__(self, name: str, problems: "tuple[PolicyProblem, ...]") -> None:
        heading = say("the policy is wrong:", "정책이 잘못되었습니다:")
        super().__init__("\n  ".join((heading, *(problem.within(name) for problem in problems))))
        self.problems = [
            {"file": name, "line": one.line, "place": one.place, "message": one.message} for one in problems
        ]


def read_text(file: Path) -> str:
    """Return the text of a file, or of standard input for `-`; raises `CommandError`."""
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else say("it is not UTF-8", "UTF-8이 아닙니다")
        raise CommandError(f"{file}: {why}", exit_code=2) from None


def read_policy(file: Path) -> "ReadPolicyFile":
    """Return the policy in a file; raises `WrongPolicyError`."""
    from services.alerts.policy.file.policy_file import PolicyFileError, read_policy_file

    try:
        return read_policy_file(read_text(file))
    except PolicyFileError as error:
        problems = error.problems
    raise WrongPolicyError(str(file), problems)
