"""The members of a rule that all shapes share, and the parts of a rule: conditions, scopes, caps. No expressions.

The values are those of a rules file (`schemas/rules.v1.schema.json`, docs/rules.md), with durations already parsed.
Each shape is a module of `services.journey.domain.rules.shapes`; reading files is left to `services.journey.rulebook`.
"""

from datetime import timedelta
from enum import StrEnum
from typing import TypeAlias

import msgspec

from services.journey.domain.friction import BilingualText, FrictionAdvice, FrictionClosing, FrictionSeverity

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

    `matter` is the case where one is given, otherwise the journey; `contact` a whole conversation.
    """

    CUSTOMER = "customer"
    JOURNEY = "journey"
    CASE = "case"
    MATTER = "matter"
    CONTACT = "contact"
    INTERACTION = "interaction"
    TOUCHPOINT = "touchpoint"


class FrictionCap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At most `max` frictions of the rule for one customer in any `within`."""

    max: int
    within: timedelta


def caps_of(cap: FrictionCap | tuple[FrictionCap, ...] | None) -> tuple[FrictionCap, ...]:
    """Return the caps that a member `cap` gives: one, several that must all hold, or none."""
    if cap is None:
        return ()
    return (cap,) if isinstance(cap, FrictionCap) else cap


class LevelParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is another number or another time for customers of one service level; what is left out is the rule's."""

    at_least: int | None = None
    within: timedelta | None = None
    within_by_channel: dict[str, timedelta] | None = None
    grace: timedelta | None = None
    cooldown: timedelta | None = None
    cap: FrictionCap | tuple[FrictionCap, ...] | None = None


class ClosingCondition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A later touchpoint of the journey that settles a friction: its kind, and what else is given must fit too."""

    kind: str | tuple[str, ...]
    direction: str | None = None
    outcome: str | tuple[str, ...] = ()
    channel: str | tuple[str, ...] = ()


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="shape"):
    """One reason to call something friction: the members that all shapes share.

    Raise `version` when you change the meaning. For `cooldown` after a friction of the rule, the customer gets no other
    one. One that is found later than `expires_after` after it could first be known is told to nobody.
    `severity_by_service_level` overrides `severity`, `by_service_level` any number or time of the rule. What
    `closes_when` names settles a friction when it comes after the anchor. Rules that it `implies` have nothing to add
    on an issue where it has found something.
    """

    id: str
    severity: FrictionSeverity
    title: BilingualText
    explanation: BilingualText
    version: int = 1
    enabled: bool = True
    severity_by_service_level: dict[str, FrictionSeverity] = {}
    by_service_level: dict[str, LevelParameters] = {}
    cooldown: timedelta | None = None
    cap: FrictionCap | tuple[FrictionCap, ...] | None = None
    expires_after: timedelta | None = None
    closes_when: tuple[ClosingCondition, ...] = ()
    implies: tuple[str, ...] = ()
    playbook: BilingualText | None = None


class RuleFailure(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A rule that raised. `error` is the type of the exception, never its text, which may quote a customer."""

    rule: str
    rule_version: int
    error: str


def advice_of(rule: Rule) -> FrictionAdvice:
    """Return what a rule says about its frictions beside their texts, in the form in which they carry it."""
    return FrictionAdvice(
        playbook=rule.playbook,
        expires_after=rule.expires_after,
        implies=rule.implies,
        closes_when=tuple(
            FrictionClosing(
                kind=_words(one.kind), direction=one.direction, outcome=_words(one.outcome), channel=_words(one.channel)
            )
            for one in rule.closes_when
        ),
    )


def _words(said: str | tuple[str, ...]) -> tuple[str, ...]:
    return (said,) if isinstance(said, str) else said
