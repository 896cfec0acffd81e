"""A bad day: one customer, one matter, four tries over four channels, and one issue that gets worse with it."""

from itertools import pairwise

from services.alerts.issues.model import AlertSeverity
from services.alerts.notify.decision import NotificationReason
from tests.stories.company import Company, at
from tests.stories.journey_tables import effort_of, rules_of


async def test_four_tries_over_four_channels_are_one_issue_that_gets_worse(company: Company) -> None:
    effort: list[float] = []

    # Morning: a long wait on the phone, and nothing solved. Bad, but nobody's night is ruined.
    told = await company.hears(
        "ivr",
        "call_ended",
        at("09:10"),
        id="call-1",
        channel="phone",
        direction="inbound",
        customer={"phone": "010-3333-4444", "customer_id": "C-1009"},
        reason="billing",
        wait_s=245,
        outcome="unresolved",
        text="요금이 두 번 빠져나갔어요",
    )
    customer = company.journey.of("customer_id", "C-1009")
    effort.append(effort_of(customer))
    assert rules_of(customer) == ["long_wait"]
    assert [one.reason for one in told] == [NotificationReason.FIRST]
    assert company.issue().severity is AlertSeverity.LOW

    # Before noon: the same customer in the chat, about the same matter. That is a repeat contact.
    told = await company.hears(
        "chatbot",
        "chat_ended",
        at("11:40"),
        id="chat-1",
        channel="chat",
        direction="inbound",
        customer={"customer_id": {"value": "C-1009", "verified": True}},
        reason="billing",
        outcome="abandoned",
        text="상담원 연결이 안 되네요",
    )
    effort.append(effort_of(customer))
    assert {"repeat_contact_24h", "repeat_contact_7d"} < set(rules_of(customer))
    assert [one.reason for one in told] == [NotificationReason.SEVERITY_RAISED]
    assert company.issue().severity is AlertSeverity.HIGH

    # Afternoon: an e-mail. Phone, chat, e-mail: the customer is trying one channel after the other.
    told = await company.hears(
        "mail",
        "email_received",
        at("14:05"),
        id="mail-1",
        channel="email",
        customer={"customer_id": "C-1009", "email": "Me@Example.com"},
        reason="billing",
        text="전화도 채팅도 안 돼서 메일 드립니다",
    )
    effort.append(effort_of(customer))
    assert rules_of(customer).count("channel_switch") == 1
    assert told == []  # nothing is worse than it was: the team is at it already

    # Evening: in the store the clerk sees that this is a premium customer.
    told = await company.hears(
        "store",
        "store_visited",
        at("18:30"),
        id="visit-1",
        channel="store",
        customer={"phone": "+82 10-3333-4444"},
        reason="billing",
        service_level="premium",
        sentiment=-0.8,
        text="오늘만 네 번째예요. 이제 해지할게요",
    )
    effort.append(effort_of(customer))
    assert rules_of(customer).count("channel_switch") == 2
    assert rules_of(customer).count("repeat_contact_24h") == 3  # the second, third and fourth try
    assert [one.reason for one in told] == [NotificationReason.SEVERITY_RAISED]

    # One customer, one matter, one issue; it says what the whole day was like.
    issue = company.issue()
    assert list(company.journey.customers.values()) == [customer]
    assert (issue.severity, issue.count, issue.team) == (AlertSeverity.CRITICAL, len(rules_of(customer)), "요금상담팀")
    assert issue.title.ko == "24시간 안에 다시 문의한 고객"
    assert [step.channel for step in issue.timeline] == ["phone", "chat", "email", "store"]
    assert (issue.service_level, issue.channel) == ("premium", "store")
    assert all(before < after for before, after in pairwise(effort)), effort

    # What the team hears of it is three webhooks, and no word of what the customer said or who it is.
    await company.alerts.deliver()
    heard = [webhook.document for webhook in company.alerts.desk.received]
    assert [one["type"] for one in heard] == ["issue.opened", "issue.updated", "issue.updated"]
    assert [one["data"]["severity"] for one in heard] == ["low", "high", "critical"]
    assert [one["sequence"] for one in heard] == [1, 2, 3]
    assert not any(clear in str(heard) for clear in ("C-1009", "3333", "example.com", "해지"))
