"""Virtual environments for peers whose dependencies are not ours: made once in the user's cache, by uv, pinned."""

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import Teller
from waymark.user_folders import cache_home

ROOT = Path(__file__).parents[1]
INSTALL_S = 300


class PeerMissingError(Exception):
    """An environment could not be made; the text says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Packages in exact versions, installed beside each other and nothing else. No packages: the project's own."""

    name: str
    packages: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where it stands; another place for other versions."""
        digest = hashlib.sha256("\n".join((sys.version, *self.packages)).encode()).hexdigest()[:12]
        return cache_home() / "bench" / f"{self.name}-{digest}"

    def program(self, name: str) -> str:
        """Return the path of a program in it."""
        return str(self.folder / "bin" / name) if self.packages else str(Path(sys.executable).with_name(name))

    def versions(self) -> dict[str, str]:
        """Return the pinned packages and their versions."""
        pairs = (package.split("==") for package in self.packages)
        return {name.partition("[")[0]: version for name, version in pairs}

    def prepare(self, teller: Teller) -> None:
        """Make it, unless it is there. Raises PeerMissingError."""
        if not self.packages or (self.folder / ".complete").exists():
            return
        teller.step(f"installing {' '.join(self.packages)} into the cache (once)")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        _run([_uv(), "venv", "--quiet", "--python", sys.executable, str(self.folder)])
        _run([_uv(), "pip", "install", "--quiet", "--python", self.program("python"), *self.packages])
        (self.folder / ".complete").touch()


OWN = Environment(name="own")
"""The project's environment."""

_MSGSPEC = "msgspec==0.22.0"
QUIXSTREAMS = Environment(name="quixstreams", packages=("quixstreams==3.28.1", _MSGSPEC))
BYTEWAX = Environment(name="bytewax", packages=("bytewax[kafka]==0.21.1", "confluent-kafka==2.12.2", _MSGSPEC))
CONFLUENT = Environment(name="confluent", packages=("confluent-kafka==2.12.2", "asyncpg==0.32.0", _MSGSPEC))
PROFILER = Environment(name="profiler", packages=("py-spy==0.4.3",))


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise PeerMissingError("the peers are installed with uv: run `make setup`, or install uv")
    return found


def _run(command: list[str]) -> None:
    environment = {**os.environ, "UV_SYSTEM_CERTS": os.environ.get("UV_SYSTEM_CERTS", "true")}
    said = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=INSTALL_S, check=False, cwd=ROOT
    )
    if said.returncode:
        raise PeerMissingError(f"{' '.join(command[:3])} failed:\n{said.stderr.strip()[-2000:]}")
