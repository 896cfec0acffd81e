"""Processes that a launcher freezes."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from waymark.launchers.child_process import ChildProcess, await_ready

BUSY = """
import threading

def count():
    while True:
        print(end=".", flush=True)

for _ in range(7):
    threading.Thread(target=count, daemon=True).start()
count()
"""


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[ChildProcess]:
    """A process whose eight threads all write to its log."""
    child = ChildProcess("busy", [sys.executable, "-c", BUSY], log=tmp_path / "log")
    child.start()
    await_ready(child, lambda: child.log.stat().st_size > 0, within_s=20)
    yield child
    child.kill()


def test_nothing_comes_from_a_frozen_process(busy: ChildProcess) -> None:
    for _ in range(20):
        busy.freeze()
        frozen = busy.log.stat().st_size
        for _ in range(100):
            assert busy.log.stat().st_size == frozen
        busy.resume()
        await_ready(busy, lambda frozen=frozen: busy.log.stat().st_size > frozen, within_s=20)  # type: ignore[misc]


def test_a_process_that_has_ended_is_not_waited_for(busy: ChildProcess) -> None:
    busy.kill()

    busy.freeze()

    assert not busy.alive
