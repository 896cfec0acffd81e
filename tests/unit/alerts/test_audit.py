"""What the audit says of what frictions do to issues: one line a step, in the words and with the ids that lead on."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from services.alerts.issues.model import SYSTEM, AlertSeverity, IssueState
from services.alerts.issues.placement import PlacementOutcome, PlacementPlan
from tests.unit.alerts.builders import NOW, World, a_friction

ONE, TWO = a_friction(1), a_friction(2)


@pytest.fixture
def world() -> World:
    return World()


Line = tuple[str, Mapping[str, object]]


def lines(placement: PlacementPlan, at: int = 0) -> list[Line]:
    assert all(event.actor == SYSTEM for change in placement.changes for event in change.events)
    return [(event.kind.value, event.detail) for event in placement.changes[at].events]


def added(number: int, severity: str = "medium", moved_from: str | None = None) -> Line:
    friction = a_friction(number)
    detail = {"friction": friction.id, "rule": friction.rule, "severity": severity, "moved_from": moved_from}
    return "friction_added", detail


def test_a_first_friction(world: World) -> None:
    placement = world.take(ONE)

    assert lines(placement) == [("opened", {"occurrence": 1}), added(1)]
    assert (placement.outcomes, placement.stale) == ({ONE.id: PlacementOutcome.OPENED}, 0)
    [change] = placement.changes
    assert (change.before, change.after.version, change.after.updated_at) == (None, 1, NOW)


def test_one_more_that_is_worse(world: World) -> None:
    world.take(ONE)
    [before] = world.issues.values()
    world.now += timedelta(minutes=5)

    placement = world.take(a_friction(2, severity=AlertSeverity.HIGH))

    assert lines(placement) == [
        added(2, "high"),
        ("severity_raised", {"from_severity": "medium", "to_severity": "high"}),
    ]
    assert placement.outcomes == {TWO.id: PlacementOutcome.JOINED}
    assert (placement.changes[0].before, placement.changes[0].after.updated_at) == (before, world.now)


def test_a_friction_that_changes(world: World) -> None:
    world.take(ONE)

    placement = world.take(replace(ONE, revision=2))

    assert lines(placement) == [("friction_updated", {"friction": ONE.id, "revision": 2})]
    assert placement.outcomes == {ONE.id: PlacementOutcome.UPDATED}


def test_a_friction_that_is_taken_back_among_others_and_with_the_last(world: World) -> None:
    world.take(ONE, TWO)

    first = world.take(replace(ONE, revision=2, stands=False))
    last = world.take(replace(TWO, revision=2, stands=False))

    assert lines(first) == [("friction_retracted", {"friction": ONE.id, "rule": ONE.rule})]
    assert lines(last)[1:] == [("resolved", {"resolution": "retracted", "merged_into": None})]
    assert (first.outcomes, last.outcomes) == (
        {ONE.id: PlacementOutcome.RETRACTED},
        {TWO.id: PlacementOutcome.RETRACTED},
    )


def test_a_friction_that_is_taken_back_twice_is_on_its_issue_and_says_so_once(world: World) -> None:
    world.take(ONE, TWO)
    world.take(replace(ONE, revision=2, stands=False))

    again = world.take(replace(ONE, revision=3, stands=False))

    assert (again.changes, again.outcomes) == ((), {ONE.id: PlacementOutcome.RETRACTED})
    assert world.issue_of(ONE) == world.issue_of(TWO)


def test_a_friction_that_brings_its_issue_back(world: World) -> None:
    world.take(ONE)
    world.resolve(world.issue_of(ONE))

    placement = world.take(TWO)

    assert lines(placement) == [("reopened", {"friction": TWO.id, "rule": TWO.rule}), added(2)]


def test_a_raise_above_what_was_dealt_with_is_a_reopening_and_no_raise(world: World) -> None:
    world.take(ONE)
    world.resolve(world.issue_of(ONE))

    placement = world.take(replace(ONE, revision=2, severity=AlertSeverity.HIGH))

    assert lines(placement) == [("reopened", {"friction": ONE.id, "rule": ONE.rule}), added(1, "high")]
    assert placement.outcomes == {ONE.id: PlacementOutcome.REOPENED}


def test_after_a_reopening_the_severity_is_that_of_what_stands(world: World) -> None:
    world.take(a_friction(1, severity=AlertSeverity.CRITICAL))
    world.take(a_friction(1, revision=2, stands=False))

    world.take(a_friction(2, severity=AlertSeverity.LOW))

    assert world.issue_of(TWO).severity is AlertSeverity.LOW


def test_a_friction_that_leaves_for_another_issue_is_named_on_both(world: World) -> None:
    world.take(ONE, TWO)
    old = world.issue_of(ONE)

    placement = world.take(replace(TWO, revision=2, customer_id="bob"))

    new = world.issue_of(TWO)
    assert lines(placement) == [("opened", {"occurrence": 1}), added(2, moved_from=str(old.id))]
    assert lines(placement, 1) == [("friction_left", {"friction": TWO.id, "to_issue": str(new.id)})]
    assert placement.outcomes == {TWO.id: PlacementOutcome.MOVED}


def test_an_issue_that_is_left_by_its_last_friction(world: World) -> None:
    there = a_friction(3, customer_id="bob")
    world.take(there)
    world.take(ONE)

    placement = world.take(replace(ONE, revision=2, customer_id="bob"))

    into = str(world.issue_of(there).id)
    assert lines(placement, 1) == [
        ("friction_left", {"friction": ONE.id, "to_issue": into}),
        ("resolved", {"resolution": "merged", "merged_into": into}),
    ]


def test_an_issue_that_moves_whole_says_whence_and_whither_and_gets_the_next_number(world: World) -> None:
    world.take(ONE)
    before = world.resolve(world.issue_of(ONE), at=NOW - timedelta(days=8))
    world.take(TWO)
    issue = world.issue_of(TWO)

    placement = world.take(replace(TWO, revision=2, customer_id="bob", journey_id=None, reason="배송"))
    moved = world.issue_of(TWO)
    back = world.take(replace(TWO, revision=3))

    assert lines(placement)[0] == (
        "moved",
        {"from_customer": "ann", "to_customer": "bob", "from_journey": "j1", "to_journey": None},
    )
    assert lines(back)[0] == (
        "moved",
        {"from_customer": "bob", "to_customer": "ann", "from_journey": None, "to_journey": "j1"},
    )
    assert (moved.id, moved.reason, moved.occurrence, moved.state) == (issue.id, "배송", 1, IssueState.OPEN)
    assert (back.changes[0].after.occurrence, back.occurrences) == (3, {before.fingerprint: 3})


def test_of_two_resolved_issues_the_one_resolved_last_comes_back(world: World) -> None:
    first, second = a_friction(1), a_friction(2, journey_id="j2")
    world.take(first)
    world.take(second)
    world.resolve(world.issue_of(first), at=NOW - timedelta(days=1))
    world.resolve(world.issue_of(second), at=NOW - timedelta(days=2))
    world.take(replace(second, revision=2, journey_id="j1"))

    world.take(a_friction(3))

    assert [issue.id for issue in world.unresolved()] == [world.issue_of(first).id]


def test_of_two_resolved_at_one_instant_the_later_occurrence_comes_back(world: World) -> None:
    first, second = a_friction(1), a_friction(2, journey_id="j2")
    world.take(first)
    world.take(second)
    world.resolve(world.issue_of(first))
    world.resolve(world.issue_of(second))
    world.take(replace(second, revision=2, journey_id="j1"))

    world.take(a_friction(3))

    assert [issue.id for issue in world.unresolved()] == [world.issue_of(second).id]


def test_of_two_issues_that_want_one_place_the_older_gets_it(world: World) -> None:
    young, old = a_friction(1), a_friction(2, journey_id="j2")
    world.take(young)
    world.now -= timedelta(hours=1)
    world.take(old)
    elder = world.issue_of(old)

    world.take(replace(young, revision=2, journey_id="j3"), replace(old, revision=2, journey_id="j3"))

    assert [issue.id for issue in world.unresolved()] == [elder.id]


def test_fifty_revisions_of_one_friction_leave_one_friction_and_one_line_each(world: World) -> None:
    world.take(ONE)
    told = [world.take(replace(ONE, revision=n)) for n in range(2, 51)]

    [issue] = world.issues.values()
    assert (issue.count, issue.version, issue.frictions) == (1, 50, (ONE.id,))
    assert all(len(placement.changes[0].events) == 1 for placement in told)

    every_other = World()
    for n in range(1, 51):
        every_other.take(replace(ONE, revision=n, stands=n % 2 == 1))
    assert [(i.state, i.occurrence) for i in every_other.issues.values()] == [(IssueState.RESOLVED, 1)]
