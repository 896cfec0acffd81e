"""What the identity resource takes and answers."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.journey.domain.identity.facts import IdentifierKey
from services.journey.operate.verdict_sentences import verdict_sentence
from services.journey.read.views import TextView
from services.journey.repair.account import EvidenceStep, IdentityAccount, SupposedIdentity
from services.journey.repair.unmerge import UnmergeResult
from services.journey.settle.resettling import Resettlement
from services.journey.store.identity_ledger import SpokenWord
from services.runtime.http.fields import Moment, PlainText

MOST_SUPPOSED = 1_000
"""Touchpoints that one request may suppose."""

IdentifierText = Annotated[
    PlainText,
    StringConstraints(min_length=3, max_length=1_100),
    Field(description="`type:value`, as in `email:ann@example.com`.", examples=["phone:+821012345678"]),
]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SpokenPair(_Asked):
    """Two identifiers that an operator says something of, and why."""

    one: IdentifierText
    other: IdentifierText
    note: Annotated[PlainText, StringConstraints(max_length=2_000)] = Field("", description="Why; kept in the ledger.")


class RetractedPair(_Asked):
    """Two identifiers whose link is taken back."""

    one: IdentifierText
    other: IdentifierText


class SupposedIdentifier(_Asked):
    """A value that a touchpoint would carry."""

    value: Annotated[PlainText, StringConstraints(min_length=1, max_length=1_024)]
    verified: bool = False


class SupposedTouchpoint(_Asked):
    """A touchpoint that might come, as far as identity is concerned."""

    customer: Annotated[
        Mapping[Annotated[PlainText, StringConstraints(min_length=1, max_length=64)], SupposedIdentifier],
        Field(min_length=1, max_length=20, description="Identifiers by type, in their normal form."),
    ]
    occurred_at: Moment | None = Field(None, description="When it would happen; now if left out.")


class SupposedTouchpoints(_Asked):
    """The touchpoints that are supposed, together."""

    touchpoints: Annotated[Sequence[SupposedTouchpoint], Field(min_length=1, max_length=MOST_SUPPOSED)]


class EvidenceView(BaseModel):
    """A reason to take two identifiers for one customer."""

    one: str
    other: str
    trust: str = Field(description="`operator`, `verified`, `asserted` or `device`; the best first.")
    seen_at: datetime
    source: str = Field(description="Of the touchpoint that shows it; empty for the word of an operator.")
    touchpoint_id: str
    refusal: str | None = Field(description="Why it is not followed; null if it is.")

    @classmethod
    def of(cls, step: EvidenceStep) -> Self:
        """Return the view of a step."""
        return cls(
            one=_name(step.one),
            other=_name(step.other),
            trust=step.trust,
            seen_at=datetime.fromisoformat(step.seen_at),
            source=step.source,
            touchpoint_id=step.touchpoint_id,
            refusal=step.refusal,
        )


class AskedIdentifier(BaseModel):
    """How an identifier that was asked for stands."""

    identifier: str
    standing: str = Field(description="`owned` by one customer, `between` customers, or `shared` by many people.")
    customer_id: UUID | None = Field(description="Null where it belongs to nobody by itself.")


class IdentityAccountView(BaseModel):
    """What holds identifiers together, and what does not."""

    asked: list[AskedIdentifier]
    one_customer: bool = Field(description="Whether everything asked for is one customer.")
    verdict: str = Field(
        description="`joined`, `alone`, `shared`, `between`, `apart`, `meet_only`, `unconnected` or `nothing_left`."
    )
    summary: TextView = Field(description="The same in a sentence.")
    met_in: list[str] = Field(description="What two customers have in common who only meet in what several use.")
    identifiers: list[str] = Field(description="All identifiers of the first one's customer.")
    path: list[EvidenceView] = Field(description="The links that lead from the one to the other, if two were asked.")
    held_by: list[EvidenceView] = Field(description="Every link that is followed in the first one's customer.")
    refused: list[EvidenceView] = Field(description="Links around these that are not followed, each with its reason.")

    @classmethod
    def of(cls, account: IdentityAccount) -> Self:
        """Return the view of an account."""
        return cls(
            asked=[
                AskedIdentifier(identifier=_name(key), standing=standing, customer_id=customer)
                for key, standing, customer in zip(account.asked, account.standing, account.customers, strict=True)
            ],
            one_customer=account.path is not None,
            verdict="nothing_left" if account.verdict is None else str(account.verdict),
            summary=TextView(**verdict_sentence(account.verdict)._asdict()),
            met_in=[_name(key) for key in account.met_in],
            identifiers=[_name(key) for key in account.identifiers],
            path=[EvidenceView.of(step) for step in account.path or ()],
            held_by=[EvidenceView.of(step) for step in account.held_by],
            refused=[EvidenceView.of(step) for step in account.refused],
        )


class SuppositionView(BaseModel):
    """What touchpoints would do to the stored customers. Nothing was changed."""

    merged: int = Field(description="Customers who would be merged into others.")
    split: int = Field(description="Customers of whom others would be split off.")
    new_customers: int
    touchpoints_moved: int
    not_followed: dict[str, int] = Field(description="Links that would not be followed, by reason.")
    customers: list[UUID] = Field(description="The customers concerned.")

    @classmethod
    def of(cls, supposed: SupposedIdentity) -> Self:
        """Return the view of a supposition."""
        return cls(
            merged=supposed.merged,
            split=supposed.split,
            new_customers=supposed.new_customers,
            touchpoints_moved=supposed.touchpoints_moved,
            not_followed=supposed.refused,
            customers=sorted(supposed.customers),
        )


class SettledView(BaseModel):
    """What an operator's word did."""

    done: bool = Field(description="Whether it holds; false where a later word says otherwise.")
    customers: dict[str, UUID | None] = Field(description="Whose the two identifiers are now.")
    merged: dict[str, UUID] = Field(description="Customers that are part of others now.")
    created: dict[str, UUID | None] = Field(description="Customers that were split off, with whom they came from.")
    touchpoints_moved: int

    @classmethod
    def of(cls, result: Resettlement, *, joined: bool) -> Self:
        """Return the view of a resettlement, which was to join or to part."""
        owners = set(result.owners.values())
        return cls(
            done=(len(owners) == 1 and None not in owners) if joined else len(owners) > 1,
            customers={_name(key): owner for key, owner in result.owners.items()},
            merged={str(gone): heir for gone, heir in result.merged.items()},
            created={str(new): came_from for new, came_from in result.created.items()},
            touchpoints_moved=result.touchpoints_moved,
        )


class UnmergedView(BaseModel):
    """What came of taking a link back."""

    outcome: Literal["split", "still_joined", "already_apart", "no_such_link"]
    customer_id: UUID | None = Field(description="Who goes on.")
    new_customers: list[UUID]
    touchpoints_moved: int

    @classmethod
    def of(cls, result: UnmergeResult) -> Self:
        """Return the view of a result."""
        return cls(
            outcome=result.outcome.value,
            customer_id=result.customer_id,
            new_customers=list(result.new_customers),
            touchpoints_moved=result.touchpoints_moved,
        )


class WordView(BaseModel):
    """What somebody said of two identifiers."""

    word: Literal["merge", "separate", "unmerge"]
    one: str
    other: str
    said_by: str = Field(description="Label of the key, or the person at the command.")
    note: str
    said_at: datetime

    @classmethod
    def of(cls, word: SpokenWord) -> Self:
        """Return the view of a word."""
        one, other = word.key
        return cls.model_validate(
            {
                "word": word.word,
                "one": _name(one),
                "other": _name(other),
                "said_by": word.said_by,
                "note": word.note,
                "said_at": word.said_at,
            }
        )


class WordsView(BaseModel):
    """The words of operators, the newest first."""

    words: list[WordView]


def _name(key: IdentifierKey) -> str:
    return f"{key[0]}:{key[1]}"
