"""Decides when a friction is detected, updated, moved, retracted or restored, and with which revision.

It compares the findings of a projection with what was published last, and returns what to publish now.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property

import msgspec

from services.journey.domain.friction import (
    Friction,
    FrictionAdvice,
    FrictionState,
    RuleFinding,
    StoredFriction,
    TouchpointRef,
    decode,
    digest,
)
from services.journey.domain.names import CustomerId, JourneyId
from services.journey.domain.projection import Projection
from services.journey.domain.rules.book import Rulebook
from services.journey.domain.touchpoint import TouchpointKey

STALE_AFTER = timedelta(hours=24)
"""A friction is quiet if it is found longer than this after it could first be known."""

MOST_OF_A_LABEL = 128
"""How many characters a label of the contract has at most."""


class FrictionEvent(StrEnum):
    """Why a friction is published."""

    DETECTED = "detected"
    UPDATED = "updated"
    MOVED = "moved"
    RETRACTED = "retracted"
    RESTORED = "restored"


class FrictionChange(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A friction to store and to publish; its `digest` is stored with it."""

    event: FrictionEvent
    friction: Friction
    digest: bytes


class RevisionContext(msgspec.Struct, frozen=True, kw_only=True):
    """What the comparison needs beside the frictions: the customer, the time, and the ids of the journeys."""

    customer_id: CustomerId
    now: datetime
    stale_after_s: float
    journey_ids: Sequence[JourneyId]
    aliased: Mapping[JourneyId, JourneyId]
    truncated: bool


def revise(
    projection: Projection, stored: Sequence[StoredFriction], rulebook: Rulebook, circumstances: RevisionContext
) -> list[FrictionChange]:
    """Return what to publish, in the order of the findings, then of `stored`."""
    if not projection.findings and not stored:
        return []
    revising = _Revising(projection, rulebook, circumstances)
    kept = {friction.id: friction for friction in stored}
    found = {finding.id for finding in projection.findings}
    changes = [revising.found(finding, kept.get(finding.id)) for finding in projection.findings]
    changes += [revising.missing(friction) for friction in stored if friction.id not in found]
    return [change for change in changes if change is not None]


class _Revising:
    """One comparison of a projection with the stored frictions."""

    def __init__(self, projection: Projection, rulebook: Rulebook, circumstances: RevisionContext) -> None:
        self._rulebook = rulebook
        self._at = circumstances
        self._failed = {failure.rule for failure in projection.failures}
        self._history = projection.history

    @cached_property
    def _looked_at(self) -> frozenset[TouchpointKey]:
        """The touchpoints that were looked at: few frictions need them all."""
        return frozenset(one.touchpoint.key for one in self._history)

    def found(self, finding: RuleFinding, kept: StoredFriction | None) -> FrictionChange | None:
        """Return what to publish of a friction that was found."""
        journeys = tuple(self._at.journey_ids[number] for number in finding.journeys)
        now_said = digest(finding, journeys)
        event = self._event(kept, now_said)
        if event is None:
            return None
        friction = self._friction(finding, journeys, kept)
        return FrictionChange(event=event, friction=friction, digest=now_said)

    def missing(self, kept: StoredFriction) -> FrictionChange | None:
        """Return what to publish of a stored friction that was not found."""
        if kept.state is FrictionState.RETRACTED:
            return None
        if kept.rule not in self._failed and not self._rests_on_older(kept):
            return self._again(kept, FrictionEvent.RETRACTED)
        return self._again(kept, FrictionEvent.MOVED) if kept.customer_id != self._at.customer_id else None

    def _event(self, kept: StoredFriction | None, now_said: bytes) -> FrictionEvent | None:
        if kept is None:
            return FrictionEvent.DETECTED
        if kept.state is FrictionState.RETRACTED:
            return FrictionEvent.RESTORED
        if kept.customer_id != self._at.customer_id:
            return FrictionEvent.MOVED
        if kept.digest != now_said and not self._rests_on_older(kept):
            return FrictionEvent.UPDATED
        return None

    def _friction(self, finding: RuleFinding, journeys: tuple[JourneyId, ...], kept: StoredFriction | None) -> Friction:
        title, explanation = self._rulebook.texts(finding)
        advice = self._rulebook.advice(finding)
        return Friction(
            id=finding.id,
            rule=finding.rule,
            rule_version=finding.rule_version,
            state=FrictionState.DETECTED,
            revision=1 if kept is None else kept.revision + 1,
            severity=finding.severity,
            customer_id=self._at.customer_id,
            previous_customer_id=None if kept is None else self._previous(kept),
            journey_id=journeys[0],
            journey_ids=journeys if len(journeys) > 1 else (),
            anchor=finding.anchor,
            occurred_at=finding.at.occurred_at,
            detected_at=self._at.now if kept is None else kept.detected_at,
            revised_at=self._at.now,
            reason=finding.reason,
            channel=finding.at.channel,
            service_level=finding.service_level,
            refs=finding.refs,
            touchpoints=tuple(TouchpointRef(source=source, id=id_) for source, id_ in finding.touchpoints),
            evidence=finding.evidence,
            timeline=finding.timeline,
            quiet=self._is_quiet(finding, advice) if kept is None else kept.quiet,
            title=title,
            explanation=explanation,
            queue=finding.at.queue,
            product=_product(finding),
            playbook=advice.playbook,
            implies=advice.implies,
            closes_when=advice.closes_when,
        )

    def _again(self, kept: StoredFriction, event: FrictionEvent) -> FrictionChange:
        """Return the friction as it was published last, in another state or with another customer."""
        said = decode(kept.payload)
        friction = msgspec.structs.replace(
            said,
            state=FrictionState.RETRACTED if event is FrictionEvent.RETRACTED else said.state,
            revision=kept.revision + 1,
            revised_at=self._at.now,
            customer_id=self._at.customer_id,
            previous_customer_id=self._previous(kept),
            journey_id=None if said.journey_id is None else self._at.aliased.get(said.journey_id, said.journey_id),
        )
        return FrictionChange(event=event, friction=friction, digest=kept.digest)

    def _previous(self, kept: StoredFriction) -> CustomerId | None:
        return kept.customer_id if kept.customer_id != self._at.customer_id else None

    def _is_quiet(self, finding: RuleFinding, advice: FrictionAdvice) -> bool:
        own = advice.expires_after
        age_s = (self._at.now - finding.stale_from).total_seconds()
        return finding.at.replay or age_s > (self._at.stale_after_s if own is None else own.total_seconds())

    def _rests_on_older(self, kept: StoredFriction) -> bool:
        """Return whether the friction rests on touchpoints before those looked at, so that it cannot be judged."""
        if not self._at.truncated:
            return False
        said = decode(kept.payload)
        if self._history and said.timeline and said.timeline[0].occurred_at < self._history[0].touchpoint.occurred_at:
            return True
        return any((one.source, one.id) not in self._looked_at for one in said.touchpoints)


def _product(finding: RuleFinding) -> str | None:
    """Return what the anchor is about: its attribute `product`, else its reference `product_id`; None if unclear."""
    attribute = finding.at.attributes.get("product")
    named = attribute if isinstance(attribute, str) else finding.at.refs.get("product_id")
    if not named or not named.isprintable() or named.startswith("sealed:"):
        return None
    return named[:MOST_OF_A_LABEL]
