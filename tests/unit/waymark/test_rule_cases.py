"""`waymark rules test`: cases in files, and what is said about those that fail or cannot be read."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.journey import policies
from services.journey.rulebook import rules_file
from services.journey.trial.case import run_case
from waymark.cli import app
from waymark.console import CommandError
from waymark.rules import case_file

SHIPPED = Path("examples/rules/shipped-rules.yaml")
RULES = [rule.id for rule in rules_file.load().rules if rule.enabled]

LIMITS = {
    "repeat_contact_24h": "{within: 23h}",
    "repeat_contact_7d": "{within: 47h}",
    "fcr_failed": "{within: 2d}",
    "transfers": "{limits: [{gte: 1}]}",
    "long_wait": "{limits: [{gte: 120}]}",
    "channel_switch": "{within: 50h}",
    "case_reopened": "{once: false}",
    "group_ping_pong": "{pattern: [a, b, c]}",
    "low_ces": "{limits: [{lte: 4}]}",
    "payment_declines": "{within: 29m}",
    "checkout_abandoned": "{within: 29m}",
    "callback_missed": "{grace: 14m}",
}
"""For each shipped rule a small change that the shipped cases must notice."""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a text to a file, and returns its path."""

    def written(text: str, name: str = "cases.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return written


def failing(rules: Path | None) -> list[str]:
    """The shipped cases that do not pass with these rules."""
    rulebook, policy = rules_file.load(rules), policies.projection()
    results = [run_case(case, rulebook, policy) for case in case_file.load(SHIPPED).cases]
    return [result.name for result in results if not result.passed]


def test_the_shipped_rules_pass_their_cases() -> None:
    assert failing(None) == []


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_that_is_switched_off_is_noticed(rule: str, write: Callable[..., Path]) -> None:
    assert failing(write(f"extends: default\nchange: {{{rule}: {{enabled: false}}}}\n"))


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_with_another_limit_is_noticed(rule: str, write: Callable[..., Path]) -> None:
    assert failing(write(f"extends: default\nchange: {{{rule}: {LIMITS[rule]}}}\n"))


def test_a_case_that_fails_says_what_is_missing_and_what_was_not_expected(write: Callable[..., Path]) -> None:
    path = write("""
tests:
  - name: expects the wrong rule
    touchpoints:
      - {id: a, occurred_at: +0m, channel: phone, kind: call_ended, direction: inbound, wait_s: 300}
    expect: [{rule: transfers, anchor: a}]
""")
    result = CliRunner().invoke(app, ["rules", "test", str(path), "--json"])
    document = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (document["passed"], document["failed"]) == (0, 1)
    [told] = document["tests"]
    assert [one["rule"] for one in told["missing"]] == ["transfers"]
    assert [(one["rule"], one["anchor"]) for one in told["unexpected"]] == [("long_wait", "a")]


def test_severity_and_time_are_compared_where_they_are_given(write: Callable[..., Path]) -> None:
    path = write("""
tests:
  - name: both wrong
    touchpoints: [{id: a, occurred_at: +0m, channel: phone, kind: callback_promised, due_at: +1h}]
    until: +1d
    expect: [{rule: callback_missed, anchor: a, severity: critical}]
  - name: the time is wrong
    touchpoints: [{id: a, occurred_at: +0m, channel: phone, kind: callback_promised, due_at: +1h}]
    until: +1d
    expect: [{rule: callback_missed, anchor: a, at: +1h}]
""")
    rulebook, policy = rules_file.load(), policies.projection()
    results = [run_case(case, rulebook, policy) for case in case_file.load(path).cases]
    assert [(len(one.missing), len(one.unexpected)) for one in results] == [(1, 1), (1, 1)]


def test_an_anchor_is_called_by_its_interaction_or_by_one_of_its_touchpoints(write: Callable[..., Path]) -> None:
    case = """
tests:
  - name: by {anchor}
    defaults: {{channel: phone, direction: inbound, reason: billing}}
    touchpoints:
      - {{id: a, occurred_at: +0m, kind: call_ended}}
      - {{id: b, occurred_at: +2d, kind: call_started, interaction_id: call-2}}
      - {{id: c, occurred_at: +2d 1m, kind: call_ended, interaction_id: call-2}}
    expect: [{{rule: repeat_contact_7d, anchor: {anchor}}}]
"""
    rulebook, policy = rules_file.load(), policies.projection()
    for anchor, passes in {"call-2": True, "b": True, "c": True, "a": False}.items():
        [read] = case_file.load(write(case.format(anchor=anchor))).cases
        assert run_case(read, rulebook, policy).passed is passes


def test_every_mistake_is_named_with_its_line(write: Callable[..., Path]) -> None:
    path = write("""
tests:
  - name: many mistakes
    touchpoints:
      - {id: a, occurred_at: 5m, channel: phne, kind: call_ended}
      - {id: b, occurred_at: +5m, channel: phone, knd: call_ended}
    until: tomorrow
    expect: [{rule: transfers, anchor: a}]
""")
    with pytest.raises(CommandError) as refused:
        case_file.load(path)
    lines = str(refused.value).splitlines()[1:]
    assert refused.value.exit_code == 2
    assert [line.split(":")[0].strip() for line in lines] == [
        "tests[0].touchpoints[0].occurred_at",
        "tests[0].touchpoints[0].channel",
        "tests[0].touchpoints[1].kind",
        "tests[0].touchpoints[1].knd",
        "tests[0].until",
    ]
    assert [line.rpartition("(")[2] for line in lines] == ["line 5)", "line 5)", "line 6)", "line 6)", "line 7)"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tests: []", "tests: there is none"),
        ("tests: [{name: a, touchpoints: [], expects: []}]", "did you mean `expect`?"),
        ("tests: {", "line"),
        ("", "object"),
    ],
)
def test_a_file_that_is_none_is_refused(text: str, said: str, write: Callable[..., Path]) -> None:
    with pytest.raises(CommandError, match=said.replace("?", r"\?")):
        case_file.load(write(text))


def test_an_expected_rule_must_be_there_and_run(write: Callable[..., Path]) -> None:
    cases = write("""
tests:
  - name: a
    touchpoints: [{id: a, occurred_at: +0m, channel: phone, kind: call_ended}]
    expect: [{rule: long_wat, anchor: a}, {rule: transfers, anchor: a}]
""")
    rules = write("extends: default\nchange: {transfers: {enabled: false}}\n", "rules.yaml")
    result = CliRunner().invoke(app, ["rules", "test", str(cases), "--rules", str(rules)])
    assert isinstance(result.exception, CommandError)
    assert str(result.exception).splitlines()[1:] == [
        "  tests[0].expect[0].rule: long_wat: there is no such rule; did you mean long_wait? (line 5)",
        "  tests[0].expect[1].rule: transfers: this rule is switched off (line 5)",
    ]


def test_a_rule_that_a_case_does_not_ask_cannot_be_expected(write: Callable[..., Path]) -> None:
    cases = write("""
tests:
  - name: a
    touchpoints: [{id: a, occurred_at: +0m, channel: phone, kind: call_ended}]
    only: [long_wait]
    expect: [{rule: transfers, anchor: a}]
""")
    result = CliRunner().invoke(app, ["rules", "test", str(cases)])
    assert "tests[0].expect[0].rule: transfers: it is not among `only` (line 6)" in str(result.exception)


def test_rules_of_a_file_are_found_beside_it(write: Callable[..., Path]) -> None:
    write("extends: default\nchange: {long_wait: {limits: [{gt: 10}]}}\n", "ours.yaml")
    path = write("""
rules: ours.yaml
tests:
  - name: eleven seconds
    touchpoints: [{id: a, occurred_at: +0m, channel: phone, kind: call_ended, wait_s: 11}]
    expect: [{rule: long_wait, anchor: a}]
""")
    assert CliRunner().invoke(app, ["rules", "test", str(path)]).exit_code == 0


def test_a_contact_without_direction_is_pointed_out(write: Callable[..., Path]) -> None:
    path = write("""
defaults: {channel: phone, reason: billing}
tests:
  - name: no direction
    touchpoints: [{id: a, occurred_at: +0m, kind: call_ended}, {id: b, occurred_at: +1h, kind: call_ended}]
    expect: [{rule: repeat_contact_24h, anchor: b}]
""")
    result = CliRunner().invoke(app, ["rules", "test", str(path)])
    assert result.exit_code == 1
    assert "direction: inbound" in result.output
