"""Reads XES, the XML of process mining (IEEE 1849), as rows: one event each, with what its trace says of it.

An event's attribute is a column by its key (`concept:name`, `time:timestamp`), one of its trace has `case:` before it
(`case:concept:name`), as the tools of the field name them; an attribute inside another is `outer.inner`. XES gives
events no id: `event:number` counts those of a trace from 1, so that case and number make one. A key that
stands a second time beside itself is `key (2)`.
"""

from collections.abc import Iterator
from pathlib import Path
from xml.parsers import expat

from waymark.imports.formats.texts import flaw_of_cut, opened
from waymark.imports.mapping.column_names import plain
from waymark.imports.mapping.values import Row

CHUNK_BYTES = 64 * 1024
_VALUES = frozenset({"string", "date", "int", "float", "boolean", "id"})
_HOLDERS = frozenset({"list", "container"})
_ASIDE = frozenset({"extension", "global", "classifier"})
"""Elements that describe the log; what stands inside is nobody's attribute."""


class XesError(Exception):
    """The file is no XES, or ends before its end; `line` is where."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line = line
        self.problem = problem


def read_events(path: Path) -> Iterator[tuple[int, Row]]:
    """Yield each event with the line that it begins on; `.gz` is unpacked.

    Raises:
        XesError: from here on nothing can be read.
    """
    events = _Events()
    with opened(path) as file:
        try:
            while chunk := file.read(CHUNK_BYTES):
                events.feed(chunk)
                yield from events.taken()
            if file.cut:
                raise XesError(events.line, flaw_of_cut())
            events.feed(b"", last=True)
        except expat.ExpatError as error:
            yield from events.taken()
            raise XesError(error.lineno, f"not XES: {expat.ErrorString(error.code)}") from error


class _Events:
    """Collects events while it is fed."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype
        self._found: list[tuple[int, Row]] = []
        self._trace: dict[str, str] = {}
        self._event: dict[str, str] | None = None
        self._began = 0
        self._in_trace = False
        self._number = 0
        self._path: list[str] = []
        self._aside = 0

    @property
    def line(self) -> int:
        """The line that the parser has reached."""
        return self._parser.CurrentLineNumber

    def feed(self, chunk: bytes, *, last: bool = False) -> None:
        """Read on; raises `expat.ExpatError` and XesError."""
        self._parser.Parse(chunk, last)

    def taken(self) -> list[tuple[int, Row]]:
        """Return what was found since the last time."""
        found, self._found = self._found, []
        return found

    def _refuse_doctype(self, *_: object) -> None:
        """XES needs none, and entities are how XML files fetch others or grow without end."""
        raise XesError(self.line, "a document type declaration is not taken: remove it")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        element = name.rpartition(":")[2]
        if element in _ASIDE or self._aside:
            self._aside += 1
        elif element == "trace":
            self._in_trace, self._trace, self._number = True, {}, 0
        elif element == "event":
            self._number += 1
            self._event, self._began = {"event:number": str(self._number)}, self.line
        elif element in _VALUES or element in _HOLDERS:
            self._attribute(attributes.get("key", ""), attributes.get("value"))

    def _end(self, name: str) -> None:
        element = name.rpartition(":")[2]
        if self._aside:
            self._aside -= 1
        elif element == "trace":
            self._in_trace = False
        elif element == "event" and self._event is not None:
            self._found.append((self._began, {**self._trace, **self._event}))
            self._event = None
        elif element in _VALUES or element in _HOLDERS:
            self._path.pop()

    def _attribute(self, key: str, value: str | None) -> None:
        self._path.append(key)
        if value is None:
            return
        name = plain(".".join(self._path))
        if self._event is not None:
            self._event[_free(name, self._event)] = value
        elif self._in_trace:
            self._trace[_free(f"case:{name}", self._trace)] = value


def _free(name: str, taken: Row) -> str:
    """Return the name, or with a number where it stands already: lists repeat their keys."""
    if name not in taken:
        return name
    number = 2
    while f"{name} ({number})" in taken:
        number += 1
    return f"{name} ({number})"
