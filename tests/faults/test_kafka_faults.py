"""On Apache Kafka: nothing is lost, doubled or invented while workers are killed; stock Faust does lose."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.chaos import Blow
from tests.faults.control import run_control
from tests.faults.fleet import Engines
from tests.faults.outage import BROKEN, run_outage
from tests.faults.scenario import Size, run

pytestmark = pytest.mark.kafka


@pytest.fixture
def engines(tmp_path: Path) -> Iterator[Engines]:
    """Fresh ones for each run: a run begins with empty topics and tables."""
    started = Engines.start(tmp_path / "engines")
    yield started
    started.stop()


@pytest.mark.timeout(240)
async def test_killing_workers_changes_nothing_that_the_oracle_can_see(engines: Engines, tmp_path: Path) -> None:
    size = Size(seed=7, touchpoints=5000, kills=5, freezes=1, alerts_kills=2, seconds=50, settle_s=120)
    report = await run(size, engines, tmp_path)
    assert [f"{one.name}: {one.detail}" for one in report.checks if not one.ok] == []
    assert (report.count(Blow.KILL), report.count(Blow.FREEZE)) == (7, 1)


@pytest.mark.timeout(240)
async def test_the_same_faults_make_stock_faust_lose_data(engines: Engines, tmp_path: Path) -> None:
    loss = await run_control(engines, tmp_path, seed=7, touchpoints=5000, seconds=60)
    assert loss.accepted > 5000
    assert loss.lost < loss.accepted * 0.9, "it did not work at all, which shows nothing"
    assert loss.committed_to_the_end, "what is missing might still come"
    assert loss.lost > 0, "if Faust's own path loses nothing any more, ours may be simpler"


@pytest.mark.timeout(240)
async def test_after_an_outage_no_promise_that_was_kept_is_called_missed(engines: Engines, tmp_path: Path) -> None:
    alarms = await run_outage(engines, tmp_path)
    assert alarms.false == set()
    assert alarms.unnoticed == set()
    assert len(alarms.true) == BROKEN
