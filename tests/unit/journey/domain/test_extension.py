"""A history that is extended by what comes after it gives the same projection as one that is taken anew."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.journey.domain.history import LOOSE_SHARE, latest_of
from services.journey.domain.journey import JourneyPolicy
from services.journey.domain.journey_groups import JourneyGroups
from services.journey.domain.names import TimerId
from services.journey.domain.projection import ProjectionPolicy, SegmentedHistory, project, project_segmented
from services.journey.domain.rules.book import Rulebook, RuleEvaluation, RuleGroup
from services.journey.domain.rules.edition import BEGINNING, RulesVersion
from services.journey.domain.touchpoint import RecordedTouchpoint, in_order
from tests.unit.journey.domain.making import DAYS, POLICY, SHIPPED, at, call, mail, note, seen
from tests.unit.journey.domain.test_laws import LAWS, touchpoints

SINCE = msgspec.structs.replace(
    POLICY,
    contacts=msgspec.structs.replace(POLICY.contacts, since=at(600)),
    journeys=msgspec.structs.replace(POLICY.journeys, since=at(600)),
)
"""A policy under which what came in the first ten hours is judged otherwise."""

EVERY = Rulebook([msgspec.structs.replace(rule, enabled=True) for rule in SHIPPED.rules])
"""All shipped rules, every shape among them, also those that are off."""

IN_TWO_VERSIONS = Rulebook.through(
    [
        RulesVersion(in_force_from=BEGINNING, rules=SHIPPED.rules),
        RulesVersion(in_force_from=at(600), rules=[msgspec.structs.replace(one, version=9) for one in EVERY.rules]),
    ]
)


def extended(
    known: SegmentedHistory | None, history: Sequence[RecordedTouchpoint], policy: ProjectionPolicy, fired: Any = ()
) -> SegmentedHistory:
    return SegmentedHistory(history, policy, fired) if known is None else known.with_all_of(history, fired)


@LAWS
@given(
    touchpoints(24),
    st.sampled_from([POLICY, SINCE]),
    st.sampled_from([SHIPPED, EVERY, IN_TWO_VERSIONS]),
    st.randoms(use_true_random=False),
)
def test_extending_is_the_same_as_projecting_anew(
    history: list[RecordedTouchpoint], policy: ProjectionPolicy, rules: Rulebook, random: Any
) -> None:
    """Mostly in order, sometimes not; one or several at a time; timers fire in between."""
    arriving = sorted((one for one in history if not one.late), key=in_order)
    if random.random() < 0.3:
        random.shuffle(arriving)
    here: list[RecordedTouchpoint] = []
    known: SegmentedHistory | None = None
    fired: set[TimerId] = set()
    while arriving:
        size = random.randint(1, 3)
        here = [*here, *arriving[:size]]
        arriving = arriving[size:]
        known = extended(known, here, policy, fired)
        found = project_segmented(known, rules)
        assert found == project(here, fired=fired, rulebook=rules, policy=policy)
        here = found.history
        fired |= {timer.id for timer in found.timers if random.random() < 0.3}


STORIES: dict[str, list[RecordedTouchpoint]] = {
    "clicks": [seen(f"p{n}", n) for n in range(4)],
    "a call in two touchpoints": [
        call("a", 0, kind="call_started", interaction_id="i", reason="billing"),
        call("b", 9, interaction_id="i", outcome="unresolved"),
    ],
    "an order": [seen("a", 0, "order_placed", refs={"order_id": "8"}), seen("b", 99, refs={"order_id": "8"})],
    "messages": [note("a", 0), note("b", 5), note("c", 90)],
    "a thread": [mail("a", 0, refs={"thread_id": "t"}), mail("b", 9 * DAYS, refs={"thread_id": "t"})],
    "a level that becomes known": [call("a"), call("b", 5, service_level="premium"), call("c", 9)],
}

OTHERWISE: dict[str, list[RecordedTouchpoint]] = {
    "a reference joins two journeys": [
        seen("a", 0, refs={"order_id": "8"}),
        seen("b", 1, refs={"case_id": "1"}),
        seen("c", 2, refs={"order_id": "8", "case_id": "1"}),
    ],
    "an interaction gets a reference": [
        call("a", interaction_id="i"),
        call("b", 5, interaction_id="i", refs={"case_id": "1"}),
    ],
    "an interaction goes on after another began": [
        call("a", interaction_id="i"),
        seen("b", 1),
        call("c", 2, interaction_id="i"),
    ],
    "a reason becomes known": [call("a", interaction_id="i"), call("b", 5, interaction_id="i", reason="billing")],
    "what comes late": [seen("b", 5), seen("a", 1)],
}


def anew(history: Sequence[RecordedTouchpoint]) -> Counter[bool]:
    """How often a history that came one by one was taken anew (true), and how often it was extended."""
    known = SegmentedHistory(history[:1], POLICY)
    counted: Counter[bool] = Counter()
    project_segmented(known, SHIPPED)
    for number in range(2, len(history) + 1):
        before, known = known, known.with_all_of(history[:number], ())
        counted[known is not before] += 1
        assert project_segmented(known, SHIPPED) == project(history[:number], rulebook=SHIPPED, policy=POLICY)
    return counted


@pytest.mark.parametrize("name", STORIES)
def test_what_comes_last_and_moves_nothing_is_added(name: str) -> None:
    assert not anew(STORIES[name])[True]


@pytest.mark.parametrize("name", OTHERWISE)
def test_what_moves_others_has_everything_taken_anew(name: str) -> None:
    assert anew(OTHERWISE[name])[True] == 1


def test_the_comparison_would_notice_a_journey_that_was_not_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    """A control: who puts each touchpoint into a journey of its own is found out."""

    def alone(self: JourneyGroups, *_: object) -> int:
        self.journeys.append([sum(map(len, self.journeys))])
        return len(self.journeys) - 1

    monkeypatch.setattr(JourneyGroups, "take", alone)
    with pytest.raises(AssertionError):
        anew(STORIES["clicks"])


def test_a_rule_that_looks_at_nothing_of_what_came_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    ask = Rulebook._ask

    def told(self: Rulebook, group: RuleGroup, history: Any, span: Any) -> RuleEvaluation:
        asked.append(group.editions[0].rule.id)
        return ask(self, group, history, span)

    monkeypatch.setattr(Rulebook, "_ask", told)
    history = [call("a"), seen("b", 5, "payment_declined"), seen("c", 6), seen("d", 7, "payment_declined")]
    known = SegmentedHistory(history[:2], POLICY)
    project_segmented(known, SHIPPED)
    assert {"repeat_contact_24h", "payment_declines"} <= set(asked)
    asked.clear()
    project_segmented(known := known.with_all_of(history[:3], ()), SHIPPED)
    assert asked == []
    project_segmented(known := known.with_all_of(history, ()), SHIPPED)
    assert asked == ["payment_declines"]
    asked.clear()
    timer = TimerId(UUID(int=1))
    project_segmented(known.with_all_of(history, {timer}), SHIPPED)
    assert "repeat_contact_24h" in asked


def test_the_comparison_would_notice_a_rule_that_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A control."""
    monkeypatch.setattr(RuleGroup, "is_reached", lambda *_: False)
    with pytest.raises(AssertionError):
        anew([call("a"), call("b", 5), call("c", 9)])


def test_the_gap_after_which_a_journey_is_another_counts_when_it_is_extended() -> None:
    policy = msgspec.structs.replace(POLICY, journeys=JourneyPolicy(unknown_gap=timedelta(minutes=30)))
    known = SegmentedHistory([seen("a")], policy)
    history = [seen("a"), seen("b", 31)]
    known = known.with_all_of([known.index.recorded[0], history[1]], ())
    assert len(project_segmented(known, SHIPPED).journeys) == 2


@given(st.integers(10, 40), st.integers(0, 120), st.randoms(use_true_random=False))
def test_what_is_looked_at_does_not_depend_on_what_was_remembered(most: int, length: int, random: Any) -> None:
    """Cutting what was left by the last cut is the same as cutting all of it."""
    history = [seen(f"t{random.randrange(10**6)}-{number}", number) for number in range(length)]
    kept: Sequence[RecordedTouchpoint] = []
    is_cut = False
    for number, one in enumerate(history, 1):
        ordered = [*kept, one]
        kept, is_cut = latest_of(ordered, most, is_cut=is_cut), is_cut or len(ordered) > most
        assert kept == latest_of(history[:number], most)
        assert len(kept) == number if number <= most else most - most // LOOSE_SHARE <= len(kept) <= most


def test_the_first_touchpoint_that_is_looked_at_seldom_changes() -> None:
    history = [seen(f"t{number}", number) for number in range(6_000)]
    first = {latest_of(history[:number], 2_000)[0].touchpoint.id for number in range(2_000, 6_000)}
    assert 20 < len(first) < 120
