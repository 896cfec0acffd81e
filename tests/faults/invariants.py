"""The invariants that hold whatever went wrong, beside those of `checker`: the producer's books, the log, the webhooks,
the processes. Decides only; every finding is a named check.

I1 what was acknowledged is stored; I2 nothing is stored that was not sent, and each once; I3 frictions are the
oracle's (`checker`); I4 each friction is on one issue (`checker`) and each issue was told; I5 what was told is what was
to be told, with no more repeats than the fault explains; I6 every webhook is signed; I7 every record of the log is
accounted for; I8 nothing leads nowhere (`checker`); I9 no process grows; I10 no error without a fault that explains it.
"""

from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase as fnmatch

from tests.faults.checker import Check, verdict
from tests.faults.client import ClientLedger
from tests.faults.footprint import MIB, Logged, Scales, Weight
from tests.faults.observed import Deliveries, Progress
from tests.faults.sink import Sink
from tests.faults.written import Written
from tests.oracle.facts import Json, Key

FILES_MORE = 64
"""Files and sockets that a life of a process may have more at its end than when it had started."""

ALWAYS_EXPLAINED = ("aiokafka.consumer.group_coordinator: Group Coordinator Request failed: *",)
"""Said at `error` by a library while a fresh broker makes its topic of offsets."""

RSS_MOST = 600 * MIB
COMPARED = ("kind", "channel", "interaction_id", "reason", "outcome", "refs", "text", "queue", "wait_s", "transfers")
"""What a touchpoint says that ingest must leave alone."""


def books(ledger: ClientLedger, written: Written) -> list[Check]:
    """I1 and I2: the producer's ledger against the topic."""
    stood = written.touchpoints
    lost = ledger.acknowledged - stood.keys()
    phantoms = stood.keys() - ledger.acknowledged - ledger.doubted
    bent = [key for key, document in stood.items() if key in ledger.variants and not _was_sent(ledger, key, document)]
    refused = ledger.refused & stood.keys()
    counted = f"{len(ledger.acknowledged)} acknowledged, {len(ledger.doubted)} in doubt for a while"
    return [
        verdict("I1 everything acknowledged stands on the topic", _named("lost", lost), counted),
        verdict(
            "I2 nothing stands there that was not sent",
            [*_named("nobody sent", phantoms), *_named("refused and yet there", refused), *_named("bent", bent)],
            f"{len(stood)} touchpoints, {written.repeats} repeats, {len(written.conflicts)} conflicts",
        ),
        verdict(
            "in the end nothing is in doubt, and ingest gave no strange answer",
            [*_named("still unknown", ledger.unknown), *ledger.strange],
            ", ".join(f"{count} {what}" for what, count in sorted(ledger.counts.items())),
        ),
    ]


def _was_sent(ledger: ClientLedger, key: Key, document: Json) -> bool:
    return any(all(sent.get(name) == document.get(name) for name in COMPARED) for sent in ledger.variants[key])


def accounted(progress: Progress, stored: int, dead: int, repeats: int | None) -> Check:
    """I7: progress stands at the end of each partition, and every record became something, once."""
    problems = [
        f"{topic}/{partition} is applied up to {progress.applied.get((topic, partition), 0)} of {end}"
        for (topic, partition), end in progress.ends.items()
        if progress.applied.get((topic, partition), 0) != end
    ]
    if progress.lines > 2:
        problems.append(f"{progress.lines} lines where there is one for each service")
    total = sum(end for (topic, _), end in progress.ends.items() if topic == "touchpoints")
    if repeats is not None and total != stored + dead + repeats:
        problems.append(f"{total} records, but {stored} stored, {dead} dead letters and {repeats} repeats")
    return verdict("I7 progress is the end of the log, every record accounted for", problems, f"{total} records")


def webhooks(sink: Sink, deliveries: Deliveries, repeats_allowed: int) -> list[Check]:
    """I4, I5 and I6: what the receiver was told."""
    ids = sink.ids
    repeats = ids.total() - len(ids)
    undelivered = {name for name, state in deliveries.states.items() if state != "delivered"}
    told = f"{len(ids)} webhooks, {repeats} repeats"
    return [
        verdict(
            "I4 every issue that stands was told",
            _named("never told", set(deliveries.open_issues) - set(deliveries.announced)),
            f"{len(deliveries.open_issues)} issues",
        ),
        verdict(
            "I5 the receiver got what was to be told, repeats only where the fault explains them",
            [
                *_named("not delivered", undelivered),
                *_named("delivered but never received", deliveries.states.keys() - undelivered - ids.keys()),
                *_named("received but unknown", ids.keys() - deliveries.states.keys()),
                *([f"{repeats} repeats, {repeats_allowed} explained"] if repeats > repeats_allowed else []),
            ],
            told,
        ),
        verdict(
            "I6 every webhook is signed", _named("unsigned", [t.webhook_id for t in sink.told if not t.signed]), told
        ),
    ]


def footprint(scales: Scales) -> Check:
    """I9: no life of a process grew out of bounds."""
    problems: list[str] = []
    heaviest = 0
    for name, life in scales.lives():
        heaviest = max(heaviest, *(one.rss for one in life))
        problems += _growth(name, life)
    return verdict("I9 no process grows in memory or files", problems, f"at most {heaviest // MIB} MiB")


def _growth(name: str, life: list[Weight]) -> Iterable[str]:
    if (most := max(one.rss for one in life)) > RSS_MOST:
        yield f"{name} came to {most // MIB} MiB"
    if (more := life[-1].files - life[0].files) > FILES_MORE:
        yield f"{name} has {more} more open files than at its start"


def logs(logged: Logged, explained: Collection[str]) -> Check:
    """I10: errors only where the fault explains them."""
    patterns = (*ALWAYS_EXPLAINED, *explained)
    problems = [
        f"{name}: {line}" for name, event, line in logged.serious if not any(fnmatch(event, one) for one in patterns)
    ]
    return verdict(
        "I10 no error is logged that the fault does not explain", problems, f"{len(logged.serious)} explained"
    )


def _named(what: str, names: Iterable[object]) -> list[str]:
    found = list(names)
    return [f"{len(found)} {what}, such as {'; '.join(str(one) for one in found[:3])}"] if found else []
