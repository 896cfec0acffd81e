"""How a source is read, as the operator sets it: the mapping of its Segment calls, its web origins, its clock."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import yaml
from psycopg.types.json import Jsonb

from services.ingest.segment import mapping
from services.ingest.segment.calls import DIALECT
from services.ingest.segment.mapping import MappingError
from waymark.console import CommandError

_ORIGIN = re.compile(r"\*|https?://[a-z0-9.-]+(:[0-9]{1,5})?|null")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What is to be set; None leaves what is. An empty mapping takes the source's own away."""

    segment: dict[str, Any] | None = None
    origins: Sequence[str] | None = None
    clock: str | None = None


def read_mapping(path: Path) -> dict[str, Any]:
    """Read and check a Segment mapping, JSON or YAML.

    Raises:
        CommandError: the file cannot be read, or says something impossible.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CommandError(f"{path} cannot be read: {error}", exit_code=2) from error
    try:
        mapping.read(document)
    except MappingError as error:
        raise CommandError(f"{path}: {error}", exit_code=2) from error
    checked: dict[str, Any] = document
    return checked


def checked_origins(origins: Sequence[str]) -> list[str]:
    """Return origins as a browser sends them; raises `CommandError` for what is none."""
    trimmed = [origin.lower().rstrip("/") for origin in origins]
    wrong = [origin for origin in trimmed if not _ORIGIN.fullmatch(origin)]
    if wrong:
        raise CommandError(f"no web origin: {', '.join(wrong)}; say https://shop.example.com, or *", exit_code=2)
    return sorted(set(trimmed))


def set_reading(connection: psycopg.Connection, source: str, reading: Reading) -> None:
    """Set how a source is read; raises `CommandError` if there is none of that name. Replicas notice within seconds."""
    dialect = None if reading.segment is None else Jsonb({DIALECT: reading.segment} if reading.segment else {})
    origins = None if reading.origins is None else list(reading.origins)
    found = connection.execute(
        """UPDATE ingest.sources
              SET dialects = CASE WHEN %(dialect)s::jsonb IS NULL THEN dialects
                                  ELSE (dialects - %(name)s) || %(dialect)s::jsonb END,
                  origins = coalesce(%(origins)s::text[], origins),
                  clock = coalesce(%(clock)s, clock)
            WHERE name = %(source)s""",
        {"dialect": dialect, "name": DIALECT, "origins": origins, "clock": reading.clock, "source": source},
    )
    if not found.rowcount:
        raise CommandError(f"there is no source {source!r}; `waymark keys create --source {source}` makes it")
