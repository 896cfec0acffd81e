"""What the command makes of faults: only what holds passes, what a fault raises is its verdict, nothing lives on."""

import asyncio
from pathlib import Path

import pytest

from tests.faults.__main__ import run_once
from tests.faults.checker import Check
from tests.faults.fault import Fault, Outcome, Verdict
from tests.faults.faults import registered
from tests.faults.lab import Lab

GOOD, BAD = Check(name="good", ok=True, detail=""), Check(name="bad", ok=False, detail="")


@pytest.mark.parametrize(
    ("verdict", "outcome"),
    [
        (Verdict(checks=[GOOD]), Outcome.HOLDS),
        (Verdict(checks=[GOOD, BAD]), Outcome.BROKEN),
        (Verdict(), Outcome.NOT_RUN),
        (Verdict(not_run="no room"), Outcome.NOT_RUN),
        (Verdict(checks=[GOOD], not_run="no room"), Outcome.NOT_RUN),
    ],
)
def test_only_what_was_checked_and_holds_is_a_pass(verdict: Verdict, outcome: Outcome) -> None:
    assert verdict.outcome is outcome


async def test_what_a_fault_raises_is_its_verdict_and_its_lab_is_left_clean(tmp_path: Path) -> None:
    ended: list[str] = []

    async def broken(lab: Lab, seed: int) -> Verdict:
        lab.stack.callback(ended.append, "process")
        raise RuntimeError(f"seed {seed} is bad")

    verdict = await run_once(Fault(id="X1", title="", short=False, run=broken), 3, Lab(tmp_path / "x"))

    assert verdict.outcome is Outcome.BROKEN
    assert "seed 3 is bad" in verdict.checks[0].detail
    assert ended == ["process"]
    assert "RuntimeError" in (tmp_path / "x" / "traceback.txt").read_text()


async def test_a_fault_that_does_not_end_is_broken_and_its_lab_is_left_clean(tmp_path: Path) -> None:
    ended: list[str] = []

    async def endless(lab: Lab, seed: int) -> Verdict:
        lab.stack.callback(ended.append, "process")
        await asyncio.Event().wait()
        return Verdict()

    fault = Fault(id="X2", title="", short=False, run=endless, limit_s=0.1)
    verdict = await run_once(fault, 1, Lab(tmp_path / "x"))

    assert verdict.outcome is Outcome.BROKEN
    assert ended == ["process"]


def test_faults_stand_in_the_order_of_their_numbers() -> None:
    names = list(registered())

    assert names.index("F5") < names.index("F5b") < names.index("F10")
    assert len(names) == len(set(names))
