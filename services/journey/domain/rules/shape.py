"""The four shapes of a rule as data: count, sequence, threshold and absence. There is no expression language.

The values are those of a rules file (`schemas/rules.v1.schema.json`, docs/rules.md), with durations already parsed.
What a shape means is left to the module of its name, reading files to `services.journey.rulebook`.
"""

from datetime import timedelta
from enum import StrEnum
from typing import TypeAlias

import msgspec

from services.journey.domain.friction import BilingualText, FrictionSeverity

Scalar = str | int | float | bool


class FieldCondition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"is_not": "not"}):
    """What must hold for one field, all of it. An unknown field satisfies nothing but `exists: false`."""

    exists: bool | None = None
    is_not: Scalar | tuple[Scalar, ...] | None = None
    gt: int | float | None = None
    gte: int | float | None = None
    lt: int | float | None = None
    lte: int | float | None = None
    contains: str | None = None


Clause: TypeAlias = dict[str, Scalar | tuple[Scalar, ...] | FieldCondition]
"""Maps a field to what must hold for it: a value, a list of values, or a `FieldCondition`. All must hold."""

Matcher: TypeAlias = Clause | tuple[Clause, ...]
"""One clause, or several; one of them must hold. An empty clause matches everything."""


class RuleScope(StrEnum):
    """The touchpoints among which a rule looks: all of the customer, or only those that share what is named.

    `matter` is the case where one is given, otherwise the journey.
    """

    CUSTOMER = "customer"
    JOURNEY = "journey"
    CASE = "case"
    MATTER = "matter"
    INTERACTION = "interaction"
    TOUCHPOINT = "touchpoint"


class FrictionCap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At most `max` frictions of the rule for one customer in any `within`."""

    max: int
    within: timedelta


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="shape"):
    """One reason to call something friction: the members that all shapes share.

    Raise `version` when you change the meaning. For `cooldown` after a friction of the rule, the customer gets no other
    one. `severity_by_service_level` overrides `severity`.
    """

    id: str
    severity: FrictionSeverity
    title: BilingualText
    explanation: BilingualText
    version: int = 1
    enabled: bool = True
    severity_by_service_level: dict[str, FrictionSeverity] = {}
    cooldown: timedelta | None = None
    cap: FrictionCap | None = None


class CountShape(Rule, frozen=True, kw_only=True, tag="count"):
    """Too many of the same: `at_least` units that match `of`, `within` a time. The last unit is the anchor.

    `distinct` counts different values of a field instead; `changes` counts how often it changed from one unit to the
    next. A unit counts only if it agrees with the anchor on the fields in `same` and lies after the last touchpoint
    `without`.
    """

    at_least: int
    of: Matcher = ()
    contacts: bool = False
    within: timedelta | None = None
    same: tuple[str, ...] = ()
    per: RuleScope = RuleScope.CUSTOMER
    distinct: str | None = None
    changes: str | None = None
    without: Matcher | None = None


class SequenceStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of a sequence: a touchpoint, or with `contacts` a contact, that matches `of`."""

    of: Matcher = ()
    contacts: bool = False


class SequenceShape(Rule, frozen=True, kw_only=True, tag="sequence"):
    """`steps` in order, or a `pattern` in the values of `field`. The last unit is the anchor.

    In a pattern, equal letters are equal values and different letters different ones; repeated values count as one:
    `[a, b, a]` is there and back again. With `once`, only the first completion after the step before it counts.
    """

    steps: tuple[SequenceStep, ...] = ()
    field: str | None = None
    pattern: tuple[str, ...] = ()
    of: Matcher = ()
    within: timedelta | None = None
    same: tuple[str, ...] = ()
    per: RuleScope = RuleScope.CUSTOMER
    without: Matcher | None = None
    once: bool = False


class ThresholdLimit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A limit for units that match `when`. Exactly one of the four bounds is given."""

    when: Matcher = ()
    gt: int | float | None = None
    gte: int | float | None = None
    lt: int | float | None = None
    lte: int | float | None = None


class ThresholdShape(Rule, frozen=True, kw_only=True, tag="threshold"):
    """A number over or under a limit: `field` against the first of `limits` that applies to the unit.

    With `total`, the numbers of all units in the scope are added up, in order. In a scope wider than the touchpoint,
    only the first unit that crosses the limit counts.
    """

    field: str
    limits: tuple[ThresholdLimit, ...]
    of: Matcher = ()
    contacts: bool = False
    per: RuleScope = RuleScope.TOUCHPOINT
    total: bool = False


class AbsenceShape(Rule, frozen=True, kw_only=True, tag="absence"):
    """A follow-up that did not come: a touchpoint that matches `after` waits for one that matches `expect`.

    The follow-up counts until `within` after the arming touchpoint; without `within`, until the `due_at` of that
    touchpoint plus `grace`. It must agree with the arming touchpoint on the fields in `same`.
    """

    after: Matcher
    expect: Matcher
    within: timedelta | None = None
    grace: timedelta = timedelta(0)
    same: tuple[str, ...] = ()


AnyRule: TypeAlias = CountShape | SequenceShape | ThresholdShape | AbsenceShape
"""A rule of one of the four shapes."""


class RuleFailure(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A rule that raised. `error` is the type of the exception, never its text, which may quote a customer."""

    rule: str
    rule_version: int
    error: str
