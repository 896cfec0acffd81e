"""Rules that nobody shipped, over stories in which everything meets: the engine against the definition.

More: `RULES_SEED=7 RULES_ROUNDS=500 pytest tests/oracle/test_rules_against_oracle.py`.
"""

import json
import os
from collections import Counter
from random import Random
from typing import Any

import msgspec
import pytest

from services.journey import policies
from services.journey.domain.names import timer_id
from services.journey.domain.projection import project
from services.journey.domain.rules.book import Rulebook
from services.journey.domain.touchpoint import RecordedTouchpoint, Touchpoint, is_late
from services.journey.rulebook import rules_file
from tests.oracle.dense import stories
from tests.oracle.facts import fact
from tests.oracle.journeys import journeys
from tests.oracle.rule_making import a_rule
from tests.oracle.rule_shapes import BY_SHAPE, Customer, customer, find

Json = dict[str, Any]

SEED = int(os.environ.get("RULES_SEED", "1"))
ROUNDS = int(os.environ.get("RULES_ROUNDS", "6"))
RULES = 40
STORIES = 90


def found(documents: list[Json], rules: Rulebook) -> dict[str, dict[str, tuple[tuple[str, str], ...]]]:
    """Evidence by id by rule, every timer fired."""
    history = []
    for one in documents:
        touchpoint = msgspec.convert(one, Touchpoint)
        history.append(
            RecordedTouchpoint(touchpoint=touchpoint, appended_at=touchpoint.received_at, late=is_late(touchpoint))
        )
    fired = {timer_id(rule.id, *one.touchpoint.key) for one in history for rule in rules.rules}
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
    random = Random(f"{SEED}/{round_}")
    rules = [a_rule(random, number) for number in range(RULES)]
    ready = rules_file.read(json.dumps({"rules": rules}), name="odd")
    fires: Counter[str] = Counter()
    for documents in stories(random.randrange(10**6), STORIES):
        engine, who = found(documents, ready), expected(documents)
        for rule in rules:
            definition = find(rule, who)
            assert engine.get(rule["id"], {}) == definition, (rule, documents)
            fires[rule["shape"]] += len(definition)
    assert min(fires[shape] for shape in BY_SHAPE) > 10, fires
