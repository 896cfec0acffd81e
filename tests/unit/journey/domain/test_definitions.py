"""Journeys as definitions: entry, stages, deadlines, ends, entering again, and the edge cases that vendors document.

Adobe Journey Optimizer: one key is in a journey once at a time; a wait before entering again; one-shot journeys. Braze:
who left may become eligible again; leaving happens at the event that says so. BPMN: a boundary timer that interrupts
ends the activity, one that does not leaves it going on; a timer is cancelled when the activity ends before it.
"""

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from services.journey.domain.definitions.definition import (
    DefinitionRefusedError,
    JourneyDefinition,
    OverdueEffect,
    StageDefinition,
)
from services.journey.domain.definitions.passage import JourneyFollower, Passage
from services.journey.domain.definitions.passage import follow as passages
from services.journey.domain.friction import BilingualText
from services.journey.domain.history import CustomerHistory
from services.journey.domain.journey import JourneyEnd
from services.journey.domain.touchpoint import RecordedTouchpoint
from tests.unit.journey.domain.making import DAYS, HOURS, POLICY, at, seen

WORDS = BilingualText(en="a title", ko="제목")


def stage(id_: str, kind: str | None = None, **members: Any) -> StageDefinition:
    return StageDefinition(id=id_, title=WORDS, begins=None if kind is None else {"kind": kind}, **members)


REPAIR = JourneyDefinition(
    id="repair",
    title=WORDS,
    entry={"kind": "case_opened"},
    key=("refs.case_id",),
    stages=(
        stage("reported", within=timedelta(hours=4), within_by_service_level={"premium": timedelta(hours=1)}),
        stage("in_work", "case_worked", again=True, within=timedelta(days=2), when_over=OverdueEffect.TIMED_OUT),
        stage("waiting", "case_waiting"),
    ),
    reached={"kind": "case_closed"},
    abandoned={"kind": "case_withdrawn"},
    inactivity=timedelta(days=14),
)


SILENCE = "repair.."
"""The name of the timer that waits for a silence."""


def case(id_: str, minutes: float, kind: str, case_id: str | None = "T-1", **fields: Any) -> RecordedTouchpoint:
    return seen(id_, minutes, kind, refs={} if case_id is None else {"case_id": case_id}, **fields)


def follow(
    *history: RecordedTouchpoint, definition: JourneyDefinition = REPAIR, until: float | None = None
) -> list[Passage]:
    """The journeys in `history` when the stream has passed `until`, None for the very beginning."""
    follower, index = JourneyFollower(definition), CustomerHistory(history, POLICY.contacts)
    fired: set[Any] = set()
    while until is not None:
        due = {
            timer.id
            for passage in passages(lambda _: follower, index, fired)
            for timer in passage.waiting
            if timer.due_at <= at(until)
        }
        if not due:
            break
        fired |= due
    return passages(lambda _: follower, index, fired)


def with_(**members: Any) -> JourneyDefinition:
    return msgspec.structs.replace(REPAIR, **members)


def stages(passage: Passage) -> list[tuple[str, bool]]:
    return [(visit.stage, visit.overdue) for visit in passage.progress.stages]


def ends(found: Sequence[Passage]) -> list[JourneyEnd | None]:
    return [passage.progress.end for passage in found]


OPENED, WORKED, CLOSED = "case_opened", "case_worked", "case_closed"


def test_a_journey_goes_through_its_stages_to_its_end() -> None:
    (one,) = follow(case("a", 0, OPENED), case("b", 60, WORKED), case("c", 90, "case_waiting"), case("d", 120, CLOSED))
    assert [(visit.stage, visit.entered_at, visit.left_at) for visit in one.progress.stages] == [
        ("reported", at(0), at(60)),
        ("in_work", at(60), at(90)),
        ("waiting", at(90), at(120)),
    ]
    assert (one.progress.end, one.progress.ended_at, one.members, one.waiting) == (
        JourneyEnd.REACHED,
        at(120),
        (0, 1, 2, 3),
        (),
    )


def test_a_stage_may_be_passed_over_and_come_again_only_where_it_says_so() -> None:
    (one,) = follow(case("a", 0, OPENED), case("b", 10, "case_waiting"), case("c", 20, WORKED), case("d", 30, OPENED))
    assert [name for name, _ in stages(one)] == ["reported", "waiting", "in_work"]


def test_without_an_entry_there_is_no_journey() -> None:
    assert follow(case("a", 0, WORKED), case("b", 60, CLOSED)) == []


def test_the_same_key_is_in_a_journey_once_at_a_time() -> None:
    assert len(follow(case("a", 0, OPENED), case("b", 1, OPENED))) == 1


def test_other_keys_are_journeys_of_their_own_open_at_once() -> None:
    passages = follow(
        case("a", 0, OPENED, "T-1"),
        case("b", 1, OPENED, "T-2"),
        case("c", 60, CLOSED, "T-1"),
        case("d", 70, WORKED, "T-2"),
    )
    assert [(one.key, one.progress.end, one.progress.stage) for one in passages] == [
        (("T-1",), JourneyEnd.REACHED, "reported"),
        (("T-2",), None, "in_work"),
    ]


def test_a_touchpoint_without_the_key_belongs_to_the_latest_open_journey_and_gives_it_no_key() -> None:
    first, second = follow(case("a", 0, OPENED, "T-1"), case("b", 1, OPENED, "T-2"), case("c", 60, WORKED, None))
    assert (first.members, second.members) == ((0,), (1, 2))


def test_a_journey_that_was_entered_without_a_key_learns_it() -> None:
    found = follow(case("a", 0, OPENED, None), case("b", 10, WORKED, "T-1"), case("c", 20, OPENED, "T-2"))
    assert [one.key for one in found] == [("T-1",), ("T-2",)]


def test_entering_again_waits_for_as_long_as_it_says() -> None:
    again = with_(reentry_after=timedelta(minutes=5))
    history = [case("a", 0, OPENED), case("b", 10, CLOSED), case("c", 14, OPENED)]
    assert len(follow(*history, definition=again)) == 1
    assert len(follow(*history, case("d", 15, OPENED), definition=again)) == 2
    assert len(follow(*history, definition=REPAIR)) == 2


def test_a_journey_that_happens_once_is_never_entered_again_with_its_key() -> None:
    once = with_(once=True)
    history = [case("a", 0, OPENED), case("b", 10, CLOSED), case("c", 20 * DAYS, OPENED)]
    assert len(follow(*history, definition=once)) == 1
    assert len(follow(*history, case("d", 20 * DAYS, OPENED, "T-2"), definition=once)) == 2


def test_it_is_abandoned_by_the_touchpoint_that_says_so_and_what_follows_belongs_to_it_no_more() -> None:
    (one,) = follow(case("a", 0, OPENED), case("b", 10, "case_withdrawn"), case("c", 20, WORKED))
    assert (one.progress.end, one.progress.ended_at, one.members) == (JourneyEnd.ABANDONED, at(10), (0, 1))


def test_a_deadline_that_has_passed_makes_the_stage_overdue_and_the_journey_goes_on() -> None:
    (one,) = follow(case("a", 0, OPENED), until=4 * HOURS)
    assert (stages(one), one.progress.end) == ([("reported", True)], None)
    (one,) = follow(case("a", 0, OPENED), case("b", 5 * HOURS, WORKED), until=5 * HOURS)
    assert stages(one) == [("reported", True), ("in_work", False)]


def test_a_deadline_that_ends_the_journey_ends_it_when_it_was_due() -> None:
    (one,) = follow(case("a", 0, OPENED), case("b", 60, WORKED), until=3 * DAYS)
    assert (one.progress.end, one.progress.ended_at) == (JourneyEnd.TIMED_OUT, at(60 + 2 * DAYS))
    assert one.progress.stages[-1].left_at == one.progress.ended_at


def test_a_deadline_counts_only_once_the_stream_has_passed_it() -> None:
    (one,) = follow(case("a", 0, OPENED), case("b", 60, WORKED), until=2 * DAYS)
    waiting = {timer.rule: timer.due_at for timer in one.waiting}
    assert (one.progress.end, waiting) == (None, {"repair.in_work.": at(60 + 2 * DAYS), SILENCE: at(14 * DAYS)})


def test_what_comes_at_the_deadline_is_in_time_and_cancels_it() -> None:
    (one,) = follow(case("a", 0, OPENED), case("b", 4 * HOURS, WORKED), until=DAYS)
    assert stages(one) == [("reported", False), ("in_work", False)]
    assert [timer.rule for timer in one.waiting] == ["repair.in_work.", SILENCE]


def test_a_touchpoint_that_was_under_way_takes_the_time_out_back() -> None:
    history = [case("a", 0, OPENED), case("b", 60, WORKED)]
    assert ends(follow(*history, until=3 * DAYS)) == [JourneyEnd.TIMED_OUT]
    late = case("late", DAYS, CLOSED)
    assert ends(follow(*history, late, until=3 * DAYS)) == [JourneyEnd.REACHED]


def test_a_stage_that_is_left_too_late_still_waits_for_its_deadline() -> None:
    history = [case("a", 0, OPENED), case("b", 60, WORKED), case("c", 3 * DAYS, CLOSED)]
    (unread,) = follow(*history)
    assert (unread.progress.end, [timer.rule for timer in unread.waiting]) == (JourneyEnd.REACHED, ["repair.in_work."])
    (one,) = follow(*history, until=4 * DAYS)
    assert (one.progress.end, one.members) == (JourneyEnd.TIMED_OUT, (0, 1))


def test_the_service_level_at_the_beginning_of_the_stage_decides_its_deadline() -> None:
    (premium,) = follow(seen("crm", -10, service_level="premium"), case("a", 0, OPENED))
    assert premium.progress.stages[0].due_at == at(60)
    (later,) = follow(case("a", 0, OPENED), seen("crm", 10, service_level="premium"))
    assert later.progress.stages[0].due_at == at(4 * HOURS)
    (basic,) = follow(case("a", 0, OPENED, service_level="basic"))
    assert basic.progress.stages[0].due_at == at(4 * HOURS)


def test_the_whole_journey_may_have_a_deadline_by_service_level_and_the_earlier_end_counts() -> None:
    quick = with_(within=timedelta(hours=8), within_by_service_level={"premium": timedelta(hours=2)})
    (one,) = follow(case("a", 0, OPENED), case("b", 60, WORKED), definition=quick, until=DAYS)
    assert (one.progress.end, one.progress.ended_at) == (JourneyEnd.TIMED_OUT, at(8 * HOURS))
    (premium,) = follow(case("a", 0, OPENED, service_level="premium"), definition=quick, until=DAYS)
    assert (premium.progress.ended_at, stages(premium)) == (at(2 * HOURS), [("reported", True)])


def test_what_has_ended_stays_as_it_ended_whatever_timers_fire_and_whatever_comes() -> None:
    follower = JourneyFollower(with_(within=timedelta(hours=8)))
    history = [case("a", 0, OPENED), case("b", 60, CLOSED)]
    (begun,) = passages(lambda _: follower, CustomerHistory(history[:1], POLICY.contacts))
    fired = [timer.id for timer in begun.waiting]
    assert len(fired) == 3
    for more in ([], [case("c", 20 * DAYS, WORKED)]):
        (one,) = passages(lambda _: follower, CustomerHistory([*history, *more], POLICY.contacts), fired)
        assert (one.progress.end, one.progress.ended_at) == (JourneyEnd.REACHED, at(60))
        assert stages(one) == [("reported", False)]


OPEN_ENDED = with_(stages=(stage("reported"), stage("in_work", "case_worked", again=True)))


def test_a_silence_that_the_stream_has_passed_is_the_end_although_nothing_follows() -> None:
    """Who never comes back is lost, not under way for ever."""
    history = [case("a", 0, OPENED), case("b", 60, WORKED)]
    (open_,) = follow(*history, definition=OPEN_ENDED, until=14 * DAYS + 59)
    assert (open_.progress.end, [timer.due_at for timer in open_.waiting]) == (None, [at(14 * DAYS + 60)])
    (lost,) = follow(*history, definition=OPEN_ENDED, until=14 * DAYS + 60)
    assert (lost.progress.end, lost.progress.ended_at, lost.waiting) == (JourneyEnd.ABANDONED, at(14 * DAYS + 60), ())
    (back,) = follow(*history, case("c", 14 * DAYS + 60, WORKED), definition=OPEN_ENDED, until=14 * DAYS + 60)
    assert (back.progress.end, len(back.progress.stages)) == (None, 2)


def test_one_timer_waits_for_a_silence_however_many_touchpoints_come() -> None:
    history = [case(f"t{hour}", hour * HOURS, WORKED if hour else OPENED) for hour in range(100)]
    (before,) = follow(*history, definition=OPEN_ENDED)
    assert [timer.armed_by[1] for timer in before.waiting] == ["t0"]
    (after,) = follow(*history, definition=OPEN_ENDED, until=14 * DAYS)
    assert [timer.armed_by[1] for timer in after.waiting] == ["t99"]


def test_a_deadline_at_the_very_end_of_a_silence_is_what_ended_it() -> None:
    both = with_(inactivity=timedelta(days=2))
    (one,) = follow(case("a", 0, OPENED), case("b", 60, WORKED), definition=both, until=20 * DAYS)
    assert (one.progress.end, one.progress.ended_at) == (JourneyEnd.TIMED_OUT, at(60 + 2 * DAYS))


def test_a_journey_goes_by_the_definition_in_force_when_its_entry_was_appended() -> None:
    old, new = JourneyFollower(with_(version=1)), JourneyFollower(with_(version=2, stages=(stage("reported"),)))
    history = [case("a", 0, OPENED, "T-1"), case("b", 90, OPENED, "T-2"), case("c", 95, WORKED, "T-1")]
    index = CustomerHistory(history, POLICY.contacts)
    found = passages(lambda appended: old if appended < at(60) else new, index)
    assert [(one.progress.version, one.progress.stage) for one in found] == [(1, "in_work"), (2, "reported")]


def test_a_long_silence_ends_it_where_the_silence_began_to_be_too_long() -> None:
    first, second = follow(case("a", 0, OPENED), case("b", 15 * DAYS, OPENED))
    assert (first.progress.end, first.progress.ended_at, second.progress.entered_at) == (
        JourneyEnd.ABANDONED,
        at(14 * DAYS),
        at(15 * DAYS),
    )


def test_a_silence_of_exactly_that_long_is_none() -> None:
    assert len(follow(case("a", 0, OPENED), case("b", 14 * DAYS, OPENED))) == 1


@pytest.mark.parametrize("seed", range(20))
def test_the_order_of_arrival_does_not_matter(seed: int) -> None:
    history = [
        case(f"{number}", minutes, kind, key)
        for number, (minutes, kind, key) in enumerate(
            [
                (0, OPENED, "T-1"), (5, OPENED, "T-2"), (60, WORKED, "T-1"), (70, WORKED, None), (200, CLOSED, "T-2"),
                (9 * HOURS, "case_waiting", "T-1"), (3 * DAYS, WORKED, "T-1"), (20 * DAYS, OPENED, "T-1"),
            ]
        )
    ]  # fmt: skip
    expected = follow(*history, until=30 * DAYS)
    random.Random(seed).shuffle(history)
    assert follow(*history, *history[:3], until=30 * DAYS) == expected


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no stage": ({"stages": ()}, "give at least one stage"),
    "a stage twice": ({"stages": (stage("a"), stage("a", "x"))}, "the stage a is given twice"),
    "a first stage with a beginning": ({"stages": (stage("a", "x"),)}, "the first stage a begins with the entry"),
    "a later stage without one": ({"stages": (stage("a"), stage("b"))}, "say what begins the stage b"),
    "an unknown field": ({"entry": {"colour": "red"}}, "a touchpoint has no field 'colour'"),
    "an unknown field in the key": ({"key": ("refs",)}, "refs"),
    "no time": ({"inactivity": timedelta(0)}, "inactivity is more than nothing"),
    "once and again": ({"once": True, "reentry_after": timedelta(1)}, "reentry_after goes with journeys"),
    "a time-out without a time": (
        {"stages": (stage("a", when_over=OverdueEffect.TIMED_OUT),)},
        "the stage a times out, and has no within",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_definition_without_meaning_is_refused(name: str) -> None:
    members, why = REFUSED[name]
    with pytest.raises(DefinitionRefusedError, match=f"^repair: .*{why}"):
        JourneyFollower(with_(**members))
