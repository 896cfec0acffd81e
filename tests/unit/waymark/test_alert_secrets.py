"""`waymark alerts secrets`: what it says of the sealed credentials, and that it wants the keys."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from services.alerts.deliver.credential_store import ResealCount
from waymark import database
from waymark.cli import app
from waymark.console import CommandError


def run(monkeypatch: pytest.MonkeyPatch, found: ResealCount, *flags: str) -> Any:
    monkeypatch.setenv("WAYMARK_ALERTS_SECRET_KEYS", "n" * 32 + "," + "o" * 32)
    monkeypatch.setenv("WAYMARK_POSTGRES", "postgresql://nobody@127.0.0.1:9/waymark")
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setattr(database, "run_in_transaction", lambda _url, _work: found)
    return CliRunner().invoke(app, ["alerts", "secrets", *flags])


def test_it_counts_by_key(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, ResealCount(resealed=2, current=5, unopenable=0))

    assert (done.exit_code, done.stdout) == (0, "under an older key: 2; under the first key: 5; unopenable: 0\n")


def test_it_says_what_was_sealed_anew_to_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, ResealCount(resealed=2, current=0, unopenable=0), "--reseal", "--json")

    assert json.loads(done.stdout) == {"resealed": 2, "current": 0, "unopenable": 0}


def test_what_no_given_key_opens_is_a_failure_that_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, ResealCount(resealed=0, current=0, unopenable=1))

    assert isinstance(done.exception, CommandError)
    assert "add it behind the first" in str(done.exception)


def test_it_wants_the_keys_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WAYMARK_ALERTS_SECRET_KEYS", raising=False)
    monkeypatch.setenv("LC_ALL", "C")

    done = CliRunner().invoke(app, ["alerts", "secrets"])

    assert isinstance(done.exception, CommandError)
    assert (done.exception.exit_code, "WAYMARK_ALERTS_SECRET_KEYS" in str(done.exception)) == (2, True)
