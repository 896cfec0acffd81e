"""What the resource of the shadow takes and answers."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.journey.api.rules.rule_views import RulesText
from services.journey.read.views import FrozenView, Instant, TextView
from services.journey.shadowing.shadow_listing import ShadowListing, TriedRule
from services.journey.store.shadow_rows import ShadowExample
from services.runtime.http.fields import PlainText

Note = Annotated[
    PlainText,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000),
    Field(description="Why; kept with the version.", examples=["does it ring too often?"]),
]


class RulesToTry(BaseModel):
    """A rules file whose changes are to be tried in the shadow, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: RulesText
    note: Note


class ShadowNote(BaseModel):
    """Why what is in the shadow comes into force, or out of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    note: Note


class ShadowExampleView(FrozenView):
    """A friction that only one side has, to open."""

    friction_id: UUID
    customer_id: UUID
    anchor: str = Field(description="The interaction or touchpoint that completed it.")
    occurred_at: Instant
    severity: str
    in_shadow: bool = Field(description="False where the rule in force alone has it.")

    @classmethod
    def of(cls, one: ShadowExample) -> Self:
        """Return the view of an example."""
        return cls(
            friction_id=one.friction_id,
            customer_id=one.customer_id,
            anchor=one.anchor,
            occurred_at=one.occurred_at,
            severity=one.severity,
            in_shadow=one.in_shadow,
        )


class TriedRuleView(FrozenView):
    """A rule in the shadow, beside the rule in force over the same time: since the trial began."""

    id: str
    shape: str
    severity: str
    title: TextView
    since: Instant = Field(description="It judges what the broker appended from then on.")
    is_new: bool = Field(description="Whether there is no such rule in force.")
    differs: list[str] = Field(description="Members that the rule in force says otherwise.", examples=[["within"]])
    found: int = Field(description="Frictions that it finds.")
    in_force: int = Field(description="Frictions that the rule in force finds.")
    new: int = Field(description="Those that it alone finds.")
    gone: int = Field(description="Those that the rule in force alone finds.")
    customers_without_answer: int = Field(description="Customers for whom it raised; 0 is well.")
    examples: list[ShadowExampleView] = Field(description="The latest that only one side has.")

    @classmethod
    def of(cls, tried: TriedRule) -> Self:
        """Return the view of a rule in the shadow."""
        rule, counts = tried.rule, tried.counts
        return cls(
            id=rule["id"],
            shape=rule["shape"],
            severity=rule["severity"],
            title=TextView(**rule["title"]),
            since=tried.trial.since,
            is_new=tried.is_new,
            differs=list(tried.differs),
            found=counts.found,
            in_force=counts.in_force,
            new=counts.new,
            gone=counts.gone,
            customers_without_answer=tried.failing,
            examples=[ShadowExampleView.of(one) for one in tried.examples],
        )


class ShadowView(FrozenView):
    """What is in the shadow, and who put it there; without a rule, nothing is."""

    rules: list[TriedRuleView]
    version: int | None = None
    author: str | None = None
    note: str | None = None
    stored_at: Instant | None = None

    @classmethod
    def of(cls, listing: ShadowListing | None) -> Self:
        """Return the view of what is in the shadow; None where nothing is."""
        if listing is None:
            return cls(rules=[])
        version = listing.version
        return cls(
            rules=[TriedRuleView.of(one) for one in listing.rules],
            version=version.version,
            author=version.author,
            note=version.note,
            stored_at=version.stored_at,
        )
