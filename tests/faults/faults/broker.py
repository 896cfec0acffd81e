"""F5 to F8: what happens to Apache Kafka. What was acknowledged stays; what cannot be acknowledged is not accepted."""

import asyncio
from contextlib import suppress
from functools import partial

import orjson
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from tests.faults.checker import Check
from tests.faults.course import Course, Scene, run_course
from tests.faults.fault import Fault, Verdict
from tests.faults.lab import Lab
from tests.faults.observed import read_progress
from waymark.launchers.kafka import KafkaNode

DOWN_S = 6.0
"""How long a killed broker stays away: twice what ingest waits for it."""

TURN_S = 20.0
"""From one blow to the next when the broker takes eight to start: the workload must outlast the last one."""

IN_FLIGHT_S = 1.0
"""Answers this soon after a blow may be about what the broker acknowledged before it."""

RESUME_WITHIN_S = 60.0
KAFKA_SAYS = ("aiokafka*", "faust*", "mode*", "asyncio: Unclosed AIOKafkaConnection*")
"""What the libraries say at `error` while no broker answers; the last of a connection that died while it was made, and
is closed when it is collected. Nothing of ours may."""


async def killed(lab: Lab, seed: int, *, times: int) -> Verdict:
    """F5: the only broker is killed and started again."""
    course = Course(touchpoints=1200 * times, seconds=TURN_S * times, explains=KAFKA_SAYS)
    return await run_course(lab, seed, course, partial(_kill_again_and_again, times=times))


async def _kill_again_and_again(scene: Scene, times: int) -> None:
    await scene.sending.wait()
    node = scene.engines.kafka.nodes[0]
    slowest = 0.0
    for _ in range(times):
        await asyncio.sleep(scene.rng.uniform(2.0, 5.0))
        before = _now()
        node.kill()
        scene.counts["brokers killed"] += 1
        scene.lab.say("the broker is dead")
        await asyncio.sleep(DOWN_S)
        back = _now()
        await asyncio.to_thread(node.start)
        scene.checks.append(_refused_meanwhile(scene, before, back))
        slowest = max(slowest, await resumed(scene))
    scene.counts["s to resume at most"] = round(slowest)
    scene.checks.append(soon(slowest))


async def leaders_killed(lab: Lab, seed: int) -> Verdict:
    """F6: three nodes; whoever leads is killed every twenty seconds, the active controller among them."""
    course = Course(touchpoints=4000, seconds=100.0, nodes=3, explains=KAFKA_SAYS, settle_s=180)
    return await run_course(lab, seed, course, _kill_leaders)


async def _kill_leaders(scene: Scene) -> None:
    await scene.sending.wait()
    kafka = scene.engines.kafka
    for turn in range(5):
        await asyncio.sleep(5.0)
        number = controller(scene) if turn % 2 else await leader(kafka.bootstrap, scene.rng.randrange(8))
        what = "controllers killed" if turn % 2 else "leaders killed"
        victim = kafka.nodes[number - 1]
        scene.lab.say(f"{what}: node {number}")
        victim.kill()
        scene.counts[what] += 1
        await asyncio.sleep(7.0)
        await asyncio.to_thread(victim.start)
    scene.counts["s to resume at most"] = round(await resumed(scene))


async def two_of_three(lab: Lab, seed: int) -> Verdict:
    """F7: two of three brokers die; with one in sync of two demanded, nothing may be accepted."""
    course = Course(touchpoints=2500, seconds=45.0, nodes=3, explains=KAFKA_SAYS, settle_s=180)
    return await run_course(lab, seed, course, _kill_two)


async def _kill_two(scene: Scene) -> None:
    await scene.sending.wait()
    await asyncio.sleep(8.0)
    victims: list[KafkaNode] = scene.rng.sample(scene.engines.kafka.nodes, 2)
    before = _now()
    for victim in victims:
        victim.kill()
        scene.counts["brokers killed"] += 1
    scene.lab.say("two of three brokers are dead")
    await asyncio.sleep(20.0)
    back = _now()
    for victim in victims:
        victim.launch()
    for victim in victims:
        await asyncio.to_thread(victim.await_started)
    scene.checks.append(_refused_meanwhile(scene, before, back))
    slowest = await resumed(scene)
    scene.counts["s to resume at most"] = round(slowest)
    scene.checks.append(soon(slowest))


async def frozen(lab: Lab, seed: int) -> Verdict:
    """F8: the broker freezes for 45 s with everything open, and goes on."""
    course = Course(touchpoints=3000, seconds=70.0, explains=KAFKA_SAYS)
    return await run_course(lab, seed, course, _freeze)


async def _freeze(scene: Scene) -> None:
    await scene.sending.wait()
    await asyncio.sleep(5.0)
    before = _now()
    scene.engines.kafka.nodes[0].pause()
    scene.counts["brokers frozen"] += 1
    scene.lab.say("the broker is frozen")
    await asyncio.sleep(45.0)
    back = _now()
    scene.engines.kafka.nodes[0].resume()
    scene.checks.append(_refused_meanwhile(scene, before, back))
    slowest = await resumed(scene)
    scene.counts["s to resume at most"] = round(slowest)
    scene.checks.append(soon(slowest))


def _refused_meanwhile(scene: Scene, since: float, until: float) -> Check:
    """Between the blow and the return nothing is accepted, and producers are told so, not left hanging."""
    statuses = [status for at, status in scene.ledger.times if since + IN_FLIGHT_S < at < until]
    accepted = sum(200 <= status < 300 for status in statuses)
    refused = statuses.count(503)
    return Check(
        name="while no broker can acknowledge, nothing is accepted and producers hear 503",
        ok=not accepted and refused > 0,
        detail=f"{accepted} accepted, {refused} times 503, {statuses.count(0)} without answer in {until - since:.0f} s",
    )


async def resumed(scene: Scene) -> float:
    """Seconds until a worker has applied something new, or has nothing left to apply."""
    started = _now()
    bottom: int | None = None
    while _now() - started < 2 * RESUME_WITHIN_S:
        with suppress(KafkaError):  # the harness meets a broker that has only just come back
            applied, ends = await _read_so_far(scene)
            bottom = applied if bottom is None else bottom
            if applied > bottom or applied >= ends:
                break
        await asyncio.sleep(0.25)
    return _now() - started


async def _read_so_far(scene: Scene) -> tuple[int, int]:
    """How many touchpoints are applied, of how many."""
    progress = await read_progress(scene.engines.database, scene.engines.kafka.bootstrap)
    applied = sum(n for (topic, _), n in progress.applied.items() if topic == "touchpoints")
    return applied, sum(n for (topic, _), n in progress.ends.items() if topic == "touchpoints")


def soon(seconds: float) -> Check:
    return Check(
        name="workers go on by themselves soon after the broker is back",
        ok=seconds < RESUME_WITHIN_S,
        detail=f"{seconds:.0f} s at most, {RESUME_WITHIN_S:.0f} allowed",
    )


async def leader(bootstrap: str, partition: int) -> int:
    """The node that leads a partition of the topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        (topic,) = await admin.describe_topics(["touchpoints"])
    finally:
        await admin.close()
    return next(int(one["leader"]) for one in topic["partitions"] if one["partition"] == partition)


def controller(scene: Scene) -> int:
    """The active controller, as the nodes themselves have written down whom they elected last."""
    states = scene.engines.kafka.folder.glob("node-*/data/__cluster_metadata-0/quorum-state")
    elected = [orjson.loads(one.read_bytes()) for one in states]
    latest = max((one for one in elected if one["leaderId"] > 0), key=lambda one: int(one["leaderEpoch"]))
    return int(latest["leaderId"])


def _now() -> float:
    return asyncio.get_running_loop().time()


FAULTS = (
    Fault(id="F5", title="broker killed and started again, twice", short=True, run=partial(killed, times=2)),
    Fault(id="F5b", title="broker killed and started again, five times", short=False, run=partial(killed, times=5)),
    Fault(
        id="F6",
        title="three brokers: leader or controller killed every 20 s",
        short=False,
        run=leaders_killed,
        limit_s=900,
    ),
    Fault(id="F7", title="two of three brokers down", short=False, run=two_of_three),
    Fault(id="F8", title="broker frozen for 45 s", short=False, run=frozen),
)
