"""The rules that are shipped and off: each fires where its cases say, in any order of arrival, and is taken back."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from services.journey import policies
from services.journey.domain.friction import FrictionState
from services.journey.domain.history import CustomerHistory
from services.journey.domain.rules.book import Rulebook
from services.journey.domain.rules.shapes.registry import AnyRule
from services.journey.domain.rules.shapes.response import ResponseRule
from services.journey.domain.rules.shapes.stage import StageRule, StageStep
from services.journey.domain.touchpoint import RecordedTouchpoint
from services.journey.rulebook import rules_file
from services.journey.trial.case import RuleCase, findings_at, run_case
from tests.architecture import signals_page
from tests.unit.journey.domain.making import DAY, Shelf, step
from waymark.rules import case_file

POLICY = policies.projection()
SHIPPED = rules_file.load()
OFF: dict[str, AnyRule] = {rule.id: rule for rule in SHIPPED.rules if not rule.enabled}
CASES = case_file.load(Path("examples/rules/signals.yaml")).cases
FIRING = [case for case in CASES if case.expect]


def alone(rule: AnyRule) -> Rulebook:
    """A book of this rule, switched on."""
    return Rulebook([msgspec.structs.replace(rule, enabled=True)])


def standing(shelf: Shelf) -> set[object]:
    """The ids of the frictions that stand."""
    return {one.id for one in shelf.frictions.values() if one.state is FrictionState.DETECTED}


def lived(shelf: Shelf, history: list[RecordedTouchpoint], case: RuleCase, rule: AnyRule) -> None:
    """The worker at the end of a case: what was appended is projected, then the timers that are due fire."""
    minutes = (case.until - DAY).total_seconds() / 60
    for _ in range(2):
        step(shelf, *history, minutes=minutes, rules=alone(rule))
        shelf.fire(case.until)
    step(shelf, *history, minutes=minutes, rules=alone(rule))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_cases_pass(case: RuleCase) -> None:
    assert run_case(case, SHIPPED, POLICY).passed


def test_each_rule_that_is_off_has_cases_in_which_it_fires_and_in_which_it_does_not() -> None:
    fires = Counter(case.only[0] for case in FIRING)
    does_not = Counter(case.only[0] for case in CASES if not case.expect)
    assert fires.keys() == OFF.keys()
    assert does_not.keys() == OFF.keys()


@pytest.mark.parametrize("case", FIRING, ids=lambda case: case.name)
def test_what_arrives_in_the_wrong_order_is_found_all_the_same_and_taken_back_when_it_goes(case: RuleCase) -> None:
    rule = OFF[case.only[0]]
    known = [one for one in case.touchpoints if one.appended_at <= case.until]
    shelf = Shelf()
    for count in range(1, len(known) + 1):
        lived(shelf, list(reversed(known))[:count], case, rule)
    found, _ = findings_at(known, case.until, alone(rule), POLICY)
    assert found
    assert standing(shelf) == {one.id for one in found}
    gone = found[0].at.key
    rest = [one for one in known if one.touchpoint.key != gone]
    lived(shelf, rest, case, rule)
    left, _ = findings_at(rest, case.until, alone(rule), POLICY)
    assert standing(shelf) == {one.id for one in left}
    assert found[0].anchor.interaction_id or found[0].id not in standing(shelf)


def other_channels(rule: AnyRule) -> Iterator[tuple[str, dict[str, timedelta]]]:
    """The times by channel, one of them a second shorter or longer."""
    if isinstance(rule, ResponseRule):
        for channel, within in rule.within_by_channel.items():
            for seconds in (-1, 1):
                longer = {**rule.within_by_channel, channel: within + timedelta(seconds=seconds)}
                yield f"{channel} {seconds:+}s", longer


def other_stages(rule: AnyRule) -> Iterator[tuple[str, tuple[StageStep, ...]]]:
    """The stages, one of them a second shorter or longer."""
    if isinstance(rule, StageRule):
        for place, stage in enumerate(rule.stages):
            for seconds in (-1, 1):
                assert stage.within is not None
                longer = msgspec.structs.replace(stage, within=stage.within + timedelta(seconds=seconds))
                yield f"{stage.name} {seconds:+}s", (*rule.stages[:place], longer, *rule.stages[place + 1 :])


def variants(rule: AnyRule) -> dict[str, AnyRule]:
    """The rule with each of its limits a little further, and a little nearer."""
    changed: dict[str, Any] = {}
    within = getattr(rule, "within", None)
    if within is not None:
        for seconds in (-1, 1):
            changed[f"within {seconds:+}s"] = {"within": within + timedelta(seconds=seconds)}
    changed |= {name: {"within_by_channel": channels} for name, channels in other_channels(rule)}
    changed |= {name: {"stages": stages} for name, stages in other_stages(rule)}
    if (at_least := getattr(rule, "at_least", None)) is not None:
        changed["at_least +1"] = {"at_least": at_least + 1}
    for limit in getattr(rule, "limits", ()):
        [side] = [name for name in ("gt", "gte", "lt", "lte") if getattr(limit, name) is not None]
        for more in (-1, 1):
            other = msgspec.structs.replace(limit, **{side: getattr(limit, side) + more})
            changed[f"{side} {more:+}"] = {"limits": (other,)}
    return {name: msgspec.structs.replace(rule, **members) for name, members in changed.items()}


@pytest.mark.parametrize(("id_", "name"), [(id_, name) for id_, rule in OFF.items() for name in variants(rule)])
def test_another_limit_is_noticed(id_: str, name: str) -> None:
    book = Rulebook([variants(OFF[id_])[name]])
    assert [case.name for case in CASES if case.only == (id_,) and not run_case(case, book, POLICY).passed]


def test_every_shipped_rule_belongs_to_one_signal() -> None:
    named = Counter(rule for signal in signals_page.SIGNALS.values() for rule in signal.rules)
    assert named == dict.fromkeys(signals_page.RULES, 1)


@pytest.mark.parametrize("language", signals_page.PAGES)
def test_the_page_is_that_of_the_rules(language: str) -> None:
    assert signals_page.PAGES[language].read_text(encoding="utf-8") == signals_page.page(language), (
        "run make signals-page"
    )


def test_a_rule_that_is_off_is_not_asked() -> None:
    nobody = cast("CustomerHistory", object())  # whoever looks at anything of it raises
    said = Rulebook(list(OFF.values())).evaluate(nobody)
    assert (said.findings, said.timers, said.failures) == ([], [], [])
