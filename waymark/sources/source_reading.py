"""Sets how ingest reads a source: what its calls and events become, its web origins, its clock."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from schemas.strict_yaml import yaml_text
from schemas.strict_yaml.yaml_text import YamlText
from schemas.vocabulary import Channel
from services.ingest.forms.cloudevents.cloudevents_form import DIALECT as CLOUDEVENTS
from services.ingest.forms.cloudevents.event_rules import EventRules
from services.ingest.forms.mapping.faults import MappingFileError
from services.ingest.forms.segment import segment_mapping
from services.ingest.forms.segment.post_calls import DIALECT as SEGMENT
from waymark.console import CommandError

_ORIGIN = re.compile(r"\*|https?://[a-z0-9.-]+(:[0-9]{1,5})?|null")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReading:
    """What to set; None leaves a setting as it is. An empty mapping or empty rules remove the source's own."""

    segment: dict[str, Any] | None = None
    cloudevents: dict[str, Any] | None = None
    origins: Sequence[str] | None = None
    clock: str | None = None
    channel: str | None = None
    """The default channel; an empty one takes the default away."""


def read_mapping(path: Path) -> dict[str, Any]:
    """Read and check a Segment mapping, JSON or YAML; raises `CommandError` with everything that is wrong."""
    return _read(path, segment_mapping.read)


def read_rules(path: Path) -> dict[str, Any]:
    """Read and check the rules for CloudEvents, JSON or YAML; raises `CommandError` with everything that is wrong."""
    return _read(path, EventRules)


def _read(path: Path, check: Callable[[Any], object]) -> dict[str, Any]:
    text = _text(path)
    problems = list(text.doubled)
    try:
        check(text.document)
    except MappingFileError as error:
        problems += map(text.located, error.problems)
    if problems:
        raise CommandError("\n".join(f"{path}: {problem}" for problem in problems), exit_code=2)
    document: dict[str, Any] = text.document or {}
    return document


def _text(path: Path) -> YamlText:
    try:
        return yaml_text.read(path)
    except yaml_text.UnreadableTextError as error:
        raise CommandError(f"{path}: {error}", exit_code=2) from error


def checked_origins(origins: Sequence[str]) -> list[str]:
    """Return origins as a browser sends them; raises `CommandError` for anything else."""
    trimmed = [origin.lower().rstrip("/") for origin in origins]
    wrong = [origin for origin in trimmed if not _ORIGIN.fullmatch(origin)]
    if wrong:
        raise CommandError(f"no web origin: {', '.join(wrong)}; say https://shop.example.com, or *", exit_code=2)
    return sorted(set(trimmed))


def checked_channel(channel: str) -> str:
    """Return a default channel, empty for `none`; raises `CommandError` for an unknown one."""
    if channel == "none":
        return ""
    if channel not in set(Channel):
        raise CommandError(f"no such channel: {channel}; there are {', '.join(Channel)}, or none", exit_code=2)
    return channel


def _check_allowed(connection: psycopg.Connection, source: str, channel: str) -> None:
    row = connection.execute("SELECT channels FROM ingest.sources WHERE name = %s", (source,)).fetchone()
    allowed = row[0] if row is not None else None
    if channel and allowed and channel not in allowed:
        raise CommandError(f"{source} may not use {channel}; it may use {', '.join(sorted(allowed))}", exit_code=2)


def set_reading(connection: psycopg.Connection, source: str, reading: SourceReading) -> None:
    """Set how a source is read; raises `CommandError` for an unknown source. Replicas notice within seconds."""
    if reading.channel:
        _check_allowed(connection, source, reading.channel)
    given = {SEGMENT: reading.segment, CLOUDEVENTS: reading.cloudevents}
    set_anew = [name for name, dialect in given.items() if dialect is not None]
    added = {name: dialect for name, dialect in given.items() if dialect}
    origins = None if reading.origins is None else list(reading.origins)
    found = connection.execute(
        """UPDATE ingest.sources
              SET dialects = (dialects - %(set_anew)s::text[]) || %(added)s,
                  origins = coalesce(%(origins)s::text[], origins),
                  clock = coalesce(%(clock)s, clock),
                  defaults = CASE WHEN %(channel)s::text IS NULL THEN defaults
                                  ELSE (defaults - 'channel')
                                       || jsonb_strip_nulls(jsonb_build_object('channel', nullif(%(channel)s, '')))
                             END
            WHERE name = %(source)s""",
        {
            "set_anew": set_anew,
            "added": Jsonb(added),
            "origins": origins,
            "clock": reading.clock,
            "channel": reading.channel,
            "source": source,
        },
    )
    if not found.rowcount:
        raise CommandError(f"there is no source {source!r}; `waymark keys create --source {source}` makes it")
