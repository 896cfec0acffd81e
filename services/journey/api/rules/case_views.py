"""What trying rules on written cases takes and answers."""

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.journey.api.rules.rule_views import MOST_CHARACTERS, RulesText
from services.journey.domain.friction import FrictionSeverity
from services.journey.read.views import FrozenView, Instant
from services.journey.trial.case import CaseResult, ExpectedFriction, StandingFriction
from services.runtime.http.fields import PlainText

MOST_TOUCHPOINTS = 5_000
"""Most touchpoints of all cases together, aliases of YAML written out; the shipped cases have some 500."""

_EXAMPLE = """\
tests:
  - name: a second call within a day
    defaults: {channel: phone, direction: inbound}
    touchpoints:
      - {id: first, occurred_at: +0m, kind: call_ended, outcome: unresolved}
      - {id: second, occurred_at: +2h, kind: call_started}
    expect: [{rule: repeat_contact_24h, anchor: second}]
"""


class RulesToTest(BaseModel):
    """Cases that somebody wrote, and the rules to try on them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cases: Annotated[PlainText, StringConstraints(min_length=1, max_length=MOST_CHARACTERS)] = Field(
        description=f"A file of cases, YAML, with at most {MOST_TOUCHPOINTS:,} touchpoints.", examples=[_EXAMPLE]
    )
    text: RulesText | None = Field(
        None,
        description="A rules file, YAML; without it the shipped rules where the cases say `rules: default`, else the "
        "rules in force. A file that the cases name is never opened.",
    )


class ExpectedFrictionView(FrozenView):
    """A friction that a case expects."""

    rule: str
    anchor: str = Field(description="The interaction or touchpoint that completes it.")
    severity: FrictionSeverity | None = None
    at: Instant | None = None

    @classmethod
    def of(cls, one: ExpectedFriction) -> Self:
        """Return the view of an expectation; what it leaves open is absent."""
        return cls(rule=one.rule, anchor=one.anchor, severity=one.severity, at=one.at)


class StandingFrictionView(FrozenView):
    """A friction that stands at the end of a case."""

    rule: str
    anchor: str
    severity: FrictionSeverity
    at: Instant = Field(description="When it could first be known.")

    @classmethod
    def of(cls, one: StandingFriction) -> Self:
        """Return the view of a friction that stands, by the usual name of its anchor."""
        return cls(rule=one.rule, anchor=one.names[0], severity=one.severity, at=one.at)


class RuleFailureView(FrozenView):
    """A rule that raised; no friction of it is known."""

    rule: str
    error: str


class CaseResultView(FrozenView):
    """What came of one case; it passes where exactly the expected frictions stand."""

    name: str
    passed: bool
    missing: list[ExpectedFrictionView] = Field(description="Expected, and not there.")
    unexpected: list[StandingFrictionView] = Field(description="There, and not expected.")
    failures: list[RuleFailureView]
    undirected: list[str] = Field(
        description="Of a case that does not pass, touchpoints that are no contact for want of `direction: inbound`."
    )

    @classmethod
    def of(cls, result: CaseResult, undirected: Sequence[str]) -> Self:
        """Return the view of a result."""
        return cls(
            name=result.name,
            passed=result.passed,
            missing=[ExpectedFrictionView.of(one) for one in result.missing],
            unexpected=[StandingFrictionView.of(one) for one in result.unexpected],
            failures=[RuleFailureView(rule=one.rule, error=one.error) for one in result.failures],
            undirected=[] if result.passed else list(undirected),
        )


class RulesTestView(FrozenView):
    """What came of all cases; or why they cannot be tried."""

    sound: bool = Field(description="Whether the cases can be tried on these rules.")
    problems: list[str] = Field(
        description="Every mistake, with its line and the nearest name; empty where they are sound.",
        examples=[["tests[0].expect[0].rule: long_wat: there is no such rule; did you mean long_wait? (line 4)"]],
    )
    passed: int
    failed: int
    tests: list[CaseResultView]

    @classmethod
    def of(cls, tests: Sequence[CaseResultView]) -> Self:
        """Return the view of results."""
        passed = sum(one.passed for one in tests)
        return cls(sound=True, problems=[], passed=passed, failed=len(tests) - passed, tests=list(tests))

    @classmethod
    def unsound(cls, problems: Sequence[str]) -> Self:
        """Return the view of cases that cannot be tried."""
        return cls(sound=False, problems=list(problems), passed=0, failed=0, tests=[])
