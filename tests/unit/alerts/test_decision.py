"""Whether a change is told, one row a case."""

from datetime import timedelta
from uuid import UUID

import pytest

from services.alerts.issues.model import AlertSeverity, Issue, IssueState, NotificationRecord
from services.alerts.notify.decision import DEFAULT_NOTIFY_ON, NotificationReason, decide
from tests.unit.alerts.builders import NOW, an_issue

NOTHING_YET = NotificationRecord()
TOLD_MEDIUM = NotificationRecord(severity=AlertSeverity.MEDIUM, at=NOW, sequence=1)
TOLD_END = NotificationRecord(severity=AlertSeverity.MEDIUM, resolved=True, at=NOW, sequence=2)
RESOLVED = {"state": IssueState.RESOLVED, "resolved_at": NOW}
SNOOZED = {"snoozed_until": NOW + timedelta(hours=1)}
CRITICAL = {"severity": AlertSeverity.CRITICAL, "loud_severity": AlertSeverity.CRITICAL}
HIGH = {"severity": AlertSeverity.HIGH, "loud_severity": AlertSeverity.HIGH}


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        # nobody knows of it yet
        pytest.param({"told": NOTHING_YET}, NotificationReason.FIRST, id="the first time, at once"),
        pytest.param({"told": NOTHING_YET, "loud_severity": None}, NotificationReason.QUIET, id="quiet frictions only"),
        pytest.param(
            {"told": NOTHING_YET, **RESOLVED}, NotificationReason.NEVER_TOLD, id="it ended before anybody knew"
        ),
        pytest.param(
            {"told": NOTHING_YET, **SNOOZED},
            NotificationReason.SNOOZED,
            id="the first loud friction while it is snoozed",
        ),
        pytest.param(
            {"told": NOTHING_YET, **CRITICAL, **SNOOZED},
            NotificationReason.FIRST,
            id="the first is critical and breaks through",
        ),
        # people know of it
        pytest.param(
            {"told": TOLD_MEDIUM}, NotificationReason.NOTHING_NEW, id="one more friction of the same severity"
        ),
        pytest.param({"told": TOLD_MEDIUM, **HIGH}, NotificationReason.SEVERITY_RAISED, id="it became worse"),
        pytest.param(
            {"told": TOLD_MEDIUM, "severity": AlertSeverity.HIGH},
            NotificationReason.NOTHING_NEW,
            id="only a quiet friction is worse",
        ),
        pytest.param(
            {"told": TOLD_MEDIUM, **HIGH, **SNOOZED}, NotificationReason.SNOOZED, id="it became worse while snoozed"
        ),
        pytest.param(
            {"told": TOLD_MEDIUM, **CRITICAL, **SNOOZED},
            NotificationReason.SEVERITY_RAISED,
            id="critical breaks through a snooze",
        ),
        pytest.param(
            {"told": TOLD_MEDIUM, **HIGH, "severity": AlertSeverity.CRITICAL, **SNOOZED},
            NotificationReason.SNOOZED,
            id="what is critical is quiet, and breaks through nothing",
        ),
        pytest.param(
            {"told": TOLD_MEDIUM, **HIGH, "snoozed_until": NOW},
            NotificationReason.SEVERITY_RAISED,
            id="the snooze ends this moment",
        ),
        pytest.param(
            {"told": TOLD_MEDIUM, **RESOLVED, "resolution": "called_back"}, NotificationReason.RESOLVED, id="resolved"
        ),
        pytest.param(
            {"told": TOLD_MEDIUM, **RESOLVED, "resolution": "retracted"}, NotificationReason.WITHDRAWN, id="withdrawn"
        ),
        pytest.param(
            {"told": TOLD_MEDIUM, **RESOLVED, "resolution": "merged", "merged_into": UUID(int=9)},
            NotificationReason.MERGED,
            id="merged",
        ),
        # people know that it ended
        pytest.param({"told": TOLD_END}, NotificationReason.REOPENED, id="it is back"),
        pytest.param({"told": TOLD_END, "loud_severity": None}, NotificationReason.QUIET, id="it is back, quietly"),
        pytest.param({"told": TOLD_END, **RESOLVED}, NotificationReason.NOTHING_NEW, id="it is still resolved"),
    ],
)
def test_a_change_is_told_for_a_reason(after: dict[str, object], reason: NotificationReason) -> None:
    decision = decide(an_issue(), an_issue(**after), now=NOW, notify_on=DEFAULT_NOTIFY_ON)

    assert decision.reason is reason


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        pytest.param({}, {"state": IssueState.ACKNOWLEDGED}, NotificationReason.ACKNOWLEDGED, id="somebody takes it"),
        pytest.param(SNOOZED, {}, NotificationReason.SNOOZE_ENDED, id="the snooze is over"),
        pytest.param(RESOLVED, {}, NotificationReason.REOPENED, id="it is back, and nobody was told that it had ended"),
    ],
)
def test_what_people_do_is_told_where_wanted(
    before: dict[str, object], after: dict[str, object], reason: NotificationReason
) -> None:
    wanted = DEFAULT_NOTIFY_ON | {NotificationReason.ACKNOWLEDGED}

    decision = decide(
        an_issue(told=TOLD_MEDIUM, **before), an_issue(told=TOLD_MEDIUM, **after), now=NOW, notify_on=wanted
    )

    assert (decision.notify, decision.reason) == (True, reason)


def test_what_is_not_wanted_is_not_told() -> None:
    decision = decide(None, an_issue(), now=NOW, notify_on={NotificationReason.RESOLVED})

    assert (decision.notify, decision.reason) == (False, NotificationReason.NOT_WANTED)


def test_an_acknowledgement_is_not_told_unless_asked_for() -> None:
    before: Issue = an_issue(told=TOLD_MEDIUM)

    decision = decide(
        before, an_issue(told=TOLD_MEDIUM, state=IssueState.ACKNOWLEDGED), now=NOW, notify_on=DEFAULT_NOTIFY_ON
    )

    assert not decision.notify
