"""On Apache Kafka: the short faults, each as `python -m tests.faults` runs it. The long ones are `make faults`."""

from pathlib import Path

import pytest

from tests.faults.__main__ import run_once
from tests.faults.fault import Fault, Outcome
from tests.faults.faults import registered
from tests.faults.lab import Lab

SHORT = [fault for fault in registered().values() if fault.short]
SEED = 7


@pytest.mark.kafka
@pytest.mark.timeout(660)
@pytest.mark.parametrize("fault", SHORT, ids=[fault.id for fault in SHORT])
async def test_every_short_fault_holds(fault: Fault, tmp_path: Path) -> None:
    verdict = await run_once(fault, SEED, Lab(tmp_path))
    assert [f"{one.name}: {one.detail}" for one in verdict.checks if not one.ok] == []
    assert verdict.outcome is Outcome.HOLDS, verdict.not_run


def test_every_fault_has_a_title_and_enough_time() -> None:
    assert all(fault.title and fault.limit_s > 30 for fault in registered().values())
