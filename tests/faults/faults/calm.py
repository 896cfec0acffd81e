"""F0: nothing goes wrong. What fails here is wrong with the lab, or with Waymark on a fine day."""

from tests.faults.course import Course, Scene, run_course
from tests.faults.fault import Fault, Verdict
from tests.faults.lab import Lab


async def _nothing(scene: Scene) -> None:
    await scene.sending.wait()


async def by_http(lab: Lab, seed: int) -> Verdict:
    """Through ingest, behind proxies that only forward."""
    return await run_course(lab, seed, Course(touchpoints=3000, seconds=25, wired=True), _nothing)


async def by_topic(lab: Lab, seed: int) -> Verdict:
    """Straight to the topic, with poison."""
    return await run_course(lab, seed, Course(touchpoints=3000, seconds=25, over_http=False), _nothing)


FAULTS = (
    Fault(id="F0", title="nothing goes wrong (by HTTP, through proxies)", short=False, run=by_http, limit_s=240),
    Fault(id="F0b", title="nothing goes wrong (straight to the topic)", short=False, run=by_topic, limit_s=240),
)
