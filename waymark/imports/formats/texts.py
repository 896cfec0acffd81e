"""Reads the lines of a text file, whatever its encoding and line ends, and reports what is broken in it.

A byte that is nothing in the encoding, a line that is too long and a compressed file that ends early are told with
their line; the other lines are as if nothing were.
"""

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from waymark.console import CommandError, say
from waymark.imports.formats.encodings import SAMPLE_BYTES, encoding_of, encoding_of_few

LONGEST_LINE = 1024 * 1024
"""Characters; a touchpoint has 64 KiB at most."""

_GZIP = b"\x1f\x8b"
_TOO_LONG = "\udfff"
_BAD_BYTE = re.compile("[\udc00-\udcff]")
_FLAWED = re.compile("[\0\udc00-\udfff]")
"""Lone surrogates, which no decoder gives, stand for what is wrong: for a bad byte, and for the cut-off rest."""


class TextFile:
    """A text file. Iterate over it once; `cut` says afterwards whether the compressed file was incomplete."""

    def __init__(self, path: Path, encoding: str | None = None) -> None:
        self._path = path
        with opened(path) as file:
            sample = file.read(SAMPLE_BYTES)
        if not sample.strip():
            raise CommandError(say(f"{path.name} is empty", f"{path.name} 파일이 비어 있습니다"), exit_code=2)
        self.encoding = encoding_of(sample, encoding, path.name)
        self._few = encoding_of_few(sample, self.encoding)
        self.cut = False

    def __iter__(self) -> Iterator[str]:
        """Yield each line with its end; what `flaw` complains of is nobody's text."""
        with opened(self._path) as file, io.TextIOWrapper(file, self.encoding, errors=_MARK, newline="") as lines:
            while line := _next(lines):
                if file.cut and not line.endswith(("\n", "\r")):
                    break
                yield line
            self.cut = file.cut

    def flaw(self, text: str) -> str:
        """Return what is wrong with a line or a cell of this file; empty when nothing is."""
        if _FLAWED.search(text) is None:  # the quick question first: nearly every line is whole
            return ""
        if _TOO_LONG in text:
            return say(f"longer than {LONGEST_LINE:,} characters", f"{LONGEST_LINE:,}자보다 깁니다")
        bad = _BAD_BYTE.search(text)
        if bad is not None:
            return self._not_text(f"0x{ord(bad[0]) - 0xDC00:02X}")
        return say("there is a NUL byte in it", "NUL 바이트가 들어 있습니다")

    def _not_text(self, byte: str) -> str:
        known = "UTF-8" if self.encoding.startswith("utf-8") else self.encoding
        few, ko_few = "", ""
        if self._few is not None:
            few = f"; it looks like {self._few}: say `encoding: {self._few}` in the mapping"
            ko_few = f". {self._few}(으)로 보입니다. 대응 파일에 `encoding: {self._few}`를 적으세요"
        return say(f"the byte {byte} is not {known}{few}", f"{byte} 바이트가 {known}이(가) 아닙니다{ko_few}")


def flaw_of_cut() -> str:
    """Return what to say where a compressed file ends too early."""
    return say("the compressed file is not whole; it ends here", "압축 파일이 온전하지 않아 여기서 끝납니다")


class FileBytes(io.BufferedReader):
    """A file's bytes, unpacked if compressed; an incomplete file ends early and is `cut`."""

    def __init__(self, raw: "_Unpacked | io.FileIO") -> None:
        super().__init__(raw)
        self._unpacked = raw if isinstance(raw, _Unpacked) else None

    @property
    def cut(self) -> bool:
        """Whether the end came too early."""
        return self._unpacked is not None and self._unpacked.cut


def opened(path: Path) -> FileBytes:
    """Open a file, compressed with gzip or not, whatever its name says."""
    file = path.open("rb", buffering=0)
    packed = file.read(2) == _GZIP
    file.seek(0)
    return FileBytes(_Unpacked(file) if packed else file)


class _Unpacked(io.RawIOBase):
    """What a gzip file holds, as far as it is whole."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._gzip = gzip.GzipFile(fileobj=file)
        self.cut = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        try:
            found = self._gzip.read1(len(buffer))
        except (EOFError, gzip.BadGzipFile, zlib.error):
            self.cut, found = True, b""
        buffer[: len(found)] = found
        return len(found)

    def close(self) -> None:
        self._file.close()
        super().close()


def _next(lines: io.TextIOWrapper) -> str:
    line = lines.readline(LONGEST_LINE)
    if len(line) < LONGEST_LINE or line.endswith(("\n", "\r")):
        return line
    while rest := lines.readline(LONGEST_LINE):
        if rest.endswith(("\n", "\r")):
            break
    return line[:80] + _TOO_LONG + "\n"


def _marked(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


_MARK = "waymark.marked"
codecs.register_error(_MARK, _marked)
