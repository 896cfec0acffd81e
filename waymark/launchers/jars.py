"""Apache Kafka's jars: resolved by Maven from the pinned POM, checked against pinned hashes, kept in the user's cache.

`python -m waymark.launchers.jars` resolves them anew and writes the hashes: what a change of version runs, once.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from waymark.launchers.child_process import StackError
from waymark.user_folders import cache_home

DEPLOY = Path(__file__).resolve().parents[2] / "deploy" / "kafka"
HASHES = DEPLOY / "jars.sha256"
MAVEN_S = 600
JAVA = 17


def kafka_jars() -> Path:
    """Folder with the checked jars; fetches them when they are not in the cache yet.

    Raises:
        StackError: Maven is missing or failed, or a jar is not the pinned one.
    """
    pinned = _read_hashes(HASHES.read_text())
    name = hashlib.sha256(HASHES.read_bytes()).hexdigest()[:12]
    folder = cache_home() / "kafka" / name
    with _locked(folder.parent):
        if not folder.exists():
            _fetch(folder)
        if problems := differences(folder, pinned):
            raise StackError(
                f"the jars in {folder} are not those of {HASHES}: {'; '.join(problems[:5])}. "
                "Delete the folder to fetch them again."
            )
    return folder


def differences(folder: Path, pinned: dict[str, str]) -> list[str]:
    """What is missing, changed or too much in a folder of jars, compared with the pinned hashes."""
    found = _hashes(folder)
    missing = [f"{name} is missing" for name in sorted(pinned.keys() - found.keys())]
    strange = [f"{name} is not pinned" for name in sorted(found.keys() - pinned.keys())]
    changed = [f"{name} differs" for name in sorted(pinned.keys() & found.keys()) if pinned[name] != found[name]]
    return missing + strange + changed


def java() -> str:
    """The Java to run: `JAVA_HOME`'s, else the PATH's. Raises StackError when it is missing or older than 17."""
    home = os.environ.get("JAVA_HOME")
    found = f"{home}/bin/java" if home else shutil.which("java")
    if found is None:
        raise StackError(
            f"Apache Kafka needs Java {JAVA}: install it (Debian: openjdk-17-jre-headless) or set JAVA_HOME"
        )
    said = subprocess.run([found, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < JAVA:
        raise StackError(f"Apache Kafka needs Java {JAVA} or newer; {found} says: {said.splitlines()[:1]}")
    return found


def _fetch(folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise StackError("Apache Kafka's jars are fetched with Maven: install it (Debian: maven)")
    fresh = Path(tempfile.mkdtemp(dir=folder.parent))
    goals = ["dependency:copy-dependencies", f"-DoutputDirectory={fresh}", "-DincludeScope=runtime"]
    # -C: a checksum that is not the registry's own is an error, not a warning.
    command = [maven, "--quiet", "--batch-mode", "-C", "-f", str(DEPLOY / "pom.xml"), *goals]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=MAVEN_S, check=False)
    if outcome.returncode:
        shutil.rmtree(fresh)
        raise StackError(f"Maven could not fetch Apache Kafka's jars:\n{outcome.stdout[-2000:]}")
    fresh.rename(folder)


def _hashes(folder: Path) -> dict[str, str]:
    return {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in folder.glob("*.jar")}


def _read_hashes(text: str) -> dict[str, str]:
    return {name: digest for digest, name in (line.split() for line in text.splitlines())}


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One fetch at a time, also among processes."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> None:
    """Resolve the jars anew and pin what came."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "jars"
        _fetch(folder)
        HASHES.write_text("".join(f"{digest}  {name}\n" for name, digest in sorted(_hashes(folder).items())))


if __name__ == "__main__":
    main()
