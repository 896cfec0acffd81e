"""Rules that nobody shipped, over stories in which everything meets: the engine against the definition.

More: `RULES_SEED=7 RULES_ROUNDS=500 pytest tests/oracle/test_rules_against_oracle.py`.
"""

import json
import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec
import pytest

from services.journey import policies
from services.journey.contact_catalogue import contact_policy
from services.journey.domain.history import CustomerHistory
from services.journey.domain.projection import project
from services.journey.domain.rules.book import Rulebook
from services.journey.domain.touchpoint import RecordedTouchpoint, Touchpoint, is_late
from services.journey.rulebook import rules_file
from tests.oracle.dense import stories
from tests.oracle.facts import contacts, fact
from tests.oracle.journeys import journeys
from tests.oracle.rule_making import a_rule
from tests.oracle.rule_shapes import BY_SHAPE, find
from tests.oracle.rule_units import Customer, customer

Json = dict[str, Any]

SEED = int(os.environ.get("RULES_SEED", "1"))
ROUNDS = int(os.environ.get("RULES_ROUNDS", "6"))
RULES = 40
STORIES = 90
MOST_DRAWS = 12


def recorded(documents: list[Json]) -> list[RecordedTouchpoint]:
    """As the worker keeps them; the broker appends what it receives."""
    touchpoints = [msgspec.convert(one, Touchpoint) for one in documents]
    return [RecordedTouchpoint(touchpoint=one, appended_at=one.received_at, late=is_late(one)) for one in touchpoints]


def found(documents: list[Json], rules: Rulebook) -> dict[str, dict[str, tuple[tuple[str, str], ...]]]:
    """Evidence by id by rule, every timer fired."""
    history = recorded(documents)
    waiting = project(history, rulebook=rules, policy=policies.projection()).timers
    fired = {timer.id for timer in waiting}
    said = project(history, fired=fired, rulebook=rules, policy=policies.projection())
    assert said.failures == []
    evidence: dict[str, dict[str, tuple[tuple[str, str], ...]]] = {}
    for finding in said.findings:
        evidence.setdefault(finding.rule, {})[str(finding.id)] = finding.touchpoints
    return evidence


def expected(documents: list[Json]) -> Customer:
    facts = sorted((one for one in map(fact, documents) if not one.late), key=lambda one: one.order)
    return customer(facts, journeys(facts))


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_any_rule_finds_what_its_definition_says(round_: int) -> None:
    """Rules are drawn until each shape has found something often: some draws hardly ever fire."""
    random = Random(f"{SEED}/{round_}")
    fires: Counter[str] = Counter()
    for _ in range(MOST_DRAWS):
        fires += compared(random)
        if min(fires[shape] for shape in BY_SHAPE) > 10:
            return
    pytest.fail(f"a shape hardly ever found anything: {fires}")


def compared(random: Random) -> Counter[str]:
    """Draw rules and stories, hold the engine against the definition; return the findings by shape."""
    rules = [a_rule(random, number) for number in range(RULES)]
    ready = rules_file.read(json.dumps({"rules": rules}), name="odd")
    fires: Counter[str] = Counter()
    for documents in stories(random.randrange(10**6), STORIES):
        engine, who = found(documents, ready), expected(documents)
        for rule in rules:
            definition = find(rule, who)
            assert engine.get(rule["id"], {}) == definition, (rule, documents)
            fires[rule["shape"]] += len(definition)
    return fires


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_contacts_are_gathered_as_their_definition_says_from_any_moment_on(round_: int) -> None:
    random = Random(f"{SEED}/{round_}")
    sides: Counter[bool] = Counter()
    for documents in stories(random.randrange(10**6), STORIES * 3):
        facts = sorted((one for one in map(fact, documents) if not one.late), key=lambda one: one.order)
        since = random.choice((0, *(one.received for one in facts)))
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=since)
        said = CustomerHistory(recorded(documents), contact_policy(since=moment)).contacts
        definition = contacts(facts, since)
        assert [(one.at.key, one.view.outcome, [each.key for each in one.everything]) for one in said] == [
            (one.first.key, one.outcome, [each.key for each in one.everything]) for one in definition
        ], documents
        sides.update(one.first.received < since for one in definition if len(one.everything) > 1)
    assert min(sides[True], sides[False]) > 10, sides
