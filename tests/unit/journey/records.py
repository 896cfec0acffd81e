"""Records and claims as plain values, for tests that need no broker."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.journey.consume.intake import Chunk
from services.runtime.log.claims import Claim


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeRecord:
    """A record as the Kafka client hands it over, without a Kafka client."""

    offset: int
    timestamp: int = 1_700_000_000_000
    key: bytes | None = b"k"
    value: bytes | None = b"v"
    headers: Sequence[tuple[str, bytes]] = ()


def records(first: int, count: int) -> list[FakeRecord]:
    """`count` records from offset `first` on."""
    return [FakeRecord(offset=offset) for offset in range(first, first + count)]


def claim(partition: int = 0, *, epoch: int = 1, applied: int = 0) -> Claim:
    """A claim that stands at `applied`."""
    return Claim(partition=partition, epoch=epoch, applied=applied, cursor=applied)


def chunk(held: Claim, first: int, count: int) -> Chunk:
    """A chunk of fake records."""
    return Chunk(claim=held, records=records(first, count))
