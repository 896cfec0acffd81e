"""Matchers, as Alertmanager writes them: `reason="billing"`, `severity=~"high|critical"`, `channel!=email`.

Pure. Patterns are those of RE2, anchored at both ends, so no pattern takes more than linear time. A label that an issue
does not have is empty. A label can have several values (an issue has several rules): `=` and `=~` ask whether one of
them matches, `!=` and `!~` whether none does.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import re2

Labels = Mapping[str, tuple[str, ...]]
"""The labels of an issue, each with its values, sorted."""

NO_VALUE = ("",)
_FORM = re.compile(r"^\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|=|!=|!~)\s*(.*?)\s*$", re.DOTALL)
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


class MatcherOperator(StrEnum):
    """How a matcher compares."""

    EQUAL = "="
    NOT_EQUAL = "!="
    PATTERN = "=~"
    NOT_PATTERN = "!~"

    @property
    def negative(self) -> bool:
        """Whether it asks that no value matches."""
        return self in {MatcherOperator.NOT_EQUAL, MatcherOperator.NOT_PATTERN}


class MatcherError(ValueError):
    """A text is no matcher; the message says why and how to write it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """One condition about one label."""

    name: str
    operator: MatcherOperator
    value: str

    def matches(self, labels: Labels) -> bool:
        """Return whether these labels fulfil the condition."""
        values = labels.get(self.name) or NO_VALUE
        if self.operator in {MatcherOperator.PATTERN, MatcherOperator.NOT_PATTERN}:
            pattern = _compiled(self.value)
            found = any(pattern.fullmatch(value) is not None for value in values)
        else:
            found = self.value in values
        return found is not self.operator.negative

    @property
    def takes_nothing(self) -> bool:
        """Whether it also matches an issue without the label."""
        return self.matches({})

    def __str__(self) -> str:
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.name}{self.operator}"{escaped}"'


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re2._Regexp:
    return re2.compile(f"(?:{pattern})", _OPTIONS)


def all_match(matchers: Iterable[Matcher], labels: Labels) -> bool:
    """Return whether all of these conditions are fulfilled; without conditions, they are."""
    return all(matcher.matches(labels) for matcher in matchers)


def parse_matcher(text: str) -> Matcher:
    """Return the matcher in `text`.

    Raises:
        MatcherError: it is none.
    """
    found = _FORM.match(text)
    if found is None:
        raise MatcherError('this is no matcher; write one like reason="billing" or severity=~"high|critical"')
    name, operator, raw = found.groups()
    matcher = Matcher(name=name, operator=MatcherOperator(operator), value=_value(raw))
    if operator in {"=~", "!~"}:
        try:
            _compiled(matcher.value)
        except re2.error as error:
            said = error.args[0]
            why = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
            raise MatcherError(f"its pattern cannot be read: {why}") from None
    return matcher


def _value(raw: str) -> str:
    """Return the value of a matcher without its quotes and escapes, by Alertmanager's rules."""
    quoted = raw.startswith('"')
    rest = raw[1:] if quoted else raw
    value: list[str] = []
    escaped = False
    for place, sign in enumerate(rest):
        last = place == len(rest) - 1
        if escaped:
            value.append({"n": "\n", '"': '"', "\\": "\\"}.get(sign, "\\" + sign))
            escaped = False
        elif sign == "\\" and not last:
            escaped = True
        elif sign == '"':
            if not quoted or not last:
                raise MatcherError('it has a quotation mark inside its value; write it as \\"')
            return "".join(value)
        else:
            value.append(sign)
    if quoted:
        raise MatcherError("its value begins with a quotation mark and does not end with one")
    return "".join(value)


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """Return the matchers in `text`, which are parted by commas and may stand in braces.

    Raises:
        MatcherError: one of them is none.
    """
    inner = text.strip()
    if inner.startswith("{"):
        if not inner.endswith("}"):
            raise MatcherError("it opens a brace and does not close it")
        inner = inner[1:-1]
    return tuple(parse_matcher(part) for part in _parted(inner) if part.strip())


def _parted(text: str) -> list[str]:
    """Split at the commas that stand outside quotation marks."""
    parts = [""]
    inside = escaped = False
    for sign in text:
        if sign == "," and not inside:
            parts.append("")
            continue
        if sign == '"' and not escaped:
            inside = not inside
        escaped = sign == "\\" and not escaped
        parts[-1] += sign
    return parts


def value_of(labels: Labels, name: str) -> str:
    """Return a label as one text, with a comma between several values; empty if there is none."""
    return ",".join(labels.get(name) or NO_VALUE)
