"""One child process with a log file: start, signal, wait, and the promise that it does not outlive its launcher.

Children run in sessions of their own, so that Ctrl-C reaches the launcher only, which then stops them in order.
A launcher killed by SIGKILL is covered by the watchman in `watchman.py`.
"""

import atexit
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

TICK_S = 0.02
TAIL_BYTES = 16_384
FREEZE_S = 10.0


class StackError(Exception):
    """A part of the local stack failed; the text says which, and how to correct it."""


class ChildProcess:
    """A child process: not started yet, running, or ended; `start` may be called again after an end."""

    def __init__(  # noqa: PLR0913 - what a process is started with
        self,
        name: str,
        args: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        cwd: Path | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = name
        self.args = [str(arg) for arg in args]
        self.log = log
        self._env = None if env is None else dict(env)
        self._user = user
        self._cwd = cwd
        self._stop_signal = stop_signal
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id of the latest start. Raises StackError before the first."""
        if self._process is None:
            raise StackError(f"{self.name} was not started")
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs; reaps it when it has ended."""
        if self._process is None:
            return False
        if self._process.poll() is None:
            return True
        _WATCHMAN.forget(self._process.pid)
        return False

    @property
    def exit_code(self) -> int | None:
        """Exit code of the latest run, negative for a signal, None while it runs or before the first start."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start the process, its output appended to the log file."""
        if self.alive:
            raise StackError(f"{self.name} runs already (pid {self.pid})")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self.args,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._env,
                cwd=self._cwd,
                user=self._user,
                group=self._user,
                extra_groups=None if self._user is None else [],
                start_new_session=True,
            )
        _WATCHMAN.watch(self._process.pid, self._stop_signal)

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if the process still runs."""
        if self.alive:
            os.kill(self.pid, number)

    def freeze(self) -> None:
        """Stop it where it stands (SIGSTOP), and return once all of its threads do: the kernel stops them one by one.

        Raises:
            StackError: it still runs after `FREEZE_S`.
        """
        self.send(signal.SIGSTOP)
        if not wait_until(lambda: not self.alive or self._has_stopped(), within_s=FREEZE_S):
            raise StackError(f"{self.name} (pid {self.pid}) still runs {FREEZE_S:g} s after SIGSTOP")

    def resume(self) -> None:
        """Continue a frozen process."""
        self.send(signal.SIGCONT)

    def wait(self, within_s: float) -> bool:
        """Wait for the end of the process; says whether it came in time."""
        return wait_until(lambda: not self.alive, within_s=within_s)

    def stop(self, number: signal.Signals | None = None, *, within_s: float = 30.0) -> bool:
        """Ask for the end with a signal, and force it after `within_s` seconds. True when asking was enough."""
        self.send(number or self._stop_signal)
        if self.wait(within_s):
            return True
        self.kill()
        return False

    def kill(self) -> None:
        """End the process at once (SIGKILL), also when it is paused, and reap it."""
        self.send(signal.SIGKILL)
        self.wait(10.0)

    def _has_stopped(self) -> bool:
        return os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOHANG) is not None

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of the log, for a person who must find out why it ended."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - TAIL_BYTES))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])


def await_ready(child: ChildProcess, ready: Callable[[], bool], *, within_s: float) -> None:
    """Wait until a started child answers; raises StackError with the tail of its log when it ends or hangs instead."""
    if wait_until(lambda: not child.alive or ready(), within_s=within_s) and child.alive:
        return  # asked once: one that has just been ready may have work with its peers the moment after
    fate = "does not answer" if child.alive else f"ended with code {child.exit_code}"
    child.kill()
    raise StackError(f"{child.name} {fate}; the end of {child.log}:\n{child.log_tail()}")


def wait_until(condition: Callable[[], bool], *, within_s: float) -> bool:
    """Ask again and again until the condition holds; False when the time is up first."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(TICK_S)
    return True


def free_port() -> int:
    """A loopback TCP port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(port: int) -> bool:
    """Whether something accepts TCP connections on this loopback port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True


class _Watchman:
    """Our end of the pipe to `watchman.py`, which starts with the first child."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._watched: set[int] = set()

    def watch(self, pid: int, number: signal.Signals) -> None:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(Path(__file__).with_name("watchman.py"))],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
                text=True,
            )
            atexit.register(self.close)
        self._watched.add(pid)
        self._say(f"+{pid} {number.value}\n")

    def forget(self, pid: int) -> None:
        if pid in self._watched:
            self._watched.discard(pid)
            self._say(f"-{pid}\n")

    def close(self) -> None:
        if self._process is not None:
            self._process.communicate()  # closes the pipe; the watchman ends what is left, then itself

    def _say(self, line: str) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(line)
            self._process.stdin.flush()


_WATCHMAN = _Watchman()
