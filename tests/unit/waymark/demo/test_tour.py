"""The tour after the demo: what is there is shown, with addresses that the console knows."""

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from waymark.demo.tour import commands, guide, stops

CONSOLE = "http://127.0.0.1:8083"
OUTBREAK: dict[str, Any] = {"issue": {"id": "o-1", "title": {"en": "Cards fail", "ko": "카드 결제 실패"}}}
ISSUES: list[dict[str, Any]] = [
    {"id": "o-1", "title": {"en": "Cards fail", "ko": "카드 결제 실패"}},
    {"id": "i-2", "customer_id": "c-9", "title": {"en": "Called three times", "ko": "세 번 전화"}},
]


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")


def test_the_most_urgent_customer_and_an_outbreak_are_shown() -> None:
    found = stops(CONSOLE, ISSUES, [OUTBREAK])

    assert [stop.where for stop in found] == [f"{CONSOLE}/", f"{CONSOLE}/customers/c-9", f"{CONSOLE}/issues/o-1"]
    assert "Called three times" in found[1].what


def test_what_the_hour_did_not_bring_is_no_stop() -> None:
    assert [stop.where for stop in stops(CONSOLE, [], [])] == [f"{CONSOLE}/"]


def test_commands_find_the_stack_by_its_folder() -> None:
    assert all(
        stop.where.startswith("WAYMARK_DATA_DIR='/tmp/a demo' waymark ") for stop in commands(Path("/tmp/a demo"))
    )


def test_the_guide_numbers_the_stops_and_says_how_to_sign_in() -> None:
    console = Console(width=400, color_system=None)
    with console.capture() as told:
        console.print(guide(stops(CONSOLE, ISSUES, [OUTBREAK]), "wm_agent_1"))

    assert "Sign in with wm_agent_1" in told.get()
    assert "3. One cause, many customers" in told.get()
