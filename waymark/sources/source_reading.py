"""Checks how ingest is to read a source: what its calls and events become, its web origins; and sets it."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from schemas.strict_yaml import yaml_text
from schemas.strict_yaml.yaml_text import YamlText
from schemas.vocabulary import Channel
from services.ingest.forms.cloudevents.cloudevents_form import DIALECT as CLOUDEVENTS
from services.ingest.forms.cloudevents.event_rules import EventRules
from services.ingest.forms.mapping.faults import MappingFileError
from services.ingest.forms.segment import segment_mapping
from services.ingest.forms.segment.post_calls import DIALECT as SEGMENT
from services.ingest.sources import source_administration
from services.ingest.sources.source_administration import ForbiddenChannelError, SourceReading, UnknownSourceError
from services.runtime.postgres.pools import Connection
from waymark.console import CommandError

_ORIGIN = re.compile(r"\*|https?://[a-z0-9.-]+(:[0-9]{1,5})?|null")


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


def dialects_of(segment: dict[str, Any] | None, cloudevents: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
    """Return what was given, by the name of its wire form."""
    given = {SEGMENT: segment, CLOUDEVENTS: cloudevents}
    return {name: dialect for name, dialect in given.items() if dialect is not None}


async def set_reading(connection: Connection, source: str, reading: SourceReading) -> None:
    """Set how a source is read; raises `CommandError` for an unknown source. Replicas notice within seconds."""
    try:
        await source_administration.set_reading(connection, source, reading)
    except ForbiddenChannelError as error:
        allowed = ", ".join(error.allowed)
        raise CommandError(f"{source} may not use {reading.channel}; it may use {allowed}", exit_code=2) from error
    except UnknownSourceError as error:
        raise CommandError(
            f"there is no source {source!r}; `waymark keys create --source {source}` makes it"
        ) from error
