"""How many records the next transaction takes: as many as wait, but no more than it can apply in good time.

Most of a batch's cost is per customer, so in a backlog the largest batch is the cheapest (measured: 7,500 records of
one partition cost little more than half of what 2,500 cost each). Locks are held for as long as it runs, though, so
its length is bounded in time, by what full batches took so far.
"""

from dataclasses import dataclass

STEP = 2.0
"""The size at most doubles or halves from one batch to the next: one odd batch says little."""


@dataclass(slots=True, kw_only=True)
class BatchSize:
    """The most records of the next batch; `learn` after each batch.

    `most` is never passed; `target_s` is how long a batch shall take, in seconds; `every_s` is the least time from the
    start of one batch to that of the next: most of what a batch of a few records costs is the batch.
    """

    most: int
    target_s: float
    least: int = 500
    records: int = 500
    every_s: float = 0.0

    def __post_init__(self) -> None:
        """Keep the first size within its bounds."""
        self.least = min(self.least, self.most)
        self.records = self._bounded(self.records)

    def learn(self, records: int, took_s: float) -> None:
        """Note that `records` took so long; a batch that was not full can only say that full ones are too long."""
        wanted = self.target_s / max(took_s, 1e-6)
        if wanted < 1.0 or records >= self.records:
            self.records = self._bounded(round(self.records * min(max(wanted, 1.0 / STEP), STEP)))

    def pause_s(self, took_s: float) -> float:
        """How long to gather records before the next batch, after one that took so long."""
        return max(0.0, self.every_s - took_s)

    def _bounded(self, records: int) -> int:
        return min(max(records, self.least), self.most)
