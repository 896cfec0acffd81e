"""The shapes a rule can have, as data: count, sequence, threshold, absence. There is no expression language.

These values are what a rules file says, word for word (`schemas/rules.v1.schema.json`, docs/rules.md), with durations
already read. What they mean is the business of the modules named like them; reading files is the edge's.
"""

from datetime import timedelta
from enum import StrEnum
from typing import TypeAlias

import msgspec

from services.journey.domain.friction import Severity, Text

Scalar = str | int | float | bool


class Condition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"is_not": "not"}):
    """What must hold of one field, all of it. A field that is not known satisfies nothing but `exists: false`."""

    exists: bool | None = None
    is_not: Scalar | tuple[Scalar, ...] | None = None
    gt: int | float | None = None
    gte: int | float | None = None
    lt: int | float | None = None
    lte: int | float | None = None
    contains: str | None = None


Clause: TypeAlias = dict[str, Scalar | tuple[Scalar, ...] | Condition]
"""Field to what must hold of it: a value it equals, a list it is one of, or a `Condition`. All must hold."""

Matcher: TypeAlias = Clause | tuple[Clause, ...]
"""One clause, or several of which one must hold. An empty clause matches everything."""


class Scope(StrEnum):
    """Among which touchpoints a rule looks: those of the customer, or only those that share what is named.

    `matter` is the case where one is given, else the journey.
    """

    CUSTOMER = "customer"
    JOURNEY = "journey"
    CASE = "case"
    MATTER = "matter"
    INTERACTION = "interaction"
    TOUCHPOINT = "touchpoint"


class Cap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At most `max` frictions of the rule for one customer in any `within`."""

    max: int
    within: timedelta


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="shape"):
    """One reason to call something friction: what all shapes share.

    `version` is raised by whoever changes the meaning. `cooldown` is how long after a friction of the rule the customer
    gets no other one. `severity_by_service_level` overrides `severity`.
    """

    id: str
    severity: Severity
    title: Text
    explanation: Text
    version: int = 1
    enabled: bool = True
    severity_by_service_level: dict[str, Severity] = {}
    cooldown: timedelta | None = None
    cap: Cap | None = None


class Count(Rule, frozen=True, kw_only=True, tag="count"):
    """Too many of the same: `at_least` units that match `of`, `within` a time, the last one being the anchor.

    `distinct` counts different values of a field instead, `changes` counts how often it changed from one unit to the
    next. Only units that agree with the anchor on the fields in `same` count, and none before a touchpoint `without`.
    """

    at_least: int
    of: Matcher = ()
    contacts: bool = False
    within: timedelta | None = None
    same: tuple[str, ...] = ()
    per: Scope = Scope.CUSTOMER
    distinct: str | None = None
    changes: str | None = None
    without: Matcher | None = None


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of a sequence: a touchpoint, or with `contacts` a contact, that matches `of`."""

    of: Matcher = ()
    contacts: bool = False


class Sequence(Rule, frozen=True, kw_only=True, tag="sequence"):
    """One thing after another: `steps` in order, or a `pattern` in the values of `field`; the last is the anchor.

    In a pattern, equal letters are equal values and different letters different ones, repeats taken together:
    `[a, b, a]` is there and back again. `once` lets only the first completion after the step before it count.
    """

    steps: tuple[Step, ...] = ()
    field: str | None = None
    pattern: tuple[str, ...] = ()
    of: Matcher = ()
    within: timedelta | None = None
    same: tuple[str, ...] = ()
    per: Scope = Scope.CUSTOMER
    without: Matcher | None = None
    once: bool = False


class Limit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A limit that applies to what matches `when`: exactly one of the four."""

    when: Matcher = ()
    gt: int | float | None = None
    gte: int | float | None = None
    lt: int | float | None = None
    lte: int | float | None = None


class Threshold(Rule, frozen=True, kw_only=True, tag="threshold"):
    """A number over (or under) the line: `field` against the first of `limits` that applies to the unit.

    With `total` the numbers of all units in the scope are added up, in order. In a scope wider than the touchpoint only
    the first unit over the line counts.
    """

    field: str
    limits: tuple[Limit, ...]
    of: Matcher = ()
    contacts: bool = False
    per: Scope = Scope.TOUCHPOINT
    total: bool = False


class Absence(Rule, frozen=True, kw_only=True, tag="absence"):
    """Something that did not follow: a touchpoint that matches `after` arms it, one that matches `expect` satisfies it.

    The follow-up counts until `within` after the arming touchpoint, or, without `within`, until that touchpoint's own
    `due_at` plus `grace`. It must agree with the arming touchpoint on the fields in `same`.
    """

    after: Matcher
    expect: Matcher
    within: timedelta | None = None
    grace: timedelta = timedelta(0)
    same: tuple[str, ...] = ()


AnyRule: TypeAlias = Count | Sequence | Threshold | Absence
"""A rule of one of the four shapes."""


class RuleFailed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A rule raised. `error` is the exception's type, never its text, which may quote a customer."""

    rule: str
    rule_version: int
    error: str
