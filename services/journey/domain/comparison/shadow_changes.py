"""Compares what rules in the shadow find with what those in force find, friction by friction, and with what is stored.

A friction has the same id on both sides: that of the rule and the anchor. What the rule in force found counts from the
moment on at which the trial began, by the broker's time of the anchor.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from services.journey.domain.friction import Anchor, FrictionSeverity, RuleFinding, digest
from services.journey.domain.names import CustomerId, FrictionId, friction_id
from services.journey.domain.projection import Projection
from services.journey.domain.shadow import ShadowBook, ShadowTrial
from services.journey.domain.touchpoint import RecordedTouchpoint, TouchpointKey

ShadowKey = tuple[int, FrictionId]
"""The version at which a trial began, and a friction of its rule."""


class ShadowFriction(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A friction of the rule in the shadow, or in force, or both; `severity` is the shadow's where it finds it.

    `digest` changes exactly when any of it does; it is of what the rules say, and not of the customer.
    """

    trial: int
    id: FrictionId
    rule: str
    in_shadow: bool
    in_force: bool
    severity: FrictionSeverity
    anchor: Anchor
    occurred_at: datetime
    touchpoints: tuple[TouchpointKey, ...]
    detected_at: datetime
    digest: bytes


class StoredShadowFriction(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Such a friction as it is stored, with its customer."""

    customer_id: CustomerId
    friction: ShadowFriction

    @property
    def key(self) -> ShadowKey:
        """What it is one of among a customer's."""
        return self.friction.trial, self.friction.id


class ShadowChanges(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What to write of one customer, and which rows to remove, of this customer or of an absorbed one."""

    written: Sequence[StoredShadowFriction] = ()
    gone: Sequence[StoredShadowFriction] = ()

    def __bool__(self) -> bool:
        """Return whether there is anything to do."""
        return bool(self.written or self.gone)


class ShadowContext(msgspec.Struct, frozen=True, kw_only=True):
    """What the comparison needs to know beside both sides."""

    customer_id: CustomerId
    now: datetime
    truncated: bool


NO_CHANGES = ShadowChanges()


def shadow_changes(
    projection: Projection, stored: Sequence[StoredShadowFriction], book: ShadowBook, context: ShadowContext
) -> ShadowChanges:
    """Return the changes that turn `stored` into what both sides say now."""
    if not book or not (stored or projection.tried.findings or projection.findings):
        return NO_CHANGES
    failed = {one.rule for one in (*projection.failures, *projection.tried.failures)}
    judged = [trial for trial in book.trials.values() if not failed & {trial.rule, trial.name}]
    wanted = _wanted(projection, judged)
    mine, others = _by_holder(stored, context.customer_id)
    written = []
    for key, said in wanted.items():
        kept = mine.get(key)
        if kept is None or kept.digest != said.digest:
            first = kept or others.get(key)
            detected_at = context.now if first is None else first.detected_at
            written.append(_row(msgspec.structs.replace(said, detected_at=detected_at), context))
    looked_at = {one.touchpoint.key for one in projection.history} if context.truncated else None
    asked = {(trial.number, trial.rule) for trial in judged}
    gone = []
    for one in stored:
        is_mine = one.customer_id == context.customer_id
        if one.key in wanted and is_mine:
            continue
        unjudged = (one.friction.trial, one.friction.rule) not in asked or _rests_on_older(one.friction, looked_at)
        if unjudged and one.key not in wanted:
            if is_mine:
                continue
            written.append(_row(one.friction, context))
        gone.append(one)
    return ShadowChanges(written=written, gone=gone)


def _row(friction: ShadowFriction, context: ShadowContext) -> StoredShadowFriction:
    return StoredShadowFriction(customer_id=context.customer_id, friction=friction)


def _by_holder(
    stored: Sequence[StoredShadowFriction], customer: CustomerId
) -> tuple[dict[ShadowKey, ShadowFriction], dict[ShadowKey, ShadowFriction]]:
    mine = {one.key: one.friction for one in stored if one.customer_id == customer}
    others = {one.key: one.friction for one in stored if one.customer_id != customer}
    return mine, others


def _wanted(projection: Projection, trials: Iterable[ShadowTrial]) -> dict[ShadowKey, ShadowFriction]:
    """Return what both sides say, without the time at which it was first found."""
    tried: dict[str, list[RuleFinding]] = {}
    for one in projection.tried.findings:
        tried.setdefault(one.rule, []).append(one)
    appended = _Appended(projection.history)
    wanted: dict[ShadowKey, ShadowFriction] = {}
    for trial in trials:
        in_shadow = {_id(trial.rule, one): one for one in tried.get(trial.name, ())}
        in_force = {
            one.id: one for one in projection.findings if one.rule == trial.rule and appended.at(one) >= trial.since
        }
        for id_, finding in {**in_force, **in_shadow}.items():
            said = _said(trial, id_, finding, in_shadow=id_ in in_shadow, in_force=id_ in in_force)
            wanted[trial.number, id_] = said
    return wanted


class _Appended:
    """When the broker appended what names a friction: the first record of an interaction, or a touchpoint."""

    def __init__(self, history: Sequence[RecordedTouchpoint]) -> None:
        self._history = history
        self._touchpoints: Mapping[TouchpointKey, datetime] | None = None

    def at(self, finding: RuleFinding) -> datetime:
        """Return the moment of the anchor of a finding."""
        if (interaction := finding.anchor.interaction_id) is not None:
            return min(
                one.appended_at
                for one in self._history
                if one.touchpoint.interaction_id == interaction and one.touchpoint.source == finding.anchor.source
            )
        if self._touchpoints is None:
            self._touchpoints = {one.touchpoint.key: one.appended_at for one in self._history}
        return self._touchpoints[finding.at.key]


def _id(rule: str, finding: RuleFinding) -> FrictionId:
    """Return the id that the friction has where the rule is in force."""
    anchor = finding.anchor
    return friction_id(rule, anchor.source, interaction_id=anchor.interaction_id, touchpoint_id=finding.at.id)


def _said(
    trial: ShadowTrial, id_: FrictionId, finding: RuleFinding, *, in_shadow: bool, in_force: bool
) -> ShadowFriction:
    return ShadowFriction(
        trial=trial.number,
        id=id_,
        rule=trial.rule,
        in_shadow=in_shadow,
        in_force=in_force,
        severity=finding.severity,
        anchor=finding.anchor,
        occurred_at=finding.at.occurred_at,
        touchpoints=finding.touchpoints,
        detected_at=finding.at.occurred_at,
        digest=digest(finding, ()) + bytes((in_shadow, in_force)),
    )


def _rests_on_older(friction: ShadowFriction, looked_at: set[TouchpointKey] | None) -> bool:
    """Return whether it rests on touchpoints before those looked at, so that it cannot be judged."""
    return looked_at is not None and not looked_at.issuperset(friction.touchpoints)
