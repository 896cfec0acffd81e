"""Touchpoints on their way, on disk and in event order: sorting a file takes some 150 bytes of memory a touchpoint."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

import orjson


@dataclass(frozen=True, slots=True, kw_only=True)
class Spooled:
    """A touchpoint ready to send: its line in the file, and its JSON."""

    line: int
    raw: bytes


class Spool:
    """Takes documents in file order, gives them back in event order: `(occurred_at, sequence, line)`."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="waymark-import-")  # noqa: SIM115 - closed by __exit__
        self._index: list[tuple[float, int, int, int, int]] = []
        self._end = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._index)

    def add(self, line: int, document: dict[str, Any]) -> None:
        """Take one document that satisfies the contract."""
        raw = orjson.dumps(document)
        moment = datetime.fromisoformat(document["occurred_at"]).astimezone(UTC)
        self._index.append((moment.timestamp(), document.get("sequence", 0), line, self._end, len(raw)))
        self._file.write(raw)
        self._end += len(raw)

    def sort(self) -> None:
        """Put in event order; the line breaks ties, so the order is the same in every run."""
        self._index.sort()

    def read(self, start: int = 0) -> Iterator[Spooled]:
        """From position `start` of the order on."""
        for _, _, line, offset, length in self._index[start:]:
            self._file.seek(offset)
            yield Spooled(line=line, raw=self._file.read(length))
