"""The shipped rules by the oracle, and three that look at the service level: each by itself, without an engine.

Part of the oracle: it imports nothing of Waymark, on purpose. Every timer counts as fired.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final
from uuid import UUID, uuid5

from tests.oracle.facts import DAY, MINUTE, Contact, Fact, Key, agree, contacts, first_known, microseconds

NAMESPACE: Final = UUID("c2f7dece-e263-50d8-ba81-6db6433833df")
PREMIUM: Final = {
    "repeat_contact_24h": "critical",
    "repeat_contact_7d": "high",
    "long_wait": "medium",
    "callback_missed": "critical",
}
"""Severities for customers who were promised the premium level."""

MOST_UNITS: Final = 200
MOST_EVIDENCE: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A friction as a rule found it: `anchor` is the touchpoint it hangs on."""

    id: str
    rule: str
    severity: str
    anchor: Fact
    evidence: tuple[Key, ...]
    reason: str | None
    refs: tuple[tuple[str, str], ...]
    service_level: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One customer: touchpoints in order without late ones, their contacts, and the journey of each touchpoint."""

    facts: list[Fact]
    contacts: list[Contact]
    journey_of: dict[Key, int]


Rule = Callable[[History], Iterator[Found]]


def history(facts: list[Fact], journey_of: dict[Key, int]) -> History:
    """What the rules look at."""
    return History(facts=facts, contacts=contacts(facts), journey_of=journey_of)


def find(customer: History, rules: Sequence[Rule]) -> dict[str, Found]:
    """Every friction of one customer by its id; of several with one id the first in order."""
    found: dict[str, Found] = {}
    for rule in rules:
        for one in rule(customer):
            if one.id not in found:
                level = one.service_level or _level_at(customer, one.anchor)
                severity = PREMIUM.get(one.rule, one.severity) if level == "premium" else one.severity
                found[one.id] = replace(one, severity=severity, service_level=level)
    return found


def _level_at(customer: History, anchor: Fact) -> str | None:
    """The last known service level up to the anchor."""
    upto = [one for one in customer.facts if one.order <= anchor.order]
    level: str | None = first_known(one.get("service_level") for one in reversed(upto))
    return level


def _named(rule: str, severity: str, anchor: Contact | Fact, evidence: list[Fact], *, call: bool = False) -> Found:
    """A finding; `call` names it after the interaction of a touchpoint."""
    first = anchor.first if isinstance(anchor, Contact) else anchor
    by_call = (call or isinstance(anchor, Contact)) and anchor.interaction is not None
    refs = anchor.refs if isinstance(anchor, Contact) else (first.get("refs") or {})
    reason = anchor.reason if isinstance(anchor, Contact) else first.get("reason")
    return Found(
        id=name_of(rule, first, call=by_call),
        rule=rule,
        severity=severity,
        anchor=first,
        evidence=tuple(one.key for one in evidence[-MOST_EVIDENCE:]),
        reason=reason,
        refs=tuple(sorted(refs.items())),
        service_level=anchor.service_level if isinstance(anchor, Contact) else anchor.get("service_level"),
    )


def name_of(rule: str, first: Fact, *, call: bool) -> str:
    """The id of a friction: of the rule and the touchpoint that it hangs on, or with `call` of its interaction."""
    parts = ("i", str(first.get("interaction_id"))) if call else ("t", first.key[1])
    return str(uuid5(NAMESPACE, "\x1f".join((rule, first.key[0], *parts))))


def repeat_contact(rule: str, severity: str, window: int) -> Callable[[History], Iterator[Found]]:
    def look(customer: History) -> Iterator[Found]:
        for place, again in enumerate(customer.contacts):
            earlier = [
                one
                for one in customer.contacts[:place]
                if again.at - one.at <= window and agree(one.reason, again.reason)
            ]
            if earlier:
                units = [*earlier, again][-MOST_UNITS:]
                yield _named(rule, severity, again, [one.first for one in units])

    return look


def _fcr_failed(customer: History) -> Iterator[Found]:
    for place, again in enumerate(customer.contacts):
        solved = [
            one for one in customer.contacts[:place] if one.outcome == "resolved" and agree(one.reason, again.reason)
        ]
        if solved and again.at - solved[-1].at <= 7 * DAY:
            yield _named("fcr_failed", "high", again, [solved[-1].first, again.first])


def _case_reopened(customer: History) -> Iterator[Found]:
    resolved: dict[str, Fact] = {}
    for one in customer.facts:
        case = one.ref("case_id")
        if case is None:
            continue
        if one.get("kind") == "case_resolved":
            resolved[case] = one
        elif one.get("kind") in {"case_reopened", "case_worked", "case_waiting"} and case in resolved:
            yield _named("case_reopened", "high", one, [resolved.pop(case), one])


def _transfers(customer: History) -> Iterator[Found]:
    for one in customer.contacts:
        if one.transfers is not None and one.transfers >= 2:
            yield _named("transfers", "medium", one, [one.first])


def _group_ping_pong(customer: History) -> Iterator[Found]:
    matters: dict[tuple[str, object], list[tuple[str, Fact]]] = {}
    for one in customer.facts:
        case, queue = one.ref("case_id"), one.get("queue")
        if queue is None:
            continue
        matter = ("case", case) if case is not None else ("journey", customer.journey_of[one.key])
        runs = matters.setdefault(matter, [])  # (queue, last touchpoint of the run)
        if runs and runs[-1][0] == queue:
            runs[-1] = (queue, one)
            continue
        runs.append((queue, one))
        if len(runs) >= 3 and runs[-3][0] == queue:
            yield _named("group_ping_pong", "medium", one, [run[1] for run in runs[-3:]])


def _long_wait(customer: History) -> Iterator[Found]:
    told: set[Key] = set()
    for one in customer.facts:
        waited = one.get("wait_s")
        if one.get("channel") != "phone" or waited is None or waited <= 120:
            continue
        if one.interaction is not None:
            if one.interaction in told:
                continue
            told.add(one.interaction)
        yield _named("long_wait", "low", one, [one], call=True)


def _channel_switch(customer: History) -> Iterator[Found]:
    for place, last in enumerate(customer.contacts):
        units = [
            one
            for one in customer.contacts[:place]
            if last.at - one.at <= DAY
            and agree(one.reason, last.reason)
            and agree(one.refs.get("case_id"), last.refs.get("case_id"))
        ]
        units = [*units, last][-MOST_UNITS:]
        channels = [one.first.get("channel") for one in units]
        switches = sum(before != after for before, after in pairwise(channels))
        if switches >= 2 and channels[-1] != channels[-2]:
            yield _named("channel_switch", "medium", last, [one.first for one in units])


def _low_ces(customer: History) -> Iterator[Found]:
    for one in customer.facts:
        score = one.get("score")
        if score and score["metric"] == "ces" and score["value"] * 7 / score["scale"] <= 3:
            yield _named("low_ces", "high", one, [one])


def _payment_declines(customer: History) -> Iterator[Found]:
    declined: list[Fact] = []
    for one in customer.facts:
        if one.get("kind") == "order_placed":
            declined = []
        elif one.get("kind") == "payment_declined":
            declined = [*(before for before in declined if one.at - before.at <= 30 * MINUTE), one]
            if len(declined) >= 2:
                yield _named("payment_declines", "high", one, declined[-MOST_UNITS:])


def _callback_missed(customer: History) -> Iterator[Found]:
    for promise in customer.facts:
        due_at = promise.get("due_at")
        if promise.get("kind") != "callback_promised" or due_at is None or microseconds(due_at) < promise.at:
            continue
        due = microseconds(due_at) + 15 * MINUTE
        if not any(_calls_back(one, promise, due) for one in customer.facts):
            yield _named("callback_missed", "high", promise, [promise])


def _calls_back(one: Fact, promise: Fact, due: int) -> bool:
    outbound = one.get("kind") in {"call_started", "call_ended"} and one.get("direction") == "outbound"
    return (
        (one.get("kind") == "callback_made" or outbound)
        and promise.at <= one.at <= due
        and all(agree(one.ref(name), promise.ref(name)) for name in ("case_id", "order_id"))
    )


def _checkout_abandoned(customer: History) -> Iterator[Found]:
    for start in customer.facts:
        if start.get("kind") == "checkout_started" and not any(_orders(one, start) for one in customer.facts):
            yield _named("checkout_abandoned", "medium", start, [start])


def _wait_by_level(customer: History) -> Iterator[Found]:
    for one in customer.facts:
        waited = one.get("wait_s")
        premium = _level_of(customer, one) == "premium"
        if waited is not None and (waited >= 119.5 if premium else waited > 120):
            yield _named("wait_by_level", "low", one, [one])


def _premium_contacts(customer: History) -> Iterator[Found]:
    premium = [one for one in customer.contacts if _level_of(customer, one) == "premium"]
    for place, again in enumerate(premium):
        earlier = [one for one in premium[:place] if again.at - one.at <= DAY]
        if earlier:
            yield _named("premium_contacts", "low", again, [one.first for one in [*earlier, again][-MOST_UNITS:]])


def _level_changed(customer: History) -> Iterator[Found]:
    levels = [_level_of(customer, one) for one in customer.facts]
    for place in range(1, len(levels)):
        if levels[place - 1] is not None and levels[place] != levels[place - 1]:
            looked_at = customer.facts[max(0, place + 1 - MOST_UNITS) : place + 1]
            yield _named("level_changed", "low", customer.facts[place], looked_at)


def _level_of(customer: History, one: Contact | Fact) -> str | None:
    """What a matcher sees: the unit's own service level, else the customer's last known one."""
    first, own = (one.first, one.service_level) if isinstance(one, Contact) else (one, one.get("service_level"))
    return own or _level_at(customer, first)


def _orders(one: Fact, start: Fact) -> bool:
    return (
        one.get("kind") == "order_placed"
        and 0 <= one.at - start.at <= 30 * MINUTE
        and all(agree(one.ref(name), start.ref(name)) for name in ("order_id", "case_id", "cart_id"))
    )


RULES: Final[tuple[Rule, ...]] = (
    repeat_contact("repeat_contact_24h", "high", DAY),
    repeat_contact("repeat_contact_7d", "medium", 7 * DAY),
    _fcr_failed,
    _case_reopened,
    _transfers,
    _group_ping_pong,
    _long_wait,
    _channel_switch,
    _low_ces,
    _payment_declines,
    _callback_missed,
    _checkout_abandoned,
)

LEVEL_RULES: Final[tuple[Rule, ...]] = (_wait_by_level, _premium_contacts, _level_changed)
"""Rules that look at the service level; none of the shipped ones does."""
