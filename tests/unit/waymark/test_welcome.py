"""What `waymark up` says once everything answers: where to look, and with which key."""

from pathlib import Path

import pytest
from rich.console import Console

from waymark.local.plan import BrokerKind, StackPlan
from waymark.local.welcome import welcome
from waymark.target import CommandTarget

PLAN = StackPlan(folder=Path("data"), ports={}, broker=BrokerKind.EMBEDDED)
TARGET = CommandTarget(
    ingest="http://127.0.0.1:8080",
    journey="http://127.0.0.1:9101",
    journey_api="http://127.0.0.1:8081",
    console="http://127.0.0.1:8083",
    alerts="http://127.0.0.1:8082",
    kafka="127.0.0.1:9092",
    postgres="postgresql://127.0.0.1:15432/waymark",
    line="",
    idempotent=False,
    keys={"source": "wm_src_1", "reader": "wm_reader_1", "agent": "wm_agent_1", "admin": "wm_admin_1"},
    from_up=True,
)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("The console opens with the agent key", "the inspector with the source key")),
        ("ko", ("콘솔은 agent 키로 엽니다", "인스펙터는 source 키")),
    ],
)
def test_a_newcomer_is_told_where_the_pages_are_and_which_key_opens_them(
    language: str, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waymark.local.welcome.say", lambda en, ko: ko if language == "ko" else en)
    terminal = Console(width=200)
    with terminal.capture() as captured:
        terminal.print(welcome(PLAN, TARGET))

    said = captured.get()
    assert "http://127.0.0.1:8080/inspector" in said
    assert "http://127.0.0.1:8083/" in said
    for word in words:
        assert word in said
