"""Decodes the records of a batch, which the worker applies in one transaction."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from services.journey.consume.decoding import PoisonRecord, ReadableRecord, appended_at, decode_record
from services.journey.consume.intake import Chunk, ConsumedRecord
from services.runtime.log import batch as log_batch
from services.runtime.log.batch import Batch


class BatchRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One record of a batch, with its decoded content."""

    partition: int
    record: ConsumedRecord
    content: ReadableRecord | PoisonRecord
    appended_at: datetime

    @property
    def place(self) -> tuple[int, int]:
        """The partition and the offset of the record."""
        return self.partition, self.record.offset

    @property
    def offset(self) -> int:
        """The offset of the record in its partition."""
        return self.record.offset


def gather(chunks: Sequence[Chunk]) -> Batch[BatchRecord]:
    """Decode the records of `chunks`; several chunks of one claim follow each other."""
    records = [_read(chunk.partition, record) for chunk in chunks for record in chunk.records]
    return log_batch.gather(records, {chunk.partition: chunk.claim for chunk in chunks})


def _read(partition: int, record: ConsumedRecord) -> BatchRecord:
    return BatchRecord(
        partition=partition, record=record, content=decode_record(record), appended_at=appended_at(record)
    )
