"""Journeys of accounts against the oracle of definitions: several persons' touchpoints, in any order, cut anywhere.

What is stored is kept in memory here and compared, renewal after renewal, as the worker does.
"""

from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any
from uuid import UUID

import msgspec
import pytest

from services.journey.domain.accounts.account_comparison import (
    AccountChanges,
    AccountWindow,
    StoredAccountJourney,
    compare,
)
from services.journey.domain.accounts.account_projection import AccountPassage, account_passages
from services.journey.domain.definitions.definition_book import DefinitionBook
from services.journey.domain.funnels import FunnelCounts, FunnelPassage
from services.journey.domain.names import JourneyId, TimerId
from services.journey.domain.timer import StoredTimer, TimerState
from services.journey.domain.touchpoint import RecordedTouchpoint
from tests.oracle.defined_journeys import Told, Versions
from tests.oracle.dense import stories
from tests.oracle.facts import fact
from tests.oracle.journey_making import versions
from tests.oracle.test_definitions_against_oracle import (
    KINDS,
    POLICY,
    ROUNDS,
    SEED,
    STORIES,
    _place,
    book,
    expected,
    possible,
    recorded,
    us,
)

Json = dict[str, Any]


def of_accounts(random: Random, documents: list[Json]) -> tuple[Versions, DefinitionBook]:
    """Definitions at random, all of accounts; each touchpoint is of one of three persons."""
    for one in documents:
        one["customer"] = {"customer_id": {"value": f"C-{random.randrange(3)}", "verified": True}}
    said = versions(random, KINDS, [one.received for one in map(fact, documents)])
    scoped = [(since, [{**raw, "scope": "account"} for raw in definitions]) for since, definitions in said]
    return scoped, book(scoped)


def told(passages: list[AccountPassage]) -> list[Told]:
    return sorted((_told(one) for one in passages), key=_place)


def _told(passage: AccountPassage) -> Told:
    said = passage.progress
    return {
        "definition": said.definition,
        "version": said.version,
        "entry": passage.entry,
        "members": list(passage.members),
        "stages": [
            (one.stage, us(one.entered_at), us(one.left_at), us(one.due_at), one.overdue) for one in said.stages
        ],
        "end": None if said.end is None else said.end.value,
        "ended_at": us(said.ended_at),
        "awaited": sorted((timer.rule, timer.armed_by) for timer in passage.waiting),
    }


@dataclass(slots=True)
class Memory:
    """What a database keeps of one account."""

    journeys: dict[JourneyId, StoredAccountJourney] = field(default_factory=dict)
    timers: dict[TimerId, StoredTimer] = field(default_factory=dict)
    told: list[tuple[JourneyId, int]] = field(default_factory=list)
    funnels: FunnelCounts = field(default_factory=FunnelCounts)
    ids: Any = field(default_factory=lambda: count(1))

    @property
    def fired(self) -> set[TimerId]:
        return {one.id for one in self.timers.values() if one.state is TimerState.FIRED}

    def renew(self, known: list[RecordedTouchpoint], definitions: DefinitionBook) -> AccountChanges:
        passages = account_passages(known, self.fired, definitions, POLICY)
        window = AccountWindow(keys={one.touchpoint.key for one in known})
        changes = compare(passages, [*self.journeys.values()], [*self.timers.values()], window, self._new_id)
        self.funnels.merge(changes.funnels)
        for change in changes.journeys:
            before = self.journeys.get(change.id)
            self.journeys[change.id] = StoredAccountJourney(
                id=change.id,
                version=change.version,
                created_at=before.created_at if before else change.passage.said.opened_at,
                digest=change.digest,
                counted=change.passage.counted,
            )
        for gone in changes.gone:
            del self.journeys[gone.id]
        self.told += [(change.id, change.version) for change in changes.journeys]
        self.told += [(gone.id, gone.version) for gone in changes.gone]
        for timer in changes.armed:
            self._keep(timer.id, timer, TimerState.PENDING)
        for cancelled in changes.cancelled:
            self.timers[cancelled] = msgspec.structs.replace(self.timers[cancelled], state=TimerState.CANCELLED)
        return changes

    def fire(self, timers: set[TimerId]) -> None:
        for one in timers & self.timers.keys():
            if self.timers[one].state is TimerState.PENDING:
                self.timers[one] = msgspec.structs.replace(self.timers[one], state=TimerState.FIRED)

    def _keep(self, id_: TimerId, timer: Any, state: TimerState) -> None:
        if id_ not in self.timers or self.timers[id_].state is not TimerState.FIRED:
            self.timers[id_] = StoredTimer(
                id=id_, rule=timer.rule, armed_by=timer.armed_by, state=state, due_at=timer.due_at
            )

    def _new_id(self) -> UUID:
        return UUID(int=next(self.ids))


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_an_account_comes_to_what_its_definition_says_whoever_the_persons_are(round_: int) -> None:
    random = Random(f"{SEED}/accounts/{round_}")
    for documents in stories(random.randrange(10**6), STORIES):
        said, definitions = of_accounts(random, documents)
        fired = {one for one in possible(said, documents) if random.random() < random.choice((0, 0.5, 1))}
        definition = expected(said, documents, fired)
        random.shuffle(documents)
        assert told(account_passages(recorded(documents), fired, definitions, POLICY)) == definition


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_renewals_in_any_order_and_cut_come_to_the_same_and_tell_each_version_once(round_: int) -> None:
    random = Random(f"{SEED}/renewals/{round_}")
    for documents in stories(random.randrange(10**6), STORIES // 2):
        said, definitions = of_accounts(random, documents)
        random.shuffle(documents)
        memory, known, coming = Memory(), list[Json](), documents
        while coming:
            cut = random.randint(1, len(coming))
            known, coming = known + coming[:cut], coming[cut:]
            memory.renew(recorded(known), definitions)
            memory.fire({one for one in memory.timers if random.random() < 0.2})
        memory.renew(recorded(known), definitions)
        assert not memory.renew(recorded(known), definitions).journeys
        passages = account_passages(recorded(known), memory.fired, definitions, POLICY)
        assert told(passages) == expected(said, known, memory.fired)
        assert sorted(map(_counted, memory.journeys.values())) == sorted(map(_content, passages))
        assert len(memory.told) == len(set(memory.told))
        pending = {one.id for one in memory.timers.values() if one.state is TimerState.PENDING}
        assert pending == {timer.id for passage in passages for timer in passage.waiting}
        whole = FunnelCounts()
        for passage in passages:
            whole.add(passage.counted)
        assert sorted(memory.funnels.rows()) == sorted(whole.rows())


def test_what_comes_between_makes_one_of_two_and_the_oldest_id_stays() -> None:
    words = {"en": "x", "ko": "엑스"}
    raw = {
        "id": "mine",
        "title": words,
        "scope": "account",
        "entry": {"kind": "message_received"},
        "stages": [{"id": "first", "title": words}],
        "reached": {"kind": "order_placed"},
        "inactivity": "1h",
    }
    definitions = book([(0, [raw])])
    at = {"a": "03:00", "b": "04:30", "between": "03:45"}
    said: list[Json] = [
        {
            "id": name,
            "source": "crm",
            "kind": "message_received",
            "channel": "email",
            "customer": {"email": {"value": name}},
        }
        | {"occurred_at": f"2026-11-22T{time}:00+00:00", "received_at": "2026-11-22T05:00:00Z"}
        for name, time in at.items()
    ]
    memory = Memory()
    memory.renew(recorded(said[:2]), definitions)
    first, second = memory.journeys
    changes = memory.renew(recorded(said), definitions)
    assert [(one.id, one.version, one.merged_into) for one in changes.gone] == [(second, 2, first)]
    assert [(one.id, one.version, len(one.passage.members)) for one in changes.journeys] == [(first, 2, 3)]
    apart = memory.renew(recorded(said[:2]), definitions)
    assert [one.merged_into for one in apart.gone] == []
    assert sorted(len(one.passage.members) for one in apart.journeys) == [1, 1]
    assert second not in memory.journeys, "an id that is gone is not given out again"


def _counted(stored: StoredAccountJourney) -> tuple[Any, ...]:
    return _row(stored.counted)


def _content(passage: AccountPassage) -> tuple[Any, ...]:
    return _row(passage.counted)


def _row(counted: FunnelPassage) -> tuple[Any, ...]:
    return (*counted.key, counted.channel, counted.service_level or "", msgspec.json.encode(counted.progress))


def test_persons_are_told_apart_for_counting_contacts_alone() -> None:
    """Two who write at once are two contacts; one who is known by two identifiers is one."""
    random = Random("persons")
    documents: list[Json] = [
        {"id": f"m{number}", "source": "kakao", "kind": "message_received", "customer": customer}
        for number, customer in enumerate(
            (
                {"customer_id": {"value": "C-1"}},
                {"customer_id": {"value": "C-2"}},
                {"email": {"value": "a@b.example"}},
                {"customer_id": {"value": "C-1"}, "email": {"value": "a@b.example"}},
            )
        )
    ]
    for number, one in enumerate(documents):
        one |= {"occurred_at": f"2026-11-22T03:0{number}:00+00:00", "received_at": f"2026-11-22T03:0{number}:00Z"}
        one |= {"channel": "messenger", "direction": "inbound"}
    words = {"en": "x", "ko": "엑스"}
    raw = {
        "id": "mine",
        "title": words,
        "scope": "account",
        "entry": {"kind": "message_received"},
        "stages": [{"id": "first", "title": words}],
        "reached": {"kind": "order_placed"},
        "inactivity": "1h",
    }
    for _ in range(10):
        random.shuffle(documents)
        (passage,) = account_passages(recorded(documents), set(), book([(0, [raw])]), POLICY)
        assert (len(passage.members), passage.said.contact_count) == (4, 2)
