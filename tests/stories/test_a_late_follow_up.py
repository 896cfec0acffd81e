"""A late follow-up: a promised call back looks missed, a team is told, and then it turns out that the call was made."""

from typing import Any

from services.alerts.issues.model import AlertSeverity, IssueResolution, IssueState
from services.alerts.notify.decision import NotificationReason
from services.journey.domain.timer import TimerState
from tests.stories.company import Company, at
from tests.stories.journey_tables import rules_of

CUSTOMER = {"customer_id": "C-2040"}
CASE = {"case_id": "T-77"}
PROMISE: dict[str, Any] = {
    "id": "promise-1",
    "channel": "phone",
    "customer": CUSTOMER,
    "refs": CASE,
    "reason": "billing",
    "service_level": "premium",
    "due_at": at("11:00").isoformat(),
    "text": "11시까지 다시 전화드리겠습니다",
}
CALL_BACK: dict[str, Any] = {
    "id": "out-1",
    "channel": "phone",
    "direction": "outbound",
    "customer": CUSTOMER,
    "refs": CASE,
}


async def test_a_follow_up_that_is_heard_of_late_withdraws_the_alert(company: Company) -> None:
    assert await company.hears("crm", "callback_promised", at("09:30"), **PROMISE) == []
    customer = company.journey.of("customer_id", "C-2040")

    # Eleven o'clock and the grace of a quarter of an hour: it may still be on its way to us.
    assert company.reaches(at("11:15")) == []
    assert rules_of(customer) == []

    # The stream has passed it, and no call was seen.
    told = company.reaches(at("11:21"))
    assert rules_of(customer) == ["callback_missed"]
    assert [one.type for one in told] == ["issue.opened"]
    assert (company.issue().severity, company.issue().state) == (AlertSeverity.CRITICAL, IssueState.OPEN)
    assert company.issue().title.ko == "약속한 회신 전화를 하지 않음"

    # The telephone system was away for an hour. It had made the call at 10:55.
    told = await company.hears("pbx", "call_started", at("10:55"), arrives=at("11:50"), **CALL_BACK)

    # The friction is gone, the issue is closed by itself, and those who were told of it hear that as well.
    assert rules_of(customer) == []
    issue = company.issue()
    assert (issue.state, issue.resolution, issue.count) == (IssueState.RESOLVED, IssueResolution.RETRACTED, 0)
    assert [one.reason for one in told] == [NotificationReason.WITHDRAWN]
    await company.alerts.deliver()
    opened, closed = (webhook.document for webhook in company.alerts.desk.received)
    assert (opened["type"], closed["type"]) == ("issue.opened", "issue.resolved")
    assert (opened["data"]["id"], closed["data"]["resolution"]) == (closed["data"]["id"], "retracted")


async def test_a_call_that_was_made_too_late_withdraws_nothing(company: Company) -> None:
    await company.hears("crm", "callback_promised", at("09:30"), **PROMISE)
    company.reaches(at("11:21"))

    told = await company.hears("pbx", "call_started", at("11:16"), arrives=at("11:50"), **CALL_BACK)

    assert told == []
    assert rules_of(company.journey.of("customer_id", "C-2040")) == ["callback_missed"]
    assert company.issue().state is IssueState.OPEN


async def test_a_call_of_another_case_withdraws_nothing(company: Company) -> None:
    await company.hears("crm", "callback_promised", at("09:30"), **PROMISE)
    company.reaches(at("11:21"))

    other = {**CALL_BACK, "refs": {"case_id": "T-78"}}
    await company.hears("pbx", "call_started", at("10:55"), arrives=at("11:50"), **other)

    assert company.issue().state is IssueState.OPEN


async def test_a_promise_that_was_kept_in_time_is_never_spoken_of(company: Company) -> None:
    await company.hears("crm", "callback_promised", at("09:30"), **PROMISE)
    await company.hears("pbx", "call_started", at("10:55"), **CALL_BACK)

    assert company.reaches(at("12:00")) == []

    shelf = company.journey.of("customer_id", "C-2040").shelf
    assert [timer.state for timer in shelf.timers.values()] == [TimerState.CANCELLED]
    assert company.alerts.issues == []
