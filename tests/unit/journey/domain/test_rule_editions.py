"""Rules in editions: the version in force when the broker appended what names a friction judges it, and no other."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import msgspec
import pytest

from services.journey.domain.projection import project
from services.journey.domain.rules.book import Rulebook
from services.journey.domain.rules.edition import BEGINNING, RulesVersion, UnknownRule
from services.journey.domain.touchpoint import RecordedTouchpoint
from tests.unit.journey.domain.making import (
    ABSENT,
    POLICY,
    REPEAT,
    Shelf,
    a_rule,
    anchors,
    at,
    call,
    events,
    found,
    seen,
    step,
    told,
)

STRICT: dict[str, Any] = {"shape": "threshold", "field": "wait_s", "limits": [{"gt": 60}]}
LENIENT: dict[str, Any] = {**STRICT, "limits": [{"gt": 600}], "version": 2}


def versions(*given: tuple[float | None, Rulebook]) -> Rulebook:
    """The versions of rules, each from so many minutes on; None is the beginning."""
    return Rulebook.through(
        [
            RulesVersion(in_force_from=BEGINNING if minutes is None else at(minutes), rules=book.rules)
            for minutes, book in given
        ]
    )


def appended(one: RecordedTouchpoint, minutes: float) -> RecordedTouchpoint:
    """The same touchpoint, written to the log at another time than it happened."""
    return msgspec.structs.replace(one, appended_at=at(minutes))


def waits(*minutes: float) -> list[RecordedTouchpoint]:
    return [call(f"at {minute:g}", minute, wait_s=120) for minute in minutes]


def test_each_touchpoint_is_judged_by_the_version_in_force_when_it_was_appended() -> None:
    rules = versions((None, a_rule(**STRICT)), (60, a_rule(**LENIENT)), (120, a_rule(**STRICT)))
    assert anchors("mine", *waits(30, 59, 60, 90, 119, 120, 150), rules=rules) == ["at 30", "at 59", "at 120", "at 150"]


def test_when_it_happened_does_not_matter_only_when_it_was_appended() -> None:
    rules = versions((None, a_rule(**STRICT)), (60, a_rule(**LENIENT)))
    early, late = call("early", 90, wait_s=120), call("late", 10, wait_s=120)
    assert anchors("mine", appended(early, 59), appended(late, 61), rules=rules) == ["early"]


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_the_order_in_which_touchpoints_are_known_does_not_matter(order: Sequence[int]) -> None:
    rules = versions((None, a_rule(**STRICT)), (60, a_rule(**LENIENT)))
    history = [appended(one, minutes) for one, minutes in zip(waits(10, 20, 70, 80), (61, 20, 59, 80), strict=True)]
    assert anchors("mine", *(history[place] for place in order), rules=rules) == ["at 20", "at 70"]


def test_a_rule_that_is_switched_off_finds_nothing_new_and_takes_nothing_back() -> None:
    shelf, history = Shelf(), [call("one", 0), call("two", 30)]
    assert [event for event, _ in events(step(shelf, *history))] == ["detected"]
    off = Rulebook([msgspec.structs.replace(rule, enabled=False) for rule in REPEAT.rules])
    rules = versions((None, REPEAT), (60, off))
    assert events(step(shelf, *history, call("three", 90), minutes=90, rules=rules)) == []
    assert len(found("mine", *history, call("three", 90), rules=rules)) == 1


def test_a_rule_that_is_gone_keeps_what_it_found_and_a_new_one_begins_with_what_comes_then() -> None:
    other = Rulebook([msgspec.structs.replace(rule, id="other") for rule in REPEAT.rules])
    rules = versions((None, REPEAT), (60, other))
    history = [call("one", 0), call("two", 30), call("three", 90)]
    assert (anchors("mine", *history, rules=rules), anchors("other", *history, rules=rules)) == (["two"], ["three"])


def test_a_control_one_rulebook_for_all_times_would_rewrite_the_past() -> None:
    shelf, history = Shelf(), [call("one", 0), call("two", 30)]
    step(shelf, *history)
    off = Rulebook([msgspec.structs.replace(rule, enabled=False) for rule in REPEAT.rules])
    assert [event for event, _ in events(step(shelf, *history, call("three", 90), minutes=90, rules=off))] == [
        "retracted"
    ]


def test_a_contact_is_judged_by_the_version_of_its_first_record_whatever_comes_later() -> None:
    rules = versions((None, a_rule(**STRICT, per="interaction")), (60, a_rule(**LENIENT, per="interaction")))
    begun = call("began", 50, kind="call_started", interaction_id="c-1")
    ended = call("ended", 70, interaction_id="c-1", wait_s=120)
    before = appended(call("before", 40, kind="call_started", interaction_id="c-1"), 80)
    assert len(found("mine", begun, ended, rules=rules)) == 1
    assert len(found("mine", before, begun, ended, rules=rules)) == 1
    assert found("mine", appended(begun, 61), ended, rules=rules) == []


def test_a_timer_goes_by_the_version_that_judged_the_touchpoint_that_armed_it() -> None:
    patient = Rulebook([msgspec.structs.replace(rule, grace=timedelta(minutes=30)) for rule in ABSENT.rules])
    rules = versions((None, ABSENT), (60, patient))
    promise: dict[str, Any] = {"kind": "callback_promised", "due_at": at(200)}
    timers = told(seen("old", 59, **promise), seen("new", 60, **promise), rules=rules).timers
    assert {timer.armed_by[1]: timer.due_at for timer in timers} == {"old": at(200), "new": at(230)}


def test_the_cool_down_of_an_edition_looks_back_on_what_the_one_before_found() -> None:
    rules = versions((None, a_rule(**STRICT)), (60, a_rule(**STRICT, cooldown="1h")))
    assert anchors("mine", *waits(40, 50, 70, 100, 120), rules=rules) == ["at 40", "at 50", "at 120"]


def test_the_words_are_those_of_the_edition_that_found_it() -> None:
    news = {"title": {"en": "News", "ko": "새 제목"}}
    rules = versions((None, a_rule(**STRICT)), (60, a_rule(**STRICT, **news)))
    titles = [rules.texts(one)[0].ko for one in found("mine", *waits(30, 90), rules=rules)]
    assert titles == ["제목", "새 제목"]


def unknown(in_force_from: datetime, *others: Any) -> Rulebook:
    strange = UnknownRule(id="mine", version=3, content=b"{}", why="no such shape")
    return Rulebook.through(
        [
            RulesVersion(in_force_from=BEGINNING, rules=[*a_rule(**STRICT).rules, *others]),
            RulesVersion(in_force_from=in_force_from, rules=[strange, *others]),
        ]
    )


def other(id_: str) -> Sequence[Any]:
    return [msgspec.structs.replace(rule, id=id_) for rule in a_rule(**STRICT).rules]


def test_a_rule_that_this_release_does_not_know_fails_by_name_only_for_whom_it_would_judge() -> None:
    rules = unknown(at(60), *other("else"))
    assert told(*waits(30), rules=rules).failures == []
    projection = project(waits(30, 90), rulebook=rules, policy=POLICY)
    assert [(one.rule, one.rule_version, one.error) for one in projection.failures] == [("mine", 3, "UnknownRuleError")]
    assert [(one.rule, one.at.id) for one in projection.findings] == [
        ("mine", "at 30"),
        ("else", "at 30"),
        ("else", "at 90"),
    ]


def test_a_worker_that_does_not_know_a_rule_leaves_alone_what_a_newer_one_found_with_it() -> None:
    newer = versions((None, a_rule(**STRICT)), (60, a_rule(**STRICT, version=3)))
    shelf, history = Shelf(), waits(30, 90)
    assert len(step(shelf, *history, minutes=90, rules=newer).frictions) == 2
    older = unknown(at(60))
    assert not step(shelf, *history, seen("more", 95), minutes=95, rules=older).frictions
    assert not step(shelf, *history, seen("more", 95), minutes=96, rules=newer).frictions
