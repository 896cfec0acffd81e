"""Friction v1 as the alert service reads it, and an issue as it publishes it."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from schemas.documents import issue as issue_v1
from services.alerts.issues.contract import (
    MAX_RECORD_BYTES,
    UnreadableRecordError,
    read_friction,
    write_issue,
)
from services.alerts.issues.model import AlertSeverity, IssueState, TimelineStep
from tests.unit.alerts.builders import NOW, an_issue

EXAMPLES = Path(__file__).resolve().parents[3] / "schemas" / "examples" / "friction.v1" / "valid"


def example(name: str = "missed_callback", **members: Any) -> bytes:
    return json.dumps(json.loads((EXAMPLES / f"{name}.json").read_text()) | members).encode()


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.json")), ids=lambda file: str(file.stem))
def test_every_example_of_the_contract_is_read(file: Path) -> None:
    document = json.loads(file.read_text())

    found = read_friction(file.read_bytes())

    assert (found.id, found.rule, found.revision) == (document["id"], document["rule"], document["revision"])
    assert found.stands == (document["state"] == "detected")
    assert found.severity is AlertSeverity(document["severity"])
    assert [step.kind for step in found.timeline] == [entry["kind"] for entry in document.get("timeline", [])]


def test_a_friction_of_an_earlier_release_was_revised_when_it_was_detected() -> None:
    document = json.loads(example())
    document.pop("revised_at", None)

    found = read_friction(json.dumps(document).encode())

    assert found.revised_at.isoformat().startswith(document["detected_at"][:19])


@pytest.mark.parametrize(
    ("value", "code", "at"),
    [
        pytest.param(lambda: None, "no_value", "", id="a tombstone"),
        pytest.param(lambda: b" " * (MAX_RECORD_BYTES + 1), "too_large", "", id="too large"),
        pytest.param(lambda: example(rule="a\u0000b"), "nul_character", "", id="a character that no column keeps"),
        pytest.param(lambda: b"nonsense", "not_a_friction", "", id="no JSON"),
        pytest.param(lambda: example(revision=0), "not_a_friction", "revision", id="a revision before the first"),
        pytest.param(lambda: example(id="x"), "not_a_friction", "id", id="an id that is no UUID"),
        pytest.param(lambda: example(severity="dire"), "not_a_friction", "severity", id="an unknown severity"),
    ],
)
def test_what_is_no_friction_is_refused_with_a_code_and_a_place(
    value: Callable[[], bytes | None], code: str, at: str
) -> None:
    with pytest.raises(UnreadableRecordError) as raised:
        read_friction(value())

    assert (raised.value.code, raised.value.at) == (code, at)
    assert raised.value.message


def test_a_refusal_quotes_nothing_of_the_record() -> None:
    with pytest.raises(UnreadableRecordError) as raised:
        read_friction(example(severity="010-1234-5678"))

    assert "1234" not in raised.value.message


def test_an_issue_is_published_with_all_that_was_decided_about_it() -> None:
    issue = an_issue(
        state=IssueState.RESOLVED,
        severity=AlertSeverity.HIGH,
        acknowledged_at=NOW,
        acknowledged_by="kim",
        resolved_at=NOW + timedelta(hours=1),
        resolved_by="lee",
        resolution="called_back",
        merged_into=UUID(int=8),
        timeline=(TimelineStep(occurred_at=NOW, channel="phone", kind="call_ended", outcome=None, reason="billing"),),
    )

    document = issue_v1.decode(issue_v1.encode(write_issue(issue)))

    assert (document.id, document.state.value, document.severity.value) == (str(UUID(int=7)), "resolved", "high")
    assert (document.acknowledged_by, document.resolved_by, document.resolution) == ("kim", "lee", "called_back")
    assert (document.merged_into, document.service_level) == (str(UUID(int=8)), "premium")
    assert [(entry.kind, entry.reason) for entry in document.timeline] == [("call_ended", "billing")]


def test_what_an_issue_does_not_have_is_left_out() -> None:
    document = json.loads(issue_v1.encode(write_issue(an_issue(service_level=None))))

    assert {"service_level", "acknowledged_at", "resolved_at", "merged_into", "team"} & document.keys() == set()
