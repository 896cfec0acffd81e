"""Counts committed batches in the metrics: one call for each batch, so that counting costs nothing for each record."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.journey.consume.decoding import BatchRecord, PoisonCode
from services.journey.metrics import FrictionMetrics, WorkerMetrics
from services.journey.renew.writer import WriteCounts
from services.runtime.log.batch import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedBatch:
    """What a transaction did.

    `dead` has one flag for each record, in order: whether it is a dead letter that counts towards the limit.
    """

    runs: Sequence[Run[BatchRecord]]
    touchpoints: int
    late: int
    duplicates: int
    merges: int
    refused: Counter[PoisonCode]
    quarantined: Counter[str]
    dead: Sequence[bool]
    written: WriteCounts


def count_batch(metrics: WorkerMetrics, applied: AppliedBatch, seconds: float, now: datetime) -> None:
    """Count a committed batch that took `seconds`; `now` is used only for its age."""
    stream = metrics.stream
    refused = sum(applied.refused.values())
    outcomes = {
        "fresh": applied.touchpoints - applied.late,
        "late": applied.late,
        "duplicate": applied.duplicates,
        "refused": refused,
    }
    for outcome, records in outcomes.items():
        stream.records.labels(outcome).inc(records)
    for code, letters in applied.refused.items():
        stream.dead_letters.labels(code).inc(letters)
    for reason, links in applied.quarantined.items():
        stream.links_quarantined.labels(reason).inc(links)
    stream.merges.inc(applied.merges)
    if applied.runs:
        stream.batch_seconds.observe(seconds)
        stream.batch_records.observe(sum(len(run.items) for run in applied.runs))
        oldest = min(run.items[0].appended_at for run in applied.runs)
        stream.applied_age_seconds.observe(max(0.0, (now - oldest).total_seconds()))
    count_written(metrics.friction, applied.written)


def count_written(metrics: FrictionMetrics, written: WriteCounts) -> None:
    """Count what was written about customers."""
    for (rule, event, quiet), frictions in written.frictions.items():
        metrics.frictions.labels(rule, event, "true" if quiet else "false").inc(frictions)
    for (channel, happened), contacts in written.contacts.items():
        metrics.contacts.labels(channel, happened).inc(contacts)
    for rule, failures in written.failures.items():
        metrics.rule_failures.labels(rule).inc(failures)
