"""The timeline shows an encrypted text as it is, and nothing else that stands in its place."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from schemas.documents.touchpoint import SEALED_TEXT
from services.journey.read import view_rows


def a_row(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return a row of `journey.touchpoints` with these attributes."""
    now = datetime(2026, 11, 22, tzinfo=UTC)
    payload = {
        "id": "1",
        "occurred_at": now,
        "received_at": now,
        "channel": "web",
        "kind": "page_viewed",
        "source": "web",
        "customer": {"cookie": {"value": "c"}},
        "attributes": attributes,
    }
    row = {name: payload[name] for name in ("id", "occurred_at", "received_at", "channel", "kind", "source")}
    return {**row, "payload": msgspec.json.encode(payload).decode(), "late": False, "replay": False, "journey_id": None}


@pytest.mark.parametrize("sealed", ["sealed:v1:k:AAAA", ["sealed:v1:k:AA", "AA"]])
def test_an_encrypted_text_is_shown_as_it_is(sealed: Any) -> None:
    assert view_rows.touchpoint(a_row({SEALED_TEXT: sealed}), {}).sealed_text == sealed


@pytest.mark.parametrize("other", [None, 5, {"a": 1}, ["x", 5], True])
def test_anything_else_that_a_producer_wrote_there_is_not(other: Any) -> None:
    assert view_rows.touchpoint(a_row({SEALED_TEXT: other}), {}).sealed_text is None
