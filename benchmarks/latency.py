"""(c) From ingest's answer to a verified webhook, at a paced rate, with everything on this machine.

Most touchpoints are of customers who come back; up to twenty-five a second are the second call of somebody about the
same case: such a one completes a friction, and the time from its 202 to the verified webhook is measured. The rate is
open-loop: a slow answer does not slow the sender down. A rate *breaks* the system when a reader falls behind for the
whole step; after the last round the rate is raised until that happens.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from random import Random
from statistics import mean, median, quantiles
from typing import Any

import aiohttp
import orjson
import uvloop

from benchmarks import deployed, ground, lags
from benchmarks.deployed import Surroundings
from benchmarks.lags import Lag, Lags
from benchmarks.measuring import WAYMARK, Benchmark, Better, Goal, Lap, Measure, Plan, Report, Teller
from benchmarks.posting import LoadError, Poster
from benchmarks.racing import RaceError
from benchmarks.traffic import touchpoint
from benchmarks.watching import Watch
from services.runtime.clock import SystemClock
from waymark.demo.receiver import AlertReceiver, ReceivedAlert

RATES = (100, 500, 1000, 2000)
BEYOND = (3000, 4000, 5000, 6000, 8000, 10_000)
MOST_MEASURED = 25
"""A second."""

POPULATION = 20_000
TICK_S = 0.002
HEARD_WITHIN_S = 20.0
DRAINED_WITHIN_S = 120.0
SETTLING_S = 2.0
"""At the start of a step, not measured."""

WARM_UP = (200, 6.0)


@dataclass(slots=True)
class Step:
    """What one step saw. Times are those of the loop's clock, in seconds."""

    rate: int
    began: float
    accepted: dict[str, float] = field(default_factory=dict)
    answers_s: list[float] = field(default_factory=list)
    refused: int = 0
    sent: int = 0
    ended: float = 0.0


class Load:
    """Sends touchpoints at a rate and hears the webhooks."""

    def __init__(self, poster: Poster, seed: int) -> None:
        self._poster = poster
        self._dice = Random(seed)
        self._clock = SystemClock()
        self._number = 0
        self._waiting: set[asyncio.Task[None]] = set()
        self.heard: dict[str, float] = {}

    def hear(self, alert: ReceivedAlert) -> None:
        """Note a webhook."""
        case = str(alert.issue.get("refs", {}).get("case_id"))
        self.heard.setdefault(case, asyncio.get_running_loop().time())

    async def run(self, rate: int, seconds: float) -> Step:
        """Send for `seconds`; return when everything is answered."""
        loop = asyncio.get_running_loop()
        step = Step(rate, loop.time())
        every = max(rate // MOST_MEASURED, 5)
        while (elapsed := loop.time() - step.began) < seconds:
            while step.sent < elapsed * rate:
                due = step.began + step.sent / rate
                step.sent += 1
                self._start(self._pair(step, due) if step.sent % every == 0 else self._passer_by(step, due))
            await asyncio.sleep(TICK_S)
        step.ended = loop.time()
        if self._waiting:
            await asyncio.wait(self._waiting, timeout=HEARD_WITHIN_S)
        return step

    async def all_heard(self, step: Step) -> None:
        """Wait until every friction of a step was heard of, or time is up."""
        loop = asyncio.get_running_loop()
        end = loop.time() + HEARD_WITHIN_S
        while loop.time() < end and not step.accepted.keys() <= self.heard.keys():
            await asyncio.sleep(0.05)

    def _start(self, job: Any) -> None:
        task = asyncio.create_task(job)
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _passer_by(self, step: Step, due: float) -> None:
        self._number += 1
        document = touchpoint(self._dice, self._dice.randrange(POPULATION), self._number, self._now())
        await self._post(step, due, {"id": f"p-{self._number}", **document})

    async def _pair(self, step: Step, due: float) -> None:
        self._number += 1
        case = f"lat-{self._number}"
        if await self._post(step, due, self._call(case, 1)):
            loop = asyncio.get_running_loop()
            if await self._post(step, loop.time(), self._call(case, 2)):
                step.accepted[case] = loop.time()

    async def _post(self, step: Step, due: float, document: dict[str, Any]) -> bool:
        try:
            status = await self._poster.post(orjson.dumps(document))
        except (LoadError, OSError):
            status = 0
        step.answers_s.append(asyncio.get_running_loop().time() - due)
        step.refused += status != 202
        return status == 202

    def _call(self, case: str, attempt: int) -> dict[str, Any]:
        return {
            "id": f"{case}-{attempt}",
            "occurred_at": self._now(),
            "channel": "phone",
            "kind": "call_started",
            "customer": {"customer_id": case},
            "direction": "inbound",
            "reason": "billing",
            "refs": {"case_id": case},
        }

    def _now(self) -> str:
        return self._clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def run(plan: Plan, teller: Teller) -> Report:
    """Measure every rate in every round, then raise the rate until it breaks."""
    seconds = float(plan.size(6, 12, 45))
    with ground.laid_out(teller) as here:
        around = deployed.surroundings(here, "latency")
        services = [around.service(name) for name in ("ingest", "journey", "alerts")]
        teller.step("starting ingest, journey and alerts")
        with deployed.running(services):
            roots = {service.name: service.child.pid for service in services} | here.roots
            course = Course(around, {one.name: one.port for one in services}, roots, seconds)
            laps = uvloop.run(_measure(course, plan, teller))
    return _report(laps, seconds)


@dataclass(frozen=True, slots=True)
class Course:
    """Where to send, what to watch, and how long a step is."""

    around: Surroundings
    ports: dict[str, int]
    roots: dict[str, int]
    seconds: float


async def _measure(course: Course, plan: Plan, teller: Teller) -> list[Lap]:
    laps: list[Lap] = []
    async with AsyncExitStack() as stack:
        poster = Poster(course.ports["ingest"], "/v1/touchpoints", course.around.keys["source"])
        stack.callback(poster.close)
        load = Load(poster, plan.seed)
        await _listen(course, load, stack)
        watched = await stack.enter_async_context(lags.watching(course.around))
        bench = Bench(course, load, watched)
        teller.step("warming up")
        await bench.step(*WARM_UP)
        for number in range(1, plan.rounds + 1):
            for rate in RATES:
                teller.step(f"round {number} of {plan.rounds}: {rate}/s")
                laps.append(await bench.lap(number, rate))
                teller.lap(laps[-1])
        for rate in BEYOND:
            if laps[-1].measures["broken"]:
                break
            teller.step(f"until it breaks: {rate}/s")
            laps.append(await bench.lap(1, rate))
            teller.lap(laps[-1])
    return laps


async def _listen(course: Course, load: Load, stack: AsyncExitStack) -> None:
    receiver = AlertReceiver(SystemClock(), load.hear)
    port = await stack.enter_async_context(receiver.listening())
    endpoint = {"name": "benchmark", "kind": "standard_webhook", "catch_all": True}
    endpoint["url"] = f"http://127.0.0.1:{port}/alerts"
    headers = {"authorization": f"Bearer {course.around.keys['admin']}"}
    url = f"http://127.0.0.1:{course.ports['alerts']}/v1/endpoints"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, json=endpoint, headers=headers) as answer,
    ):
        if answer.status != 201:
            raise RaceError(f"alerts refused the endpoint: {answer.status} {await answer.text()}")
        receiver.trust((await answer.json())["secret"])


class Bench:
    """Runs steps and makes laps of them."""

    def __init__(self, course: Course, load: Load, watched: Lags) -> None:
        self._course = course
        self._load = load
        self._lags = watched

    async def step(self, rate: int, seconds: float) -> Step:
        """Send at a rate, hear everything, and wait until nothing is behind."""
        step = await self._load.run(rate, seconds)
        await self._load.all_heard(step)
        await self._drained()
        return step

    async def lap(self, number: int, rate: int) -> Lap:
        """Measure one rate."""
        watch = Watch(self._course.roots)
        watch.start()
        step = await self._load.run(rate, self._course.seconds)
        cpu_us = watch.spent_us(step.sent)
        await self._load.all_heard(step)
        measures = _sum_up(step, self._load.heard, self._lags.since(step.began))
        if not measures:
            raise RaceError(f"at {rate}/s nothing was heard of; {step.refused} of {step.sent} were refused")
        await self._drained()
        return Lap(round=number, contestant=WAYMARK, case=f"{rate:,}/s", measures=measures, cpu_us=cpu_us)

    async def _drained(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + DRAINED_WITHIN_S
        while any(self._lags.latest.values()):
            if loop.time() > deadline:
                raise RaceError(f"still behind after {DRAINED_WITHIN_S:.0f} s: {self._lags.latest}")
            await asyncio.sleep(0.1)


def _sum_up(step: Step, heard: dict[str, float], series: Sequence[Lag]) -> dict[str, float]:
    measured = {case: at for case, at in step.accepted.items() if at > step.began + SETTLING_S}
    took = [1000 * (heard[case] - at) for case, at in measured.items() if case in heard]
    during = [lag for lag in series if step.began + SETTLING_S < lag.at < step.ended]
    if len(took) < 2 or not during:
        return {}
    cuts, answers = quantiles(took, n=100), quantiles([1000 * s for s in step.answers_s], n=100)
    behind = {name: [lag.behind[name] for lag in during] for name in lags.READERS}
    broken = any(_grows(values, step.rate) for values in behind.values()) or _falls_short(step)
    return {
        "p50_ms": median(took),
        "p95_ms": cuts[94],
        "p99_ms": cuts[98],
        "answer_p50_ms": answers[49],
        "answer_p99_ms": answers[98],
        "journey_lag": max(behind["journey"]),
        "alerts_lag": max(behind["alerts"]),
        "lost": len(step.accepted.keys() - heard.keys()),
        "broken": float(broken),
    }


def _grows(values: Sequence[int], rate: int) -> bool:
    """Whether a lag grew over the whole step: from third to third, by half a second's traffic in all."""
    third = max(len(values) // 3, 1)
    first, second, last = mean(values[:third]), mean(values[third : 2 * third] or values), mean(values[-third:])
    return first < second < last and last - first > 0.5 * rate


def _falls_short(step: Step) -> bool:
    """Whether ingest refused, or answered late: the last tenth of the answers took more than a second."""
    late = step.answers_s[-max(len(step.answers_s) // 10, 1) :]
    return step.refused > 0 or median(late) > 1.0


def _report(laps: Sequence[Lap], seconds: float) -> Report:
    milliseconds = (("p50_ms", "p50, ms"), ("p95_ms", "p95, ms"), ("p99_ms", "p99, ms"))
    answers = (("answer_p50_ms", "202 p50, ms"), ("answer_p99_ms", "202 p99, ms"))
    counts = (
        ("journey_lag", "most lag, journey"),
        ("alerts_lag", "most lag, alerts"),
        ("lost", "not heard of in 20 s"),
    )
    return Report(
        laps=laps,
        measures=[
            *(Measure(name=name, title=title, better=Better.LOWER) for name, title in milliseconds),
            *(Measure(name=name, title=title, digits=1, better=Better.LOWER) for name, title in answers),
            *(Measure(name=name, title=title, better=Better.LOWER) for name, title in counts),
            Measure(name="broken", title="broken (1)", better=Better.LOWER),
        ],
        unit="touchpoint",
        goals=(Goal(contestant=WAYMARK, case="1,000/s", measure="p99_ms", aim=500),),
        settings={"seconds a step": seconds, "customers who come back": POPULATION, "measured a second": MOST_MEASURED},
        notes=(
            "One process each of ingest, journey and alerts; sender, receiver, Kafka and PostgreSQL share the machine.",
            "Single touchpoints over HTTP. p50, p95, p99: from the 202 of the touchpoint that completes a friction to "
            "its verified webhook. 202: from when a request was due, so a sender that falls behind counts.",
            "Rates above the listed ones are tried once, after the last round, until one breaks.",
        ),
    )


BENCHMARK = Benchmark(name="latency", title="From acceptance to the verified webhook", run=run)
