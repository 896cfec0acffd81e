"""What the resource of rules takes and answers."""

from collections.abc import Sequence
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from services.journey.read.views import FrozenView, Instant, TextView
from services.journey.versions import rule_changes
from services.journey.versions.policy_table import PolicyVersion
from services.journey.versions.rule_changes import RuleChanges
from services.journey.versions.rule_listing import RuleListing, RulesListing
from services.journey.versions.storing import PolicyApplication
from services.runtime.http.fields import PlainText

MOST_CHARACTERS = 300_000
"""Most characters of a rules file; the shipped one has some 40,000."""

RulesText = Annotated[
    PlainText,
    StringConstraints(min_length=1, max_length=MOST_CHARACTERS),
    Field(description="A rules file, YAML.", examples=["extends: default\nchange: {long_wait: {enabled: false}}\n"]),
]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RulesToCheck(_Asked):
    """A rules file that somebody wrote."""

    text: RulesText


class RulesToApply(_Asked):
    """A rules file to put in force, or an earlier version to return to, and why."""

    text: RulesText | None = None
    version: int | None = Field(None, ge=1, le=2_147_483_647, description="An earlier version, in place of `text`.")
    note: Annotated[PlainText, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)] = Field(
        description="Why; kept with the version.", examples=["stricter waits for premium customers"]
    )

    @model_validator(mode="after")
    def _demand_one(self) -> Self:
        if (self.text is None) == (self.version is None):
            raise ValueError("give `text` or `version`")
        return self


class RuleChangesView(FrozenView):
    """Ids of rules by what happened to them; `changed` names the members that differ."""

    new: list[str] = Field(description="They were not there before.")
    gone: list[str] = Field(description="They are not there any more.")
    on: list[str] = Field(description="Switched on.")
    off: list[str] = Field(description="Switched off.")
    changed: dict[str, list[str]] = Field(examples=[{"long_wait": ["limit"]}])

    @classmethod
    def of(cls, changes: RuleChanges) -> Self:
        """Return the view of `changes`."""
        return cls(
            new=list(changes.new),
            gone=list(changes.gone),
            on=list(changes.on),
            off=list(changes.off),
            changed={id_: list(members) for id_, members in changes.changed.items()},
        )


class RulesVersionView(FrozenView):
    """One version of the rules."""

    version: int = Field(examples=[4])
    in_force_from: Instant = Field(description="It judges what the broker appended from then on.")
    author: str = Field(description="The label of the key that applied it, or who ran the command.")
    note: str
    stored_at: Instant


class RulesVersionChangesView(RulesVersionView):
    """One version of the rules, and what it changed of the one before it."""

    changes: RuleChangesView

    @classmethod
    def of(cls, version: PolicyVersion, before: PolicyVersion | None) -> Self:
        """Return the view of `version`; without one before it every rule is new."""
        changes = rule_changes.compare(None if before is None else before.document, version.document)
        return cls(**_members(version), changes=RuleChangesView.of(changes))


class RulesHistoryView(FrozenView):
    """Versions of the rules, the newest first: the audit."""

    versions: list[RulesVersionChangesView]


class RuleSummaryView(FrozenView):
    """A rule in short."""

    id: str = Field(examples=["repeat_contact_24h"])
    shape: str = Field(examples=["count"])
    severity: str = Field(examples=["medium"])
    enabled: bool = Field(description="Whether it is on.")
    title: TextView
    rule_version: int = Field(description="The version that its file gives it; it goes with every friction.")
    since_version: int = Field(description="The version of the rules since which it says what it says.")
    in_force_from: Instant = Field(description="When that version came into force.")
    frictions: int = Field(description="How many of its frictions stand today.")
    customers_without_answer: int = Field(description="Customers for whom it raised; 0 is well.")
    cost_us: float | None = Field(
        description="Microseconds it took for a touchpoint in the last seven days, on a sample of one customer in "
        "16; null where nothing was measured since it says what it says."
    )

    @classmethod
    def of(cls, listed: RuleListing) -> Self:
        """Return the view of a rule in a list."""
        rule = listed.rule
        return cls(
            id=rule["id"],
            shape=rule["shape"],
            severity=rule["severity"],
            enabled=rule.get("enabled", True),
            title=TextView(**rule["title"]),
            rule_version=rule.get("version", 1),
            since_version=listed.since.version,
            in_force_from=listed.since.in_force_from,
            frictions=listed.frictions,
            customers_without_answer=listed.failing,
            cost_us=listed.cost_us,
        )


class RulesInForceView(RulesVersionView):
    """The rules of a version: those that judge what comes now, or did."""

    rules: list[RuleSummaryView]

    @classmethod
    def of(cls, listing: RulesListing) -> Self:
        """Return the view of the rules of a version."""
        return cls(**_members(listing.version), rules=[RuleSummaryView.of(one) for one in listing.rules])


class WholeRuleView(FrozenView):
    """A rule with every member, as rules.v1 has it, and the version that it is of."""

    version: int
    rule: dict[str, Any]


class RulesFileView(FrozenView):
    """A version of the rules to write on: as its author wrote it, and every whole rule that it comes to."""

    version: int
    written: str = Field(description="The text of its author, comments and all.")
    rules: list[dict[str, Any]] = Field(description="Whole rules, as rules.v1 has them.")

    @classmethod
    def of(cls, version: PolicyVersion) -> Self:
        """Return the view of a stored version."""
        rules = list(rule_changes.rules_in(version.document).values())
        return cls(version=version.version, written=version.written, rules=rules)


class RulesCheckView(FrozenView):
    """Whether a rules file can be used; if not, every mistake, with its line and the nearest name."""

    sound: bool
    problems: list[str] = Field(
        examples=[["change.long_wait: there is no `limt` here; did you mean `limit`? (line 2)"]]
    )
    rules: list[str] = Field(description="Ids of all rules that it comes to; empty where it is not sound.")
    changes: RuleChangesView | None = Field(
        None, description="What it would change of what is in force; absent where it is not sound or nothing is."
    )


class AppliedRulesView(RulesVersionView):
    """The version in force now; `applied` is false where it said the same already."""

    applied: bool
    changes: RuleChangesView

    @classmethod
    def of_applied(cls, applied: PolicyApplication) -> Self:
        """Return the view of what came of applying; the same rules again change nothing."""
        now, before = applied.version, applied.before
        was = now.document if not applied.is_new else None if before is None else before.document
        changes = rule_changes.compare(was, now.document)
        return cls(**_members(now), applied=applied.is_new, changes=RuleChangesView.of(changes))


def history_of(versions: Sequence[PolicyVersion], limit: int) -> RulesHistoryView:
    """Return at most `limit` versions, the newest first, from all of them, oldest first."""
    before: list[PolicyVersion | None] = [None, *versions]
    told = list(zip(versions, before, strict=False))[-limit:]
    return RulesHistoryView(versions=[RulesVersionChangesView.of(one, earlier) for one, earlier in reversed(told)])


def _members(version: PolicyVersion) -> dict[str, Any]:
    return {
        "version": version.version,
        "in_force_from": version.in_force_from,
        "author": version.author,
        "note": version.note,
        "stored_at": version.stored_at,
    }
