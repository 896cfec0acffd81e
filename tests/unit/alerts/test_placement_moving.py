"""What becomes of issues when frictions move: customers merged and split, journeys joined, all or a part of them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.alerts.issues.model import AlertSeverity, IssueEventKind, IssueState, ReportedFriction, fingerprint
from services.alerts.issues.placement import PlacementOutcome
from tests.unit.alerts.builders import NOW, World, a_friction


@pytest.fixture
def world() -> World:
    return World()


def moved(friction: ReportedFriction, **members: object) -> ReportedFriction:
    """The same friction, sent again after a merge."""
    return replace(friction, revision=friction.revision + 1, **members)  # type: ignore[arg-type]  # members by name


def test_when_all_of_an_issue_moves_the_issue_itself_moves(world: World) -> None:
    frictions = [a_friction(1, customer_id="bob"), a_friction(2, customer_id="bob")]
    world.take(*frictions)
    before = world.set(world.issue_of(frictions[0]), state=IssueState.ACKNOWLEDGED, acknowledged_by="kim")

    world.take(*(moved(f, customer_id="ann") for f in frictions))

    [issue] = world.issues.values()
    assert (issue.id, issue.state, issue.customer_id) == (before.id, IssueState.ACKNOWLEDGED, "ann")
    assert issue.fingerprint == fingerprint("ann", "j1", None)


def test_the_issue_of_an_absorbed_customer_is_merged_into_the_survivors(world: World) -> None:
    ann, bob = a_friction(1), a_friction(2, customer_id="bob", severity=AlertSeverity.HIGH)
    world.take(ann)
    world.take(bob)
    absorbed = world.issue_of(bob)

    world.take(moved(bob, customer_id="ann"))

    survivor, gone = world.issue_of(ann), world.issues[absorbed.id]
    assert (survivor.count, survivor.severity) == (2, AlertSeverity.HIGH)
    assert (gone.state, gone.resolution, gone.merged_into, gone.count) == (
        IssueState.RESOLVED,
        "merged",
        survivor.id,
        0,
    )


def test_a_merge_that_comes_in_two_batches_ends_the_same_way(world: World) -> None:
    first, second = a_friction(1, customer_id="bob"), a_friction(2, customer_id="bob")
    world.take(first, second)
    absorbed = world.issue_of(first)

    world.take(moved(first, customer_id="ann"))
    world.take(moved(second, customer_id="ann"))

    [issue] = world.unresolved()
    assert issue.count == 2
    assert world.issues[absorbed.id].merged_into == issue.id


def test_an_issue_that_is_split_off_an_acknowledged_one_is_acknowledged_too(world: World) -> None:
    first, second = a_friction(1), a_friction(2)
    world.take(first, second)
    world.set(world.issue_of(first), state=IssueState.ACKNOWLEDGED, acknowledged_by="kim", acknowledged_at=NOW)

    world.take(moved(second, customer_id="bob"))

    assert [(i.customer_id, i.state, i.acknowledged_by) for i in world.unresolved()] == [
        ("ann", IssueState.ACKNOWLEDGED, "kim"),
        ("bob", IssueState.ACKNOWLEDGED, "kim"),
    ]


def test_what_was_dealt_with_follows_its_customer_without_waking_anybody(world: World) -> None:
    friction = a_friction(1, customer_id="bob")
    world.take(friction)
    world.resolve(world.issue_of(friction))

    world.take(moved(friction, customer_id="ann"))

    [issue] = world.issues.values()
    assert (issue.customer_id, issue.state) == ("ann", IssueState.RESOLVED)


def test_a_friction_older_than_the_merge_that_comes_late_finds_its_way(world: World) -> None:
    """Its first revision still names the absorbed customer and is read after the merge, from another partition."""
    early, late = a_friction(1, customer_id="bob"), a_friction(2, customer_id="bob")
    world.take(early)
    world.take(moved(early, customer_id="ann"))
    world.take(late)

    world.take(moved(late, customer_id="ann"))

    assert world.issue_of(early) == world.issue_of(late)


def test_an_issue_that_makes_room_lets_the_next_one_move_too(world: World) -> None:
    first, second = a_friction(1, journey_id="j1"), a_friction(2, journey_id="j2")
    world.take(first)
    world.take(second)
    waiting, leaving = world.issue_of(first), world.issue_of(second)

    placement = world.take(moved(first, journey_id="j2"), moved(second, journey_id=None))

    assert [change.after.id for change in placement.changes] == [leaving.id, waiting.id]
    assert [(i.id, i.journey_id, i.count) for i in world.issues.values()] == [
        (waiting.id, "j2", 1),
        (leaving.id, None, 1),
    ]


def test_two_issues_that_change_places_change_frictions(world: World) -> None:
    first, second = a_friction(1, journey_id="j1"), a_friction(2, journey_id="j2")
    world.take(first)
    world.take(second)

    world.take(moved(first, journey_id="j2"), moved(second, journey_id="j1"))

    assert [(i.journey_id, i.frictions) for i in world.unresolved()] == [("j1", (second.id,)), ("j2", (first.id,))]


def test_an_issue_is_withdrawn_when_its_last_friction_is_taken_back_wherever_others_went_before(world: World) -> None:
    """An unmerge gave one of them to another customer: that customer's issue is not where this one lives on."""
    stays, goes = a_friction(1), a_friction(2)
    world.take(stays, goes)
    world.take(moved(goes, customer_id="bob"))

    world.take(moved(stays, stands=False))

    [gone] = [issue for issue in world.issues.values() if not issue.unresolved]
    assert (gone.customer_id, gone.resolution, gone.merged_into) == ("ann", "retracted", None)


def test_a_retraction_and_a_move_that_come_together_are_a_merge(world: World) -> None:
    stays, goes, other = a_friction(1, customer_id="bob"), a_friction(2, customer_id="bob"), a_friction(3)
    world.take(stays, goes)
    world.take(other)

    world.take(moved(goes, customer_id="ann"), moved(stays, customer_id="ann", stands=False))

    [gone] = [issue for issue in world.issues.values() if not issue.unresolved]
    assert (gone.resolution, gone.merged_into) == ("merged", world.issue_of(goes).id)


def test_what_takes_a_fingerprint_over_is_written_after_what_leaves_it(world: World) -> None:
    withdrawn, leaving = a_friction(1, customer_id="bob"), a_friction(2)
    world.take(withdrawn)
    world.take(moved(withdrawn, stands=False))
    world.take(leaving)
    [first, second] = world.issues

    placement = world.take(
        replace(withdrawn, revision=3, customer_id="ann"), moved(leaving, customer_id="bob", journey_id="j2")
    )

    assert [change.after.id for change in placement.changes] == [second, first]
    assert world.issues[first].fingerprint == leaving.fingerprint
    assert placement.occurrences == {leaving.fingerprint: 2, fingerprint("bob", "j2", None): 1}


def test_a_part_of_what_was_dealt_with_that_moves_wakes_nobody(world: World) -> None:
    stays, goes, too = a_friction(1), a_friction(2), a_friction(3)
    world.take(stays, goes, too)
    taken = world.set(world.issue_of(stays), acknowledged_by="lee", acknowledged_at=NOW)
    old = world.resolve(taken, at=NOW - timedelta(hours=1))

    placement = world.take(moved(goes, customer_id="bob"), moved(too, customer_id="bob"))

    new = world.issue_of(goes)
    assert world.unresolved() == []
    assert new == world.issue_of(too)
    assert (new.customer_id, new.count, new.resolution, new.resolved_by) == ("bob", 2, "called_back", "kim")
    assert (new.resolved_at, new.acknowledged_by, new.acknowledged_at) == (old.resolved_at, "lee", NOW)
    assert (world.issues[old.id].count, placement.outcomes[goes.id]) == (1, PlacementOutcome.MOVED)
    opened, resolved, *added = placement.changes[0].events
    assert (opened.kind, resolved.kind) == (IssueEventKind.OPENED, IssueEventKind.RESOLVED)
    assert resolved.detail == {"resolution": "called_back", "split_off": str(old.id)}
    assert [(e.kind, e.detail["moved_from"]) for e in added] == [(IssueEventKind.FRICTION_ADDED, str(old.id))] * 2


def test_a_part_of_what_was_dealt_with_joins_what_was_dealt_with_there(world: World) -> None:
    stays, goes, there = a_friction(1), a_friction(2), a_friction(3, customer_id="bob")
    world.take(stays, goes)
    world.take(there)
    world.resolve(world.issue_of(stays))
    world.resolve(world.issue_of(there))

    world.take(moved(goes, customer_id="bob"))

    assert (world.issue_of(goes), world.unresolved()) == (world.issue_of(there), [])


def test_what_was_dealt_with_does_not_move_to_an_issue_that_was_only_withdrawn(world: World) -> None:
    stays, goes, gone = a_friction(1), a_friction(2), a_friction(3, customer_id="bob")
    world.take(stays, goes)
    world.take(gone)
    withdrawn = world.issue_of(gone)
    world.take(moved(gone, stands=False))
    world.resolve(world.issue_of(stays))

    world.take(moved(goes, customer_id="bob"))

    assert world.issue_of(goes).id != withdrawn.id
    assert (world.issues[withdrawn.id].resolution, world.unresolved()) == ("retracted", [])


def test_a_part_of_what_was_dealt_with_that_moves_and_turns_worse_is_open(world: World) -> None:
    stays, goes = a_friction(1), a_friction(2)
    world.take(stays, goes)
    world.resolve(world.issue_of(stays))

    world.take(moved(goes, customer_id="bob", severity=AlertSeverity.CRITICAL))

    [issue] = world.unresolved()
    assert (issue.customer_id, issue.state, issue.resolution, issue.resolved_at) == ("bob", IssueState.OPEN, None, None)


def test_a_reopened_issue_holds_nothing_of_another_customer(world: World) -> None:
    stays, goes = a_friction(1), a_friction(2)
    world.take(stays, goes)
    world.resolve(world.issue_of(stays))

    world.take(moved(goes, customer_id="bob"), a_friction(3))

    [issue] = world.unresolved()
    assert (issue.customer_id, issue.frictions) == ("ann", (stays.id, a_friction(3).id))
    assert world.issue_of(goes).customer_id == "bob"


def test_a_friction_found_again_elsewhere_opens_an_issue_that_nobody_has_taken(world: World) -> None:
    stays, returns = a_friction(1), a_friction(2)
    world.take(stays, returns)
    world.set(world.issue_of(stays), state=IssueState.ACKNOWLEDGED, acknowledged_by="kim", acknowledged_at=NOW)
    world.take(moved(returns, stands=False))

    placement = world.take(replace(returns, revision=3, customer_id="bob"))

    assert (world.issue_of(returns).state, placement.outcomes[returns.id]) == (IssueState.OPEN, PlacementOutcome.OPENED)


def test_a_push_is_measured_from_the_revision_that_puts_a_friction_on_the_issue_or_changes_it(world: World) -> None:
    """What is known for days and moves would make the push look days late if its first revision counted."""
    first = world.take(a_friction(1, revised_at=NOW), a_friction(2, revised_at=NOW + timedelta(seconds=1)))
    worse = a_friction(2, revision=2, severity=AlertSeverity.CRITICAL, revised_at=NOW + timedelta(hours=1))
    later = world.take(worse)
    elsewhere = world.take(a_friction(2, revision=3, customer_id="bob", revised_at=NOW + timedelta(days=3)))

    assert [change.revised_at for change in first.changes] == [NOW + timedelta(seconds=1)]
    assert [change.revised_at for change in later.changes] == [NOW + timedelta(hours=1)]
    assert {change.revised_at for change in elsewhere.changes} == {None, NOW + timedelta(days=3)}
