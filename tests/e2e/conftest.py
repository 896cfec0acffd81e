"""The command as a person runs it: processes of its own, nothing of the project imported."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.ports import BLOCK, free_block
from tests.waiting import until_sync

READY_S = 90.0
STOP_S = 60.0


class Up:
    """`waymark up` in a folder of its own."""

    def __init__(self, folder: Path, *flags: str, **environment: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.data = folder / "data"
        self.ready_file = folder / "ready.json"
        self.output = folder / "output.txt"
        self.environment = {**clean_environment(), "WAYMARK_DATA_DIR": str(self.data), **environment}
        self.ports = range(base := free_block(), base + BLOCK)
        command = [*WAYMARK, "up", "--port-base", str(base), "--ready-file", str(self.ready_file), *flags]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(command, env=self.environment, stdout=output, stderr=output)

    def ready(self) -> dict[str, Any]:
        """Wait until everything answers; the addresses and keys."""
        until_sync(lambda: self.ready_file.exists() or self.process.poll() is not None, within=READY_S)
        assert self.process.poll() is None, self.said()
        document: dict[str, Any] = json.loads(self.ready_file.read_text())
        return document

    def said(self) -> str:
        """All that it printed."""
        return self.output.read_text(errors="replace")

    def family(self) -> list[psutil.Process]:
        """Every process below it."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, *words: str) -> psutil.Process:
        """The one process below it whose command line has all these words."""
        found = [process for process in self.family() if set(words) <= set(process.cmdline())]
        assert len(found) == 1, [process.cmdline() for process in self.family()]
        return found[0]

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Ask for the end and wait for it; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(STOP_S)

    def end(self) -> None:
        """Stop, unless it has ended."""
        if self.process.poll() is None:
            self.stop()

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Another `waymark` command beside this stack."""
        return run(*words, environment={**self.environment, **environment})


WAYMARK = (sys.executable, "-m", "waymark.cli")


def run(*words: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """A `waymark` command from beginning to end."""
    return subprocess.run(
        [*WAYMARK, *words],
        env=environment or clean_environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def clean_environment() -> dict[str, str]:
    """Ours without what would point the command somewhere else."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WAYMARK_")}
    return {**kept, "LANG": "C.UTF-8", "NO_COLOR": "1", "COLUMNS": "100"}


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    """Starts stacks; ends those that are left at the end of the test."""
    started: list[Up] = []

    def start(*flags: str, **environment: str) -> Up:
        started.append(Up(tmp_path / f"up-{len(started)}", *flags, **environment))
        return started[-1]

    yield start
    for one in started:
        one.end()


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One stack for the tests that leave it as it was."""
    stack = Up(tmp_path_factory.mktemp("standing"))
    try:
        stack.ready()
        yield stack
    finally:
        stack.end()
