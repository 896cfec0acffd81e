"""Funnels: the sums are those of the journeys after every change, and right values that nobody here wrote."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.journey.domain.comparison.passage_changes import passages_of
from services.journey.domain.definitions.definition_book import DefinitionBook, DefinitionsVersion
from services.journey.domain.funnels import FunnelCounts, FunnelMeasure
from services.journey.domain.projection import project
from services.journey.domain.rules.edition import BEGINNING
from services.journey.domain.touchpoint import RecordedTouchpoint
from services.journey.rulebook import definitions_file
from tests.unit.journey.domain.making import DAY, DAYS, POLICY, REPEAT, Shelf, at, seen, step
from tests.unit.journey.domain.test_laws import LATER, LAWS, touchpoints

OWN = """
journeys:
  - id: help
    title: {en: Getting help, ko: 도움}
    entry: {kind: [call_started, chat_started, case_opened]}
    key: [refs.case_id]
    stages:
      - {id: asked, title: {en: Asked, ko: 문의}, within: 2h, within_by_service_level: {premium: 30m}}
      - {id: in_work, title: {en: In work, ko: 처리}, begins: {kind: case_worked}, again: true, within: 1d}
      - id: waiting
        title: {en: Waiting, ko: 대기}
        begins: {kind: case_waiting}
        again: true
        within: 3d
        when_over: timed_out
    reached: {kind: [case_closed, case_resolved]}
    abandoned: {kind: survey_answered}
    inactivity: 2d
"""


def book(*texts: str) -> DefinitionBook:
    definitions = [one for text in texts for one in definitions_file.read(text, name="mine.yaml").definitions]
    return DefinitionBook([DefinitionsVersion(in_force_from=BEGINNING, definitions=definitions)])


BOOK = book(OWN, (definitions_file.FOLDER / "retail.yaml").read_text(encoding="utf-8"))


def counted(shelf: Shelf, history: Sequence[RecordedTouchpoint], definitions: DefinitionBook = BOOK) -> FunnelCounts:
    """The sums of the journeys in `history`, counted anew."""
    projection = project(history, fired=shelf.fired(), rulebook=REPEAT, policy=POLICY, definitions=definitions)
    counts = FunnelCounts()
    for passage in passages_of(projection):
        counts.add(passage)
    return counts


def check(shelf: Shelf, history: Sequence[RecordedTouchpoint]) -> None:
    assert sorted(shelf.funnels.rows()) == sorted(counted(shelf, history).rows())
    again = step(shelf, *history, definitions=BOOK, minutes=90 * DAYS)
    assert not again.passages


@LAWS
@given(touchpoints(), st.randoms(use_true_random=False))
def test_the_sums_are_those_of_the_journeys_whatever_came_when(history: list[RecordedTouchpoint], random: Any) -> None:
    """Late touchpoints part journeys and join them; deadlines pass in between; another customer is merged in."""
    shelf, other = Shelf(1), Shelf(2)
    random.shuffle(history)
    cut = random.randint(0, len(history))
    elsewhere = history[cut:][: random.randint(0, len(history))]
    step(other, *elsewhere, definitions=BOOK, minutes=90 * DAYS)
    known: list[RecordedTouchpoint] = []
    rest = [one for one in history if one not in elsewhere]
    while rest:
        known += rest[:3]
        del rest[:3]
        if random.random() < 0.3:
            shelf.fire(LATER)
        step(shelf, *known, definitions=BOOK, minutes=90 * DAYS)
        check(shelf, known)
    shelf.absorb(other)
    step(shelf, *known, *elsewhere, definitions=BOOK, minutes=90 * DAYS)
    check(shelf, [*known, *elsewhere])


def test_what_lies_before_a_cut_history_stays_counted() -> None:
    shelf = Shelf()
    first = [seen("a", 0, "case_opened", refs={"case_id": "1"}), seen("b", 5, "case_closed", refs={"case_id": "1"})]
    then = [seen("c", 60, "case_opened", refs={"case_id": "2"})]
    step(shelf, *first, *then, definitions=BOOK)
    whole = sorted(shelf.funnels.rows())
    step(shelf, *then, definitions=BOOK, truncated=True)
    assert sorted(shelf.funnels.rows()) == whole
    step(shelf, *then, definitions=BOOK)  # the control: the same history, told as all there is
    assert sorted(shelf.funnels.rows()) != whole


def test_more_journeys_than_a_document_tells_of_are_all_counted() -> None:
    history = [
        one
        for number in range(150)
        for one in (seen(f"a{number}", 2 * number, "call_started"), seen(f"b{number}", 2 * number + 1, "case_closed"))
    ]
    shelf = Shelf()
    step(shelf, *history[:280], definitions=BOOK)
    step(shelf, *history, definitions=BOOK)
    sums = dict.fromkeys(FunnelMeasure, 0)
    for key, journeys, _ in shelf.funnels.rows():
        if key.definition == "help":
            sums[FunnelMeasure(key.measure)] += journeys
    assert (sums[FunnelMeasure.ENTERED], sums[FunnelMeasure.REACHED]) == (150, 150)


SERIES = """
journeys:
  - id: series
    title: {{en: a, ko: a}}
    entry: {{kind: {first}}}
    stages:
      - {{id: first, title: {{en: a, ko: a}}}}
{middle}
    reached: {{kind: {last}}}
    inactivity: 30d
    {more}
"""


def series(*kinds: str, more: str = "") -> DefinitionBook:
    """A definition whose stages begin with these kinds, the last of which is its aim."""
    first, *middle, last = kinds
    stages = "\n".join(f"      - {{id: {kind}, title: {{en: a, ko: a}}, begins: {{kind: {kind}}}}}" for kind in middle)
    return book(SERIES.format(first=first, middle=stages, last=last, more=more))


def moments(*people: Sequence[str]) -> list[list[RecordedTouchpoint]]:
    """Histories of people, each touchpoint as its kind and its time."""

    def one(id_: str, said: str) -> RecordedTouchpoint:
        kind, _, moment = said.partition(" ")
        return seen(id_, (datetime.fromisoformat(f"{moment}Z") - DAY) / timedelta(minutes=1), kind)

    return [[one(f"p{who}-{number}", said) for number, said in enumerate(points)] for who, points in enumerate(people)]


def funnel(definitions: DefinitionBook, people: Sequence[Sequence[RecordedTouchpoint]]) -> dict[str, tuple[int, float]]:
    """By stage and measure, how many there are and how many seconds they took on average, all deadlines passed."""
    sums: dict[str, list[int]] = {}
    for who, history in enumerate(people):
        shelf = Shelf(who)
        for _ in range(3):
            step(shelf, *history, definitions=definitions, minutes=DAYS)
            shelf.fire(at(10_000 * DAYS))
        for key, journeys, took_us in shelf.funnels.rows():
            known = sums.setdefault(f"{key.stage} {key.measure}".strip(), [0, 0])
            known[0] += journeys
            known[1] += took_us
    return {name: (journeys, took_us / 1_000_000 / journeys) for name, (journeys, took_us) in sums.items()}


def test_times_from_step_to_step_are_those_of_posthog() -> None:
    """PostHog's own test of conversion times: 6,000 s to the second step and 5,400 s to the third, on average."""
    people = moments(
        ["sign_up 2020-01-01T12:00", "play 2020-01-01T13:00", "buy 2020-01-01T15:00"],
        ["sign_up 2020-01-02T14:00", "play 2020-01-02T16:00"],
        ["sign_up 2020-01-02T14:00", "play 2020-01-02T16:00", "buy 2020-01-02T17:00"],
    )
    found = funnel(series("sign_up", "play", "buy"), people)
    assert (found["entered"][0], found["play came"][0], found["play reached"][0]) == (3, 3, 2)
    assert found["first left"] == (3, 6000)
    assert found["play left"] == (2, 5400)
    assert found["play abandoned"][0] == 1


def test_tries_after_the_first_are_left_out_where_a_journey_is_entered_once() -> None:
    """PostHog's test of several incomplete tries counts one person, whom the second step took an hour."""
    people = moments(
        [
            "sign_up 2021-05-01T01:00",
            "page 2021-05-01T02:00",
            "else 2021-05-01T03:00",
            "sign_up 2021-05-03T04:00",
            "page 2021-05-03T05:00",
            "sign_up 2021-05-04T07:00",
            "page 2021-05-04T10:00",
        ]
    )
    once = funnel(series("sign_up", "page", "else", more="once: true"), people)
    assert (once["entered"][0], once["first left"]) == (1, (1, 3600))
    each = funnel(series("sign_up", "page", "else", more="within: 1d"), people)
    assert (each["entered"][0], each["page reached"][0], each["page timed_out"][0]) == (3, 1, 2)


@pytest.mark.parametrize(("within", "second", "seconds"), [("14d", 2, 600), ("5m", 1, 300)])
def test_a_shorter_window_loses_those_who_took_longer(within: str, second: int, seconds: float) -> None:
    """PostHog's test of conversion windows: two of three within 14 days, one within five minutes."""
    people = moments(
        ["sign_up 2020-01-02T14:00", "page 2020-01-02T14:05"],
        ["sign_up 2020-01-02T14:03"],
        ["sign_up 2020-01-02T12:00", "page 2020-01-02T12:15"],
    )
    found = funnel(series("sign_up", "page", more=f"within: {within}"), people)
    assert (found["entered"][0], found["first reached"]) == (3, (second, seconds))
    assert found["first timed_out"][0] == 3 - second


def test_a_journey_is_read_back_as_it_was_counted() -> None:
    history = [seen("a", 0.123456, "call_started"), seen("b", 7.7, "case_worked")]
    projection = project(history, rulebook=REPEAT, policy=POLICY, definitions=BOOK)
    for passage in passages_of(projection):
        stored = msgspec.json.decode(msgspec.json.encode(passage), type=type(passage))
        assert stored == passage
