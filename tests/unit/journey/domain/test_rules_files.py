"""Rules files: every example is read or refused as it says, and the shipped file is the first of them."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from services.journey.domain.rules.rule import caps_of
from services.journey.domain.rules.shapes.count import CountRule
from services.journey.domain.rules.shapes.threshold import ThresholdRule
from services.journey.rulebook import rules_file
from services.journey.rulebook.rules_file import RulesRefusedError

EXAMPLES = rules_file.DEFAULT.parent / "examples"
VALID = {path.stem: path for path in sorted((EXAMPLES / "valid").glob("*.yaml"))}
INVALID = {path.stem: path for path in sorted((EXAMPLES / "invalid").glob("*.yaml"))}


@pytest.mark.parametrize("name", VALID)
def test_a_valid_example_is_read(name: str) -> None:
    assert rules_file.load(VALID[name]).rules


@pytest.mark.parametrize("name", INVALID)
def test_an_invalid_example_is_refused_with_the_words_it_expects(name: str) -> None:
    expected = INVALID[name].read_text(encoding="utf-8").splitlines()[0].removeprefix("# expect: ")
    with pytest.raises(RulesRefusedError) as refused:
        rules_file.load(INVALID[name])
    assert expected in str(refused.value)
    assert str(refused.value).startswith(f"{name}.yaml cannot be used:")


def test_every_problem_is_reported_at_once() -> None:
    words = "title: {en: a, ko: b}, explanation: {en: a, ko: b}"
    rules = [
        f"{{id: one, shape: count, severity: low, at_least: 2, of: {{colour: red}}, {words}}}",
        f"{{id: two, shape: count, severity: low, at_least: 2, distinct: shade, {words}}}",
    ]
    with pytest.raises(RulesRefusedError) as refused:
        rules_file.read(f"rules: [{', '.join(rules)}]", name="mine.yaml")
    assert [problem.partition(":")[0] for problem in refused.value.problems] == ["one", "two"]


def test_a_change_replaces_members_and_leaves_the_others() -> None:
    rules = {rule.id: rule for rule in rules_file.load(VALID["shipped-rules-changed"]).rules}
    shipped = {rule.id: rule for rule in rules_file.load().rules}
    changed, before = rules["long_wait"], shipped["long_wait"]
    assert isinstance(changed, ThresholdRule)
    assert ([limit.gt for limit in changed.limits], changed.version) == ([60, 40], 2)
    assert (changed.title, changed.severity) == (before.title, before.severity)
    assert not rules["channel_switch"].enabled
    assert rules.keys() - shipped.keys() == {"device_offline"}


def test_durations_add_up() -> None:
    (rule,) = rules_file.read(
        "rules: [{id: x, shape: count, severity: low, at_least: 2, within: 1d 2h 3m 4s,"
        " cap: {max: 1, within: 90s}, title: {en: a, ko: b}, explanation: {en: a, ko: b}}]",
        name="x",
    ).rules
    assert isinstance(rule, CountRule)
    assert rule.within == timedelta(days=1, hours=2, minutes=3, seconds=4)
    assert rule.cap is not None
    assert caps_of(rule.cap)[0].within == timedelta(seconds=90)


def test_a_key_given_twice_is_refused() -> None:
    with pytest.raises(RulesRefusedError, match="severity is given twice"):
        rules_file.read("rules: [{id: x, shape: count, severity: low, severity: high}]", name="x")


def test_a_missing_file_says_so() -> None:
    with pytest.raises(FileNotFoundError):
        rules_file.load(Path("/nowhere/rules.yaml"))


DOCUMENT = (Path(__file__).parents[4] / "docs" / "rules.md").read_text(encoding="utf-8")
IN_DOCUMENT = [
    text
    for text in re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)
    if not re.search("^tests:", text, re.MULTILINE)  # a file of cases: test_rule_cases.py
]


@pytest.mark.parametrize("text", IN_DOCUMENT, ids=[f"example {number}" for number in range(1, len(IN_DOCUMENT) + 1)])
def test_every_example_for_analysts_works(text: str) -> None:
    assert rules_file.read(text, name="docs/rules.md").rules


def test_the_document_for_analysts_lists_every_rule_that_is_on() -> None:
    for rule in rules_file.load().rules:
        assert rule.enabled is (f"| `{rule.id}` |" in DOCUMENT)


def test_rules_that_imply_what_does_not_exist_or_themselves_are_refused() -> None:
    words = "title: {en: a, ko: b}, explanation: {en: a, ko: b}"
    rules = [
        f"{{id: {name}, shape: count, severity: low, at_least: 2, implies: [{implied}], {words}}}"
        for name, implied in (("one", "two"), ("two", "one"), ("three", "four"))
    ]
    with pytest.raises(RulesRefusedError) as refused:
        rules_file.read(f"rules: [{', '.join(rules)}]", name="mine.yaml")
    assert len(refused.value.problems) == 3
    assert "three: implies: there is no rule four" in str(refused.value)
    assert "two: implies: it implies itself, in the end" in str(refused.value)
