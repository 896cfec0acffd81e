"""Every invariant notices what it is there for, and passes a world in which all is well."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import invariants
from tests.faults.checker import Check
from tests.faults.client import ClientLedger
from tests.faults.fleet import Fleet
from tests.faults.footprint import MIB, Logged, Scales, Weight
from tests.faults.log_reading import Stood
from tests.faults.observed import Deliveries, Progress
from tests.faults.sink import Sink, Told
from tests.faults.written import Written, sort

ONE, OTHER, THIRD = ("web", "1"), ("web", "2"), ("ivr", "3")


def document(key: tuple[str, str], **rest: object) -> dict[str, object]:
    return {"source": key[0], "id": key[1], "kind": "page_viewed", "channel": "web", **rest}


def books() -> tuple[ClientLedger, Written]:
    """Two acknowledged, one of them after doubt; a third refused."""
    ledger = ClientLedger(acknowledged={ONE, OTHER}, refused={THIRD}, doubted={OTHER})
    for key in (ONE, OTHER, THIRD):
        ledger.variants[key].append({**document(key), "source": None})
    return ledger, Written(touchpoints={ONE: document(ONE), OTHER: document(OTHER)}, conflicts=set(), repeats=1)


def broken(checks: list[Check]) -> list[str]:
    return [check.name[:2] for check in checks if not check.ok]


def test_sound_books_pass() -> None:
    assert broken(invariants.books(*books())) == []


WRONG_BOOKS: list[tuple[str, Callable[[ClientLedger, Written], object], str]] = [
    ("an acknowledged one is lost", lambda _, written: written.touchpoints.pop(ONE), "I1"),
    ("one that nobody sent", lambda _, written: written.touchpoints.setdefault(("x", "9"), document(("x", "9"))), "I2"),
    ("a refused one stands", lambda _, written: written.touchpoints.setdefault(THIRD, document(THIRD)), "I2"),
    ("one says something else", lambda _, written: written.touchpoints[ONE].update(reason="billing"), "I2"),
    ("one is in doubt for ever", lambda ledger, _: ledger.acknowledged.discard(OTHER), "in"),
    ("a strange answer", lambda ledger, _: ledger.strange.append("poison taken"), "in"),
]


@pytest.mark.parametrize(("wrong", "name"), [(one[1], one[2]) for one in WRONG_BOOKS], ids=[w[0] for w in WRONG_BOOKS])
def test_wrong_books_are_noticed(wrong: Callable[[ClientLedger, Written], object], name: str) -> None:
    ledger, written = books()

    wrong(ledger, written)

    assert name in broken(invariants.books(ledger, written))


@pytest.mark.parametrize(
    ("applied", "lines", "repeats", "ok"),
    [
        ({("touchpoints", 0): 7, ("frictions", 0): 2}, 2, 1, True),
        ({("touchpoints", 0): 7, ("frictions", 0): 2}, 2, None, True),
        ({("touchpoints", 0): 6, ("frictions", 0): 2}, 2, 1, False),
        ({("touchpoints", 0): 7}, 2, 1, False),
        ({("touchpoints", 0): 7, ("frictions", 0): 2}, 3, 1, False),
        ({("touchpoints", 0): 7, ("frictions", 0): 2}, 2, 0, False),
    ],
    ids=["all applied", "repeats not known", "one behind", "never read", "a second line", "a record unaccounted for"],
)
def test_progress_must_be_the_end_and_every_record_something(
    applied: dict[tuple[str, int], int], lines: int, repeats: int | None, ok: bool
) -> None:
    progress = Progress(applied=applied, ends={("touchpoints", 0): 7, ("frictions", 0): 2}, lines=lines)

    assert invariants.accounted(progress, stored=5, dead=1, repeats=repeats).ok is ok


def told(*ids: str, signed: bool = True) -> Sink:
    return Sink(told=[Told(webhook_id=one, document={}, signed=signed, at=0.0) for one in ids])


def deliveries(**changes: object) -> Deliveries:
    given: dict[str, object] = {
        "states": {"a": "delivered", "b": "delivered"},
        "announced": {"1"},
        "open_issues": {"1"},
        **changes,
    }
    return Deliveries(**given)  # type: ignore[arg-type]  # members by name


@pytest.mark.parametrize(
    ("sink", "said", "wrong"),
    [
        (told("a", "b"), deliveries(), []),
        (told("a", "b", "b"), deliveries(), []),
        (told("a", "b", "b", "b"), deliveries(), ["I5"]),
        (told("a"), deliveries(), ["I5"]),
        (told("a", "b", "c"), deliveries(), ["I5"]),
        (told("a", "b"), deliveries(states={"a": "delivered", "b": "delivered", "c": "exhausted"}), ["I5"]),
        (told("a", "b"), deliveries(open_issues={"1", "2"}), ["I4"]),
        (told("a", "b", signed=False), deliveries(), ["I6"]),
    ],
    ids=["sound", "one repeat", "two repeats", "not received", "unknown", "exhausted", "never told", "unsigned"],
)
def test_webhooks_are_those_that_were_to_be_sent(sink: Sink, said: Deliveries, wrong: list[str]) -> None:
    assert broken(invariants.webhooks(sink, said, repeats_allowed=1)) == wrong


@pytest.mark.parametrize(
    ("weights", "ok"),
    [
        ([(0, 90, 20), (6, 100, 30), (60, 120, 60)], True),
        ([(0, 90, 20), (6, 100, 30), (60, 900, 60)], False),
        ([(0, 90, 20), (6, 100, 30), (60, 120, 200)], False),
    ],
    ids=["steady", "memory", "files"],
)
def test_growth_is_noticed(weights: list[tuple[float, int, int]], ok: bool) -> None:
    scales = Scales(fleet=Fleet(engines=None, folder=Path()))  # type: ignore[arg-type]  # no engine is asked
    scales.weights["journey-1"] = [Weight(pid=1, at=at, rss=mib * MIB, files=files) for at, mib, files in weights]

    assert invariants.footprint(scales).ok is ok


@pytest.mark.parametrize(
    ("event", "explained", "ok"),
    [
        ("aiokafka: Unable connect to node with id 1: refused", ("aiokafka*",), True),
        ("services.journey.apply.applier: batch failed", ("aiokafka*",), False),
        ("aiokafka: Unable connect to node with id 1: refused", (), False),
    ],
)
def test_an_error_needs_a_fault_that_explains_it(event: str, explained: tuple[str, ...], ok: bool) -> None:
    logged = Logged(events=Counter(), serious=[("journey-1", event, "{}")])

    assert invariants.logs(logged, explained).ok is ok


def test_the_log_is_sorted_into_firsts_repeats_and_conflicts() -> None:
    def stood(offset: int, text: str) -> Stood:
        return Stood(partition=0, offset=offset, value=text.encode())

    written = sort(
        [
            stood(0, '{"source": "web", "id": "1", "kind": "a", "received_at": "then"}'),
            stood(1, '{"kind": "a", "id": "1", "source": "web", "received_at": "later"}'),
            stood(2, '{"source": "web", "id": "1", "kind": "b", "received_at": "then"}'),
            stood(3, '{"source": "ivr", "id": "1", "kind": "b", "received_at": "then"}'),
        ]
    )

    assert (set(written.touchpoints), written.repeats, written.conflicts) == ({("web", "1"), ("ivr", "1")}, 1, {(0, 2)})
