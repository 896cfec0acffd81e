"""Records as the worker decodes them, for tests of what it decides about a batch."""

from datetime import timedelta
from typing import Any

import msgspec

from services.journey.consume.decoding import BatchRecord, DecodedRecord, decode_record
from services.runtime.log.batch import Batch, gather
from tests.unit.journey.records import FakeRecord, claim

PARTITION = 3
LATE_AFTER = timedelta(days=1)
APPENDED_MS = 1_795_338_000_000
"""When the broker got the first record, 2026-11-22T09:00:00Z; each next one came a second later."""


def document(id_: str = "call-1", **members: Any) -> bytes:
    """A touchpoint of the source `crm` as it stands in the log; `members` override."""
    whole = {
        "source": "crm",
        "id": id_,
        "occurred_at": "2026-11-22T09:00:00Z",
        "received_at": "2026-11-22T09:00:01Z",
        "channel": "phone",
        "kind": "call_ended",
        "customer": {"customer_id": {"value": "C-1"}},
    }
    return msgspec.json.encode(whole | members)


def a_batch(*values: bytes | None) -> Batch[BatchRecord]:
    """One run of records, decoded, from offset 0 on."""
    records = [
        FakeRecord(offset=offset, value=value, timestamp=APPENDED_MS + 1000 * offset)
        for offset, value in enumerate(values)
    ]
    return gather([decode_record(PARTITION, one, LATE_AFTER) for one in records], {PARTITION: claim(PARTITION)})


def decoded(value: bytes) -> DecodedRecord:
    """A record that is a touchpoint."""
    (record,) = a_batch(value).items
    assert isinstance(record, DecodedRecord)
    return record
