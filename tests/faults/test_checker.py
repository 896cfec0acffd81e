"""The checker passes a perfect world and notices every single thing that is wrong with an imperfect one."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.faults.checker import Check, check
from tests.faults.observed import Observed, Published, Standing
from tests.faults.producing import Ledger
from tests.faults.workload import NOON, make
from tests.oracle.expected import Expected, expect


@pytest.fixture(scope="module")
def expected() -> Expected:
    return expect(make(3, 800, NOON).touchpoints)


LEDGER = Ledger(acknowledged=810, refusable={(0, 5), (3, 9)})


@pytest.fixture
def perfect(expected: Expected) -> Observed:
    """What must be observed when everything went right."""
    journeys = {key: str(number) for number, story in enumerate(expected.journeys) for key in story}
    people = {held: str(number) for number, person in enumerate(expected.customers) for held in person}
    frictions = {
        name: Standing(
            rule=found.rule,
            severity=found.severity,
            customer=people[min(expected.person_of[name])],
            journey=journeys[found.anchor.key],
            revision=1,
            document={
                "touchpoints": [{"source": source, "id": one} for source, one in found.evidence],
                "reason": found.reason,
                "refs": dict(found.refs),
                "service_level": found.service_level,
                "channel": found.anchor.get("channel"),
            },
        )
        for name, found in expected.frictions.items()
    }
    return Observed(
        touchpoints=[
            (key, late, people[min(expected.whose[key])], journeys.get(key))
            for key, late in expected.touchpoints.items()
        ],
        dead_letters=sorted(LEDGER.refusable),
        identifiers=people,
        frictions=frictions,
        retracted=set(),
        issues={name: str(number) for number, group in enumerate(expected.groups) for name in group},
        fingerprints={str(number): f"f{number}" for number in range(len(expected.groups))},
        settled={},
        published=[
            Published(id=name, revision=1, state="detected", document=found.document)
            for name, found in frictions.items()
        ],
        orphans=[],
    )


def _failed(checks: list[Check]) -> set[str]:
    return {one.name for one in checks if not one.ok}


def test_a_perfect_world_passes(expected: Expected, perfect: Observed) -> None:
    assert _failed(check(expected, perfect, LEDGER)) == set()


def _first(observed: Observed) -> str:
    return next(iter(observed.frictions))


def _altered(observed: Observed, name: str, **changes: object) -> dict[str, Standing]:
    found = observed.frictions[name]
    return {**observed.frictions, name: replace(found, document={**found.document, **changes})}


def _without(observed: Observed, name: str) -> dict[str, Standing]:
    return {one: found for one, found in observed.frictions.items() if one != name}


def _linked(observed: Observed) -> tuple[str, str]:
    """An identifier that is not its customer's only one."""
    members = Counter(observed.identifiers.values())
    return next(one for one, customer in observed.identifiers.items() if members[customer] > 1)


def _in_another_journey(observed: Observed) -> Observed:
    members = Counter(journey for _, _, _, journey in observed.touchpoints if journey is not None)
    place = next(index for index, row in enumerate(observed.touchpoints) if row[3] and members[row[3]] > 1)
    key, late, customer, _ = observed.touchpoints[place]
    return replace(
        observed,
        touchpoints=[*observed.touchpoints[:place], (key, late, customer, "new"), *observed.touchpoints[place + 1 :]],
    )


WRONGS: list[tuple[str, str, Callable[[Observed], Observed]]] = [
    ("a touchpoint lost", "no accepted touchpoint missing", lambda o: replace(o, touchpoints=o.touchpoints[1:])),
    ("one doubled", "no accepted touchpoint", lambda o: replace(o, touchpoints=[*o.touchpoints, o.touchpoints[0]])),
    (
        "one taken for late",
        "no accepted touchpoint",
        lambda o: replace(
            o, touchpoints=[(o.touchpoints[0][0], not o.touchpoints[0][1], "", None), *o.touchpoints[1:]]
        ),
    ),
    ("a poison let through", "every poison", lambda o: replace(o, dead_letters=o.dead_letters[1:])),
    ("a sound record refused", "every poison", lambda o: replace(o, dead_letters=[*o.dead_letters, (7, 7)])),
    ("a poison refused twice", "every poison", lambda o: replace(o, dead_letters=[*o.dead_letters, o.dead_letters[0]])),
    (
        "a merge missed",
        "customers are",
        lambda o: replace(o, identifiers={**o.identifiers, _linked(o): "new"}),
    ),
    (
        "a touchpoint with somebody else",
        "touchpoints are with",
        lambda o: replace(
            o, touchpoints=[(*o.touchpoints[0][:2], o.touchpoints[-1][2] + "?", None), *o.touchpoints[1:]]
        ),
    ),
    ("a touchpoint in another journey", "journeys hold", _in_another_journey),
    ("a friction missed", "standing frictions", lambda o: replace(o, frictions=_without(o, _first(o)))),
    (
        "a friction invented",
        "standing frictions",
        lambda o: replace(o, frictions={**o.frictions, "invented": o.frictions[_first(o)]}),
    ),
    ("other evidence", "frictions say", lambda o: replace(o, frictions=_altered(o, _first(o), touchpoints=[]))),
    ("another reason", "frictions say", lambda o: replace(o, frictions=_altered(o, _first(o), reason="?"))),
    (
        "another owner",
        "frictions belong",
        lambda o: replace(o, frictions={**o.frictions, _first(o): replace(o.frictions[_first(o)], customer="?")}),
    ),
    ("never published", "the topic says", lambda o: replace(o, published=o.published[1:])),
    (
        "one revision with two contents",
        "the topic says",
        lambda o: replace(o, published=[*o.published, replace(o.published[0], document={"changed": True})]),
    ),
    (
        "a revision skipped",
        "the topic says",
        lambda o: replace(o, published=[replace(o.published[0], revision=2), *o.published[1:]]),
    ),
    (
        "on no issue",
        "every friction is on exactly one",
        lambda o: replace(o, issues={name: issue for name, issue in o.issues.items() if name != _first(o)}),
    ),
    (
        "on an issue of its own",
        "issues are the oracle's groups",
        lambda o: replace(o, issues=dict.fromkeys(o.issues, "0")),
    ),
    ("a reference to nothing", "nothing leads nowhere", lambda o: replace(o, orphans=["timer without touchpoint"])),
]


@pytest.mark.parametrize(("name", "make_wrong"), [pytest.param(n, w, id=i) for i, n, w in WRONGS])
def test_what_is_wrong_is_noticed(
    expected: Expected, perfect: Observed, name: str, make_wrong: Callable[[Observed], Observed]
) -> None:
    failed = _failed(check(expected, make_wrong(perfect), LEDGER))
    assert any(one.startswith(name) for one in failed), failed


def test_a_repeated_record_is_no_mistake(expected: Expected, perfect: Observed) -> None:
    repeated = replace(perfect, published=[*perfect.published, *perfect.published[:5]])
    assert _failed(check(expected, repeated, LEDGER)) == set()


def test_an_issue_that_closed_itself_holds_only_what_can_be_settled(expected: Expected, perfect: Observed) -> None:
    def closed(name: str) -> Observed:
        issue = perfect.issues[name]
        fingerprints = {one: text for one, text in perfect.fingerprints.items() if one != issue}
        return replace(perfect, fingerprints=fingerprints, settled={issue: "order_placed"})

    wrong = "every friction is on exactly one issue"
    alone = [next(iter(group)) for group in expected.groups if len(group) == 1]
    payments = [name for name in alone if expected.frictions[name].rule in {"payment_declines", "checkout_abandoned"}]
    contacts = [name for name in alone if expected.frictions[name].rule.startswith("repeat_contact")]
    assert payments or contacts
    assert all(_failed(check(expected, closed(name), LEDGER)) == set() for name in payments[:3])
    assert all(wrong in _failed(check(expected, closed(name), LEDGER)) for name in contacts[:3])
