"""Decides how many records the next transaction takes: as many as wait, but no more than it can apply in time.

Most of the cost of a batch is per customer, so in a backlog the largest batch is the cheapest (measured: of 7,500
records of one partition, each costs little more than half of what it costs in a batch of 2,500). A batch holds locks as
long as it runs, however, so its duration is bounded, estimated from the full batches so far.
"""

from dataclasses import dataclass

STEP = 2.0
"""The most by which the size grows or shrinks from one batch to the next, because one odd batch says little."""


@dataclass(slots=True, kw_only=True)
class BatchSize:
    """The most records of the next batch. Call `learn` after each batch.

    The size never exceeds `most`. `target_s` is how many seconds a batch should take. `every_s` is the least time from
    the start of one batch to the start of the next, because a small batch costs almost as much as a larger one.
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
        """Note how long `records` took; a batch that was not full can only show that full ones would be too long."""
        wanted = self.target_s / max(took_s, 1e-6)
        if wanted < 1.0 or records >= self.records:
            self.records = self._bounded(round(self.records * min(max(wanted, 1.0 / STEP), STEP)))

    def pause_s(self, took_s: float) -> float:
        """Return how long to gather records before the next batch."""
        return max(0.0, self.every_s - took_s)

    def _bounded(self, records: int) -> int:
        return min(max(records, self.least), self.most)
