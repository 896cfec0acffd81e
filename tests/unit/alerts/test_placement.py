"""Which issue a friction is on: the cases one by one, then the laws for any order, repetition and batching."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.alerts.issues.model import AlertSeverity, IssueEventKind, IssueState, ReportedFriction, fingerprint
from services.alerts.issues.placement import PlacementOutcome
from tests.unit.alerts.builders import NOW, World, a_friction, all_standing_counted


@pytest.fixture
def world() -> World:
    return World()


def test_a_friction_opens_an_issue(world: World) -> None:
    friction = a_friction()

    placement = world.take(friction)

    issue = world.issue_of(friction)
    assert placement.outcomes == {friction.id: PlacementOutcome.OPENED}
    assert (issue.state, issue.count, issue.occurrence, issue.version) == (IssueState.OPEN, 1, 1, 1)
    assert issue.fingerprint == friction.fingerprint


def test_frictions_of_one_journey_share_an_issue_whatever_their_rule(world: World) -> None:
    world.take(a_friction(1), a_friction(2, rule="repeat_contact_7d"))
    world.take(a_friction(3, rule="long_wait", reason="delivery"))

    [issue] = world.issues.values()
    assert issue.count == 3
    assert issue.rules == ("long_wait", "repeat_contact_24h", "repeat_contact_7d")


def test_without_a_journey_the_reason_groups(world: World) -> None:
    billing, again, delivery = (
        a_friction(1, journey_id=None, reason="billing"),
        a_friction(2, journey_id=None, reason="billing"),
        a_friction(3, journey_id=None, reason="delivery"),
    )

    world.take(billing, again, delivery)

    assert world.issue_of(billing) == world.issue_of(again)
    assert world.issue_of(delivery).id != world.issue_of(billing).id
    assert world.issue_of(delivery).reason == "delivery"


def test_an_older_or_equal_revision_changes_nothing(world: World) -> None:
    world.take(a_friction(1, revision=3, severity=AlertSeverity.HIGH))

    placement = world.take(
        a_friction(1, revision=3, severity=AlertSeverity.LOW), a_friction(1, revision=2, stands=False)
    )

    assert (placement.stale, placement.changes) == (2, ())


def test_within_one_batch_the_highest_revision_counts(world: World) -> None:
    world.take(a_friction(1, revision=2, stands=False), a_friction(1, revision=3), a_friction(1, revision=1))

    assert world.issue_of(a_friction(1)).count == 1


def test_severity_is_the_highest_and_does_not_fall_while_unresolved(world: World) -> None:
    world.take(a_friction(1, severity=AlertSeverity.LOW), a_friction(2, severity=AlertSeverity.CRITICAL))
    world.take(a_friction(2, revision=2, stands=False, severity=AlertSeverity.CRITICAL))

    [issue] = world.issues.values()
    assert (issue.severity, issue.count) == (AlertSeverity.CRITICAL, 1)


def test_a_raise_is_in_the_audit(world: World) -> None:
    world.take(a_friction(1, severity=AlertSeverity.LOW))

    placement = world.take(a_friction(2, severity=AlertSeverity.HIGH))

    kinds = [event.kind for event in placement.changes[0].events]
    assert kinds == [IssueEventKind.FRICTION_ADDED, IssueEventKind.SEVERITY_RAISED]


def test_when_every_friction_is_taken_back_the_issue_is_withdrawn(world: World) -> None:
    world.take(a_friction(1), a_friction(2))
    world.take(a_friction(1, revision=2, stands=False))
    assert world.unresolved()

    world.take(a_friction(2, revision=2, stands=False))

    [issue] = world.issues.values()
    assert (issue.state, issue.resolution, issue.resolved_by, issue.count) == (
        IssueState.RESOLVED,
        "retracted",
        "waymark",
        0,
    )


def test_a_retraction_that_comes_first_forestalls_the_friction(world: World) -> None:
    first = world.take(a_friction(1, revision=2, stands=False))
    second = world.take(a_friction(1, revision=1))

    assert first.outcomes[a_friction(1).id] is PlacementOutcome.FORESTALLED
    assert (second.stale, world.issues) == (1, {})


def test_new_friction_within_the_window_reopens(world: World) -> None:
    world.take(a_friction(1))
    world.resolve(world.issue_of(a_friction(1)), at=NOW - timedelta(days=7))

    placement = world.take(a_friction(2))

    [issue] = world.issues.values()
    assert placement.outcomes == {a_friction(2).id: PlacementOutcome.REOPENED}
    assert (issue.state, issue.count, issue.resolved_by, issue.opened_at) == (IssueState.OPEN, 2, None, NOW)


def test_new_friction_after_the_window_is_another_occurrence(world: World) -> None:
    world.take(a_friction(1))
    old = world.resolve(world.issue_of(a_friction(1)), at=NOW - timedelta(days=7, seconds=1))

    world.take(a_friction(2))

    fresh = world.issue_of(a_friction(2))
    assert (fresh.id != old.id, fresh.occurrence, fresh.fingerprint == old.fingerprint) == (True, 2, True)
    assert world.issues[old.id].state is IssueState.RESOLVED


def test_a_known_friction_that_grows_does_not_wake_what_was_dealt_with(world: World) -> None:
    world.take(a_friction(1))
    world.resolve(world.issue_of(a_friction(1)))

    world.take(a_friction(1, revision=2))

    assert world.unresolved() == []


def test_a_known_friction_that_turns_worse_than_its_issue_was_does(world: World) -> None:
    world.take(a_friction(1))
    world.resolve(world.issue_of(a_friction(1)))

    world.take(a_friction(1, revision=2, severity=AlertSeverity.CRITICAL))

    [issue] = world.unresolved()
    assert issue.severity is AlertSeverity.CRITICAL


def test_a_friction_detected_again_after_its_retraction_reopens_the_withdrawn_issue(world: World) -> None:
    world.take(a_friction(1))
    world.take(a_friction(1, revision=2, stands=False))

    world.take(a_friction(1, revision=3))

    [issue] = world.issues.values()
    assert (issue.state, issue.resolution, issue.count) == (IssueState.OPEN, None, 1)


def test_a_quiet_friction_opens_a_quiet_issue(world: World) -> None:
    world.take(a_friction(1, quiet=True))
    assert world.issue_of(a_friction(1)).quiet

    world.take(a_friction(2))
    assert not world.issue_of(a_friction(1)).quiet


def test_a_quiet_friction_is_added_to_what_was_dealt_with_and_wakes_nobody(world: World) -> None:
    world.take(a_friction(1))
    world.resolve(world.issue_of(a_friction(1)))

    placement = world.take(a_friction(2, quiet=True))

    [issue] = world.issues.values()
    assert placement.outcomes == {a_friction(2).id: PlacementOutcome.ADDED_SILENTLY}
    assert (issue.state, issue.count) == (IssueState.RESOLVED, 2)


def test_a_quiet_friction_does_not_raise_what_people_are_told(world: World) -> None:
    world.take(a_friction(1, severity=AlertSeverity.LOW), a_friction(2, severity=AlertSeverity.CRITICAL, quiet=True))

    [issue] = world.issues.values()
    assert (issue.severity, issue.loud_severity) == (AlertSeverity.CRITICAL, AlertSeverity.LOW)


CUSTOMERS, JOURNEYS = ("ann", "bob", "eve"), ("j1", "j2", None)


@st.composite
def histories(draw: st.DrawFn) -> list[ReportedFriction]:
    """Every revision of up to six frictions: detected, changed, moved by merges, taken back, detected again."""
    records: list[ReportedFriction] = []
    for number in range(1, draw(st.integers(1, 6)) + 1):
        for revision in range(1, draw(st.integers(1, 4)) + 1):
            records.append(  # noqa: PERF401  clearer than a comprehension of draws
                a_friction(
                    number,
                    revision=revision,
                    stands=draw(st.booleans()) or revision == 1,
                    customer_id=draw(st.sampled_from(CUSTOMERS)),
                    journey_id=draw(st.sampled_from(JOURNEYS)),
                    severity=draw(st.sampled_from(list(AlertSeverity))),
                    quiet=draw(st.booleans()),
                )
            )
    return records


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[ReportedFriction], list[list[ReportedFriction]]]:
    """A history, and one way to read it: any order, some of it twice, cut into batches."""
    history = draw(histories())
    repeated = history + draw(st.lists(st.sampled_from(history), max_size=6))
    order = draw(st.permutations(repeated))
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=5)))
    edges = [0, *cuts, len(order)]
    return history, [list(order[a:b]) for a, b in pairwise(edges)]


def expected_grouping(history: list[ReportedFriction]) -> dict[str, frozenset[str]]:
    latest: dict[str, ReportedFriction] = {}
    for friction in history:
        if friction.id not in latest or latest[friction.id].revision < friction.revision:
            latest[friction.id] = friction
    groups: dict[str, set[str]] = {}
    for friction in latest.values():
        if friction.stands:
            groups.setdefault(friction.fingerprint, set()).add(friction.id)
    return {name: frozenset(members) for name, members in groups.items()}


@settings(max_examples=150, deadline=None)
@given(deliveries())
def test_the_grouping_depends_on_the_frictions_alone(
    given_: tuple[list[ReportedFriction], list[list[ReportedFriction]]],
) -> None:
    history, batches = given_
    world = World()
    for batch in batches:
        world.take(*batch)

    assert world.grouping() == expected_grouping(history)


@settings(max_examples=150, deadline=None)
@given(deliveries())
def test_every_issue_tells_the_truth_at_every_time(
    given_: tuple[list[ReportedFriction], list[list[ReportedFriction]]],
) -> None:
    _, batches = given_
    world = World()
    for batch in batches:
        world.take(*batch)
        for issue, held in all_standing_counted(world):
            assert issue.count == held > 0
        for issue in world.issues.values():
            assert issue.fingerprint == fingerprint(issue.customer_id, issue.journey_id, issue.reason)
            assert (issue.merged_into is None) or issue.resolution == "merged"
        for placed in world.frictions.values():
            if placed.friction.stands:
                assert placed.issue_id is not None
                assert world.issues[placed.issue_id].unresolved


@settings(max_examples=100, deadline=None)
@given(histories())
def test_reading_everything_a_second_time_changes_nothing(history: list[ReportedFriction]) -> None:
    world = World()
    world.take(*history)
    before = dict(world.issues)

    placement = world.take(*history)

    assert (placement.changes, world.issues) == ((), before)
