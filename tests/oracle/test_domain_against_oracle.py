"""The pure domain against the oracle: two programs, one page of definitions, the same journeys and frictions.

No engine runs here: what the fault tests show for the whole, this shows for the part that decides, in seconds.
"""

import os
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from itertools import chain, count
from typing import Any
from uuid import UUID

import msgspec
import pytest

from services.journey import policies
from services.journey.domain.identity.planning import KnownCustomer, KnownIdentity, identity_evidence, plan
from services.journey.domain.names import timer_id
from services.journey.domain.projection import Projection, project
from services.journey.domain.rules.book import Rulebook
from services.journey.domain.touchpoint import RecordedTouchpoint, Touchpoint, is_late
from services.journey.rulebook.rules_file import load
from tests.faults.checker import unlike
from tests.faults.observed import Standing
from tests.faults.workload import NOON, make
from tests.oracle.dense import stories
from tests.oracle.expected import Expected, expect
from tests.oracle.facts import fact
from tests.oracle.identity import Components
from tests.oracle.shipped_rules import LEVEL_RULES as BY_LEVEL
from tests.oracle.shipped_rules import RULES
from tests.oracle.whose import owners

Json = dict[str, Any]


def _recorded(document: Json) -> RecordedTouchpoint:
    touchpoint = msgspec.convert(document, Touchpoint)
    return RecordedTouchpoint(touchpoint=touchpoint, appended_at=touchpoint.received_at, late=is_late(touchpoint))


def _people(documents: list[Json]) -> list[list[RecordedTouchpoint]]:
    whose = owners([fact(one) for one in documents])
    people: dict[object, list[RecordedTouchpoint]] = {}
    for one in documents:
        people.setdefault(whose[one["source"], one["id"]], []).append(_recorded(one))
    return list(people.values())


def _customers(documents: Sequence[Json], size: int) -> set[frozenset[tuple[str, str]]]:
    """Identifiers by customer, when the touchpoints are planned `size` at a time, each batch in event order."""
    policy, ids = policies.identity(), count(1)
    known: dict[tuple[str, str], Any] = {}
    kept: dict[Any, KnownCustomer] = {}
    for first in range(0, len(documents), size):
        batch = [msgspec.convert(one, Touchpoint) for one in documents[first : first + size]]
        evidence = [identity_evidence(one, policy) for one in sorted(batch, key=lambda one: one.order)]
        planned = plan(evidence, KnownIdentity(owners=known, customers=kept), policy, lambda: UUID(int=next(ids)))
        into = {merge.absorbed: merge.survivor for merge in planned.merges}
        known = {key: into.get(owner, owner) for key, owner in (known | dict(planned.attached)).items()}
        for customer in planned.created:
            kept[customer] = KnownCustomer(id=customer, sequence=len(kept), identifiers=0, merges=0)
    groups: defaultdict[Any, set[tuple[str, str]]] = defaultdict(set)
    for key, owner in known.items():
        groups[owner].add(key)
    return {frozenset(held) for held in groups.values()}


LEVEL_RULES = """
extends: default
rules:
  - id: wait_by_level
    shape: threshold
    field: wait_s
    limits: [{when: {service_level: premium}, gte: 119.5}, {gt: 120}]
    severity: low
    title: {en: waited, ko: 대기}
    explanation: {en: waited, ko: 대기}
  - id: premium_contacts
    shape: count
    contacts: true
    of: {service_level: premium}
    at_least: 2
    within: 24h
    severity: low
    title: {en: again, ko: 반복}
    explanation: {en: again, ko: 반복}
  - id: level_changed
    shape: count
    of: {channel: {exists: true}}
    changes: service_level
    at_least: 1
    severity: low
    title: {en: changed, ko: 변경}
    explanation: {en: changed, ko: 변경}
"""


def _projections(documents: list[Json], rulebook: Rulebook) -> list[Projection]:
    policy = policies.projection()
    found = []
    for history in _people(documents):
        fired = {
            timer_id(rule, *one.touchpoint.key) for one in history for rule in ("callback_missed", "checkout_abandoned")
        }
        found.append(project(history, fired=fired, rulebook=rulebook, policy=policy))
    return found


DENSE_SEED = int(os.environ.get("DENSE_SEED", "1"))
DENSE_STORIES = int(os.environ.get("DENSE_STORIES", "400"))


@pytest.fixture(scope="module", params=[11, 12, 13, "dense", "levels"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Expected, list[Projection]]:
    """Plausible lives, and stories in which everything meets; more: `DENSE_SEED=7 DENSE_STORIES=20000 pytest …`."""
    if request.param not in {"dense", "levels"}:
        documents = make(request.param, 6000, NOON).touchpoints
        return expect(documents), _projections(documents, load())
    documents = list(chain.from_iterable(stories(DENSE_SEED, DENSE_STORIES)))
    if request.param == "dense":
        return expect(documents), _projections(documents, load())
    rules = tmp_path_factory.mktemp("rules") / "levels.yaml"
    rules.write_text(LEVEL_RULES, encoding="utf-8")
    return expect(documents, (*RULES, *BY_LEVEL)), _projections(documents, load(rules))


@pytest.mark.parametrize("size", [20, 500, 6000])
@pytest.mark.parametrize("seed", [11, 12, 13])
def test_customers_are_the_same_however_the_arrivals_are_cut(seed: int, size: int) -> None:
    documents = make(seed, 6000, NOON).touchpoints
    components = Components([fact(one) for one in documents])
    assert _customers(documents, size) == {frozenset(held) for held in components.all().values()}


def test_journeys_are_the_same(both: tuple[Expected, list[Projection]]) -> None:
    expected, projections = both
    found = {
        frozenset(projection.history[member].touchpoint.key for member in segment.members)
        for projection in projections
        for segment in projection.journeys
    }
    assert found == expected.journeys


def test_frictions_are_the_same(both: tuple[Expected, list[Projection]]) -> None:
    expected, projections = both
    found = {str(finding.id): finding.rule for one in projections for finding in one.findings}
    assert found == {name: one.rule for name, one in expected.frictions.items()}
    assert [one.failures for one in projections if one.failures] == []


def test_frictions_say_the_same(both: tuple[Expected, list[Projection]]) -> None:
    expected, projections = both
    differences = [
        difference
        for one in projections
        for finding in one.findings
        for difference in unlike(
            expected.frictions[str(finding.id)],
            Standing(
                rule=finding.rule,
                severity=finding.severity,
                customer="",
                journey=None,
                revision=1,
                document={
                    "touchpoints": [{"source": source, "id": name} for source, name in finding.touchpoints],
                    "reason": finding.reason,
                    "refs": finding.refs,
                    "service_level": finding.service_level,
                    "channel": finding.at.channel,
                },
            ),
        )
    ]
    assert differences == []


def test_frictions_are_grouped_the_same(both: tuple[Expected, list[Projection]]) -> None:
    expected, projections = both
    groups: dict[tuple[int, int], set[str]] = {}
    for number, projection in enumerate(projections):
        for finding in projection.findings:
            groups.setdefault((number, finding.journeys[0]), set()).add(str(finding.id))
    assert {frozenset(held) for held in groups.values()} == expected.groups


def test_nothing_waits_for_a_timer_that_has_fired(both: tuple[Expected, list[Projection]]) -> None:
    _, projections = both
    assert [timer for one in projections for timer in one.timers] == []


def test_times_are_read_alike() -> None:
    assert datetime.fromisoformat("2026-11-22T03:00:00.000000Z") == NOON
