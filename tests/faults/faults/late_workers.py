"""F16: an outage longer than the absence window brings no false alert."""

from tests.faults.checker import Check
from tests.faults.fault import Fault, Verdict
from tests.faults.lab import Lab
from tests.faults.outage import BROKEN, KEPT, run_outage


async def outage(lab: Lab, seed: int) -> Verdict:
    """Promises that were kept while no worker ran."""
    engines = await lab.engines()
    alarms = await run_outage(engines, lab.folder)
    checks = [
        Check(name="no kept promise is called missed", ok=not alarms.false, detail=f"{len(alarms.false)} false alerts"),
        Check(name="every broken one is", ok=len(alarms.true) == BROKEN, detail=f"{len(alarms.true)} of {BROKEN}"),
    ]
    return Verdict(checks=checks, counts={"kept": KEPT, "broken": BROKEN, "false": len(alarms.false)})


FAULTS = (Fault(id="F16", title="workers away for longer than promises last", short=True, run=outage),)
