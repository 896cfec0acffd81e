"""Checks of a file of variables, such as `docker compose --env-file` reads, before anything is started with it."""

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from services.runtime.addresses import postgres_url
from services.runtime.settings import SHARED_PREFIX, misspelt
from waymark.console import say
from waymark.doctor.finding import DoctorFinding, broken, fine
from waymark.processes.variables import known_variables, refusals

PASSWORDS = "WAYMARK_DB_PASSWORD"
"""Begins the names of the passwords that docker-compose.yml puts into URLs as they are."""


@dataclass(slots=True, kw_only=True)
class EnvFileVariables:
    """The variables of a file, the line of each, and what is wrong with the file itself."""

    values: dict[str, str] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def examine_env_file(path: Path) -> Iterable[DoctorFinding]:
    """Return whether processes would start with this file's variables; nothing else of this machine is examined.

    Paths in it are seen as this command sees them.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        yield _refused([f"{path}: is not UTF-8 (byte {error.start + 1}); save the file in UTF-8"])
        return
    except OSError as error:
        yield _refused([f"{path}: cannot be read: {error.strerror}"])
        return
    found = read_variables(text)
    problems = [*found.problems, *_located(_against(found.values), found.lines)]
    if problems:
        yield _refused([f"{path}: {problem}" for problem in problems])
    else:
        count = sum(name.startswith(SHARED_PREFIX) for name in found.values)
        yield fine("settings", say(f"{path}: {count} WAYMARK_* variables", f"{path}: WAYMARK_* 변수 {count}개"))


def read_variables(text: str) -> EnvFileVariables:
    """Read the text of an environment file without filling anything in from elsewhere."""
    found = EnvFileVariables()
    for binding in parse_stream(io.StringIO(text)):
        line = _line(binding)
        if binding.error or (binding.key is not None and binding.value is None):
            found.problems.append(f"this is no NAME=value (line {line})")
        elif binding.key is not None:
            name = binding.key
            if name in found.lines:
                found.problems.append(f"{name}: is given twice, in line {found.lines[name]} and line {line}")
            found.values[name], found.lines[name] = binding.value or "", line
    return found


def _line(binding: Binding) -> int:
    """Where its name stands: a binding begins with the blank lines before it."""
    whole: str = binding.original.string
    blank = whole[: len(whole) - len(whole.lstrip())]
    return int(binding.original.line) + blank.count("\n")


def _against(values: Mapping[str, str]) -> Iterator[str]:
    yield from misspelt(values, known_variables())
    yield from (problem for problem in refusals(values) if "no such setting" not in problem)
    for name, password in values.items():
        if not name.startswith(PASSWORDS):
            continue
        if not password:
            yield f"{name}: is empty; make one: openssl rand -hex 24"
        elif wrong := postgres_url.problems(f"postgresql://waymark:{password}@postgres:5432/waymark"):
            yield f"{name}: stands in a URL as it is, so make it of letters and digits: {wrong[0]}"


def _located(problems: Iterable[str], lines: Mapping[str, int]) -> Iterator[str]:
    for problem in problems:
        name = re.match(r"[A-Z0-9_]*", problem)
        line = lines.get(name[0]) if name else None
        yield f"{problem} (line {line})" if line else problem


def _refused(problems: list[str]) -> DoctorFinding:
    fix = say("correct these lines", "이 줄들을 바로잡으세요")
    return broken("settings", "; ".join(problems), fix)
