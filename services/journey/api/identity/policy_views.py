"""What the resource of the policy of identity takes and answers."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self
from uuid import UUID

import msgspec
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from services.journey.read.views import FrozenView, Instant
from services.journey.rehearsal.policy_rehearsal import RehearsedPolicy
from services.journey.rulebook import identity_file
from services.journey.rulebook.identity_file import IdentitySettings
from services.journey.versions import identity_changes
from services.journey.versions.identity_changes import IdentityChange
from services.journey.versions.policy_table import PolicyVersion
from services.runtime.http.fields import PlainText

MOST_CHARACTERS = 200_000

PolicyText = Annotated[
    PlainText,
    StringConstraints(min_length=1, max_length=MOST_CHARACTERS),
    Field(
        description="A file of identity policy, YAML.",
        examples=["extends: default\ntypes: {loyalty_id: {unique: true}}\n"],
    ),
]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WrittenPolicy(_Asked):
    """A file of identity policy that somebody wrote."""

    text: PolicyText


class PolicyToApply(_Asked):
    """A file to put in force, or an earlier version to return to, and why."""

    text: PolicyText | None = None
    version: int | None = Field(None, ge=1, le=2_147_483_647, description="An earlier version, in place of `text`.")
    note: Annotated[PlainText, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)] = Field(
        description="Why; kept with the version.", examples=["a card is one person's"]
    )

    @model_validator(mode="after")
    def _demand_one(self) -> Self:
        if (self.text is None) == (self.version is None):
            raise ValueError("give `text` or `version`")
        return self


class PolicyChangeView(FrozenView):
    """One member of the policy that differs."""

    of: str = Field(
        description="`types.NAME`, `others`, `policy`, `blocked.every` or `blocked.types.NAME`.",
        examples=["types.loyalty_id"],
    )
    member: str = Field(examples=["unique"])
    before: Any = Field(description="Durations are ISO 8601; of blocked values, the list.")
    after: Any

    @classmethod
    def of_change(cls, change: IdentityChange) -> Self:
        """Return the view of a change."""
        return cls(of=change.of, member=change.member, before=change.before, after=change.after)


class IdentityVersionView(FrozenView):
    """One version of the policy of identity."""

    version: int = Field(examples=[2])
    in_force_from: Instant = Field(description="It judges what the broker appended from then on.")
    author: str = Field(description="The label of the key that applied it, or who ran the command.")
    note: str
    stored_at: Instant


class IdentityVersionChangesView(IdentityVersionView):
    """One version, and what it changed of the one before it."""

    changes: list[PolicyChangeView]


class IdentityHistoryView(FrozenView):
    """Versions of the policy, the newest first: the audit. Empty where only the policy that ships was ever in force."""

    versions: list[IdentityVersionChangesView]

    @classmethod
    def of(cls, versions: Sequence[PolicyVersion], limit: int) -> Self:
        """Return the view of at most `limit` of all versions, which stand oldest first."""
        settings = [identity_file.decode(one.document) for one in versions]
        told = [
            IdentityVersionChangesView(**members(one), changes=views(settings[max(0, place - 1)], settings[place]))
            for place, one in enumerate(versions)
        ]
        return cls(versions=told[-limit:][::-1])


class PolicyInForceView(FrozenView):
    """A policy in full. Without `version` it is the one that ships, and no other was ever applied."""

    version: IdentityVersionView | None
    types: dict[str, dict[str, Any]] = Field(description="What holds for each type of identifier.")
    others: dict[str, Any] = Field(description="What holds for types that nobody named.")
    blocked: dict[str, Any] = Field(description="Values that name nobody, beside those that ship.")
    most_identifiers: int

    @classmethod
    def of(cls, version: PolicyVersion | None, settings: IdentitySettings) -> Self:
        """Return the view of a policy, and of the version that it is of."""
        document: Mapping[str, Any] = msgspec.to_builtins(settings)
        return cls(version=None if version is None else IdentityVersionView(**members(version)), **document)


class PolicyCheckView(FrozenView):
    """Whether a file can be used; if not, every mistake, with its line and the nearest name."""

    sound: bool
    problems: list[str] = Field(examples=[["types.loyalty_id.uniqe: Did you mean unique? (line 3)"]])
    changes: list[PolicyChangeView] = Field(description="What it would change of what is in force.")


class AppliedPolicyView(IdentityVersionChangesView):
    """The version in force now; `applied` is false where it said the same already."""

    applied: bool


class FrictionDifferenceView(FrozenView):
    """Frictions that would be more and fewer, by rule."""

    kept: int
    new: dict[str, int] = Field(examples=[{}])
    gone: dict[str, int] = Field(examples=[{"repeat_contact_24h": 37}])


class SplitView(FrozenView):
    """A customer who would be several people."""

    customer_id: UUID
    into: int


class RehearsalView(FrozenView):
    """What a policy would have made of the stored customers, had it judged everything. Nothing was changed."""

    customers: int
    touchpoints: int
    merged: int = Field(description="Customers who would be part of others.")
    split: int = Field(description="Customers who would be several people.")
    new_customers: int = Field(description="The others of these people.")
    touchpoints_moved: int = Field(description="Touchpoints that would be with somebody else.")
    touchpoints_of_nobody: int = Field(description="Touchpoints that would carry nothing which names a customer.")
    not_tried: int = Field(description="Customers who are connected to more than is settled at once.")
    frictions: FrictionDifferenceView
    merging: list[list[UUID]] = Field(description="Customers who would be one person: up to 20 groups.")
    splitting: list[SplitView] = Field(description="Up to 20 customers.")

    @classmethod
    def of(cls, found: RehearsedPolicy) -> Self:
        """Return the view of a rehearsal."""
        return cls(
            customers=found.customers,
            touchpoints=found.touchpoints,
            merged=found.merged,
            split=found.split,
            new_customers=found.new_customers,
            touchpoints_moved=found.touchpoints_moved,
            touchpoints_of_nobody=found.touchpoints_of_nobody,
            not_tried=found.not_tried,
            frictions=FrictionDifferenceView(
                kept=found.frictions.kept,
                new=dict(sorted(found.frictions.new.items())),
                gone=dict(sorted(found.frictions.gone.items())),
            ),
            merging=found.merging,
            splitting=[SplitView(customer_id=one.customer, into=one.into) for one in found.splitting],
        )


def views(before: IdentitySettings, after: IdentitySettings) -> list[PolicyChangeView]:
    """Return the views of what `after` changes."""
    return [PolicyChangeView.of_change(one) for one in identity_changes.compare(before, after)]


def members(version: PolicyVersion) -> dict[str, Any]:
    """Return the members of a version that its views have."""
    return {
        "version": version.version,
        "in_force_from": version.in_force_from,
        "author": version.author,
        "note": version.note,
        "stored_at": version.stored_at,
    }
