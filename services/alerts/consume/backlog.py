"""Records that were read and wait for their turn, and which of them may go before it.

Pure. A critical friction must not wait behind thousands of others, and the frictions of one customer keep their order:
whoever overtakes takes along what came before it under the same key. Applying them is left to the intakes.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from itertools import islice

from services.alerts.consume.records import ConsumedRecord
from services.runtime.log.batch import Batch, gather
from services.runtime.log.claims import Claim

MOST_BYTES = 32 * 1024 * 1024
"""With so many bytes waiting nothing more is read; what one fetch brings comes on top."""


class Backlog:
    """At most `most` records in the order in which they were read, which is that of their offsets by partition."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._records: deque[ConsumedRecord] = deque()
        self._claims: dict[int, Claim] = {}
        self._unseen = 0
        self._ahead: set[tuple[int, int]] = set()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._records)

    @property
    def room(self) -> int:
        """How many records more may be read now."""
        return 0 if self._bytes >= MOST_BYTES else max(0, self._most - len(self._records))

    def add(self, records: Iterable[ConsumedRecord], claims: Mapping[int, Claim]) -> None:
        """Add what was just read, and forget what belongs to a claim that is not among `claims` any more."""
        lost = {partition for partition, claim in self._claims.items() if claims.get(partition) is not claim}
        if lost:
            self._keep(record for record in self._records if record.partition not in lost)
        self._claims = dict(claims)
        for record in records:
            self._records.append(record)
            self._bytes += len(record.value or b"")
            self._unseen += 1

    def _keep(self, records: Iterable[ConsumedRecord]) -> None:
        self._records = deque(records)
        self._bytes = sum(len(record.value or b"") for record in self._records)
        self._ahead &= {(record.partition, record.offset) for record in self._records}
        self._unseen = len(self._records)

    def take(self, most: int) -> Batch[ConsumedRecord]:
        """Take the next `most` records out."""
        taken = [self._records.popleft() for _ in range(min(most, len(self._records)))]
        self._bytes -= sum(len(record.value or b"") for record in taken)
        self._ahead.difference_update((record.partition, record.offset) for record in taken)
        self._unseen = min(self._unseen, len(self._records))
        return gather(taken, self._claims)

    def overtaking(self, urgent: Callable[[ConsumedRecord], bool], most: int) -> Batch[ConsumedRecord]:
        """Return up to `most` records that go before their turn; they stay here, and are returned once.

        If everything here is taken next, nothing needs to overtake.
        """
        looked_at, self._unseen = len(self._records) - self._unseen, 0
        if len(self._records) <= most:
            return gather((), self._claims)
        last: dict[tuple[int, bytes], int] = {}
        for record in islice(self._records, looked_at, None):
            if record.key is not None and urgent(record):
                last[record.partition, record.key] = record.offset
        chosen = list(islice((record for record in self._records if last and self._overtakes(record, last)), most))
        self._ahead.update((record.partition, record.offset) for record in chosen)
        return gather(chosen, self._claims)

    def _overtakes(self, record: ConsumedRecord, last: Mapping[tuple[int, bytes], int]) -> bool:
        """Return whether a record goes ahead with an urgent one of its key, and has not gone yet."""
        if record.key is None or (record.partition, record.offset) in self._ahead:
            return False
        return record.offset <= last.get((record.partition, record.key), -1)
