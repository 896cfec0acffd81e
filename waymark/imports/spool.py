"""Touchpoints on their way, on disk and in event order: sorting a file takes some 240 bytes of memory a touchpoint."""

import tempfile
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from itertools import pairwise
from typing import Any, Self

import orjson

SHOWN_LINES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class SpooledTouchpoint:
    """A touchpoint ready to send: its line in the file, its row's number from 0, and its JSON."""

    line: int
    raw: bytes
    row: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatedIds:
    """Touchpoints with an id that an earlier one of the file has, how many of them say something else than it, and the
    lines of the first id that is repeated."""

    count: int = 0
    differing: int = 0
    lines: tuple[int, ...] = ()


class TouchpointSpool:
    """Takes documents in file order, gives them back in event order: `(occurred_at, sequence, line)`."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="waymark-import-")  # noqa: SIM115 - closed by __exit__
        self._index: list[tuple[float, int, int, int, int, int]] = []
        self._ids = array("Q")
        self._contents = array("Q")
        self._lines = array("Q")
        self._end = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._index)

    def add(self, line: int, document: dict[str, Any], *, row: int = 0) -> None:
        """Take one document that satisfies the contract."""
        raw = orjson.dumps(document)
        moment = datetime.fromisoformat(document["occurred_at"]).astimezone(UTC)
        self._index.append((moment.timestamp(), document.get("sequence", 0), line, self._end, len(raw), row))
        self._ids.append(_digest(str(document.get("id")).encode()))
        self._contents.append(_digest(raw))
        self._lines.append(line)
        self._file.write(raw)
        self._end += len(raw)

    def sort(self) -> None:
        """Put in event order; the line breaks ties, so the order is the same in every run."""
        self._index.sort()

    def repeats(self) -> RepeatedIds:
        """Return what the mapping made more than once."""
        order = sorted(range(len(self._ids)), key=self._ids.__getitem__)
        count = differing = 0
        begin: int | None = None
        lines: list[int] = []
        first_of_all = len(order)
        for previous, here in pairwise(order):
            if self._ids[previous] != self._ids[here]:
                begin = None
                continue
            begin = previous if begin is None else begin
            count += 1
            differing += self._contents[here] != self._contents[begin]
            if begin < first_of_all:
                first_of_all, lines = begin, [self._lines[begin]]
            if begin == first_of_all and len(lines) < SHOWN_LINES:
                lines.append(self._lines[here])
        return RepeatedIds(count=count, differing=differing, lines=tuple(lines))

    def rows(self, end: int) -> Iterator[int]:
        """The rows of the touchpoints before position `end` of the order."""
        return (entry[5] for entry in self._index[:end])

    def read(self, start: int = 0) -> Iterator[SpooledTouchpoint]:
        """From position `start` of the order on."""
        for _, _, line, offset, length, row in self._index[start:]:
            self._file.seek(offset)
            yield SpooledTouchpoint(line=line, raw=self._file.read(length), row=row)


def _digest(content: bytes) -> int:
    return int.from_bytes(blake2b(content, digest_size=8).digest())
