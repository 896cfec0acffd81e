"""Rules in the shadow: when a trial begins and ends, and what of both sides is written about one customer."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import pytest

from services.journey.domain.comparison.changes import ComparisonContext, diff
from services.journey.domain.comparison.shadow_changes import ShadowChanges, StoredShadowFriction
from services.journey.domain.names import CustomerId
from services.journey.domain.projection import Projection, project
from services.journey.domain.rules.book import Rulebook
from services.journey.domain.rules.rule import RuleFailure
from services.journey.domain.shadow import ShadowBook, ShadowVersion
from services.journey.domain.touchpoint import RecordedTouchpoint
from tests.unit.journey.domain.making import POLICY, Shelf, a_rule, at, call

WAITS: dict[str, Any] = {"shape": "threshold", "field": "wait_s", "limits": [{"gt": 60}]}
IN_FORCE = a_rule(**WAITS)
LENIENT = a_rule(**{**WAITS, "limits": [{"gt": 600}]})
STRICT = a_rule(**{**WAITS, "limits": [{"gt": 30}]})
NOTHING = Rulebook([])
LATER = at(500)


def shadow(*given: tuple[float, Rulebook]) -> ShadowBook:
    """Versions of the shadow from minutes on, behind the empty first one."""
    versions = [ShadowVersion(number=1, in_force_from=at(-1_000), rules=())]
    for number, (minutes, book) in enumerate(given, start=2):
        versions.append(ShadowVersion(number=number, in_force_from=at(minutes), rules=book.rules))
    return ShadowBook(versions)


def projected(book: ShadowBook, *history: RecordedTouchpoint, rules: Rulebook = IN_FORCE) -> Projection:
    return project(history, rulebook=rules, policy=POLICY, shadow=book)


def changes(
    book: ShadowBook,
    projection: Projection,
    stored: Sequence[StoredShadowFriction] = (),
    *,
    now: datetime = LATER,
    truncated: bool = False,
) -> ShadowChanges:
    shelf = Shelf()
    context: ComparisonContext = shelf.moment(now)
    kept = msgspec.structs.replace(shelf.stored(truncated=truncated), shadow=stored)
    return diff(projection, kept, IN_FORCE, context, book).shadow


def of_customer(rows: Sequence[StoredShadowFriction], customer: CustomerId) -> list[StoredShadowFriction]:
    return [msgspec.structs.replace(one, customer_id=customer) for one in rows]


def said(written: Sequence[StoredShadowFriction]) -> set[tuple[str | None, bool, bool]]:
    frictions = [one.friction for one in written]
    return {(one.anchor.touchpoint_id, one.in_shadow, one.in_force) for one in frictions}


def test_both_sides_stand_in_one_row_under_the_id_that_the_rule_in_force_gives() -> None:
    book = shadow((0, STRICT))
    projection = projected(book, call("a", 5, wait_s=45), call("b", 6, wait_s=100), call("c", 7, wait_s=10))
    written = changes(book, projection).written
    assert said(written) == {("a", True, False), ("b", True, True)}
    [both] = [one.friction for one in written if one.friction.in_force]
    assert both.id == projection.findings[0].id
    assert {finding.rule for finding in projection.findings} == {"mine"}
    lenient = shadow((0, LENIENT))
    assert said(changes(lenient, projected(lenient, call("b", 6, wait_s=100))).written) == {("b", False, True)}


def test_what_was_appended_before_the_trial_began_counts_on_neither_side() -> None:
    book = shadow((10, STRICT))
    written = changes(book, projected(book, call("a", 5, wait_s=100), call("b", 11, wait_s=100))).written
    assert said(written) == {("b", True, True)}


def test_a_trial_goes_on_while_its_wording_stands_and_begins_anew_with_another() -> None:
    [trial] = shadow((10, STRICT), (20, STRICT)).trials.values()
    assert (trial.number, trial.since, trial.rule, trial.name) == (2, at(10), "mine", "shadow:2:mine")
    [trial] = shadow((10, STRICT), (20, LENIENT)).trials.values()
    assert (trial.number, trial.since) == (3, at(20))
    [trial] = shadow((10, STRICT), (20, NOTHING), (30, STRICT)).trials.values()
    assert (trial.number, trial.since) == (4, at(30))
    assert not shadow((10, STRICT), (20, NOTHING))
    assert shadow((10, STRICT), (20, NOTHING)).trials == {}


def test_nothing_is_written_twice_and_what_neither_side_says_any_more_goes() -> None:
    book = shadow((0, STRICT))
    projection = projected(book, call("a", 5, wait_s=45))
    first = changes(book, projection, now=at(6))
    assert [one.friction.detected_at for one in first.written] == [at(6)]
    assert not changes(book, projection, first.written)
    gone = changes(book, projected(book, call("a", 5, wait_s=10)), first.written)
    assert (gone.written, gone.gone) == ([], first.written)


def test_a_row_follows_its_side_and_keeps_when_it_was_first_found() -> None:
    book = shadow((0, STRICT))
    first = changes(book, projected(book, call("a", 5, wait_s=45)), now=at(6)).written
    again = changes(book, projected(book, call("a", 5, wait_s=70)), first, now=at(9))
    assert (said(again.written), again.gone) == ({("a", True, True)}, [])
    assert again.written[0].friction.detected_at == at(6)


def test_what_an_absorbed_customer_had_becomes_the_survivors() -> None:
    book = shadow((0, STRICT))
    projection = projected(book, call("a", 5, wait_s=45))
    others = of_customer(changes(book, projection, now=at(6)).written, Shelf(2).customer)
    merged = changes(book, projection, others, now=at(9))
    assert (said(merged.written), merged.gone) == ({("a", True, False)}, others)
    assert merged.written[0].friction.detected_at == at(6)
    lost = changes(book, projected(book, call("a", 5, wait_s=10)), others)
    assert (lost.written, lost.gone) == ([], others)


@pytest.mark.parametrize("name", ["mine", "shadow:2:mine"])
def test_a_side_that_raised_leaves_everything_as_it_was(name: str) -> None:
    book = shadow((0, STRICT))
    first = changes(book, projected(book, call("a", 5, wait_s=45))).written
    failure = RuleFailure(rule=name, rule_version=1, error="ValueError")
    unsaid = projected(book, call("a", 5, wait_s=10))
    if name == "mine":
        failed = msgspec.structs.replace(unsaid, failures=[failure])
    else:
        failed = msgspec.structs.replace(unsaid, tried=msgspec.structs.replace(unsaid.tried, failures=[failure]))
    assert not changes(book, failed, first)
    elsewhere = of_customer(first, Shelf(2).customer)
    taken = changes(book, failed, elsewhere)
    assert (taken.written, taken.gone) == (first, elsewhere)


def test_what_rests_on_touchpoints_that_are_no_longer_looked_at_stays() -> None:
    book = shadow((0, STRICT))
    first = changes(book, projected(book, call("a", 5, wait_s=45))).written
    later = projected(book, call("b", 50, wait_s=5))
    assert not changes(book, later, first, truncated=True)
    assert changes(book, later, first).gone == first


def test_a_rule_that_raises_in_the_shadow_changes_nothing_of_what_is_in_force() -> None:
    book = shadow((0, STRICT))
    projection = projected(book, call("a", 5, wait_s=100))
    failure = RuleFailure(rule="shadow:2:mine", rule_version=1, error="ValueError")
    tried = msgspec.structs.replace(projection.tried, failures=[failure])
    broken = msgspec.structs.replace(projection, tried=tried)
    shelf = Shelf()
    whole = diff(projection, shelf.stored(), IN_FORCE, shelf.moment(at(9)), book)
    same = diff(broken, Shelf().stored(), IN_FORCE, Shelf().moment(at(9)), book)
    assert (same.frictions, same.placements, same.armed) == (whole.frictions, whole.placements, whole.armed)
