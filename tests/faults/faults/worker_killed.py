"""F1 and F28: `kill -9` of workers changes nothing that the oracle can see, and makes stock Faust lose data."""

from tests.faults.chaos import Blow
from tests.faults.checker import Check
from tests.faults.control import run_control
from tests.faults.fault import Fault, Verdict
from tests.faults.lab import Lab
from tests.faults.scenario import Size, run

KILLS = Size(seed=0, touchpoints=5000, kills=5, freezes=1, alerts_kills=2, seconds=50, settle_s=120)
MORE_KILLS = Size(seed=0, touchpoints=20_000, kills=20, freezes=2, alerts_kills=5, seconds=160, settle_s=240)


async def _killed(lab: Lab, seed: int, size: Size) -> Verdict:
    from dataclasses import replace

    engines = await lab.engines()
    report = await run(replace(size, seed=seed), engines, lab.folder, say=lab.say)
    return Verdict(
        checks=report.checks,
        counts={
            "records": sum(report.records.values()),
            "killed": report.count(Blow.KILL),
            "in a transaction": sum(one.in_transaction for one in report.blows),
            "frozen": report.count(Blow.FREEZE),
        },
    )


async def few(lab: Lab, seed: int) -> Verdict:
    """As CI has it."""
    return await _killed(lab, seed, KILLS)


async def many(lab: Lab, seed: int) -> Verdict:
    """As the reference has it."""
    return await _killed(lab, seed, MORE_KILLS)


async def control(lab: Lab, seed: int) -> Verdict:
    """The control must lose: a harness that cannot see a loss has shown nothing."""
    engines = await lab.engines()
    loss = await run_control(engines, lab.folder, seed=seed, touchpoints=5000, seconds=60)
    checks = [
        Check(name="stock Faust works at all", ok=loss.lost < loss.accepted * 0.9, detail=f"{loss.accepted} accepted"),
        Check(name="it says that all was handled", ok=loss.committed_to_the_end, detail="what is missing is gone"),
        Check(name="and yet it lost data", ok=loss.lost > 0, detail=f"{loss.lost} never handled"),
    ]
    return Verdict(
        checks=checks,
        counts={"accepted": loss.accepted, "LOST": loss.lost, "terminated": loss.polite, "killed": loss.killed},
    )


FAULTS = (
    Fault(id="F1", title="workers killed 5 times, frozen once; alerts killed twice", short=True, run=few),
    Fault(
        id="F1b",
        title="workers killed 20 times, frozen twice; alerts killed 5 times",
        short=False,
        run=many,
        limit_s=600,
    ),
    Fault(id="F28", title="control: the same makes stock Faust lose", short=True, run=control),
)
