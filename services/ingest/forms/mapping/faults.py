"""What can be wrong with a mapping, and with a value that it reads.

Exception
 ├── MappingFileError      a file cannot be used: everything that is wrong with it, a line each
 ├── MappingRuleError      one definition in it cannot be used; whoever reads the file knows its place
 └── UnreadableValueError  a message has a value that cannot be read as its member wants it
"""

from collections.abc import Sequence


class MappingFileError(Exception):
    """A mapping cannot be used; `problems` has one line for each correction, with its place first."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = list(problems)


class MappingRuleError(Exception):
    """A definition in a mapping cannot be used; the message says why."""


class UnreadableValueError(Exception):
    """A value that cannot be read. The message never quotes it: it may be personal data.

    `place` is where the value stands, if the front has a name for it: the column of an import.
    """

    def __init__(self, message: str, place: str = "") -> None:
        super().__init__(message)
        self.place = place
