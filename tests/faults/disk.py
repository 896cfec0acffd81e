"""A small disk of its own for an engine, so that it can be full: a tmpfs of fixed size, where mounting is permitted."""

import errno
import os
import subprocess
from contextlib import suppress
from pathlib import Path

MIB = 1024 * 1024


class NotPermittedError(Exception):
    """This machine does not let us mount; the text is what `mount` said."""


class SmallDisk:
    """A tmpfs at `folder`. `fill` leaves no byte on it, `free` gives the space back."""

    def __init__(self, folder: Path, *, mib: int) -> None:
        self.folder = folder
        self._filler = folder / "filler"
        self._mib = mib

    def mount(self) -> None:
        """Mount it.

        Raises:
            NotPermittedError: this needs root, and a kernel that lets root mount.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={self._mib}m", "tmpfs", str(self.folder)]
        try:
            outcome = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            raise NotPermittedError(str(error)) from error
        if outcome.returncode:
            raise NotPermittedError(outcome.stderr.strip())

    def unmount(self) -> None:
        """Take it away, even while something is still open on it."""
        subprocess.run(["umount", "--lazy", str(self.folder)], capture_output=True, check=False)

    def fill(self) -> int:
        """Write until there is no space left; returns how many MiB that took."""
        with self._filler.open("ab", buffering=0) as filler:
            for size in (MIB, 4096, 1):
                with suppress(_FullError):
                    while True:
                        _write(filler.fileno(), bytes(size))
        return self._filler.stat().st_size // MIB

    def free(self) -> None:
        """Give the space back."""
        self._filler.unlink(missing_ok=True)


class _FullError(Exception):
    """No space left."""


def _write(file: int, data: bytes) -> None:
    try:
        if os.write(file, data) < len(data):
            raise _FullError
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise _FullError from error
        raise
