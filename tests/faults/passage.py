"""Records passing through the house with nothing going wrong: what stands afterwards, in words that two runs share.

For faults that lie in the records themselves (their order, their keys, how often they come), not in the machinery.
"""

import asyncio
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.request import urlopen

from tests.faults.conditions import settled
from tests.faults.fleet import Engines, Fleet
from tests.faults.lab import Lab
from tests.faults.observed import Observed, observe
from tests.faults.producing import Ledger, produce
from tests.faults.workload import Sending
from tests.oracle.facts import Json, Key

_RETRIES = re.compile(r'^waymark_journey_batch_retries_total\{reason="(\w+)"\} ([0-9.e+]+)$', re.MULTILINE)

OPAQUE = frozenset(
    {"customer_id", "previous_customer_id", "journey_id", "journey_ids", "detected_at", "revised_at", "revision"}
)
"""What a friction says that depends on when and where it was found, and on nothing that happened to the customer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """What came of it."""

    observed: Observed
    ledger: Ledger
    retries: Counter[str] = field(default_factory=Counter)
    """How often batches were tried again, by reason, all workers together."""


async def pass_through(
    lab: Lab,
    engines: Engines,
    sendings: Sequence[Sending],
    *,
    seconds: float,
    workers: int = 2,
    settings: Mapping[str, str] | None = None,
    harm: Callable[[Fleet], Coroutine[None, None, None]] | None = None,
) -> Passage:
    """Start workers and alerts, send, wait until there is nothing left to do, stop all, and look.

    In no seconds: all is sent before anybody works, so that they fall upon it together. `harm` is done to them
    meanwhile.
    """
    fleet = lab.fleet(engines, **(settings or {}))
    for _ in range(workers):
        fleet.add_worker()
    fleet.add_alerts()
    lab.say(f"sending {len(sendings)} records in {seconds:.0f} s")
    ledger = None if seconds else await produce(engines.kafka.bootstrap, sendings, 0.0)
    await asyncio.to_thread(fleet.start)
    keeper = asyncio.create_task(fleet.keep())
    try:
        harming = asyncio.create_task(_nothing() if harm is None else harm(fleet))
        ledger = ledger or await produce(engines.kafka.bootstrap, sendings, seconds)
        await harming
        await settled(engines.database, engines.kafka.bootstrap, within_s=180.0)
    finally:
        keeper.cancel()
    retries = await asyncio.to_thread(_retries, fleet)
    await asyncio.to_thread(fleet.stop)
    return Passage(observed=await observe(engines.database, engines.kafka.bootstrap), ledger=ledger, retries=retries)


async def _nothing() -> None:
    return None


def _retries(fleet: Fleet) -> Counter[str]:
    found: Counter[str] = Counter()
    for worker in fleet.workers:
        with urlopen(f"{worker.address}/metrics", timeout=5) as answer:
            for reason, count in _RETRIES.findall(answer.read().decode()):
                found[reason] += int(float(count))
    return found


def story(observed: Observed) -> dict[str, Any]:
    """Everything that stands, without what only one run knows: ids of customers and journeys, times of finding."""
    people: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    for identifier, customer in observed.identifiers.items():
        people[customer].add(identifier)
    journeys: defaultdict[str, set[Key]] = defaultdict(set)
    owners: defaultdict[str, set[Key]] = defaultdict(set)
    for key, _, customer, journey in observed.touchpoints:
        owners[customer].add(key)
        if journey is not None:
            journeys[journey].add(key)
    issues: defaultdict[str, set[str]] = defaultdict(set)
    for friction, issue in observed.issues.items():
        issues[issue].add(friction)
    return {
        "customers": {frozenset(held) for held in people.values()},
        "touchpoints by customer": {frozenset(held) for held in owners.values()},
        "late ones": {key for key, late, _, _ in observed.touchpoints if late},
        "journeys": {frozenset(held) for held in journeys.values()},
        "frictions": {name: plain(one.document) for name, one in observed.frictions.items()},
        "issues": {frozenset(held) for held in issues.values()},
    }


def plain(friction: Json) -> Json:
    """A friction without what only one run knows."""
    return {name: held for name, held in friction.items() if name not in OPAQUE}
