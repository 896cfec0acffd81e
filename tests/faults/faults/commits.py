"""F10: the connection to PostgreSQL is cut around a COMMIT: before it arrives, or after it was carried out, unheard.

Whoever sent it cannot know which. Nothing may be lost, nothing doubled, nothing told twice because of it; and no
process may end over it.
"""

from functools import partial
from random import Random

from tests.faults.checker import Check
from tests.faults.course import Course, Scene, run_course
from tests.faults.fault import Fault, Verdict
from tests.faults.lab import Lab
from tests.faults.proxy import Cut, Proxy


async def cut(lab: Lab, seed: int, *, share: float, touchpoints: int, seconds: float) -> Verdict:
    """A share of all commits of the worker and of alerts."""
    course = Course(
        touchpoints=touchpoints,
        seconds=seconds,
        wired=True,
        webhook_repeats=touchpoints,  # bounded below by the cuts themselves
    )
    verdict = await run_course(lab, seed, course, partial(_cut, share=share))
    cuts = sum(int(count) for name, count in verdict.counts.items() if "commits cut" in name)
    repeats = int(verdict.counts["webhook repeats"])
    bound = Check(
        name="no more webhooks are repeated than commits were cut",
        ok=repeats <= cuts,
        detail=f"{repeats} repeats, {cuts} cuts",
    )
    return Verdict(checks=[*verdict.checks, bound], counts=verdict.counts)


async def _cut(scene: Scene, share: float) -> None:
    wires = scene.engines.wires
    assert wires is not None
    proxies = [wires.postgres["journey"], wires.postgres["alerts"]]
    await scene.sending.wait()
    for proxy in proxies:
        proxy.cut = partial(_strike, Random(f"{scene.rng.random()} {proxy.name}"), share)
    await scene.sent.wait()
    for proxy in proxies:
        proxy.cut = _never
        _count(scene, proxy)
    scene.checks.append(
        Check(
            name="both services lost connections around a COMMIT, before and after it",
            ok=all(proxy.counts[f"commits cut {cut}"] > 0 for proxy in proxies for cut in Cut),
            detail="; ".join(f"{proxy.name}: {dict(proxy.counts)}" for proxy in proxies),
        )
    )


def _count(scene: Scene, proxy: Proxy) -> None:
    for how in Cut:
        scene.counts[f"commits cut {how}, {proxy.name}"] += proxy.counts[f"commits cut {how}"]


def _strike(rng: Random, share: float) -> Cut | None:
    return rng.choice((Cut.BEFORE, Cut.AFTER)) if rng.random() < share else None


def _never() -> None:
    return None


FAULTS = (
    Fault(
        id="F10",
        title="connection to PostgreSQL cut around 10 % of COMMITs (worker and alerts)",
        short=True,
        run=partial(cut, share=0.1, touchpoints=2500, seconds=35.0),
    ),
    Fault(
        id="F10b",
        title="connection to PostgreSQL cut around 30 % of COMMITs (worker and alerts)",
        short=False,
        run=partial(cut, share=0.3, touchpoints=5000, seconds=90.0),
    ),
)
