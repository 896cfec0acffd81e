"""Laws of the projection, held against histories that nobody would think of.

The story of a customer is a function of the set of touchpoints: not of their order, of doubles, of how they were cut
into batches, nor of when two customers were found to be one.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.journey.domain import friction
from services.journey.domain.comparison.changes import CustomerChanges, diff
from services.journey.domain.friction import Friction, FrictionState
from services.journey.domain.projection import Projection, project
from services.journey.domain.touchpoint import RecordedTouchpoint, SurveyScore
from tests.unit.journey.domain.making import DAYS, POLICY, SHIPPED, Shelf, at, seen
from tests.unit.journey.domain.step_oracle import graph, steps_of

LATER = at(60 * DAYS)

LAWS = settings(max_examples=60, deadline=None)

KINDS = (
    *("call_started", "call_ended", "chat_started", "email_received", "case_opened", "case_worked", "case_waiting"),
    *("case_resolved", "case_closed", "callback_promised", "callback_made", "checkout_started", "order_placed"),
    *("payment_declined", "survey_answered", "page_viewed"),
)


def maybe(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from([None, None, *values])


@st.composite
def touchpoints(draw: st.DrawFn, most: int = 14) -> list[RecordedTouchpoint]:
    """A history: few values of everything, so that things meet."""
    minutes = st.one_of(st.integers(0, 90), st.integers(0, 9 * DAYS), st.sampled_from([0, 30, 60, 1440, 7 * DAYS]))
    history = []
    for number in range(draw(st.integers(0, most))):
        minute = draw(minutes)
        case, order = draw(maybe("1", "2")), draw(maybe("8", "9"))
        kind = draw(st.sampled_from(KINDS))
        history.append(
            seen(
                f"t{number}",
                minute,
                kind,
                source=draw(st.sampled_from(["crm", "ivr"])),
                channel=draw(st.sampled_from(["phone", "chat", "web"])),
                direction=draw(st.sampled_from(["inbound", "inbound", "outbound", None])),
                reason=draw(maybe("billing", "delivery")),
                outcome=draw(maybe("resolved", "unresolved")),
                refs={key: value for key, value in (("case_id", case), ("order_id", order)) if value},
                interaction_id=draw(maybe("i1", "i2", "i3")),
                sequence=draw(maybe(1, 2)),
                queue=draw(maybe("A", "B")),
                wait_s=draw(maybe(60, 300)),
                transfers=draw(maybe(1, 2)),
                service_level=draw(maybe("premium")),
                score=SurveyScore(metric="ces", value=2, scale=7) if kind == "survey_answered" else None,
                due_at=at(minute + 60) if kind == "callback_promised" else None,
                late=draw(st.integers(0, 9)) == 0,
            )
        )
    return history


def projected(history: Sequence[RecordedTouchpoint], shelf: Shelf) -> Projection:
    projection = project(shelf.placed_history(history), fired=shelf.fired(), rulebook=SHIPPED, policy=POLICY)
    assert not projection.failures
    return projection


def settle(shelf: Shelf, history: Sequence[RecordedTouchpoint], now: datetime = LATER) -> CustomerChanges:
    """Projects, writes what is new, and checks that then nothing is."""
    changes = diff(projected(history, shelf), shelf.stored(), SHIPPED, shelf.moment(now))
    check_revisions(shelf, changes)
    shelf.write(changes, now)
    again = diff(projected(history, shelf), shelf.stored(), SHIPPED, shelf.moment(now))
    assert not again, again
    assert dict(graph(shelf.paths)) == dict(steps_of(shelf, history)), "the graph of paths is that of the touchpoints"
    return changes


def check_revisions(shelf: Shelf, changes: CustomerChanges) -> None:
    """Every revision follows its predecessor; nothing is taken back that did not stand."""
    for change in changes.frictions:
        before = shelf.frictions.get(change.friction.id)
        assert change.friction.revision == (1 if before is None else before.revision + 1)
        if change.friction.state is FrictionState.RETRACTED:
            assert before is not None
            assert before.state is FrictionState.DETECTED


def finish(shelf: Shelf, history: Sequence[RecordedTouchpoint]) -> None:
    """The stream passes everything."""
    shelf.fire(LATER)
    settle(shelf, history)


def standing(shelf: Shelf) -> dict[object, object]:
    """What is said about every friction that stands, without names that differ from life to life."""

    def said(one: Friction) -> object:
        nameless = msgspec.structs.replace(one, journey_id=None, journey_ids=(), previous_customer_id=None)
        return msgspec.to_builtins(
            msgspec.structs.replace(nameless, revision=0, detected_at=LATER, revised_at=LATER, quiet=False)
        )

    decoded = [friction.decode(row.payload) for row in shelf.frictions.values()]
    return {one.id: said(one) for one in decoded if one.state is FrictionState.DETECTED}


def partition(shelf: Shelf) -> set[frozenset[object]]:
    """Which touchpoints are in one journey."""
    journeys: dict[object, set[object]] = {}
    for key, journey in shelf.placed.items():
        journeys.setdefault(journey, set()).add(key)
    assert set(journeys) == set(shelf.journeys)
    return {frozenset(members) for members in journeys.values()}


def at_once(history: Sequence[RecordedTouchpoint]) -> Shelf:
    shelf = Shelf()
    settle(shelf, history)
    finish(shelf, history)
    return shelf


@LAWS
@given(touchpoints(), st.randoms(use_true_random=False))
def test_order_and_doubles_do_not_change_a_projection(history: list[RecordedTouchpoint], random: Any) -> None:
    shuffled = [*history, *(one for one in history if random.random() < 0.3)]
    random.shuffle(shuffled)
    assert project(shuffled, rulebook=SHIPPED, policy=POLICY) == project(history, rulebook=SHIPPED, policy=POLICY)


@LAWS
@given(touchpoints(), st.randoms(use_true_random=False))
def test_arrival_in_any_order_and_in_any_batches_ends_the_same(history: list[RecordedTouchpoint], random: Any) -> None:
    arriving = list(history)
    random.shuffle(arriving)
    shelf, here = Shelf(), []
    while arriving:
        size = random.randint(1, 4)
        here += arriving[:size]
        del arriving[:size]
        settle(shelf, here)
        if random.random() < 0.3:
            finish(shelf, here)
    finish(shelf, history)
    whole = at_once(history)
    assert standing(shelf) == standing(whole)
    assert partition(shelf) == partition(whole)


@LAWS
@given(touchpoints(most=9), touchpoints(most=9))
def test_a_merge_is_the_projection_of_the_union(
    left: list[RecordedTouchpoint], right: list[RecordedTouchpoint]
) -> None:
    right = [
        msgspec.structs.replace(one, touchpoint=msgspec.structs.replace(one.touchpoint, id=f"r{one.touchpoint.id}"))
        for one in right
    ]
    survivor, absorbed = Shelf(1), Shelf(2)
    for shelf, history in ((survivor, left), (absorbed, right)):
        settle(shelf, history)
        finish(shelf, history)
    moved = {key: row for key, row in absorbed.frictions.items() if row.state is FrictionState.DETECTED}
    # One interaction in two customers gives one friction to both; the worker keeps it with whoever had it first.
    shared = moved.keys() & survivor.frictions.keys()
    survivor.absorb(absorbed)
    changes = settle(survivor, left + right)
    finish(survivor, left + right)
    whole = at_once(left + right)
    assert standing(survivor) == standing(whole)
    assert partition(survivor) == partition(whole)
    sent: dict[UUID, Friction] = {change.friction.id: change.friction for change in changes.frictions}
    for key in moved.keys() - shared:
        assert sent[key].previous_customer_id == absorbed.customer
        assert sent[key].customer_id == survivor.customer


@LAWS
@given(touchpoints())
def test_every_touchpoint_that_counts_is_in_exactly_one_journey(history: list[RecordedTouchpoint]) -> None:
    projection = project(history, rulebook=SHIPPED, policy=POLICY)
    placed = [position for journey in projection.journeys for position in journey.members]
    assert sorted(placed) == list(range(len(projection.history)))
    assert len(projection.history) == sum(not one.late for one in history)


@LAWS
@given(touchpoints())
def test_findings_are_distinct_and_rest_on_what_is_there(history: list[RecordedTouchpoint]) -> None:
    timers = [timer.id for timer in project(history, rulebook=SHIPPED, policy=POLICY).timers]
    findings = project(history, fired=timers, rulebook=SHIPPED, policy=POLICY).findings
    here = {one.touchpoint.key for one in history if not one.late}
    assert len({finding.id for finding in findings}) == len(findings)
    for finding in findings:
        assert set(finding.touchpoints) <= here
        assert finding.at.key in here
        assert 1 <= len(finding.timeline) <= 10


@LAWS
@given(touchpoints(), touchpoints(most=3))
def test_touchpoints_without_a_word_for_the_rules_change_no_finding(
    history: list[RecordedTouchpoint], others: list[RecordedTouchpoint]
) -> None:
    """Page views say nothing to the shipped rules: they move journeys and timelines, and no friction comes or goes."""
    noise = [
        seen(f"n{number}", (one.touchpoint.occurred_at - at(0)).total_seconds() / 60, "page_viewed")
        for number, one in enumerate(others)
    ]

    def ids(*what: RecordedTouchpoint) -> set[object]:
        rules = (found for found in project(what, rulebook=SHIPPED, policy=POLICY).findings)
        return {found.id for found in rules if found.rule != "group_ping_pong"}  # which looks at journeys

    assert ids(*history) == ids(*history, *noise)
