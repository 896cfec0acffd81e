"""What a batch means for customers, for the account of the worker, and for its progress."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from prometheus_client import CollectorRegistry

from services.journey.apply.batch_metrics import count_batch
from services.journey.apply.duplicate_filter import FilteredBatch, first_of_each
from services.journey.apply.resolution import IdentityResolution
from services.journey.apply.transaction import account_for, advance_over, customer_updates
from services.journey.consume.decoding import PoisonCode, refuse
from services.journey.domain.names import CustomerId
from services.journey.metrics import WorkerMetrics
from services.journey.renew.writer import WriteCounts
from services.runtime.log.identity import fingerprint
from tests.unit.journey.log_records import PARTITION, a_batch, decoded, document

ANN, BOB, GONE = CustomerId(UUID(int=1)), CustomerId(UUID(int=2)), UUID(int=3)
LONG_AGO = "2026-11-01T09:00:00Z"


def resolution(**owners: CustomerId) -> IdentityResolution:
    return IdentityResolution(owners={("crm", id_): customer for id_, customer in owners.items()})


# --- customers ---------------------------------------------------------------------------------------------------


def test_each_customer_gets_its_new_records_in_the_order_of_the_log() -> None:
    filtered, _ = first_of_each(a_batch(document("a"), document("b"), document("c")))

    updates = customer_updates(filtered.fresh.values(), resolution(a=ANN, b=BOB, c=ANN), lambda trace: trace)

    assert {customer: [one.touchpoint.id for one in update.fresh] for customer, update in updates.items()} == {
        ANN: ["a", "c"],
        BOB: ["b"],
    }


def test_a_customer_is_renewed_for_a_merge_though_nothing_of_it_is_new() -> None:
    found = IdentityResolution(absorbed={ANN: [GONE]}, new_identifiers={ANN: 2})

    (update,) = customer_updates([], found, lambda trace: trace).values()

    assert (update.fresh, update.absorbed, update.new_identifiers) == ([], [GONE], 2)


# --- the account -------------------------------------------------------------------------------------------------


def applied(batch: Any, filtered: FilteredBatch, found: IdentityResolution | None = None) -> Any:
    return account_for(batch, filtered, found or IdentityResolution(), WriteCounts())


def test_every_record_is_accounted_for_once() -> None:
    batch = a_batch(document("a"), document("b", occurred_at=LONG_AGO), document("a"), b"nonsense")
    filtered, _ = first_of_each(batch)
    filtered.duplicates = 1

    account = applied(batch, filtered)

    assert (account.touchpoints, account.late, account.duplicates) == (2, 1, 1)
    assert sum(account.refused.values()) == 1
    assert account.dead == [False, False, False, True]


def test_an_id_that_was_used_before_is_refused_and_is_no_step_towards_the_limit() -> None:
    batch = a_batch(document(), document(text="changed"))
    filtered, (again,) = first_of_each(batch)
    filtered.letters.append(refuse(again, PoisonCode.ID_CONFLICT))

    account = applied(batch, filtered)

    assert account.refused == {PoisonCode.ID_CONFLICT: 1}
    assert account.dead == [False, False]


def test_a_touchpoint_of_nobody_is_a_step_towards_the_limit() -> None:
    batch = a_batch(document())
    filtered, _ = first_of_each(batch)
    filtered.refuse_fresh([("crm", "call-1")], PoisonCode.NO_USABLE_IDENTIFIER)

    account = applied(batch, filtered)

    assert (account.touchpoints, account.dead) == (0, [True])


def test_a_committed_batch_is_counted_by_what_became_of_its_records() -> None:
    registry = CollectorRegistry()
    batch = a_batch(document("a"), document("b", occurred_at=LONG_AGO), b"nonsense")
    filtered, _ = first_of_each(batch)
    merged = IdentityResolution(absorbed={ANN: [GONE, UUID(int=4)]})

    now = datetime(2026, 11, 22, 9, 0, 30, tzinfo=UTC)
    count_batch(WorkerMetrics.register(registry), applied(batch, filtered, merged), 0.5, now)

    samples = {
        (sample.name, *sample.labels.values()): sample.value for each in registry.collect() for sample in each.samples
    }
    records = {key[-1]: value for key, value in samples.items() if key[0].endswith("records_total")}
    assert records == {"fresh": 1, "late": 1, "duplicate": 0, "refused": 1}
    assert [value for key, value in samples.items() if key[0].endswith("merges_total")] == [2]
    assert [value for key, value in samples.items() if key[0].endswith("applied_age_seconds_sum")] == [30]


# --- progress ----------------------------------------------------------------------------------------------------


def test_progress_stands_behind_the_last_record_and_knows_it_again() -> None:
    batch = a_batch(document("a"), b"nonsense")
    (run,) = batch.runs

    advance = advance_over(run)

    assert (advance.partition, advance.was, advance.next_offset, advance.replayed_at) == (PARTITION, 0, 2, None)
    assert advance.last_hash == fingerprint(run.items[-1].record)
    assert advance.appended_at == datetime(2026, 11, 22, 9, 0, 1, tzinfo=UTC)


def test_the_latest_replayed_touchpoint_moves_the_time_of_the_replay() -> None:
    (run,) = a_batch(document("a", replay=True), document("b", replay=True), document("c")).runs

    assert advance_over(run).replayed_at == datetime(2026, 11, 22, 9, 0, 1, tzinfo=UTC)
    assert decoded(document(replay=True)).touchpoint.replay
