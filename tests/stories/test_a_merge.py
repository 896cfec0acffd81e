"""A merge: a visitor with a cookie and a caller with an account turn out to be one, and then it is a friction."""

from typing import Any

import pytest

from services.alerts.notify.decision import NotificationReason
from services.journey.domain.names import friction_id
from tests.stories.company import Company, at
from tests.stories.journey_tables import rules_of

CHAT: dict[str, Any] = {
    "id": "chat-7",
    "channel": "web",
    "direction": "inbound",
    "customer": {"cookie": "ck-51d0"},
    "reason": "delivery",
    "text": "택배가 아직 안 왔어요",
}
CALL: dict[str, Any] = {
    "id": "call-7",
    "channel": "phone",
    "direction": "inbound",
    "customer": {"customer_id": "C-77"},
    "reason": "delivery",
    "text": "아까 채팅으로도 물어봤는데요",
}
LOGIN: dict[str, Any] = {
    "id": "login-7",
    "channel": "web",
    "customer": {"cookie": "ck-51d0", "customer_id": {"value": "C-77", "verified": True}},
}


async def test_a_login_makes_two_customers_one_and_shows_a_friction_that_neither_had(company: Company) -> None:
    await company.hears("web", "chat_ended", at("10:00"), **CHAT)
    await company.hears("ivr", "call_ended", at("13:00"), **CALL)

    visitor, caller = company.journey.of("cookie", "ck-51d0"), company.journey.of("customer_id", "C-77")
    assert visitor is not caller
    assert (rules_of(visitor), rules_of(caller)) == ([], [])
    assert company.alerts.issues == []

    told = await company.hears("web", "login_succeeded", at("13:20"), **LOGIN)

    # One customer: the older one, who now has the history of both, in one journey.
    one = company.journey.of("customer_id", "C-77")
    assert one is company.journey.of("cookie", "ck-51d0") is visitor
    assert list(company.journey.customers) == [visitor.id]
    assert one.projection is not None
    (journey,) = one.projection.journeys
    assert [one.projection.history[at_].touchpoint.id for at_ in journey.members] == ["chat-7", "call-7", "login-7"]
    assert journey.contact_count == 2

    # The friction lies at the call, which completed it, not at the login, which showed it.
    assert rules_of(one) == ["repeat_contact_24h", "repeat_contact_7d"]
    assert {found.at.id for found in one.projection.findings} == {"call-7"}
    assert [notification.reason for notification in told] == [NotificationReason.FIRST]
    assert (company.issue().customer_id, company.issue().reason) == (str(visitor.id), "delivery")
    assert company.issue().title.ko == "24시간 안에 다시 문의한 고객"


@pytest.mark.parametrize(
    "order",
    [
        pytest.param(("chat", "login", "call"), id="login before the call"),
        pytest.param(("login", "call", "chat"), id="login first, chat last"),
        pytest.param(("call", "chat", "login"), id="call first"),
    ],
)
async def test_whatever_is_heard_first_the_same_friction_appears(company: Company, order: tuple[str, ...]) -> None:
    happened = {
        "chat": ("web", "chat_ended", at("10:00"), CHAT),
        "call": ("ivr", "call_ended", at("13:00"), CALL),
        "login": ("web", "login_succeeded", at("13:20"), LOGIN),
    }
    for name in order:
        source, kind, when, members = happened[name]
        await company.hears(source, kind, when, arrives=at("14:00"), **members)

    (one,) = company.journey.customers.values()
    assert one.projection is not None
    # Ids of frictions are made of rule and anchor alone: no order, no clock, no customer.
    assert {found.id for found in one.projection.findings} == {
        friction_id(rule, "ivr", interaction_id=None, touchpoint_id="call-7")
        for rule in ("repeat_contact_24h", "repeat_contact_7d")
    }
    assert set(company.issue().frictions) == {str(found.id) for found in one.projection.findings}


async def test_a_friction_of_the_younger_customer_follows_it_to_the_older_one(company: Company) -> None:
    await company.hears("web", "chat_ended", at("10:00"), **CHAT)
    await company.hears("ivr", "call_ended", at("11:00"), **CALL)
    await company.hears("ivr", "call_ended", at("12:00"), **{**CALL, "id": "call-8"})
    visitor, caller = company.journey.of("cookie", "ck-51d0"), company.journey.of("customer_id", "C-77")
    before = company.issue()
    assert before.customer_id == str(caller.id)

    told = await company.hears("web", "login_succeeded", at("13:20"), **LOGIN)

    # The issue goes with its frictions: the same id, the older customer, and no second message about the same trouble.
    issue = company.issue()
    assert (issue.id, issue.customer_id) == (before.id, str(visitor.id))
    assert issue.count == 4  # the first call is a repeat of the chat now, the second one a repeat of both
    assert told == []
