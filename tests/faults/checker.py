"""Compares what stands with what must stand. Every finding is a named check with a verdict that a person can act on.

Decides only; reading is `tests.faults.observed`'s, expecting `tests.oracle.expected`'s.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from tests.faults.observed import Observed, Standing
from tests.faults.producing import Ledger
from tests.oracle.expected import Expected
from tests.oracle.facts import Key
from tests.oracle.identity import BLOCKED
from tests.oracle.shipped_rules import Found

EXAMPLES = 3

CALLED_BACK = frozenset({"callback_made", "call_started", "call_ended"})
SETTLED_BY = {
    "payment_declines": frozenset({"order_placed", "payment_succeeded"}),
    "checkout_abandoned": frozenset({"order_placed"}),
    "callback_missed": CALLED_BACK,
}
"""The kinds that settle what a rule finds, said again: an issue whose frictions are all settled closes itself."""

H = TypeVar("H", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that must be true; `detail` says what was counted, or what is wrong, with examples."""

    name: str
    ok: bool
    detail: str


def check(expected: Expected, observed: Observed, ledger: Ledger) -> list[Check]:
    """All checks, in the order in which a person would look."""
    return [
        _touchpoints(expected, observed),
        _dead_letters(ledger, observed),
        _customers(expected, observed),
        _whose(expected, observed),
        _journeys(expected, observed),
        _frictions(expected, observed),
        _contents(expected, observed),
        _owners(expected, observed),
        _revisions(observed),
        _one_issue_each(expected, observed),
        _groups(expected, observed),
        Check(name="nothing leads nowhere", ok=not observed.orphans, detail=_some(observed.orphans) or "no orphans"),
    ]


def _touchpoints(expected: Expected, observed: Observed) -> Check:
    stored = {key: late for key, late, _, _ in observed.touchpoints}
    problems = [
        *_difference("missing", expected.touchpoints.keys() - stored.keys()),
        *_difference("invented", stored.keys() - expected.touchpoints.keys()),
        *_difference("stored twice", _doubles(key for key, _, _, _ in observed.touchpoints)),
        *_difference(
            "wrongly late or not", {key for key, late in stored.items() if expected.touchpoints.get(key) != late}
        ),
    ]
    return verdict("no accepted touchpoint missing, none twice", problems, f"{len(stored)} touchpoints")


def _dead_letters(ledger: Ledger, observed: Observed) -> Check:
    refused = set(observed.dead_letters)
    problems = [
        *_difference("not refused", ledger.refusable - refused),
        *_difference("refused though sound", refused - ledger.refusable),
        *_difference("refused twice", _doubles(observed.dead_letters)),
    ]
    return verdict("every poison dead-lettered once, nothing else", problems, f"{len(refused)} dead letters")


def _customers(expected: Expected, observed: Observed) -> Check:
    people: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    present = {customer for _, _, customer, _ in observed.touchpoints}
    for identifier, customer in observed.identifiers.items():
        if identifier[1] not in BLOCKED and customer in present:
            people[customer].add(identifier)
    found = {frozenset(held) for held in people.values()}
    problems = [
        *_difference("not found", expected.customers - found),
        *_difference("found instead", found - expected.customers),
    ]
    return verdict(
        "customers are what the links make of them, under their constraints", problems, f"{len(found)} customers"
    )


def _whose(expected: Expected, observed: Observed) -> Check:
    people: defaultdict[Hashable, set[Key]] = defaultdict(set)
    customers: defaultdict[Hashable, set[Key]] = defaultdict(set)
    for key, person in expected.whose.items():
        people[person].add(key)
    for key, _, customer, _ in observed.touchpoints:
        customers[customer].add(key)
    right, found = ({frozenset(keys) for keys in groups.values()} for groups in (people, customers))
    problems = [*_difference("not together", right - found), *_difference("together instead", found - right)]
    return verdict("touchpoints are with the right customer", problems, f"{len(observed.touchpoints)} compared")


def _journeys(expected: Expected, observed: Observed) -> Check:
    stories: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    for key, _, _, journey in observed.touchpoints:
        if journey is not None:
            stories[journey].add(key)
    found = {frozenset(held) for held in stories.values()}
    problems = [
        *_difference("not found", expected.journeys - found),
        *_difference("found instead", found - expected.journeys),
    ]
    return verdict("journeys hold the oracle's touchpoints", problems, f"{len(found)} journeys")


def _frictions(expected: Expected, observed: Observed) -> Check:
    problems = [
        *_difference(
            "missed", {_named(expected, name) for name in expected.frictions.keys() - observed.frictions.keys()}
        ),
        *_difference(
            "wrong",
            {(observed.frictions[name].rule, name) for name in observed.frictions.keys() - expected.frictions.keys()},
        ),
    ]
    counted = f"{len(observed.frictions)} stand, {len(observed.retracted)} were retracted"
    return verdict("standing frictions are the oracle's", problems, counted)


def _contents(expected: Expected, observed: Observed) -> Check:
    problems: list[str] = []
    shared = expected.frictions.keys() & observed.frictions.keys()
    for name in shared:
        problems += unlike(expected.frictions[name], observed.frictions[name])
    return verdict("frictions say the same: rule, severity, evidence, refs", problems, f"{len(shared)} compared")


def unlike(wanted: Found, found: Standing) -> Iterator[str]:
    """What one friction says otherwise than the oracle, in words."""
    said = found.document
    for what, one, other in (
        ("rule", wanted.rule, found.rule),
        ("severity", wanted.severity, found.severity),
        ("evidence", wanted.evidence, found.evidence),
        ("reason", wanted.reason, said.get("reason")),
        ("refs", wanted.refs, tuple(sorted((said.get("refs") or {}).items()))),
        ("service level", wanted.service_level, said.get("service_level")),
        ("channel", wanted.anchor.get("channel"), said["channel"]),
    ):
        if one != other:
            yield f"{wanted.rule} {wanted.id}: {what} is {other!r}, not {one!r}"


def _owners(expected: Expected, observed: Observed) -> Check:
    problems = []
    for name, standing in observed.frictions.items():
        person = expected.person_of.get(name, frozenset())
        owners = {observed.identifiers.get(identifier) for identifier in person}
        if person and owners != {standing.customer}:
            problems.append(f"{standing.rule} {name} belongs to somebody else")
    return verdict("frictions belong to the right customer", problems, f"{len(observed.frictions)} compared")


def _revisions(observed: Observed) -> Check:
    """Readers keep the highest revision: it must be the one that stands, and no revision may say two things."""
    said: defaultdict[str, dict[int, str]] = defaultdict(dict)
    problems: list[str] = []
    repeats = 0
    for one in observed.published:
        repeats += one.revision in said[one.id]
        if said[one.id].setdefault(one.revision, repr(one.document)) != repr(one.document):
            problems.append(f"{one.id} revision {one.revision} says two things")
    for name, by_revision in said.items():
        if sorted(by_revision) != list(range(1, len(by_revision) + 1)):
            problems.append(f"{name} has revisions {sorted(by_revision)}")
    states = {(one.id, one.revision): one.state for one in observed.published}
    latest = {name: states[name, max(by_revision)] for name, by_revision in said.items()}
    standing = {name for name, state in latest.items() if state == "detected"}
    problems += _difference("standing but last published otherwise", observed.frictions.keys() - standing)
    problems += _difference("last published as standing", standing - observed.frictions.keys())
    counted = f"{len(observed.published)} records, {repeats} of them repeats"
    return verdict("the topic says what stands, each revision once or repeated alike", problems, counted)


def _one_issue_each(expected: Expected, observed: Observed) -> Check:
    problems = [
        *_difference("on no issue", expected.frictions.keys() - observed.issues.keys()),
        *_difference("on an issue but wrong", observed.issues.keys() - expected.frictions.keys()),
        *_difference(
            "on a resolved issue",
            {n for n, i in observed.issues.items() if i not in observed.fingerprints and i not in observed.settled},
        ),
        *_difference(
            "on an issue that closed by itself although nothing can settle them",
            {
                name
                for name, issue in observed.issues.items()
                if name in expected.frictions
                and issue in observed.settled
                and not _may_settle(expected.frictions[name].rule, observed.settled[issue])
            },
        ),
    ]
    return verdict("every friction is on exactly one issue", problems, f"{len(observed.issues)} frictions")


def _may_settle(rule: str, kind: str) -> bool:
    """Return whether a friction of `rule` can be on an issue that closed itself by `kind`, its own or another's."""
    return rule in SETTLED_BY and any(kind in kinds for kinds in SETTLED_BY.values())


def _groups(expected: Expected, observed: Observed) -> Check:
    issues: defaultdict[str, set[str]] = defaultdict(set)
    for friction, issue in observed.issues.items():
        issues[issue].add(friction)
    found = {frozenset(held) for held in issues.values()}
    settled = {frozenset(held) for issue, held in issues.items() if issue in observed.settled}
    missing, instead = expected.groups - found, found - expected.groups
    for group in list(missing):  # what is settled stays where it was settled when journeys are joined later
        parts = {part for part in instead if part <= group}
        if frozenset().union(*parts) == group and len(parts - settled) <= 1:
            missing -= {group}
            instead -= parts
    problems = [
        *_difference("not found", missing),
        *_difference("found instead", instead),
        *_difference("two issues of one fingerprint", _doubles(observed.fingerprints.values())),
    ]
    return verdict("issues are the oracle's groups", problems, f"{len(found)} issues")


def _named(expected: Expected, name: str) -> tuple[str, str]:
    return expected.frictions[name].rule, name


def _doubles(values: Iterable[H]) -> set[H]:
    seen: set[H] = set()
    return {value for value in values if value in seen or seen.add(value)}  # type: ignore[func-returns-value]  # add returns None, which is what is wanted


def _difference(what: str, names: Iterable[object]) -> list[str]:
    found = list(names)
    return [f"{len(found)} {what}, such as {_some(found)}"] if found else []


def _some(values: Iterable[object]) -> str:
    return "; ".join(str(value)[:200] for value in list(values)[:EXAMPLES])


def verdict(name: str, problems: list[str], counted: str) -> Check:
    """A check: it holds when there are no problems."""
    if not problems:
        return Check(name=name, ok=True, detail=counted)
    return Check(name=name, ok=False, detail=f"{counted}; {len(problems)} problems: {_some(problems)}")
