"""`waymark journeys check`: what a file defines, or every mistake in it, without a database."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from waymark.cli import app
from waymark.console import CommandError


def check(*words: str) -> tuple[int, str]:
    answer = CliRunner().invoke(app, ["journeys", "check", *words], catch_exceptions=False)
    return answer.exit_code, answer.stdout


def test_a_shipped_set_is_outlined_in_the_operators_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "C.UTF-8")
    code, said = check("retail")
    assert (code, said.splitlines()[0]) == (0, "sound: 4 journeys")
    assert "  delivery (Delivery): preparing (2d) → on_the_way (3d) → second_try (2d)" in said
    monkeypatch.setenv("LANG", "ko_KR.UTF-8")
    assert "  delivery (배송): preparing (2d)" in check("retail")[1]


def test_mistakes_are_a_document_for_programs(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("journeys: [{id: a, titel: {en: a, ko: b}}]", encoding="utf-8")
    code, said = check(str(file), "--json")
    document = json.loads(said)
    assert (code, document["sound"]) == (1, False)
    assert any("Did you mean title?" in problem for problem in document["problems"])


def test_a_file_that_is_not_there_names_the_sets_that_ship(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "C.UTF-8")
    with pytest.raises(CommandError, match="the sets that ship are banking, retail") as error:
        check("retial")
    assert error.value.exit_code == 2
