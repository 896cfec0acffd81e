"""Where a user's files live: data that must be kept, and downloads that can be made again."""

import os
import sys
from pathlib import Path


def data_home() -> Path:
    """Return the folder for data that must survive, such as the local stack's PostgreSQL."""
    return _home("XDG_DATA_HOME", ".local/share", "Library/Application Support") / "waymark"


def cache_home() -> Path:
    """Return the folder for what can be fetched again, such as Apache Kafka's jars."""
    return _home("XDG_CACHE_HOME", ".cache", "Library/Caches") / "waymark"


def _home(variable: str, linux: str, mac: str) -> Path:
    if chosen := os.environ.get(variable):
        return Path(chosen)
    return Path.home() / (mac if sys.platform == "darwin" else linux)
