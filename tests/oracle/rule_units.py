"""What rules look at, as docs/semantics.md defines it: touchpoints and contacts as units, their scopes, who agrees.

Part of the oracle: it imports nothing of Waymark, on purpose.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from tests.oracle.facts import Fact, Json, Key, agree, contacts, first_known, qualifies, speaker
from tests.oracle.rule_conditions import duration, is_number, matches, read

LARGEST: Final = ("wait_s", "duration_s", "hold_s", "transfers")
BY_KEY: Final = ("refs", "attributes", "customer")
OF_ITS_TOUCHPOINT: Final = ("channel", "kind", "direction", "occurred_at", "sequence", "source", "id")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Unit:
    """What a rule counts: a touchpoint, or a contact with the fields of all its touchpoints."""

    doc: Json
    fact: Fact
    interaction: Key | None
    """Of a contact."""

    order: tuple[Any, ...]
    parts: tuple[Key, ...] = ()
    """Of a contact: every touchpoint of its conversation."""

    @property
    def at(self) -> int:
        """Microseconds since 1970."""
        return self.fact.at


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """One customer's touchpoints in order, without late ones, their contacts, and the journey of each."""

    touchpoints: list[Unit]
    contacts: list[Unit]
    journey_of: dict[Key, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a rule says of one anchor."""

    anchor: Unit
    evidence: Sequence[Unit]
    due: int | None = None
    """Of what was waited for: by when it should have come."""


def customer(facts: Sequence[Fact], journey_of: dict[Key, int]) -> Customer:
    """What rules look at; `facts` are ordered and without late ones."""
    touchpoints = [Unit(doc=one.doc, fact=one, interaction=None, order=one.order) for one in facts]
    return Customer(
        touchpoints=[_with_level(one, facts) for one in touchpoints],
        contacts=[_with_level(one, facts) for one in _contacts(facts)],
        journey_of=journey_of,
    )


def _with_level(one: Unit, facts: Sequence[Fact]) -> Unit:
    """With the service level that the customer had last by then, where it says none."""
    upto = [other.get("service_level") for other in facts if other.order <= one.order]
    level = first_known([one.doc.get("service_level"), *reversed(upto)])
    return replace(one, doc={**one.doc, "service_level": level})


def _contacts(facts: Sequence[Fact]) -> list[Unit]:
    return [
        Unit(
            doc=_fields([each for each in one.everything if qualifies(each)], one.everything),
            fact=one.first,
            interaction=one.interaction,
            order=one.order,
            parts=tuple(each.key for each in one.everything),
        )
        for one in contacts(list(facts))
    ]


def _fields(members: Sequence[Fact], everything: Sequence[Fact]) -> Json:
    names = {name for one in everything for name in one.doc}
    doc: Json = {name: first_known(one.get(name) for one in everything) for name in names}
    doc |= {name: members[0].get(name) for name in OF_ITS_TOUCHPOINT}
    doc["reason"] = first_known(one.get("reason") for one in members)
    doc["outcome"] = first_known(one.get("outcome") for one in reversed(everything) if speaker(one) != "company")
    for name in LARGEST:
        doc[name] = max((one.get(name) for one in everything if one.get(name) is not None), default=None)
    for name in BY_KEY:
        doc[name] = {}
        for one in everything:
            doc[name] = {**(one.get(name) or {}), **doc[name]}
    return doc


def picked(rule: Json, who: Customer) -> list[Unit]:
    units = who.contacts if rule.get("contacts") else who.touchpoints
    return [one for one in units if matches(rule.get("of", {}), one.doc)]


def barriers(rule: Json, who: Customer) -> list[Unit]:
    return [one for one in who.touchpoints if "without" in rule and matches(rule["without"], one.doc)]


def same_as(rule: Json, anchor: Unit, who: Customer) -> Callable[[Unit], bool]:
    """In the anchor's scope, agreeing with it."""
    agreed = agreeing(rule, anchor)
    return lambda one: scope_of(rule, one, who) == scope_of(rule, anchor, who) and agreed(one)


def agreeing(rule: Json, anchor: Unit) -> Callable[[Unit], bool]:
    fields = rule.get("same", ())
    return lambda one: all(agree(read(one.doc, field), read(anchor.doc, field)) for field in fields)


def is_within(rule: Json, first: Unit, last: Unit) -> bool:
    return "within" not in rule or last.at - first.at <= duration(rule["within"])


def scope_of(rule: Json, one: Unit, who: Customer) -> Any:
    """What a unit's scope is called; None leaves it out."""
    case = read(one.doc, "refs.case_id")
    journey = ("journey", who.journey_of[one.fact.key])
    return {
        "customer": "all",
        "journey": journey,
        "case": case,
        "matter": journey if case is None else ("case", case),
        "contact": next((each.order for each in who.contacts if one.fact.key in each.parts), None),
        "interaction": one.order if one.fact.interaction is None else ("interaction", one.fact.interaction),
        "touchpoint": one.order,
    }[rule.get("per", "customer")]


def number_of(one: Unit, field: str) -> Any:
    value = read(one.doc, field)
    return value if is_number(value) else None
