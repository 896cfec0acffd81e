"""Whether a customer came back: each border from both sides, whatever comes first, and one watch for one recontact."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.alerts.loop.outcomes import ResolutionOutcome
from services.alerts.loop.watches import ONE_CONTACT, Matter, Recontact, Watch, WatchState, judge_watches
from tests.unit.alerts.builders import NOW

WEEK = timedelta(days=7)
SECOND = timedelta(seconds=1)
END = NOW + WEEK


def a_watch(number: int = 1, **members: Any) -> Watch:
    """The watch of issue `number`, resolved at `NOW` for a week; `members` override."""
    given_: dict[str, Any] = {
        "id": UUID(int=number),
        "issue_id": UUID(int=100 + number),
        "customer_id": "ann",
        "matter": Matter(journey_id=f"j{number}", reason="billing"),
        "resolved_at": NOW,
        "until": NOW + WEEK,
        "outcome": ResolutionOutcome.CALLED_BACK,
        "resolved_by": "kim",
    }
    return Watch(**given_ | members)


def a_return(at: datetime, journey: str | None = "j1", **members: Any) -> Recontact:
    """A friction at a time; `members` override."""
    given_: dict[str, Any] = {"friction_id": f"f{at.isoformat()}", "reason": "billing", "refs": {}} | members
    matter = Matter(journey_id=journey, reason=given_.pop("reason"), refs=given_.pop("refs"))
    return Recontact(at=at, matter=matter, **given_)


def a_contact(at: datetime, journey: str = "j1", count: int = 3, **members: Any) -> Recontact:
    """A contact without friction."""
    return a_return(at, journey, friction_id=None, contact_count=count, **members)


def state_of(watch: Watch, *facts: Recontact, now: datetime = END) -> WatchState:
    """What becomes of one watch."""
    return judge_watches([watch], facts, now=now)[0].state


@pytest.mark.parametrize(
    ("at", "state"),
    [
        (NOW, WatchState.HELD),
        (NOW + SECOND, WatchState.RECONTACTED),
        (NOW + WEEK, WatchState.RECONTACTED),
        (NOW + WEEK + SECOND, WatchState.HELD),
    ],
)
def test_only_what_happened_within_the_watch_counts(at: datetime, state: WatchState) -> None:
    assert state_of(a_watch(), a_return(at)) is state


def test_it_is_decided_when_its_time_is_over() -> None:
    assert state_of(a_watch(), now=END - SECOND) is WatchState.WATCHING
    assert state_of(a_watch(), now=END) is WatchState.HELD


def test_who_comes_back_is_counted_at_once_and_what_is_learned_late_changes_the_answer() -> None:
    late = a_return(NOW + timedelta(days=6))
    assert state_of(a_watch(), late, now=NOW + timedelta(days=6, hours=1)) is WatchState.RECONTACTED
    assert state_of(a_watch(state=WatchState.HELD), late, now=END + timedelta(days=2)) is WatchState.RECONTACTED
    returned = a_watch(state=WatchState.RECONTACTED, recontact=late)
    assert state_of(returned, now=END + timedelta(days=2)) is WatchState.HELD


def test_a_resolution_that_was_taken_back_is_void_unless_the_customer_came_back() -> None:
    undone = a_watch(ended_at=NOW + timedelta(hours=5))
    assert state_of(undone) is WatchState.VOID
    assert state_of(undone, a_return(NOW + timedelta(hours=5))) is WatchState.RECONTACTED
    assert state_of(undone, a_return(NOW + timedelta(hours=5) + SECOND)) is WatchState.VOID
    assert state_of(a_watch(withdrawn=True), a_return(NOW + SECOND)) is WatchState.VOID


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ({"journey": "j1", "reason": None}, True),
        ({"journey": "j2", "reason": "billing"}, True),
        ({"journey": "j2", "reason": "delivery"}, False),
        ({"journey": "j2", "reason": "delivery", "refs": {"order_id": "A-1"}}, True),
        ({"journey": "j2", "reason": "billing", "refs": {"order_id": "A-2"}}, False),
        ({"journey": "j2", "reason": "billing", "refs": {"case_id": "T-1"}}, True),
        ({"journey": "j2", "reason": None}, False),
    ],
)
def test_what_is_the_same_matter(other: dict[str, Any], *, same: bool) -> None:
    watch = a_watch(matter=Matter(journey_id="j1", reason="billing", refs={"order_id": "A-1"}))
    assert (state_of(watch, a_return(NOW + SECOND, **other)) is WatchState.RECONTACTED) is same


def test_nothing_known_of_either_is_not_the_same_matter_but_the_same_issue_is() -> None:
    watch = a_watch(matter=Matter())
    fact = a_return(NOW + SECOND, None, reason=None)
    assert state_of(watch, fact) is WatchState.HELD
    assert state_of(watch, replace(fact, issue_id=watch.issue_id)) is WatchState.RECONTACTED


def test_a_conversation_that_goes_on_is_no_new_contact() -> None:
    watch = a_watch(contacts_before=2)
    assert state_of(watch, a_contact(NOW + SECOND, count=2)) is WatchState.HELD
    assert state_of(watch, a_contact(NOW + SECOND, count=3)) is WatchState.RECONTACTED
    assert state_of(watch, a_contact(NOW + SECOND, "j9", count=1)) is WatchState.RECONTACTED
    assert state_of(a_watch(contacts_before=None), a_contact(NOW + SECOND, count=1)) is WatchState.RECONTACTED


def test_one_recontact_counts_for_one_watch_the_nearest() -> None:
    older = a_watch(1, resolved_at=NOW - timedelta(days=1), until=END)
    newer = a_watch(2)
    states = [w.state for w in judge_watches([older, newer], [a_return(NOW + SECOND, "j3")], now=END)]
    assert states == [WatchState.HELD, WatchState.RECONTACTED]
    states = [w.state for w in judge_watches([older, newer], [a_return(NOW + SECOND, "j1")], now=END)]
    assert states == [WatchState.RECONTACTED, WatchState.HELD]
    of_issue = a_return(NOW + SECOND, "j2", issue_id=older.issue_id)
    assert judge_watches([older, newer], [of_issue], now=END)[0].recontact == of_issue


def test_a_call_and_the_friction_that_it_completed_are_one_recontact() -> None:
    """The friction speaks of delivery, the journey of billing: apart they would count for two watches."""
    billing = a_watch(1)
    delivery = a_watch(2, matter=Matter(journey_id="j2", reason="delivery"))
    call = a_contact(NOW + timedelta(minutes=10), "j3", reason="billing")
    friction = a_return(NOW + timedelta(minutes=8), "j3", reason="delivery")
    states = [w.state for w in judge_watches([billing, delivery], [call, friction], now=END)]
    assert states == [WatchState.HELD, WatchState.RECONTACTED]
    another = replace(call, at=friction.at + ONE_CONTACT + SECOND)
    states = [w.state for w in judge_watches([billing, delivery], [another, friction], now=END)]
    assert states == [WatchState.RECONTACTED, WatchState.RECONTACTED]


def test_the_first_recontact_is_the_one_that_is_told() -> None:
    facts = [a_return(NOW + timedelta(hours=hours)) for hours in (3, 1, 2)]
    assert all(judge_watches([a_watch()], order, now=END)[0].recontact == facts[1] for order in permutations(facts))


MOMENTS = st.integers(-2, 10).map(lambda days: NOW + timedelta(days=days))
FACTS = st.builds(
    a_return,
    MOMENTS,
    st.sampled_from(["j1", "j2", "j3", None]),
    reason=st.sampled_from(["billing", "delivery", None]),
    friction_id=st.sampled_from(["a", "b", "c", "d", None]),
    issue_id=st.sampled_from([UUID(int=101), UUID(int=102), None]),
)
WATCHES = st.lists(
    st.builds(
        lambda number, day: a_watch(
            number, resolved_at=NOW + timedelta(days=day), until=NOW + timedelta(days=day) + WEEK
        ),
        st.integers(1, 3),
        st.integers(-2, 5),
    ),
    unique_by=lambda watch: watch.id,
    max_size=3,
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(WATCHES, st.lists(FACTS, max_size=6), st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter_and_no_recontact_counts_twice(
    watches: list[Watch], facts: list[Recontact], random: Any
) -> None:
    def judged(given_facts: Sequence[Recontact]) -> dict[UUID, WatchState]:
        found = judge_watches(watches, given_facts, now=END + WEEK)
        assert [watch.id for watch in found] == [watch.id for watch in watches]
        returned = [watch.recontact for watch in found if watch.recontact is not None]
        assert len(returned) == len(
            {(one.at, one.friction_id, one.matter.journey_id, one.issue_id, one.matter.reason) for one in returned}
        )
        return {watch.id: watch.state for watch in found}

    once = judged(facts)
    again = [*facts, *facts]
    random.shuffle(again)
    assert judged(again) == once
    rejudged = judge_watches(judge_watches(watches, facts, now=END + WEEK), facts, now=END + WEEK)
    assert {watch.id: watch.state for watch in rejudged} == once
