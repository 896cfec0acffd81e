"""How an issue begins, ends and begins again."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from services.alerts.issues.aggregates import with_aggregates
from services.alerts.issues.lifecycle import open_issue, reopen_issue, resolve_empty
from services.alerts.issues.model import Issue, IssueState, ReportedFriction
from tests.unit.alerts.builders import NOW, a_friction, an_issue

LATER = NOW + timedelta(hours=1)
ELSEWHERE = UUID(int=9)


def newly_opened(friction: ReportedFriction, origin: Issue | None = None) -> Issue:
    return open_issue(friction, issue_id=UUID(int=5), occurrence=2, now=NOW, origin=origin)


@pytest.mark.parametrize("quiet", [False, True])
@pytest.mark.parametrize("journey", ["j1", None])
def test_a_new_issue_says_what_a_summary_of_its_first_friction_says(quiet: bool, journey: str | None) -> None:
    friction = a_friction(quiet=quiet, journey_id=journey, service_level="premium")

    issue = newly_opened(friction)

    counted = replace(issue, count=1, frictions=(friction.id,))
    assert with_aggregates(issue, [friction], keep_severity=False) == counted
    assert (issue.count, issue.frictions, issue.quiet) == (0, (), quiet)
    assert (issue.state, issue.version, issue.occurrence) == (IssueState.OPEN, 0, 2)
    assert (issue.opened_at, issue.updated_at, issue.fingerprint) == (NOW, NOW, friction.fingerprint)


def test_an_issue_that_is_split_off_is_as_far_as_the_other_one() -> None:
    taken = an_issue(state=IssueState.ACKNOWLEDGED, acknowledged_at=NOW, acknowledged_by="kim")
    done = replace(taken, state=IssueState.RESOLVED, resolved_at=LATER, resolved_by="lee", resolution="called_back")

    split = newly_opened(a_friction(), taken)
    assert (split.state, split.acknowledged_at, split.acknowledged_by) == (IssueState.ACKNOWLEDGED, NOW, "kim")
    split = newly_opened(a_friction(), done)
    assert (split.state, split.acknowledged_by) == (IssueState.RESOLVED, "kim")
    assert (split.resolved_at, split.resolved_by, split.resolution) == (LATER, "lee", "called_back")
    assert newly_opened(a_friction(), an_issue()) == newly_opened(a_friction())


@pytest.mark.parametrize(("into", "resolution"), [(None, "retracted"), (ELSEWHERE, "merged")])
def test_an_emptied_issue_ends_by_itself_and_nothing_of_a_snooze_is_left(into: UUID | None, resolution: str) -> None:
    gone = resolve_empty(an_issue(snoozed_until=LATER), NOW, into=into)

    assert (gone.state, gone.resolved_at, gone.resolved_by, gone.snoozed_until) == (
        IssueState.RESOLVED,
        NOW,
        "waymark",
        None,
    )
    assert (gone.resolution, gone.merged_into) == (resolution, into)


def test_an_issue_that_begins_again_is_one_that_nobody_has_touched() -> None:
    done = an_issue(
        state=IssueState.RESOLVED,
        acknowledged_at=NOW,
        acknowledged_by="kim",
        resolved_at=NOW,
        resolved_by="kim",
        resolution="called_back",
        merged_into=ELSEWHERE,
        snoozed_until=LATER,
    )

    assert reopen_issue(done, LATER) == an_issue(opened_at=LATER)
