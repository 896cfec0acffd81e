"""YAML that people write, read strictly and once, so that every problem with it can name its line.

A key that is given twice is a mistake here; plain YAML silently takes the last one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from schemas.strict_yaml.shapes import shape_problems

_Loader: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

MAX_NODES: Final = 1_000_000
"""Most values that a text may stand for, its aliases written out: nine short lines of aliases can mean a billion."""


class UnreadableTextError(ValueError):
    """The text cannot be read at all; `reason` says why, `line` where (0 where nobody knows)."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(f"{reason} (line {line})" if line else reason)
        self.reason, self.line = reason, line


class YamlText:
    """One text. `document` is what it says; `doubled` has a line for each key that is given twice.

    Raises:
        UnreadableTextError: it is no YAML.
    """

    def __init__(self, text: str) -> None:
        loader = None
        try:
            loader = _Loader(text)
            self._root = loader.get_single_node()
            _check_aliases(self._root)
            self.doubled = tuple(_doubled(self._root))
            self.document: Any = None if self._root is None else loader.construct_document(self._root)
        except UnreadableTextError:
            raise
        except (yaml.YAMLError, ValueError) as error:  # a date such as 2026-13-01 is a ValueError of its own
            raise _unreadable(text, error) from None
        finally:
            if loader is not None:
                loader.dispose()

    def located(self, place: str, problem: str = "") -> str:
        """`problem` with the line of its place after it, ` (line 12)`; without one, what begins with its place."""
        return _with_line(problem or place, self.line_of(place))

    def misshapen(self, shape: Any) -> list[str]:
        """Everything in which the document is not of `shape`, a type of msgspec's, each with its line."""
        return [
            _with_line(
                f"{path_text(one.place)}: {one.message}" if one.place else one.message, self.line_of(path_text(one.at))
            )
            for one in shape_problems(self.document, shape)
        ]

    def line_of(self, place: str) -> int | None:
        """The line, from 1, of what `place` begins to say (`rules[3].when.kind`), or of the nearest thing above it.

        None where not even the first step is there. Of several names that fit, the longest counts: names may hold dots.
        """
        node, line, rest = self._root, None, place.lstrip("`")
        while (found := _below(node, rest)) is not None:
            line, node, rest = found
        return line


def read(path: Path) -> YamlText:
    """Read the file at `path`.

    Raises:
        UnreadableTextError: it cannot be read, or is no YAML.
    """
    try:
        return YamlText(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        msg = f"is not UTF-8 (byte {error.start + 1}); save the file in UTF-8"
        raise UnreadableTextError(msg) from None
    except OSError as error:
        msg = f"cannot be read: {error.strerror}"
        raise UnreadableTextError(msg) from None


def path_text(steps: Sequence[str | int]) -> str:
    """Names and numbers (from 0) as a place is written: `touchpoints[0].fields.id`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return text.removeprefix(".")


def _with_line(problem: str, line: int | None) -> str:
    return f"{problem} (line {line})" if line else problem


def _unreadable(text: str, error: Exception) -> UnreadableTextError:
    try:
        yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as same:  # told better: libyaml finds what is missing a line too late
        error = same
    mark = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None) or str(error).partition("\n")[0]
    return UnreadableTextError(f"is no YAML: {said}", mark.line + 1 if mark else 0)


def _check_aliases(root: yaml.Node | None) -> None:
    """Raise `UnreadableTextError` when a value stands within itself, or aliases multiply beyond `MAX_NODES`."""
    sizes: dict[int, int] = {}
    open_: set[int] = set()
    waiting: list[yaml.Node] = [] if root is None else [root]
    while waiting:
        node = waiting[-1]
        children = _children(node)
        if id(node) in sizes:
            waiting.pop()
        elif id(node) in open_:
            open_.remove(id(node))
            sizes[id(node)] = size = 1 + sum(sizes[id(child)] for child in children)
            if size > MAX_NODES:
                msg = f"stands for more than {MAX_NODES:,} values once its aliases are written out"
                raise UnreadableTextError(msg, node.start_mark.line + 1)
        else:
            open_.add(id(node))
            if any(id(child) in open_ for child in children):
                raise UnreadableTextError("has a value that holds itself, by an alias", node.start_mark.line + 1)
            waiting += children


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return []


def _doubled(root: yaml.Node | None) -> Iterator[str]:
    seen: set[int] = set()
    waiting: list[tuple[tuple[str | int, ...], yaml.Node | None]] = [((), root)]
    while waiting:
        steps, node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += [((*steps, at), item) for at, item in enumerate(node.value)]
        elif isinstance(node, yaml.MappingNode):
            lines: dict[str, int] = {}
            for key, value in node.value:
                name, line = str(key.value), key.start_mark.line + 1
                if name in lines and name != "<<":
                    told = f"{name} is given twice, in line {lines[name]} and line {line}"
                    yield f"{path_text(steps)}: {told}" if steps else told
                lines.setdefault(name, line)
                waiting.append(((*steps, name), value))


def _below(node: yaml.Node | None, place: str) -> tuple[int, yaml.Node, str] | None:
    """What the first step of `place` leads to: its line, the node, and the steps that are left."""
    if isinstance(node, yaml.SequenceNode) and (number := re.match(r"\[(\d{1,9})\]", place)):
        at = int(number[1])
        if at < len(node.value):
            item = node.value[at]
            return item.start_mark.line + 1, item, place[number.end() :].removeprefix(".")
    if isinstance(node, yaml.MappingNode):
        fitting = [(key, value) for key, value in node.value if _begins(place, str(key.value))]
        if fitting:
            key, value = max(fitting, key=lambda pair: len(str(pair[0].value)))
            return key.start_mark.line + 1, value, place[len(str(key.value)) :].removeprefix(".")
    return None


def _begins(place: str, name: str) -> bool:
    return bool(name) and place.startswith(name) and place[len(name) : len(name) + 1] in {"", ".", "[", ":", "`"}
