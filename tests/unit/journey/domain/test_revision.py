"""What each revision of a friction says, and what is left unsaid because nothing can be known."""

import msgspec

from services.journey.domain.comparison.changes import CustomerChanges, diff
from services.journey.domain.comparison.revision import FrictionEvent
from services.journey.domain.friction import (
    Anchor,
    BilingualText,
    Friction,
    FrictionSeverity,
    FrictionState,
    TimelineEntry,
    TouchpointRef,
)
from services.journey.domain.names import FrictionId, JourneyId, friction_id
from services.journey.domain.projection import project
from services.journey.domain.rules.rule import RuleFailure
from services.journey.domain.touchpoint import RecordedTouchpoint
from tests.unit.journey.domain.making import DAYS, HOURS, POLICY, REPEAT, Shelf, at, call, events, seen, step

CASE, ORDER = {"case_id": "T-1"}, {"order_id": "9"}
FIRST = call("a", 0, refs=ORDER, reason="billing")
SECOND = call("b", 10, refs=ORDER, interaction_id="i", reason="billing", service_level="premium", outcome="unresolved")
OF_DELIVERY = call("b", 10, refs=ORDER, interaction_id="i", reason="delivery")


def failing(shelf: Shelf, *history: RecordedTouchpoint) -> CustomerChanges:
    """What is written of `history` when the rule raises."""
    projection = project(shelf.placed_history(history), rulebook=REPEAT, policy=POLICY)
    failed = RuleFailure(rule="mine", rule_version=1, error="TypeError")
    unknown = msgspec.structs.replace(projection, findings=[], failures=[failed])
    changes = diff(unknown, shelf.stored(), REPEAT, shelf.moment(at(HOURS)))
    shelf.write(changes, at(HOURS))
    return changes


def test_a_friction_tells_everything_that_is_known_of_it() -> None:
    shelf = Shelf()
    (change,) = step(shelf, FIRST, SECOND).frictions
    assert change.friction == Friction(
        id=friction_id("mine", "test", interaction_id="i", touchpoint_id="b"),
        rule="mine",
        rule_version=1,
        state=FrictionState.DETECTED,
        revision=1,
        severity=FrictionSeverity.LOW,
        customer_id=shelf.customer,
        journey_id=JourneyId(shelf.placed["test", "b"]),
        anchor=Anchor(source="test", interaction_id="i"),
        occurred_at=at(10),
        detected_at=at(HOURS),
        revised_at=at(HOURS),
        channel="phone",
        touchpoints=(TouchpointRef(source="test", id="a"), TouchpointRef(source="test", id="b")),
        title=BilingualText(en="a title", ko="제목"),
        explanation=BilingualText(en="a title", ko="제목"),
        reason="billing",
        service_level="premium",
        refs=ORDER,
        evidence={"count": 2, "span_s": 600.0, "within_s": 86_400.0},
        timeline=(
            TimelineEntry(occurred_at=at(0), channel="phone", kind="call_ended", reason="billing"),
            TimelineEntry(
                occurred_at=at(10), channel="phone", kind="call_ended", reason="billing", outcome="unresolved"
            ),
        ),
    )


def test_a_friction_that_an_earlier_release_stored_is_no_news() -> None:
    (change,) = step(Shelf(), FIRST, SECOND).frictions
    assert change.digest.hex() == "17500994cd3eee267eae3008c0e5e67c"


def test_another_journey_is_an_update() -> None:
    shelf = Shelf()
    step(shelf, seen("old", -5, refs=CASE), minutes=11)
    step(shelf, seen("old", -5, refs=CASE), FIRST, SECOND, minutes=12)
    joined = step(shelf, seen("old", -5, refs=CASE), FIRST, SECOND, seen("c", 20, refs=CASE | ORDER), minutes=21)
    (change,) = joined.frictions
    assert (change.event, change.friction.journey_id) == (FrictionEvent.UPDATED, shelf.placed["test", "old"])


def test_a_friction_taken_back_names_its_journey_and_no_customer_before() -> None:
    shelf = Shelf()
    (detected,) = step(shelf, FIRST, SECOND).frictions
    (change,) = step(shelf, FIRST, OF_DELIVERY).frictions
    assert change.friction == msgspec.structs.replace(detected.friction, state=FrictionState.RETRACTED, revision=2)
    assert change.friction.previous_customer_id is None


def test_a_friction_taken_back_in_a_merge_names_both_customers() -> None:
    survivor, absorbed = Shelf(1), Shelf(2)
    step(absorbed, FIRST, SECOND)
    survivor.absorb(absorbed)
    (change,) = step(survivor, FIRST, OF_DELIVERY).frictions
    said = change.friction
    assert (change.event, said.customer_id, said.previous_customer_id) == (
        FrictionEvent.RETRACTED,
        survivor.customer,
        absorbed.customer,
    )


def test_a_friction_of_a_failing_rule_goes_with_its_customer_as_it_was_said_last() -> None:
    survivor, absorbed = Shelf(1), Shelf(2)
    other = seen("other", DAYS, refs=CASE)
    step(survivor, other, minutes=1)
    (detected,) = step(absorbed, FIRST, SECOND, minutes=11).frictions
    survivor.absorb(absorbed)
    (change,) = failing(survivor, other, FIRST, SECOND).frictions
    who = {"customer_id": survivor.customer, "previous_customer_id": absorbed.customer}
    moved = {"revision": 2, "revised_at": at(HOURS), **who}
    assert change.event is FrictionEvent.MOVED
    assert change.friction == msgspec.structs.replace(detected.friction, **moved)
    assert events(failing(survivor, other, FIRST, SECOND)) == []
    assert events(step(survivor, other, FIRST, SECOND)) == []  # and it stands when the rule works again


def test_a_friction_of_a_failing_rule_that_was_taken_back_stays_silent() -> None:
    survivor, absorbed = Shelf(1), Shelf(2)
    step(absorbed, FIRST, SECOND)
    step(absorbed, FIRST, OF_DELIVERY)
    survivor.absorb(absorbed)
    assert events(failing(survivor, FIRST, OF_DELIVERY)) == []


def test_a_friction_whose_touchpoints_were_all_loaded_is_taken_back_though_older_ones_were_not() -> None:
    shelf = Shelf()
    step(shelf, FIRST, SECOND)
    assert events(step(shelf, FIRST, OF_DELIVERY, truncated=True)) == [(FrictionEvent.RETRACTED, 2)]


def test_frictions_are_reported_in_the_order_of_the_findings_and_then_of_what_is_gone() -> None:
    shelf = Shelf()
    third = call("c", 20, refs=ORDER, reason="billing")
    step(shelf, FIRST, SECOND, third)
    said = step(shelf, SECOND, third, call("d", 30, refs=ORDER, reason="billing")).frictions
    names: dict[FrictionId, str] = {change.friction.id: change.friction.touchpoints[-1].id for change in said}
    assert list(names.values()) == ["c", "d", "b"]
    assert [change.event for change in said] == [FrictionEvent.UPDATED, FrictionEvent.DETECTED, FrictionEvent.RETRACTED]
