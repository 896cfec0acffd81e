"""The libraries of others, unmodified, each at its pinned version: installed once into a cache, never into ours.

`package-lock.json` and `requirements.txt` pin them; the cache's folder is named after what they say. Needs PyPI, and
for the Node libraries npm and Node 18 or newer.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
CLIENTS = HERE / "clients"
INSTALL_S = 600.0


class ClientFailedError(Exception):
    """A client did not end by itself, or ended with an error of its own; the text has its last words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What a client is to send: `calls` track calls, of which the first `malformed` have an impossible user id."""

    url: str
    key: str
    run: str
    calls: int
    malformed: int = 0
    others: bool = False
    """Whether identify, page and alias follow."""
    one_by_one: bool = False
    """Whether each call is a request of its own."""
    pause_ms: int = 0

    def json(self) -> str:
        """Return it as the clients read it."""
        return json.dumps({name: getattr(self, name) for name in self.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """One library: its client's file, and how it behaves where libraries differ."""

    name: str
    file: str
    others: int = 3
    """How many of identify, page and alias it has."""
    batches: bool = True
    """Whether it sends several calls in one request."""
    retries: bool = True
    """Whether it tries again by itself."""
    modes: tuple[str, ...] = ()
    """What its client is told besides the spec."""

    @property
    def is_node(self) -> bool:
        """Whether it runs on Node."""
        return self.file.endswith(".mjs")


LIBRARIES = (
    Library(name="segment-analytics-python 2.4.0", file="segment_python.py"),
    Library(name="rudder-sdk-python 2.1.9", file="rudder_python.py"),
    Library(name="@segment/analytics-node 3.1.0", file="segment_node.mjs"),
    Library(name="@rudderstack/rudder-sdk-node 3.0.13", file="rudder_node.mjs"),
    Library(name="@jitsu/js 1.11.0", file="jitsu_node.mjs", others=2, batches=False, retries=False),
)


class Running:
    """A client at work."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def errors(self, within_s: float) -> list[str]:
        """Wait for its end and return the errors that the library reported."""
        try:
            said, words = self._process.communicate(timeout=within_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            said, words = self._process.communicate()
            raise ClientFailedError(f"the client was still at it after {within_s:g} s: {words[-2000:]}") from None
        if self._process.returncode:
            raise ClientFailedError(f"the client ended with {self._process.returncode}: {words[-2000:]}")
        errors: list[str] = json.loads(said.strip().splitlines()[-1])["errors"]
        return errors


def start(library: Library, spec: Spec) -> Running:
    """Let `library` send."""
    if library.is_node:
        folder = node_home()
        # Node looks for libraries beside the script, so the scripts stand beside the libraries.
        command: list[str | Path] = ["node", folder / library.file, spec.json(), *library.modes]
    else:
        command = [python_home() / "bin" / "python", CLIENTS / library.file, spec.json(), *library.modes]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=_environment(), encoding="utf-8"
    )
    return Running(process)


def python_home() -> Path:
    """Return the environment with the Python libraries, made when it is missing."""
    lock = HERE / "requirements.txt"
    with _made("python", [lock]) as (home, missing):
        if missing:
            _run([sys.executable, "-m", "venv", home])
            pip: list[str | Path] = [home / "bin" / "python", "-m", "pip", "install", "--quiet"]
            _run([*pip, "--disable-pip-version-check", "--require-hashes", "--requirement", lock])
    return home


def node_home() -> Path:
    """Return the folder with the Node libraries and the clients, made when it is missing."""
    with _made("node", [HERE / "package.json", HERE / "package-lock.json"]) as (home, missing):
        if missing:
            home.mkdir(parents=True)
            for name in ("package.json", "package-lock.json"):
                shutil.copy(HERE / name, home)
            # Not `npm ci`: it wants every optional package of every platform to be in the registry, needed or not.
            # What the lock names is installed as it says, and checked against its digests.
            options = ["--no-audit", "--no-fund", "--ignore-scripts", "--omit=optional", "--loglevel=error"]
            _run(["npm", "install", *options], cwd=home)
        for script in CLIENTS.glob("*.mjs"):
            shutil.copy(script, home)
    return home


@contextmanager
def _made(name: str, pinned: Iterable[Path]) -> Iterator[tuple[Path, bool]]:
    """Give the folder for what these files pin, and whether it has to be filled: by one process at a time."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in pinned)).hexdigest()[:16]
    cache = Path(_environment().get("XDG_CACHE_HOME") or Path.home() / ".cache") / "waymark-sdks"
    cache.mkdir(parents=True, exist_ok=True)
    home, whole = cache / f"{name}-{digest}", cache / f"{name}-{digest}.whole"
    with (cache / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not whole.exists():
            shutil.rmtree(home, ignore_errors=True)
        yield home, not whole.exists()
        whole.touch()


def _run(command: Iterable[str | Path], cwd: Path | None = None) -> None:
    done = subprocess.run([str(word) for word in command], cwd=cwd, timeout=INSTALL_S, check=False, capture_output=True)
    if done.returncode:
        raise ClientFailedError(f"{command} failed: {done.stderr.decode(errors='replace')[-2000:]}")


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"}
