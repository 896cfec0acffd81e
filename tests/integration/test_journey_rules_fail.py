"""A rule that raises: isolated, counted by name, kept in mind, and evaluated again once it is mended."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.journey.domain.history import CustomerHistory
from services.journey.domain.rules.book import Rulebook, RuleEvaluation
from services.journey.domain.rules.rule import RuleFailure
from services.journey.rulebook import rules_file
from tests.fixtures.journey_bench import JourneyBench, open_bench, touchpoint

pytestmark = pytest.mark.local

RULE = "repeat_contact_24h"


class FragileRulebook(Rulebook):
    """The shipped rules, of which one raises while `broken`."""

    broken = True

    def evaluate(self, history: CustomerHistory) -> RuleEvaluation:
        """All but the broken one."""
        said = super().evaluate(history)
        if not self.broken:
            return said
        findings = [finding for finding in said.findings if finding.rule != RULE]
        return RuleEvaluation(
            findings, said.timers, [RuleFailure(rule=RULE, rule_version=1, error="ZeroDivisionError")]
        )


@pytest.fixture
def rules() -> FragileRulebook:
    return FragileRulebook(rules_file.load().rules)


@pytest_asyncio.fixture
async def bench(database: str, rules: FragileRulebook) -> AsyncIterator[JourneyBench]:
    async with open_bench(database, rules=rules) as opened:
        opened.log.append(0, touchpoint("a", 0))
        opened.log.append(0, touchpoint("b", 30))
        yield opened


async def found(bench: JourneyBench) -> list[str]:
    rows = await bench.rows("SELECT rule FROM journey.frictions WHERE state = 'detected' ORDER BY rule")
    return [row["rule"] for row in rows]


async def test_the_other_rules_answer_and_the_failure_is_reported_by_name(bench: JourneyBench) -> None:
    await bench.apply()
    assert await found(bench) == ["repeat_contact_7d"]
    assert bench.registry.get_sample_value("waymark_journey_rule_failures_total", {"rule": RULE}) == 1
    failures = await bench.rows("SELECT rule, error, failures FROM journey.rule_failures")
    assert [tuple(row) for row in failures] == [(RULE, "ZeroDivisionError", 1)]
    await bench.timers.keep_up()
    assert bench.registry.get_sample_value("waymark_journey_rules_failed", {"rule": RULE}) == 1


async def test_a_mended_rule_is_evaluated_again_without_new_touchpoints(
    bench: JourneyBench, rules: FragileRulebook
) -> None:
    await bench.apply()
    rules.broken = False
    await bench.timers.keep_up()
    assert await found(bench) == [RULE, "repeat_contact_7d"]
    assert await bench.value("SELECT count(*) FROM journey.rule_failures") == 0


async def test_a_friction_is_not_taken_back_because_its_rule_raised(
    bench: JourneyBench, rules: FragileRulebook
) -> None:
    rules.broken = False
    await bench.apply()
    rules.broken = True
    bench.log.append(0, touchpoint("c", 60, kind="page_viewed", direction=None))
    await bench.apply()
    assert await found(bench) == [RULE, "repeat_contact_7d"]
