"""A record as a producer writes it to Kafka."""

import msgspec

Headers = tuple[tuple[str, bytes], ...]


class ProducerRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One record to write."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
