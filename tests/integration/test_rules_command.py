"""`waymark rules`: an analyst's round from a mistake to a version in force, and back."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from waymark.cli import app
from waymark.console import CommandError

pytestmark = pytest.mark.local

MINE = """
extends: default
change:
  long_wait: {limits: [{when: {channel: phone}, gt: 60}], version: 2}
  channel_switch: {enabled: false}
rules:
  - id: errors_in_a_row
    shape: count
    severity: medium
    of: {kind: error_shown}
    at_least: 3
    within: 10m
    title: {en: Runs into errors, ko: 오류를 거듭 겪는 고객}
    explanation: {en: "{count} errors.", ko: "오류 {count}번."}
"""


@pytest.fixture(autouse=True)
def here(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYMARK_POSTGRES", database)
    monkeypatch.setenv("WAYMARK_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(MINE, encoding="utf-8")


def said(*words: str) -> str:
    answer = CliRunner().invoke(app, ["rules", *words], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return answer.stdout


def told(*words: str) -> Any:
    return json.loads(said(*words, "--json"))


def refused(*words: str) -> CommandError:
    with pytest.raises(CommandError) as error:
        CliRunner().invoke(app, ["rules", *words], catch_exceptions=False)
    return error.value


def test_nothing_is_in_force_before_a_worker_or_a_person_says_so() -> None:
    assert "no rules are stored yet" in str(refused("list"))


def test_an_analyst_checks_applies_looks_and_goes_back() -> None:
    assert told("apply", "default")["version"] == 1
    assert "changed  long_wait (limits, version)" in said("check", "mine.yaml")
    applied = told("apply", "mine.yaml", "--note", "stricter waits", "--author", "kim")
    assert (applied["version"], applied["author"], applied["note"]) == (2, "kim", "stricter waits")
    assert applied["changes"] == {
        "new": ["errors_in_a_row"],
        "gone": [],
        "on": [],
        "off": ["channel_switch"],
        "changed": {"long_wait": ["limits", "version"]},
    }
    rules = {rule["id"]: rule for rule in told("list")["rules"]}
    assert (rules["long_wait"]["since_version"], rules["transfers"]["since_version"]) == (2, 1)
    assert (rules["channel_switch"]["enabled"], rules["long_wait"]["frictions"]) == (False, 0)
    assert told("show", "long_wait")["limits"] == [{"when": {"channel": "phone"}, "gt": 60}]
    assert told("show", "long_wait", "--version", "1")["limits"] == [{"when": {"channel": "phone"}, "gt": 120}]
    assert said("show") == MINE
    back = told("apply", "--version", "1")
    assert (back["version"], back["note"]) == (3, "version 1 again")
    assert [one["version"] for one in told("history")["versions"]] == [3, 2, 1]


def test_an_analyst_tries_in_the_shadow_and_then_puts_it_in_force() -> None:
    said("apply", "default")
    assert "nothing is in the shadow" in said("shadow")
    assert "there is nothing to try" in str(refused("apply", "default", "--shadow"))
    tried = told("apply", "mine.yaml", "--shadow", "--note", "too often?", "--author", "kim")["shadow"]
    assert (tried["note"], tried["author"]) == ("too often?", "kim")
    assert [(rule["id"], rule["differs"], rule["is_new"]) for rule in tried["rules"]] == [
        ("long_wait", ["limits", "version"], False),
        ("errors_in_a_row", [], True),
    ]
    assert {rule["found"] for rule in tried["rules"]} == {0}
    assert told("list")["version"] == 1
    assert told("list")["shadow"] == told("shadow")["shadow"] == tried
    assert "long_wait" in said("list").partition("in the shadow")[2]
    assert said("shadow").startswith("in the shadow: version 2")
    now = told("apply", "--from-shadow")
    assert (now["version"], now["note"], now["changes"]["new"]) == (2, "too often?", ["errors_in_a_row"])
    assert (said("show"), told("list")["shadow"]) == (MINE, None)
    assert "nothing to try" in str(refused("apply", "--from-shadow"))


def test_the_shadow_ends_without_a_trace_in_what_is_in_force() -> None:
    said("apply", "default")
    said("apply", "mine.yaml", "--shadow")
    assert "nothing is in the shadow" in said("shadow", "--end", "--note", "too noisy")
    assert told("list")["version"] == 1
    assert "nothing to try" in str(refused("shadow", "--end"))


@pytest.mark.parametrize("words", [("--shadow",), ("mine.yaml", "--from-shadow"), ("--version", "1", "--shadow")])
def test_what_to_apply_is_said_in_one_way(words: tuple[str, ...]) -> None:
    assert refused("apply", *words).exit_code == 2


def test_applying_what_is_in_force_changes_nothing_and_says_so() -> None:
    said("apply", "mine.yaml")
    assert told("apply", "mine.yaml")["applied"] is False
    assert said("apply", "mine.yaml").startswith("nothing changes: version 1")


def test_a_file_with_mistakes_is_refused_with_each_and_its_line_and_nothing_is_stored() -> None:
    said("apply", "default")
    Path("bad.yaml").write_text(MINE.replace("gt: 60", "above: 60").replace("within: 10m", "within: soon"))
    problems = str(refused("apply", "bad.yaml")).splitlines()
    assert problems[0] == "bad.yaml cannot be used:"
    assert any("long_wait" in line and "(line 4)" in line for line in problems)
    assert any("within" in line and "(line 12)" in line for line in problems)
    assert len(told("history")["versions"]) == 1
    answer = CliRunner().invoke(app, ["rules", "check", "bad.yaml", "--json"], catch_exceptions=False)
    assert answer.exit_code == 1
    assert not json.loads(answer.stdout)["sound"]


def test_what_is_not_there_is_said_with_what_is() -> None:
    said("apply", "default")
    assert "did you mean long_wait" in str(refused("show", "long_waits"))
    assert "the versions are 1 to 1" in str(refused("apply", "--version", "7"))
    assert "No such file" in str(refused("check", "missing.yaml"))
    assert refused("apply").exit_code == 2


def test_history_says_in_korean_too(monkeypatch: pytest.MonkeyPatch) -> None:
    said("apply", "default", "--author", "kim")
    said("apply", "mine.yaml", "--author", "lee", "--note", "대기 기준 강화")
    monkeypatch.setenv("LANG", "ko_KR.UTF-8")
    lines = said("history").splitlines()
    assert lines[0].startswith("버전 2, ")
    assert lines[0].endswith("부터 적용 (lee: 대기 기준 강화)")
    assert lines[-1] == "버전 1, 처음부터 (kim)"
    assert "  꺼짐  channel_switch" in lines
