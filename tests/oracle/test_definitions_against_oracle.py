"""Definitions that nobody shipped, over stories in which everything meets: the domain against the definition.

Touchpoints come in any order, cut anywhere; some timers have fired, as far as a stream has come or at random. More:
`DEFINITIONS_SEED=7 DEFINITIONS_ROUNDS=500 pytest tests/oracle/test_definitions_against_oracle.py`.
"""

import json
import os
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec
import pytest

from services.journey import policies
from services.journey.domain.definitions.definition_book import DefinitionBook, DefinitionsVersion
from services.journey.domain.definitions.passage import MOST_VISITS, Passage
from services.journey.domain.names import TimerId, timer_id
from services.journey.domain.projection import Projection, project
from services.journey.domain.rules.book import Rulebook
from services.journey.domain.touchpoint import RecordedTouchpoint, Touchpoint, is_late
from services.journey.rulebook import definitions_file, rules_file
from tests.oracle.defined_journeys import Told, Versions, defined_journeys
from tests.oracle.dense import stories
from tests.oracle.facts import Fact, Key, fact
from tests.oracle.journey_making import versions

Json = dict[str, Any]

SEED = int(os.environ.get("DEFINITIONS_SEED", "1"))
ROUNDS = int(os.environ.get("DEFINITIONS_ROUNDS", "5"))
KINDS = 12
STORIES = 40

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NO_RULES = Rulebook([])
POLICY = policies.projection()


def us(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - EPOCH) // timedelta(microseconds=1)


def book(said: Versions) -> DefinitionBook:
    return DefinitionBook(
        [
            DefinitionsVersion(
                in_force_from=EPOCH + timedelta(microseconds=since),
                definitions=definitions_file.read(json.dumps({"journeys": list(raw)}), name="odd").definitions,
            )
            for since, raw in said
        ]
    )


def recorded(documents: Sequence[Json]) -> list[RecordedTouchpoint]:
    """As the worker keeps them; the broker appends what it receives."""
    touchpoints = [msgspec.convert(one, Touchpoint) for one in documents]
    return [RecordedTouchpoint(touchpoint=one, appended_at=one.received_at, late=is_late(one)) for one in touchpoints]


def ordered(documents: Sequence[Json]) -> list[Fact]:
    return sorted((one for one in map(fact, documents) if not one.late), key=lambda one: one.order)


def told(projection: Projection) -> list[Told]:
    return sorted((_told(projection, passage) for _, passage in projection.passages), key=_place)


def _place(one: Told) -> tuple[str, list[Key]]:
    return one["definition"], one["members"]


def _told(projection: Projection, passage: Passage) -> Told:
    said = passage.progress
    members = [projection.history[position].touchpoint.key for position in passage.members]
    return {
        "definition": said.definition,
        "version": said.version,
        "entry": members[0],
        "members": members,
        "stages": [
            (one.stage, us(one.entered_at), us(one.left_at), us(one.due_at), one.overdue) for one in said.stages
        ],
        "end": None if said.end is None else said.end.value,
        "ended_at": us(said.ended_at),
        "awaited": sorted((timer.rule, timer.armed_by) for timer in passage.waiting),
    }


def expected(said: Versions, documents: Sequence[Json], fired: set[TimerId]) -> list[Told]:
    found = defined_journeys(said, ordered(documents), lambda name, key: timer_id(name, *key) in fired)
    return sorted(found, key=_place)


def possible(said: Versions, documents: Sequence[Json]) -> list[TimerId]:
    """Every timer that there could be."""
    names = {f"{one['id']}.{part}" for _, raw in said for one in raw for part in ("", ".")}
    names |= {f"{one['id']}.{stage['id']}." for _, raw in said for one in raw for stage in one["stages"]}
    return [timer_id(name, one["source"], one["id"]) for name in sorted(names) for one in documents]


def prepared(random: Random, documents: Sequence[Json]) -> tuple[Versions, DefinitionBook]:
    said = versions(random, KINDS, [one.received for one in map(fact, documents)])
    return said, book(said)


def projected(documents: Sequence[Json], fired: set[TimerId], definitions: DefinitionBook) -> Projection:
    return project(recorded(documents), fired=fired, rulebook=NO_RULES, policy=POLICY, definitions=definitions)


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_any_definition_sees_what_its_definition_says_whatever_timers_have_fired(round_: int) -> None:
    random = Random(f"{SEED}/{round_}")
    ends: Counter[Any] = Counter()
    for documents in stories(random.randrange(10**6), STORIES):
        said, definitions = prepared(random, documents)
        share = random.choice((0, 0.5, 0.9, 1))
        fired = {one for one in possible(said, documents) if random.random() < share}
        random.shuffle(documents)
        definition = expected(said, documents, fired)
        assert told(projected(documents, fired, definitions)) == definition, (said, documents, fired)
        ends.update(one["end"] for one in definition)
        ends.update("overdue" for one in definition for stage in one["stages"] if stage[-1])
        ends.update("several" for one in definition if len(one["stages"]) > 1)
        assert all(len(one["stages"]) <= MOST_VISITS for one in definition)
    assert min(ends[one] for one in ("reached", "abandoned", "timed_out", None, "overdue", "several")) > 2, ends


def test_a_stream_fires_what_waits_and_comes_to_what_all_of_it_says_at_once() -> None:
    """Touchpoints come one after another, late ones between; whatever waits fires once the stream has passed it."""
    taken_back = 0
    for round_ in range(ROUNDS):
        random = Random(f"{SEED}/stream/{round_}")
        for documents in stories(random.randrange(10**6), STORIES // 2):
            taken_back += _streamed(random, documents)
    assert taken_back > 0, "late touchpoints change ends"


def _streamed(random: Random, documents: Sequence[Json]) -> int:
    """Compare after each touchpoint; return how many ends were told and taken back."""
    said, definitions = prepared(random, documents)
    coming = sorted(documents, key=lambda one: (fact(one).received, random.random()))
    fired: set[TimerId] = set()
    before: dict[Any, Any] = {}
    taken_back = 0
    for number, one in enumerate(coming, start=1):
        known = coming[:number]
        projection = projected(known, fired, definitions)
        now = EPOCH + timedelta(microseconds=fact(one).received)
        while due := {timer.id for timer in projection.timers if timer.due_at <= now} - fired:
            fired |= due
            projection = projected(known, fired, definitions)
        found = told(projection)
        assert found == expected(said, known, fired), (said, known, fired)
        ends = {(each["definition"], each["entry"]): each["end"] for each in found}
        taken_back += sum(end is not None and name in ends and ends[name] != end for name, end in before.items())
        before = ends
    return taken_back


def test_a_condition_on_the_service_level_means_the_same_whatever_rules_there_are() -> None:
    """The level that was last known counts, as in rules; no rule needs to look at it."""
    documents: list[Json] = [
        {"id": "a", "source": "crm", "kind": "case_opened", "service_level": "premium"},
        {"id": "b", "source": "crm", "kind": "checkout_started"},
    ]
    for number, one in enumerate(documents):
        one |= {"occurred_at": f"2026-11-22T03:0{number}:00+00:00", "received_at": f"2026-11-22T03:0{number}:00Z"}
        one |= {"channel": "web", "customer": {"customer_id": {"value": "C-1"}}}
    raw = {
        "id": "mine",
        "title": {"en": "x", "ko": "엑스"},
        "entry": {"kind": "checkout_started", "service_level": "premium"},
        "stages": [{"id": "first", "title": {"en": "x", "ko": "엑스"}}],
        "reached": {"kind": "order_placed"},
        "inactivity": "1h",
    }
    said = [(0, [raw])]
    for rules in (NO_RULES, rules_file.load()):
        projection = project(recorded(documents), rulebook=rules, policy=POLICY, definitions=book(said))
        assert told(projection) == expected(said, documents, set())
        assert len(projection.passages) == 1
