"""A record to write to Kafka."""

from dataclasses import dataclass

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record to write."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
