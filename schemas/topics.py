"""Topics as data: `topics/<name>.yaml` says what a topic carries, how long, who writes it and who reads it.

Topics are created from these files and checked against them, so infrastructure and code trust one description.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Annotated

import msgspec

from schemas import data_files

FOLDER = data_files.FOLDER / "topics"

HOUR_MS = 3_600_000

_Positive = Annotated[int, msgspec.Meta(ge=1)]


class CleanupPolicy(StrEnum):
    """What Kafka does with old records."""

    DELETE = "delete"
    COMPACT = "compact"


class TimestampType(StrEnum):
    """Whose clock stamps a record: the producer's or the broker's."""

    CREATE_TIME = "CreateTime"
    LOG_APPEND_TIME = "LogAppendTime"


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The shape of a topic file."""

    description: str
    key: str
    schema: Annotated[str, msgspec.Meta(pattern=r"^[a-z_]+\.v[1-9][0-9]*$")]
    partitions: _Positive
    replication: _Positive
    min_insync_replicas: _Positive
    cleanup: CleanupPolicy
    retention_hours: _Positive | None
    message_timestamp_type: TimestampType
    max_message_bytes: _Positive
    owner: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    personal_data: bool
    personal_data_why: str


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """One topic. `retention_ms` is None when nothing is deleted for its age (a compacted topic)."""

    name: str
    description: str
    key: str
    schema: str
    partitions: int
    replication: int
    min_insync_replicas: int
    cleanup: CleanupPolicy
    retention_ms: int | None
    timestamp_type: TimestampType
    max_message_bytes: int
    owner: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    personal_data: bool
    personal_data_why: str

    def config(self) -> dict[str, str]:
        """Kafka's own settings for this topic (replication apart: a cluster with one broker cannot keep it)."""
        return {
            "cleanup.policy": self.cleanup.value,
            "retention.ms": str(-1 if self.retention_ms is None else self.retention_ms),
            "message.timestamp.type": self.timestamp_type.value,
            "max.message.bytes": str(self.max_message_bytes),
        }


@cache
def load() -> Mapping[str, Topic]:
    """Return every topic by name, read once."""
    return {path.stem: parse(path.stem, path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.yaml"))}


def parse(name: str, text: str) -> Topic:
    """The topic `name` as its file says; raises `schemas.data_files.DataFileError` for a key without a meaning."""
    file = data_files.parse(text, _File, name=f"topics/{name}.yaml")
    members = {field: getattr(file, field) for field in _File.__struct_fields__}
    hours, timestamp_type = members.pop("retention_hours"), members.pop("message_timestamp_type")
    return Topic(
        name=name,
        retention_ms=None if hours is None else hours * HOUR_MS,
        timestamp_type=timestamp_type,
        **members,
    )
