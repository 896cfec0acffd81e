"""What is written and published when a customer changes, told step by step."""

from datetime import timedelta
from uuid import UUID

import msgspec
import pytest

from services.journey.domain import friction
from services.journey.domain.comparison.changes import diff
from services.journey.domain.comparison.revision import FrictionEvent
from services.journey.domain.effort import Effort, EffortPart
from services.journey.domain.friction import FrictionState
from services.journey.domain.journey import Journey, JourneyState, JourneyStep
from services.journey.domain.names import JourneyId
from services.journey.domain.projection import project
from services.journey.domain.rules.book import Rulebook
from services.journey.domain.rules.rule import RuleFailure
from services.journey.domain.timer import TimerState
from services.journey.domain.touchpoint import MonetaryValue
from tests.unit.journey.domain.making import (
    ABSENT,
    DAYS,
    HOURS,
    POLICY,
    REPEAT,
    SHIPPED,
    Shelf,
    at,
    call,
    events,
    seen,
    step,
)

FIRST, SECOND = call("a", 0, reason="billing"), call("b", 10, interaction_id="i")


def test_a_friction_is_detected_once() -> None:
    shelf = Shelf()
    assert events(step(shelf, FIRST)) == []
    assert events(step(shelf, FIRST, SECOND)) == [(FrictionEvent.DETECTED, 1)]
    assert not step(shelf, FIRST, SECOND)


def test_what_is_published_says_what_a_team_needs() -> None:
    shelf = Shelf()
    (change,) = step(shelf, FIRST, SECOND).frictions
    said = change.friction
    assert (said.state, said.customer_id, said.occurred_at, said.detected_at) == (
        FrictionState.DETECTED,
        shelf.customer,
        at(10),
        at(HOURS),
    )
    assert [one.id for one in said.touchpoints] == ["a", "b"]
    assert [entry.occurred_at for entry in said.timeline] == [at(0), at(10)]
    assert said.journey_id in shelf.journeys
    assert (said.quiet, said.previous_customer_id) == (False, None)


def test_new_context_takes_a_friction_back_and_brings_it_again() -> None:
    shelf = Shelf()
    step(shelf, FIRST, SECOND)
    of_delivery = seen("wrap-up", 11, "call_ended", direction="inbound", interaction_id="i", reason="delivery")
    taken_back = step(shelf, FIRST, SECOND, of_delivery)
    assert events(taken_back) == [(FrictionEvent.RETRACTED, 2)]
    assert taken_back.frictions[0].friction.state is FrictionState.RETRACTED
    also_delivery = call("c", 5, reason="delivery")
    assert events(step(shelf, FIRST, SECOND, of_delivery, also_delivery)) == [(FrictionEvent.RESTORED, 3)]


def test_more_evidence_is_an_update() -> None:
    shelf = Shelf()
    step(shelf, FIRST, SECOND)
    updated = step(shelf, FIRST, SECOND, call("c", 5))
    assert events(updated) == [(FrictionEvent.DETECTED, 1), (FrictionEvent.UPDATED, 2)]
    assert [one.id for one in updated.frictions[1].friction.touchpoints] == ["a", "c", "b"]


def test_what_happens_after_the_anchor_does_not_change_it() -> None:
    shelf = Shelf()
    step(shelf, FIRST, SECOND)
    assert events(step(shelf, FIRST, SECOND, seen("later", 20))) == []


@pytest.mark.parametrize(
    ("minutes", "replay", "quiet"),
    [
        pytest.param(10 + 24 * HOURS, False, False, id="a day old"),
        pytest.param(10.1 + 24 * HOURS, False, True, id="more than a day old"),
        pytest.param(20, True, True, id="a replay"),
    ],
)
def test_old_news_and_replays_are_quiet(minutes: float, replay: bool, quiet: bool) -> None:
    (change,) = step(Shelf(), FIRST, call("b", 10, replay=replay), minutes=minutes).frictions
    assert change.friction.quiet is quiet


def test_quiet_is_decided_once() -> None:
    shelf = Shelf()
    step(shelf, FIRST, SECOND)
    (_, change) = step(shelf, FIRST, SECOND, call("c", 5), minutes=9 * DAYS).frictions
    assert change.event is FrictionEvent.UPDATED
    assert (change.friction.quiet, change.friction.detected_at) == (False, at(HOURS))


def test_when_it_was_first_found_is_kept_and_each_revision_says_when_it_was_made() -> None:
    shelf = Shelf()
    (found,) = step(shelf, FIRST, SECOND).frictions
    (retracted,) = step(shelf, FIRST, minutes=2 * DAYS).frictions
    (restored,) = step(shelf, FIRST, SECOND, minutes=3 * DAYS).frictions

    times = [(one.friction.detected_at, one.friction.revised_at) for one in (found, retracted, restored)]
    assert times == [(at(HOURS), at(HOURS)), (at(HOURS), at(2 * DAYS)), (at(HOURS), at(3 * DAYS))]


def test_an_absence_is_as_old_as_its_due_time() -> None:
    shelf = Shelf()
    promise = seen("p", 0, "callback_promised", due_at=at(3 * DAYS))
    step(shelf, promise, rules=ABSENT)
    shelf.fire(at(3 * DAYS))
    (change,) = step(shelf, promise, minutes=3 * DAYS + 10, rules=ABSENT).frictions
    assert change.friction.quiet is False


def test_a_timer_is_armed_cancelled_and_armed_again() -> None:
    shelf = Shelf()
    promise = seen("p", 0, "callback_promised", due_at=at(60))
    (timer,) = step(shelf, promise, rules=ABSENT).armed
    kept = step(shelf, promise, seen("m", 30, "callback_made"), rules=ABSENT)
    assert kept.cancelled == [timer.id]
    assert not step(shelf, promise, seen("m", 30, "callback_made"), rules=ABSENT)
    assert [one.id for one in step(shelf, promise, rules=ABSENT).armed] == [timer.id]


def test_a_fired_timer_stays_fired_and_its_friction_goes_with_a_late_follow_up() -> None:
    shelf = Shelf()
    promise = seen("p", 0, "callback_promised", due_at=at(60))
    step(shelf, promise, rules=ABSENT)
    shelf.fire(at(60))
    assert events(step(shelf, promise, rules=ABSENT)) == [(FrictionEvent.DETECTED, 1)]
    late = step(shelf, promise, seen("m", 30, "callback_made"), rules=ABSENT)
    assert events(late) == [(FrictionEvent.RETRACTED, 2)]
    assert [timer.state for timer in shelf.timers.values()] == [TimerState.FIRED]


def test_a_merge_sends_the_friction_again_for_its_new_customer() -> None:
    survivor, absorbed = Shelf(1), Shelf(2)
    step(survivor, call("x", -30 * DAYS))
    step(absorbed, FIRST, SECOND)
    survivor.absorb(absorbed)
    changes = step(survivor, call("x", -30 * DAYS), FIRST, SECOND)
    (change,) = changes.frictions
    assert (change.event, change.friction.revision) == (FrictionEvent.MOVED, 2)
    assert (change.friction.customer_id, change.friction.previous_customer_id) == (survivor.customer, absorbed.customer)
    assert {row.journey.customer_id for row in changes.journeys} == {survivor.customer}


def test_a_failing_rule_takes_nothing_back() -> None:
    shelf = Shelf()
    step(shelf, FIRST, SECOND)
    projection = project(shelf.placed_history([FIRST]), rulebook=REPEAT, policy=POLICY)
    failed = msgspec.structs.replace(projection, failures=[RuleFailure(rule="mine", rule_version=1, error="TypeError")])
    assert diff(failed, shelf.stored(), REPEAT, shelf.moment(at(HOURS))).frictions == []


def test_a_rule_that_raises_does_not_touch_the_others() -> None:
    class Broken(str):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            raise TypeError

        __hash__ = str.__hash__

    history = [call("a", reason=Broken("x"), transfers=2), call("b", 1, reason="y")]
    projection = project(history, rulebook=SHIPPED, policy=POLICY)
    assert {failure.error for failure in projection.failures} == {"TypeError"}
    assert "transfers" in {finding.rule for finding in projection.findings}


def test_a_journey_has_a_new_version_only_when_something_changed() -> None:
    shelf = Shelf()
    (first,) = step(shelf, FIRST).journeys
    (second,) = step(shelf, FIRST, call("b", 10, reason="billing")).journeys
    assert (first.journey.version, second.journey.version) == (1, 2)
    assert first.journey.id == second.journey.id


def test_a_journey_tells_everything_that_is_known_of_it() -> None:
    case = {"case_id": "T-1"}
    known = {"refs": case, "reason": "billing", "service_level": "premium"}
    shelf = Shelf()
    history = (
        call("x", -DAYS / 2, refs={"case_id": "T-0"}),
        call("a", 0, **known, value=MonetaryValue(amount=129_000, currency="KRW")),
        call("b", 10, **known, channel="chat", kind="chat_ended", outcome="resolved"),
    )
    (_, told) = step(shelf, *history, minutes=HOURS).journeys
    assert told.journey == Journey(
        id=JourneyId(shelf.placed["test", "b"]),
        version=1,
        state=JourneyState.OPEN,
        customer_id=shelf.customer,
        opened_at=at(0),
        last_at=at(10),
        idle_at=at(10 + 30 * DAYS),
        touchpoint_count=2,
        contact_count=2,
        friction_count=2,
        effort=Effort(36.2, (EffortPart("repeat_contact", 1, 6), EffortPart("channel_switch", 1, 3))),
        reason="billing",
        refs=case,
        channels=("phone", "chat"),
        service_level="premium",
        outcome="resolved",
        value=MonetaryValue(amount=129_000, currency="KRW"),
        latest=(
            JourneyStep(occurred_at=at(0), channel="phone", kind="call_ended", direction="inbound", reason="billing"),
            JourneyStep(
                occurred_at=at(10),
                channel="chat",
                kind="chat_ended",
                direction="inbound",
                outcome="resolved",
                reason="billing",
            ),
        ),
    )


def test_a_journey_that_an_earlier_release_stored_is_no_news() -> None:
    (told,) = step(Shelf(), FIRST).journeys
    assert told.digest.hex() == "5763328e836f6a8779576cfdc534a7db"


def test_a_journey_closes_by_silence_when_somebody_looks() -> None:
    shelf = Shelf()
    step(shelf, FIRST)
    (closed,) = step(shelf, FIRST, minutes=30 * DAYS).journeys
    assert (closed.journey.state, closed.journey.closed_at) == (JourneyState.CLOSED, at(30 * DAYS))


def test_two_journeys_that_become_one_keep_the_oldest_id() -> None:
    shelf = Shelf()
    case, order = seen("a", 0, refs={"case_id": "1"}), seen("b", 1, refs={"order_id": "2"})
    (younger,) = step(shelf, order, minutes=10).journeys
    (older,) = step(shelf, order, case, minutes=20).journeys
    both = seen("c", 2, refs={"case_id": "1", "order_id": "2"})
    changes = step(shelf, order, case, both, minutes=30)
    kept, gone = younger.journey.id, older.journey.id
    assert [(alias.id, alias.merged_into, alias.version) for alias in changes.aliased] == [(gone, kept, 2)]
    assert {(placed.touchpoint[1], placed.occurred_at, placed.journey_id) for placed in changes.placements} == {
        ("a", at(0), kept),
        ("c", at(2), kept),
    }


def test_age_decides_and_not_the_id() -> None:
    shelf = Shelf()
    shelf.ids = iter([UUID(int=9), UUID(int=3)])
    case, order = seen("a", 0, refs={"case_id": "1"}), seen("b", 1, refs={"order_id": "2"})
    step(shelf, order, minutes=10)
    step(shelf, order, case, minutes=20)
    step(shelf, order, case, seen("c", 2, refs={"case_id": "1", "order_id": "2"}), minutes=30)
    assert shelf.gone == {UUID(int=3): UUID(int=9)}


def test_an_id_whose_beginning_went_to_an_older_journey_stays_with_the_rest() -> None:
    shelf = Shelf()
    a = seen("a", 0, refs={"case_id": "1"})
    b, c = seen("b", 1, refs={"order_id": "2"}), seen("c", 2, refs={"claim_id": "3"})
    step(shelf, a, minutes=10)
    step(shelf, a, b, c, seen("b-c", 3, refs={"order_id": "2", "claim_id": "3"}), minutes=20)
    rest = shelf.placed["test", "c"]
    changes = step(shelf, a, b, c, seen("a-b", 4, refs={"case_id": "1", "order_id": "2"}), minutes=30)
    assert shelf.placed["test", "b"] == shelf.placed["test", "a"]
    assert shelf.placed["test", "c"] == rest
    assert (changes.aliased, changes.dissolved) == ([], [])


def test_what_is_taken_back_names_the_journey_by_its_present_id() -> None:
    shelf = Shelf()
    case, order = {"case_id": "1"}, {"order_id": "2"}
    step(shelf, seen("a", 0, refs=case), minutes=10)
    first, second = call("b", 1, refs=order), call("c", 2, refs=order, interaction_id="i", reason="billing")
    step(shelf, seen("a", 0, refs=case), first, second, minutes=20)
    of_delivery = call("b", 1, refs=case | order, reason="delivery")
    (change,) = step(shelf, seen("a", 0, refs=case), of_delivery, second, minutes=30).frictions
    assert change.event is FrictionEvent.RETRACTED
    assert change.friction.journey_id == shelf.placed["test", "a"]


def test_a_journey_that_falls_apart_keeps_its_id_where_it_began() -> None:
    shelf = Shelf()
    case, order = seen("a", 0, refs={"case_id": "1"}), seen("b", 1, refs={"order_id": "2"})
    both = seen("c", 2, refs={"case_id": "1", "order_id": "2"})
    (whole,) = step(shelf, case, order, both).journeys
    step(shelf, case, order)  # the one between them was somebody else's: an unmerge
    assert shelf.placed[case.touchpoint.key] == whole.journey.id
    assert shelf.placed[order.touchpoint.key] != whole.journey.id


def test_a_journey_without_touchpoints_is_dissolved() -> None:
    shelf = Shelf()
    (gone,) = step(shelf, FIRST).journeys
    assert [(one.id, one.version) for one in step(shelf).dissolved] == [(gone.journey.id, 2)]


@pytest.mark.parametrize(
    ("first_loaded", "dissolved"),
    [
        pytest.param(10, False, id="it may lie before what was loaded"),
        pytest.param(9, True, id="it was seen to be gone"),
    ],
)
def test_a_journey_that_may_lie_before_what_was_loaded_is_not_dissolved(first_loaded: float, dissolved: bool) -> None:
    shelf = Shelf()
    step(shelf, seen("a", 10, refs={"case_id": "1"}))
    rest = seen("z", first_loaded, refs={"order_id": "2"})
    assert bool(step(shelf, rest, truncated=True).dissolved) is dissolved


def test_an_id_without_touchpoints_takes_no_other_one_with_it() -> None:
    shelf = Shelf()
    case, order = seen("a", 0, refs={"case_id": "1"}), seen("b", 1, refs={"order_id": "2"})
    step(shelf, case, minutes=10)
    step(shelf, case, order, minutes=20)
    kept = shelf.placed["test", "b"]
    changes = step(shelf, order, minutes=30)
    assert ([one.id for one in changes.dissolved], changes.journeys) == ([shelf.placed["test", "a"]], [])
    assert shelf.placed["test", "b"] == kept


def test_a_friction_in_two_journeys_names_both_its_own_first() -> None:
    shelf = Shelf()
    (change,) = step(shelf, call("a", refs={"case_id": "1"}), call("b", 5, refs={"case_id": "2"})).frictions
    own, other = shelf.placed["test", "b"], shelf.placed["test", "a"]
    assert (change.friction.journey_id, change.friction.journey_ids) == (own, (own, other))


def test_what_rests_on_touchpoints_that_were_not_loaded_is_left_alone() -> None:
    shelf = Shelf()
    promise = seen("p", 1, "callback_promised", due_at=at(60))
    rules = Rulebook([*REPEAT.rules, *(msgspec.structs.replace(rule, id="other") for rule in ABSENT.rules)])
    step(shelf, FIRST, promise, SECOND, rules=rules)
    rest = call("z", 20 * DAYS, reason="unrelated")
    changes = step(shelf, rest, rules=rules, truncated=True, minutes=HOURS)
    assert (events(changes), changes.cancelled, changes.dissolved) == ([], [], [])
    gone = step(shelf, rest, rules=rules, minutes=HOURS)
    assert events(gone) == [(FrictionEvent.RETRACTED, 2)]
    assert gone.cancelled
    assert gone.dissolved


def test_a_shorter_excerpt_is_no_news_when_the_rest_was_not_loaded() -> None:
    shelf = Shelf()
    step(shelf, seen("before", -5), FIRST, SECOND)
    assert events(step(shelf, FIRST, SECOND, truncated=True)) == []
    assert events(step(shelf, FIRST, SECOND)) == [(FrictionEvent.UPDATED, 2)]


def test_a_failing_rule_cancels_no_timer() -> None:
    shelf = Shelf()
    step(shelf, seen("p", 0, "callback_promised", due_at=at(60)), rules=ABSENT)
    projection = project([], rulebook=ABSENT, policy=POLICY)
    failed = msgspec.structs.replace(projection, failures=[RuleFailure(rule="mine", rule_version=1, error="TypeError")])
    assert diff(failed, shelf.stored(), ABSENT, shelf.moment(at(HOURS))).cancelled == []


def test_a_timer_is_armed_again_for_another_time() -> None:
    shelf = Shelf()
    promise = seen("p", 0, "callback_promised", due_at=at(60))
    step(shelf, promise, rules=ABSENT)
    patient = Rulebook([msgspec.structs.replace(rule, grace=timedelta(minutes=30)) for rule in ABSENT.rules])
    (timer,) = step(shelf, promise, rules=patient).armed
    assert timer.due_at == at(90)
    assert not step(shelf, promise, rules=patient)


def test_a_stored_friction_reads_back_as_it_was_published() -> None:
    shelf = Shelf()
    (change,) = step(shelf, FIRST, SECOND).frictions
    assert friction.decode(friction.encode(change.friction)) == change.friction
