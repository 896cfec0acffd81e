"""Processes that a launcher freezes."""

import sys
from collections.abc import Iterator
from functools import partial
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
    await_ready(child, partial(has_written_more, child, 0), within_s=20)
    yield child
    child.kill()


def has_written_more(child: ChildProcess, than: int) -> bool:
    """Whether the log is longer than it was."""
    return child.log.stat().st_size > than


def test_nothing_comes_from_a_frozen_process(busy: ChildProcess) -> None:
    for _ in range(20):
        busy.freeze()
        frozen = busy.log.stat().st_size
        for _ in range(100):
            assert busy.log.stat().st_size == frozen
        busy.resume()
        await_ready(busy, partial(has_written_more, busy, frozen), within_s=20)


def test_a_process_that_has_ended_is_not_waited_for(busy: ChildProcess) -> None:
    busy.kill()

    busy.freeze()

    assert not busy.alive
