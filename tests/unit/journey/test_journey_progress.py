"""Where a customer stands in defined journeys: what the worker stores and publishes of it, and when."""

import json
from collections.abc import Sequence
from typing import Any

from schemas import validation
from services.journey.domain.comparison.changes import CustomerChanges, diff
from services.journey.domain.definitions.definition_book import DefinitionBook, DefinitionsVersion
from services.journey.domain.projection import project
from services.journey.domain.rules.edition import BEGINNING
from services.journey.domain.touchpoint import RecordedTouchpoint
from services.journey.renew import publication
from services.journey.rulebook import definitions_file
from tests.unit.journey.domain.making import DAYS, HOURS, POLICY, REPEAT, Shelf, at, seen

RETAIL = DefinitionsVersion(in_force_from=BEGINNING, definitions=definitions_file.load("retail").definitions)
NONE = DefinitionsVersion(in_force_from=at(10 * HOURS), definitions=())
BOOK = DefinitionBook([RETAIL])


def order(id_: str, minutes: float, kind: str, order_id: str = "A-1", **fields: Any) -> RecordedTouchpoint:
    return seen(id_, minutes, kind, refs={"order_id": order_id}, **fields)


def step(
    shelf: Shelf, history: Sequence[RecordedTouchpoint], minutes: float, book: DefinitionBook = BOOK
) -> CustomerChanges:
    """Projects, compares and writes, as the worker does at `minutes`."""
    projection = project(
        shelf.placed_history(history), fired=shelf.fired(), rulebook=REPEAT, policy=POLICY, definitions=book
    )
    changes = diff(projection, shelf.stored(), REPEAT, shelf.moment(at(minutes)))
    shelf.write(changes, at(minutes))
    return changes


def published(changes: CustomerChanges, minutes: float) -> list[dict[str, Any]]:
    """The documents on the topic, each of which must be a journey v1."""
    said = [publication.journey(change.journey, at(minutes), None) for change in changes.journeys]
    documents = [json.loads(one.document) for one in said]
    assert [validation.errors("journey.v1", document) for document in documents] == [[]] * len(documents)
    return documents


def test_each_stage_is_a_version_of_the_document() -> None:
    shelf, history = Shelf(), [order("a", 0, "order_placed")]
    (first,) = published(step(shelf, history, 1), 1)
    assert first["progress"] == [
        {
            "definition": "delivery",
            "version": 1,
            "entered_at": "2026-11-22T00:00:00.000000Z",
            "stage": "preparing",
            "stage_since": "2026-11-22T00:00:00.000000Z",
            "due_at": "2026-11-24T00:00:00.000000Z",
            "stages": [
                {
                    "stage": "preparing",
                    "entered_at": "2026-11-22T00:00:00.000000Z",
                    "due_at": "2026-11-24T00:00:00.000000Z",
                }
            ],
        }
    ]
    history.append(order("b", DAYS, "order_shipped"))
    (second,) = published(step(shelf, history, DAYS), DAYS)
    assert (second["version"], second["progress"][0]["stage"]) == (2, "on_the_way")
    assert not step(shelf, history, DAYS).journeys


def test_a_deadline_is_a_timer_and_when_it_fires_the_document_says_overdue() -> None:
    shelf, history = Shelf(), [order("a", 0, "order_placed")]
    armed = {timer.rule: timer.due_at for timer in step(shelf, history, 1).armed}
    assert armed == {"delivery.preparing.": at(2 * DAYS), "delivery.": at(30 * DAYS), "delivery..": at(30 * DAYS)}
    shelf.fire(at(2 * DAYS))
    (overdue,) = published(step(shelf, history, 2 * DAYS), 2 * DAYS)
    assert (overdue["progress"][0]["overdue"], overdue["progress"][0]["stages"][0]["overdue"]) == (True, True)
    assert not step(shelf, history, 2 * DAYS).journeys


def test_the_end_cancels_the_timers_and_what_was_under_way_takes_a_time_out_back() -> None:
    shelf, history = Shelf(), [order("a", 0, "order_placed")]
    step(shelf, history, 1)
    shelf.fire(at(30 * DAYS))
    (out,) = published(step(shelf, history, 30 * DAYS), 30 * DAYS)
    assert out["progress"][0]["end"] == "timed_out"
    late = [*history, order("b", 3 * DAYS, "order_shipped"), order("c", 4 * DAYS, "parcel_delivered")]
    (back,) = published(step(shelf, late, 30 * DAYS), 30 * DAYS)
    assert (back["progress"][0]["end"], back["progress"][0]["ended_at"]) == (
        "reached",
        "2026-11-26T00:00:00.000000Z",
    )
    other = Shelf(2)
    step(other, history, 1)
    assert len(step(other, late, 5 * DAYS).cancelled) == 2  # end and silence; the first stage was left too late


def test_each_defined_journey_stands_in_the_journey_in_which_it_was_entered() -> None:
    shelf = Shelf()
    history = [
        order("a", 0, "order_placed"),
        order("b", 5, "order_placed", "A-2"),
        order("c", 9, "order_shipped", "A-2"),
    ]
    documents = published(step(shelf, history, 10), 10)
    stages = {one["refs"]["order_id"]: [each["stage"] for each in one["progress"]] for one in documents}
    assert stages == {"A-1": ["preparing"], "A-2": ["on_the_way"]}


def test_definitions_that_are_gone_keep_the_journeys_that_began_with_them() -> None:
    shelf, history = Shelf(), [order("a", 0, "order_placed")]
    step(shelf, history, 1)
    book = DefinitionBook([RETAIL, NONE])
    history += [order("b", 11 * HOURS, "order_placed", "A-2"), order("c", 12 * HOURS, "order_shipped")]
    documents = published(step(shelf, history, 12 * HOURS, book), 12 * HOURS)
    stages = {one["refs"]["order_id"]: [each["stage"] for each in one.get("progress", [])] for one in documents}
    assert stages == {"A-1": ["on_the_way"], "A-2": []}


def test_without_definitions_documents_and_digests_are_as_before() -> None:
    shelf, history = Shelf(), [order("a", 0, "order_placed")]
    (plain,) = published(step(shelf, history, 1, DefinitionBook()), 1)
    assert "progress" not in plain
    assert step(shelf, history, 1, DefinitionBook()).journeys == []
