"""A file of variables is checked as a whole before anything is started with it: every mistake, with file and line."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.architecture.settings import EXAMPLE
from tests.architecture.tree import ROOT
from waymark.cli import app
from waymark.doctor.env_file import examine_env_file
from waymark.doctor.finding import FindingVerdict

WRONG = """\
# passwords
WAYMARK_DB_PASSWORD=with#hash
WAYMARK_DB_PASSWORD_INGEST=

export WAYMARK_INGEST_MAX_ITEMS="many"
WAYMARK_INGEST_MAX_ITMS=5
WAYMARK_KAFAK=kafka:9092
this is nothing
WAYMARK_LOG_LEVEL=info
WAYMARK_LOG_LEVEL=loud
"""


def told(path: Path) -> tuple[FindingVerdict, list[str]]:
    (finding,) = examine_env_file(path)
    return finding.verdict, finding.detail.split("; ")


def test_every_mistake_is_named_with_file_and_line_and_no_value_is_quoted(tmp_path: Path) -> None:
    path = tmp_path / "compose.env"
    path.write_text(WRONG, encoding="utf-8")
    verdict, lines = told(path)
    text = "; ".join(lines)

    assert verdict is FindingVerdict.BROKEN
    for words, line in [
        ("WAYMARK_DB_PASSWORD: stands in a URL as it is", 2),
        ("WAYMARK_DB_PASSWORD_INGEST: is empty", 3),
        ("WAYMARK_INGEST_MAX_ITEMS: is no whole number", 5),
        ("WAYMARK_INGEST_MAX_ITMS: no such setting", 6),
        ("WAYMARK_KAFAK: no such setting", 7),
        ("this is no NAME=value", 8),
        ("WAYMARK_LOG_LEVEL: is given twice, in line 9 and line 10", 10),
        ("WAYMARK_LOG_LEVEL: is none of", 10),
    ]:
        assert words in text
        assert any(f"line {line}" in one or f"(line {line})" in text for one in lines if words in one), words
    assert text.count(str(path)) == 8
    assert "with#hash" not in text
    assert "loud" not in text


def test_the_examples_are_good_once_what_they_leave_open_is_filled_in(tmp_path: Path) -> None:
    assert told(EXAMPLE)[0] is FindingVerdict.FINE
    example = (ROOT / "deploy" / "compose.env.example").read_text(encoding="utf-8")
    assert told(ROOT / "deploy" / "compose.env.example")[0] is FindingVerdict.BROKEN
    filled = tmp_path / "compose.env"
    lines = [line + "0" * 48 if line.endswith("=") else line for line in example.splitlines()]
    filled.write_text("\n".join(lines))
    assert told(filled)[0] is FindingVerdict.FINE


@pytest.mark.parametrize("raw", ["값".encode("cp949"), b"\xff\xfeA\x00=\x00"])
def test_a_file_in_another_encoding_is_reported(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "compose.env"
    path.write_bytes(raw)

    assert told(path) == (FindingVerdict.BROKEN, [f"{path}: is not UTF-8 (byte 1)", "save the file in UTF-8"])


def test_the_command_looks_at_the_file_alone_and_exits_with_1_where_it_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "compose.env"
    path.write_text("WAYMARK_ALERTS_PORT=x\n")
    ended = CliRunner().invoke(app, ["doctor", "--env-file", str(path)])

    assert ended.exit_code == 1
    assert "WAYMARK_ALERTS_PORT: is no whole number" in ended.stdout
    assert "kafka" not in ended.stdout
    missing = CliRunner().invoke(app, ["doctor", "--env-file", str(tmp_path / "none")])
    assert missing.exit_code == 1
    assert "cannot be read: No such file" in missing.stdout
