"""How the command speaks: results on standard output, everything else on standard error, Korean where `LANG` asks.

Colours and progress follow the terminal; `NO_COLOR` turns colours off (rich sees to both).
"""

import os
from collections.abc import Sequence
from typing import Any

from rich.console import Console

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)


class CommandError(Exception):
    """The command cannot do what was asked; the text says why and how to go on. `exit_code` 1, or 2 for wrong usage."""

    def __init__(self, text: str, *, exit_code: int = 1) -> None:
        super().__init__(text)
        self.exit_code = exit_code


def settings_wrong(problems: Sequence[str]) -> str:
    """Return the message about wrong settings, one line each."""
    return "\n  ".join((say("the settings are wrong:", "설정이 잘못되었습니다:"), *problems))


def is_korean() -> bool:
    """Return whether the operator's locale is Korean."""
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if chosen := os.environ.get(variable):
            return chosen.startswith("ko")
    return False


def say(english: str, korean: str) -> str:
    """Return the text in the operator's language."""
    return korean if is_korean() else english


def print_json(document: Any) -> None:
    """Write one JSON document to standard output, for programs: no colours, no wrapping, UTF-8 as it is."""
    import orjson

    out.file.write(orjson.dumps(document, option=orjson.OPT_INDENT_2, default=str).decode() + "\n")


def masked(url: str) -> str:
    """Return a connection URL without its password."""
    scheme, separator, rest = url.partition("://")
    credentials, at, place = rest.rpartition("@")
    return f"{scheme}{separator}{credentials.partition(':')[0]}{at}{place}"
