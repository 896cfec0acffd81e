"""What an explanation of a rule takes and answers."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.journey.api.rules.rule_views import RulesText
from services.journey.domain.friction import RuleFinding
from services.journey.domain.rules.book import Rulebook
from services.journey.domain.timer import Timer
from services.journey.read.views import FrozenView, Instant, TextView, TouchpointRefView
from services.journey.trial.explanation import ConditionExplanation, RuleExplanation
from services.runtime.http.fields import PlainText


class RuleToExplain(BaseModel):
    """A customer, and a rule: of those in force, or of a file that somebody writes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    customer: Annotated[PlainText, StringConstraints(min_length=1, max_length=1_100)] = Field(
        description="`type:value`, or a customer id.", examples=["phone:010-1234-5678"]
    )
    rule: Annotated[PlainText, StringConstraints(min_length=1, max_length=100)] = Field(
        description="Its id; a rule that is off is asked as well.", examples=["repeat_contact_24h"]
    )
    text: RulesText | None = Field(None, description="A rules file, YAML; without it, the rules in force.")


class FindingView(FrozenView):
    """A friction that the rule finds, with the touchpoints that it rests on."""

    friction_id: UUID
    at: Instant = Field(description="When it could first be known.")
    severity: str
    anchor: str = Field(description="The interaction or touchpoint that completed it.")
    title: TextView
    explanation: TextView
    touchpoints: list[TouchpointRefView]

    @classmethod
    def of(cls, found: RuleFinding, book: Rulebook) -> Self:
        """Return the view of a finding, in the words of its rule."""
        title, explanation = book.texts(found)
        return cls(
            friction_id=found.id,
            at=found.stale_from,
            severity=found.severity,
            anchor=found.anchor.interaction_id or found.anchor.touchpoint_id or found.at.id,
            title=TextView(en=title.en, ko=title.ko),
            explanation=TextView(en=explanation.en, ko=explanation.ko),
            touchpoints=[TouchpointRefView(source=source, id=id_) for source, id_ in found.touchpoints],
        )


class WaitingView(FrozenView):
    """A follow-up that has not come and is not due yet."""

    touchpoint: TouchpointRefView = Field(description="What started the clock.")
    due_at: Instant

    @classmethod
    def of(cls, timer: Timer) -> Self:
        """Return the view of a timer."""
        source, id_ = timer.armed_by
        return cls(touchpoint=TouchpointRefView(source=source, id=id_), due_at=timer.due_at)


class ConditionView(FrozenView):
    """A condition of the rule. Where `holds` is false, it alone keeps the rule from firing."""

    member: str = Field(examples=["within"])
    wanted: str = Field(description="What the rule says.", examples=["1d"])
    holds: bool
    found: str | None = Field(None, description="The nearest value at which it would fire.", examples=["1d 2h 10m"])

    @classmethod
    def of(cls, one: ConditionExplanation) -> Self:
        """Return the view of a condition."""
        return cls(member=one.member, wanted=one.wanted, holds=one.holds, found=one.found)


class RuleExplanationView(FrozenView):
    """Why a rule fires for a customer; or what it waits for; or which conditions keep it from firing."""

    rule: str
    enabled: bool
    asked_at: Instant
    touchpoints: int = Field(description="Touchpoints of the customer that were looked at: the latest ones.")
    units: int = Field(description="Touchpoints, or contacts where the rule counts those.")
    looked_at: int = Field(description="How many of them match its first condition.")
    fired: list[FindingView]
    waiting: list[WaitingView]
    conditions: list[ConditionView] = Field(description="Empty where it fires or waits.")

    @classmethod
    def of(cls, told: RuleExplanation, book: Rulebook, touchpoints: int, now: datetime) -> Self:
        """Return the view of an explanation by the rules of `book`."""
        return cls(
            rule=told.rule,
            enabled=told.enabled,
            asked_at=now,
            touchpoints=touchpoints,
            units=told.units,
            looked_at=told.looked_at,
            fired=[FindingView.of(one, book) for one in told.fired],
            waiting=[WaitingView.of(one) for one in told.waiting],
            conditions=[ConditionView.of(one) for one in told.conditions],
        )
