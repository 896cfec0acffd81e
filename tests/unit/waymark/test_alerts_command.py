"""`waymark alerts`: what it says of a policy, for people and for programs."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from waymark.cli import app
from waymark.console import CommandError

POLICY = """\
route:
  routes:
    - name: premium
      matchers: [service_level=premium]
      teams: [premium care]
      active_time_intervals: [business]
    - name: grouped
      matchers: [reason=~"pay.*"]
      group_by: [reason]
      group_wait: 30s
      endpoints: [desk]
time_intervals:
  - name: business
    time_intervals:
      - {weekdays: [monday:friday], times: [{start_time: "09:00", end_time: "18:00"}], location: Asia/Seoul,
         except_holidays: KR}
"""


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    file = tmp_path / "alerts.yaml"
    file.write_text(POLICY, encoding="utf-8")
    return file


def run(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["alerts", *map(str, arguments)])
    assert done.exit_code == code, (done.output, done.exception)
    return done.stdout


def test_a_good_policy_is_counted(policy: Path) -> None:
    assert run("check", policy) == "the policy is valid: 2 routes, 0 rules of inhibition, 1 named hours\n"
    assert json.loads(run("check", policy, "--json")) == {"valid": True, "routes": 2, "problems": [], "warnings": []}


def test_a_mistake_is_named_with_its_file_and_line(policy: Path) -> None:
    policy.write_text(POLICY.replace("teams:", "team:"), encoding="utf-8")

    failed = CliRunner().invoke(app, ["alerts", "check", str(policy)])
    document = json.loads(run("check", policy, "--json", code=1))

    assert isinstance(failed.exception, CommandError)
    assert f"{policy}:5: route.routes[0].team: unknown member; did you mean 'teams'?" in str(failed.exception)
    [problem] = document["problems"]
    assert (document["valid"], problem["line"], problem["place"]) == (False, 5, "route.routes[0].team")


def test_a_trial_says_who_and_when(policy: Path) -> None:
    seollal = ("route", "test", policy, "-l", "service_level=premium", "--at", "2026-02-17T10:00+09:00")

    assert "premium: premium care; held until 2026-02-19T00:00:00+00:00" in run(*seollal)
    assert "premium: premium care; at once" in run(*seollal, "-l", "severity=critical")
    assert "grouped: desk; in a group by reason, after 30s" in run("route", "test", policy, "-l", "reason=payment")
    assert "the catch-all endpoints" in run("route", "test", policy)


def test_a_trial_for_programs_has_the_path(policy: Path) -> None:
    tried = json.loads(run("route", "test", policy, "-l", "reason=payment", "--json"))

    assert [(step["route"], step["match"]) for step in tried["path"]] == [
        ("premium", "matcher_differs"),
        ("grouped", "matched"),
    ]
    assert tried["routes"][0]["endpoints"] == ["desk"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [(("-l", "reasn=x"), "reason"), (("-l", "severity=hihg"), "high"), (("--at", "noon"), "2026")],
)
def test_a_wrong_label_or_time_is_answered_with_a_right_one(
    policy: Path, arguments: tuple[str, str], word: str
) -> None:
    failed = CliRunner().invoke(app, ["alerts", "route", "test", str(policy), *arguments])

    assert isinstance(failed.exception, CommandError)
    assert word in str(failed.exception)


def test_an_alertmanager_file_is_printed_as_a_policy(policy: Path, tmp_path: Path) -> None:
    other = tmp_path / "alertmanager.yml"
    other.write_text("route: {receiver: desk, group_by: [alertname]}\nreceivers: [{name: desk}]\n", encoding="utf-8")
    policy.write_text(run("import", other, "--label", "alertname=rule"), encoding="utf-8")

    assert "1 routes" in run("check", policy)
    assert json.loads(run("import", other, "--json"))["notes"][0].startswith("receivers: ")
