"""An issue is about now: what happened since, and what closes it without a person."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.alerts.inbox import actions
from services.alerts.issues.model import (
    ClosingStep,
    IssueEventKind,
    IssueState,
    JourneyNow,
    LatestStep,
    ReportedFriction,
    ValueAtStake,
)
from services.alerts.issues.situation import follow, journey_change
from tests.unit.alerts.builders import NOW, World, a_friction, an_issue

ORDER = ClosingStep(kind=("order_placed",))
CALL = ClosingStep(kind=("call_started", "call_ended"), direction="outbound")


def step(kind: str, minutes: float, **members: Any) -> LatestStep:
    """A touchpoint that happened `minutes` after the anchor of friction 1."""
    at = a_friction(1).occurred_at + timedelta(minutes=minutes)
    return LatestStep(occurred_at=at, kind=kind, **{"channel": "web", **members})


def a_journey(*latest: LatestStep, **members: Any) -> JourneyNow:
    given: dict[str, Any] = {
        "id": "j1",
        "version": 3,
        "state": "open",
        "last_at": NOW,
        "effort": 25.9,
        "contact_count": 2,
        "friction_count": 1,
        "latest": latest,
    }
    return JourneyNow(**given | members)


def closing(*steps: ClosingStep, number: int = 1, **members: Any) -> ReportedFriction:
    return a_friction(number, closes_when=steps, **members)


def test_an_open_issue_says_what_happened_after_its_last_friction_how_hard_it_is_and_what_is_at_stake() -> None:
    issue = an_issue(last_at=a_friction(1).occurred_at)
    value = ValueAtStake(amount=129_000, currency="KRW")
    journey = a_journey(step("call_ended", 0), step("case_resolved", 5), outcome="resolved", value=value)

    after, event = follow(issue, journey, [a_friction(1)], now=NOW)

    assert event is None
    assert after.journey is not None
    assert [one.kind for one in after.journey.since] == ["case_resolved"]
    assert (after.journey.outcome, after.journey.effort, after.journey.value) == ("resolved", 25.9, value)
    assert after.service_level == "premium"


def test_the_service_level_is_the_one_of_now() -> None:
    after, _ = follow(an_issue(service_level="basic"), a_journey(service_level="premium"), [], now=NOW)
    assert after.service_level == "premium"


@pytest.mark.parametrize(
    ("latest", "closes"),
    [
        pytest.param([step("order_placed", 1)], True, id="placed after the anchor"),
        pytest.param([step("order_placed", 0)], False, id="placed with the anchor"),
        pytest.param([step("order_placed", -1)], False, id="placed before the anchor"),
        pytest.param([step("order_cancelled", 1)], False, id="something else"),
        pytest.param([step("call_ended", 1, direction="inbound")], False, id="a call of the customer"),
        pytest.param([step("call_ended", 1, direction="outbound")], True, id="a call of ours"),
        pytest.param([], False, id="nothing"),
    ],
)
def test_what_the_rule_names_settles_it_when_it_comes_after_the_anchor(latest: list[LatestStep], closes: bool) -> None:
    after, event = follow(an_issue(), a_journey(*latest), [closing(ORDER, CALL)], now=NOW)
    assert (after.state is IssueState.RESOLVED) is closes
    assert (event is not None) is closes


def test_it_says_what_closed_it() -> None:
    after, event = follow(an_issue(), a_journey(step("acme.order_placed", 4)), [
        closing(ClosingStep(kind=("acme.order_placed",)))
    ], now=NOW)  # fmt: skip
    assert (after.resolution, after.resolved_by, after.resolved_at) == ("acme_order_placed", "waymark", NOW)
    assert event is not None
    assert (event.kind, event.detail["settled_by"]) == (IssueEventKind.RESOLVED, "acme.order_placed")


def test_it_stays_open_until_every_friction_is_settled() -> None:
    first, second = closing(ORDER), closing(CALL, number=2)
    one, both = [step("order_placed", 3)], [step("order_placed", 3), step("call_ended", 9, direction="outbound")]

    assert follow(an_issue(), a_journey(*one), [first, second], now=NOW)[1] is None
    closed, _ = follow(an_issue(), a_journey(*both), [first, second], now=NOW)
    assert closed.resolution == "call_ended"
    assert follow(an_issue(), a_journey(*both), [first, second, a_friction(3)], now=NOW)[1] is None


@pytest.mark.parametrize(
    ("closing_step", "fits"),
    [
        (ClosingStep(kind=("call_ended",), outcome=("resolved", "sold")), True),
        (ClosingStep(kind=("call_ended",), outcome=("sold",)), False),
        (ClosingStep(kind=("call_ended",), channel=("phone",)), True),
        (ClosingStep(kind=("call_ended",), channel=("chat",)), False),
        (ClosingStep(kind=("call_ended",), direction="outbound"), False),
    ],
)
def test_every_member_of_a_condition_has_to_fit(closing_step: ClosingStep, fits: bool) -> None:
    happened = step("call_ended", 5, outcome="resolved", channel="phone")
    _, event = follow(an_issue(), a_journey(happened), [closing(closing_step)], now=NOW)
    assert (event is not None) is fits


def test_what_a_person_opened_again_is_closed_only_by_something_that_comes_later() -> None:
    resolved = an_issue(state=IssueState.RESOLVED, resolved_at=NOW, resolution="order_placed")
    reopened = actions.reopen(resolved, actor="kim", now=NOW, superseded=False).change
    assert reopened is not None
    old, late = step("order_placed", 2), LatestStep(
        occurred_at=NOW + timedelta(minutes=1), kind="order_placed", channel="web"
    )  # fmt: skip

    assert follow(reopened.after, a_journey(old), [closing(ORDER)], now=NOW)[1] is None
    assert follow(reopened.after, a_journey(late), [closing(ORDER)], now=NOW)[1] is not None


def test_nothing_is_written_where_nothing_changes() -> None:
    journey = a_journey(step("page_viewed", 5))
    change = journey_change(an_issue(), journey, [a_friction(1)], now=NOW)
    assert change is not None
    assert (change.after.version, change.events) == (2, ())
    assert journey_change(change.after, journey, [a_friction(1)], now=NOW + timedelta(hours=1)) is None
    assert journey_change(an_issue(), None, [a_friction(1)], now=NOW) is None


def test_a_friction_that_is_settled_already_opens_and_closes_in_one_breath() -> None:
    world = World(journeys={"j1": a_journey(step("order_placed", 30))})
    [change] = world.take(closing(ORDER)).changes
    assert (change.before, change.after.state, change.after.resolution) == (None, IssueState.RESOLVED, "order_placed")
    assert [event.kind for event in change.events][-1] is IssueEventKind.RESOLVED


def test_new_friction_after_that_opens_it_again() -> None:
    world = World(journeys={"j1": a_journey(step("order_placed", 30))})
    first = closing(ORDER)
    world.take(first)
    later = closing(ORDER, number=2, occurred_at=first.occurred_at + timedelta(hours=1))
    world.take(later)
    assert world.issue_of(later).state is IssueState.OPEN
    assert world.issue_of(later).id == world.issue_of(first).id != UUID(int=0)
