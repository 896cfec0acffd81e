"""What `waymark doctor` says speaks the operator's language, in every line."""

import re
from pathlib import Path

import pytest

from waymark.doctor.examination import examine
from waymark.doctor.finding import DoctorFinding

HANGUL = re.compile("[가-힣]")
NOWHERE = {
    "WAYMARK_KAFKA": "127.0.0.1:9",
    "WAYMARK_POSTGRES": "postgresql://waymark:secret@127.0.0.1:9/waymark",
    "WAYMARK_ALERTS_PORT": "9",
    "WAYMARK_INGEST_PORT": "9",
    "WAYMARK_INGEST_MAX_ITEMS": "none",
}


def _findings(folder: Path) -> list[DoctorFinding]:
    return list(examine({**NOWHERE, "WAYMARK_DATA_DIR": str(folder)}))


def test_the_doctor_speaks_korean_under_a_korean_locale(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LC_ALL", "ko_KR.UTF-8")
    found = _findings(tmp_path)

    assert {one.name for one in found} >= {"settings", "disk", "kafka", "postgres", "ingest", "alerts"}
    for one in found:
        assert not one.fix or HANGUL.search(one.fix), one
        assert one.name in {"python", "settings"} or HANGUL.search(one.detail), one
        assert "secret" not in one.detail


def test_the_doctor_speaks_english_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert not any(HANGUL.search(one.detail + one.fix) for one in _findings(tmp_path))
