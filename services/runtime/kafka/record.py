"""A record to write to Kafka."""

import msgspec

Headers = tuple[tuple[str, bytes], ...]


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One record to write."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
